/** The application of the soak test as a process that can be killed, and what its journal says. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { until } from "../../test/support/processes.ts";

const PROGRAM = fileURLToPath(new URL("soak_backend_program.ts", import.meta.url));

export class SoakBackend {
  readonly port: number;
  readonly #journal: string;
  readonly #limit: number;
  #child: ChildProcess | null = null;

  /** @param limit requests in flight above which the journal says so */
  constructor(port: number, journal: string, limit: number) {
    this.port = port;
    this.#journal = journal;
    this.#limit = limit;
  }

  /** Resolves when it accepts connections. */
  async start(): Promise<void> {
    const args = [PROGRAM, String(this.port), this.#journal, String(this.#limit)];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
    let accepts = false;
    const dial = () => {
      const socket = connect(this.port, "127.0.0.1");
      socket.on("connect", () => {
        accepts = true;
        socket.destroy();
      });
      socket.on("error", () => accepts || setTimeout(dial, 20));
    };
    dial();
    await until(`the application on port ${this.port}`, () => accepts);
  }

  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return Promise.resolve();
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    return gone;
  }

  /** How often each POST has arrived whole. */
  posts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const id of this.#lines("POST ")) counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  }

  /** Numbers of requests in flight that were above the limit. */
  excesses(): readonly string[] {
    return this.#lines("OVER ");
  }

  #lines(start: string): string[] {
    if (!existsSync(this.#journal)) return [];
    const lines = readFileSync(this.#journal, "latin1").split("\n");
    return lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
  }
}
