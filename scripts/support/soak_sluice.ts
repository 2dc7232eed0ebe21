/** The Sluice that is soaked: asked over its control socket, followed through upgrades by its pid file. */

import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import process from "node:process";
import { type ScratchFolder, start } from "../../test/smoke/program.ts";
import { childrenOf, until, untilGone } from "../../test/support/processes.ts";

/** Of the process and its workers. */
export interface Resources {
  readonly mib: number;
  readonly descriptors: number;
  readonly processes: number;
}

/** Told of a verb that has been carried out, with wall-clock milliseconds. */
export type VerbDone = (path: string, body: object, asked: number, answered: number) => void;

export class SoakSluice {
  readonly #control: string;
  readonly #pidFile: string;
  readonly #first: ChildProcess;
  readonly #done: VerbDone;

  /** @param args without those for the control socket */
  static async start(
    program: string,
    args: readonly string[],
    folder: ScratchFolder,
    done: VerbDone,
  ): Promise<SoakSluice> {
    const [control, pidFile] = [folder.file("control"), folder.file("pid")];
    const own = ["--control", control, "--pid-file", pidFile, "--log-level", "error"];
    const child = start([program], [...own, ...args], folder.path);
    // What it says is what goes wrong.
    child.stderr?.pipe(process.stderr);
    let ended: number | null = null;
    child.on("exit", (code) => ended = code ?? -1);
    await until("Sluice to be ready", () => ended !== null || existsSync(pidFile));
    if (ended !== null) throw new Error(`sluice ended with ${ended} instead of being ready`);
    return new SoakSluice(child, control, pidFile, done);
  }

  private constructor(first: ChildProcess, control: string, pidFile: string, done: VerbDone) {
    this.#first = first;
    this.#done = done;
    this.#control = control;
    this.#pidFile = pidFile;
  }

  get pid(): number {
    return Number(readFileSync(this.#pidFile, "latin1"));
  }

  /** Has a verb carried out. @throws Error when it is refused */
  async ask(path: string, body: object = {}): Promise<string> {
    const asked = Date.now();
    const { status, text } = await this.#http("POST", path, JSON.stringify(body));
    if (status !== 200) throw new Error(`${path} ${JSON.stringify(body)}: ${status} ${text}`);
    this.#done(path, body, asked, Date.now());
    return text;
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.#http("GET", "/status", "")).text) as Status;
  }

  /** To itself; resolves when the process before has ended. */
  async upgrade(): Promise<void> {
    const before = this.pid;
    await this.ask("/upgrade", { timeout_ms: 60_000 });
    await untilGone(before);
  }

  resources(): Resources {
    const pids = [this.pid, ...childrenOf(this.pid).map(({ pid }) => pid)];
    let [kib, descriptors] = [0, 0];
    for (const pid of pids) {
      kib += Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
      descriptors += readdirSync(`/proc/${pid}/fd`).length;
    }
    return { mib: kib / 1024, descriptors, processes: pids.length };
  }

  /** Ends whatever serves now. */
  async stop(): Promise<void> {
    const { pid } = this;
    process.kill(pid, "SIGTERM");
    await untilGone(pid);
  }

  kill(): void {
    this.#first.kill("SIGKILL");
    try {
      process.kill(this.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }

  #http(
    method: string,
    path: string,
    body: string,
  ): Promise<{ readonly status: number; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const headers = body === "" ? {} : { "content-type": "application/json" };
      const asking = request({ socketPath: this.#control, agent: false, method, path, headers }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part) => text += part);
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
        answer.on("error", reject);
      });
      asking.on("error", (error) => reject(new Error(`${path} ${body}: ${error.message}`)));
      asking.end(body);
    });
  }
}

/** The part of a status used here. */
export interface Status {
  readonly upstreams: readonly {
    readonly name: string;
    readonly in_flight: number;
    readonly waiting: number;
    readonly paused: object | null;
    readonly totals: { readonly requests: number };
  }[];
}
