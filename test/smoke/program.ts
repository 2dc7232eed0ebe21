/** Sluice as a process: started with flags, waited for, stopped. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { within } from "../support/watchdog.ts";

/** How a program ended and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program and the arguments that come before all others: an executable, or a runtime and an entry file. */
export type Command = readonly [program: string, ...args: string[]];

/** A folder that is removed at the end. */
export class ScratchFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), "sluice-smoke-"));

  file(name: string): string {
    return join(this.path, name);
  }

  /** A folder in it. */
  make(name: string): void {
    mkdirSync(this.file(name));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Nothing of our own environment changes what Sluice does, but the sockets that the test command asks for. */
const environment = {
  PATH: process.env["PATH"] ?? "",
  DENO_NO_UPDATE_CHECK: "1",
  ...(process.env["SLUICE_SOCKETS"] === undefined ? {} : { SLUICE_SOCKETS: process.env["SLUICE_SOCKETS"] }),
};

/** Starts Sluice in a folder, in which it also puts, and looks for, control sockets; descriptor 3 is a pipe for `--ready-fd`. */
export function start(command: Command, args: readonly string[], cwd: string): ChildProcess {
  const [program, ...first] = command;
  const stdio: ("ignore" | "pipe")[] = ["ignore", "pipe", "pipe", "pipe"];
  return spawn(program, [...first, ...args], {
    cwd,
    env: { ...environment, XDG_RUNTIME_DIR: cwd, TMPDIR: cwd },
    stdio,
  });
}

/** What a program has written so far. */
interface Output {
  stdout: string;
  stderr: string;
}

export function ending(child: ChildProcess, output: Output = { stdout: "", stderr: "" }): Promise<Ended> {
  child.stdout?.on("data", (bytes) => output.stdout += String(bytes));
  child.stderr?.on("data", (bytes) => output.stderr += String(bytes));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, ...output }));
  });
}

/** Runs Sluice to its end; kills it when that does not come. */
export async function runToEnd(command: Command, args: readonly string[], cwd: string): Promise<Ended> {
  const child = start(command, args, cwd);
  try {
    return await within(ending(child), `sluice ${args.join(" ")} to end`);
  } finally {
    child.kill("SIGKILL");
  }
}

/** Sluice serving, on a port of its own choice. */
export class Serving {
  readonly port: number;
  /** Resolves when the process has ended. */
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #output: Output;

  /** Starts it and waits until it says that it is ready. */
  static async start(command: Command, args: readonly string[], folder: ScratchFolder): Promise<Serving> {
    const portFile = folder.file("port");
    rmSync(portFile, { force: true });
    const own = ["--listen", "127.0.0.1:0", "--port-file", portFile, "--ready-fd", "3"];
    const child = start(command, [...own, ...args], folder.path);
    const output: Output = { stdout: "", stderr: "" };
    const ended = ending(child, output);
    try {
      await within(Promise.race([readyOn(child), failureOf(ended)]), "sluice to be ready");
      if (!existsSync(portFile)) throw new Error("ready, but the port file is not there");
      const text = readFileSync(portFile, "latin1");
      const port = Number(/^(\d+)\n/.exec(text)?.[1]);
      if (!(port > 0)) throw new Error(`the port file holds ${JSON.stringify(text)}`);
      return new Serving(child, port, ended, output);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  private constructor(child: ChildProcess, port: number, ended: Promise<Ended>, output: Output) {
    this.#child = child;
    this.#output = output;
    this.port = port;
    this.ended = ended;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  terminate(): void {
    this.signal("SIGTERM");
  }

  signal(name: "SIGTERM" | "SIGINT" | "SIGUSR1" | "SIGKILL"): void {
    // Not through the child: Deno would report the signal as what ended it.
    process.kill(this.pid, name);
  }

  /** Resolves when standard error has said this. */
  async said(pattern: RegExp): Promise<void> {
    const stderr = this.#child.stderr as Readable;
    await within(
      new Promise<void>((resolve) => {
        const look = () => {
          if (!pattern.test(this.#output.stderr)) return;
          stderr.off("data", look);
          resolve();
        };
        stderr.on("data", look);
        look();
      }),
      `sluice to say ${pattern}`,
      undefined,
      () => `it said ${this.#output.stderr}`,
    );
  }

  /** SIGTERM, and a clean end. @throws when it ends otherwise */
  async stop(): Promise<Ended> {
    this.terminate();
    return await this.untilCleanEnd();
  }

  /** @throws when the exit code is not 0 */
  async untilCleanEnd(): Promise<Ended> {
    const ended = await within(this.ended, "sluice to stop");
    if (ended.code !== 0) {
      throw new Error(
        `exit code ${ended.code ?? ended.signal} after SIGTERM; standard error: ${ended.stderr}`,
      );
    }
    return ended;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

function readyOn(child: ChildProcess): Promise<void> {
  const pipe = child.stdio[3] as Readable;
  return new Promise((resolve) => pipe.once("data", () => resolve()));
}

async function failureOf(ended: Promise<Ended>): Promise<never> {
  const { code, stderr } = await ended;
  throw new Error(`ended with code ${code} instead of being ready; standard error: ${stderr}`);
}
