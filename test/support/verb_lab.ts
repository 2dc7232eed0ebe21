/** Verbs and what they talk to, in one process: the real command line, a real control socket, a plane that plays along. */

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { Runtime, SignalName, System } from "../../runtime/contract/contract.ts";
import { createSystem } from "../../runtime/shared/system.ts";
import { controlRoutes } from "../../src/admin/control_api.ts";
import { ControlSocket } from "../../src/serve/control_socket.ts";
import { run } from "../../src/cli/run.ts";
import { adapterFactory } from "./adapter.ts";
import { FakePlane } from "./fake_plane.ts";
import { within } from "./watchdog.ts";

export interface VerbOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A verb that is running. */
export interface RunningVerb {
  readonly done: Promise<VerbOutcome>;
  /** The process gets a signal. */
  signal(name: SignalName): void;
  /** What has been printed so far. */
  readonly stdout: () => string;
}

export class VerbLab {
  readonly runtime: Runtime;
  readonly plane = new FakePlane();
  /** A folder that is removed in the end; XDG_RUNTIME_DIR of the verbs. */
  readonly folder: string;
  /** Variables of the verbs. */
  env: Record<string, string | undefined>;
  readonly #sockets: ControlSocket[] = [];

  static async use(body: (lab: VerbLab) => Promise<void>): Promise<void> {
    const errors: unknown[] = [];
    const runtime = (await adapterFactory())({ onHandlerError: (error) => errors.push(error) });
    const lab = new VerbLab(runtime);
    try {
      await body(lab);
    } finally {
      for (const socket of lab.#sockets) {
        await socket.close(0);
        socket.abort();
      }
      fs.rmSync(lab.folder, { recursive: true, force: true });
    }
    if (errors.length > 0) throw errors[0];
  }

  private constructor(runtime: Runtime) {
    this.runtime = runtime;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-"));
    this.env = { XDG_RUNTIME_DIR: this.folder, TMPDIR: this.folder, PATH: process.env["PATH"] };
  }

  /** The system of one process. */
  system(more: Partial<System> = {}): System {
    return { ...createSystem(), env: this.env, ...more };
  }

  /** Opens a control socket as a Sluice that listens on `port` does. */
  async open(port: number, runtime: Runtime = this.runtime): Promise<string> {
    const opened = await ControlSocket.open(runtime, this.system(), {
      control: null,
      listeners: [{ kind: "tcp", host: "127.0.0.1", port }],
      routes: controlRoutes(this.plane),
      onError: (error) => {
        throw error;
      },
    });
    if (opened.kind !== "open") throw new Error(`not open: ${JSON.stringify(opened)}`);
    this.#sockets.push(opened.socket);
    return opened.socket.path;
  }

  /** Runs a verb to its end. */
  sluice(...args: string[]): Promise<VerbOutcome> {
    return this.start(...args).done;
  }

  start(...args: string[]): RunningVerb {
    const written: Record<number, string> = { 1: "", 2: "" };
    const handlers = new Map<SignalName, (() => void)[]>();
    const system = this.system({
      args,
      isTerminal: () => false,
      writeDescriptor: (fd, text) => {
        written[fd] += text;
      },
      onSignal: (name, handler) => void handlers.set(name, [...handlers.get(name) ?? [], handler]),
    });
    const serve = () => Promise.reject(new Error("nothing is to be served"));
    const done = run(this.runtime, system, serve).then((code) => ({
      code,
      stdout: written[1] ?? "",
      stderr: written[2] ?? "",
    }));
    return {
      done: within(done, `sluice ${args.join(" ")}`),
      signal: (name) => {
        for (const handler of handlers.get(name) ?? []) handler();
      },
      stdout: () => written[1] ?? "",
    };
  }
}
