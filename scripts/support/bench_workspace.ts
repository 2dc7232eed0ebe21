/**
 * The ground a benchmark stands on: a temporary folder, two cores, ports, and every process that was
 * started. `close` ends them by their ids and removes the folder, whatever has happened before.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { allowedCores, firstEphemeralPort, processEntry, processTree } from "./bench_proc.ts";
import { root } from "./child.ts";

/** Descriptors for every process: two for each of the connections of the largest scenario, and some. */
const DESCRIPTORS = 20_000;
/** How long a process may take to end in order. Milliseconds. */
const END_MS = 2000;
/** Output that is kept of a tool, in characters. */
const OUTPUT_CHARACTERS = 1_000_000;

export interface Launch {
  readonly command: readonly string[];
  /** Added to our environment; undefined removes a name. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** File that standard output is appended to; default: that of standard error. */
  readonly stdout?: string;
}

/** A process of ours that goes on until it is ended. */
export interface Running {
  readonly pid: number;
  readonly alive: boolean;
  /** Where its standard error goes. */
  readonly logFile: string;
  readonly child: ChildProcess;
}

export interface ToolResult {
  readonly output: string;
  readonly code: number | null;
  readonly timedOut: boolean;
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

export function installed(command: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", command]).status === 0;
}

/** Child processes inherit the limit; a small one would end a scenario with errors that look like a peer's. */
const withDescriptors = [
  "sh",
  "-c",
  `ulimit -n ${DESCRIPTORS} 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$@"`,
  "sh",
];

export class Workspace {
  readonly folder: string;
  readonly proxyCore: number;
  readonly loadCore: number;
  /** Null when the proxy has a core to itself, else why it has not. */
  readonly placementProblem: string | null;
  readonly #pinned: boolean;
  readonly #running = new Set<ChildProcess>();
  #nextPort: number;
  #closed = false;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
    const cores = allowedCores();
    this.loadCore = cores[0] ?? 0;
    this.proxyCore = cores.at(-1) ?? 0;
    const one = cores.length < 2 || availableParallelism() < 2;
    this.#pinned = !one && installed("taskset");
    this.placementProblem = one
      ? "this machine has one core: proxy, origin and load tool share it"
      : this.#pinned
      ? null
      : "taskset is missing (Debian: util-linux): the kernel moves proxy and load tool about";
    // Load tools and origin inherit our place.
    if (this.#pinned) spawnSync("taskset", ["-acp", String(this.loadCore), String(process.pid)]);
    this.#nextPort = Math.min(20_000, firstEphemeralPort() - 10_000) + (process.pid % 400) * 20;
    // The last resort, for an end that nobody has foreseen.
    process.on("exit", () => this.#destroy());
  }

  /** Everything is being ended: what fails now fails for that reason. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Writes a file into the folder. */
  file(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** A port on which nobody listens, outside the range of outgoing connections. */
  async freePort(): Promise<number> {
    for (let tried = 0; tried < 1000; tried++) {
      const port = this.#nextPort++;
      if (await canListen(port)) return port;
    }
    throw new Error("no free port found");
  }

  /** Starts something that runs until `end`. @param place whose core it gets */
  launch(
    name: string,
    launch: Launch,
    place: "proxy" | "load",
    stdin: "ignore" | "pipe" = "ignore",
  ): Running {
    if (this.#closed) throw new Error("stopped");
    const logFile = join(this.folder, `${name}.err`);
    const error = openSync(logFile, "a");
    const output = launch.stdout === undefined ? error : openSync(launch.stdout, "a");
    const pin = this.#pinned && place === "proxy" ? ["taskset", "-c", String(this.proxyCore)] : [];
    const [program, ...args] = [...withDescriptors, ...pin, ...launch.command];
    const child = spawn(program as string, args, {
      cwd: root,
      env: programEnvironment(process.env, this.folder, launch.env),
      // With a pipe to its input we want to hear its answers, too.
      stdio: [stdin, stdin === "pipe" ? "pipe" : output, error],
    });
    closeSync(error);
    if (output !== error) closeSync(output);
    this.#watch(child);
    return {
      pid: child.pid ?? 0,
      logFile,
      child,
      get alive() {
        return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
      },
    };
  }

  /** Runs a tool to its end, or until `seconds` are over. */
  async run(command: readonly string[], seconds: number): Promise<ToolResult> {
    if (this.#closed) throw new Error("stopped");
    const [program, ...args] = [...withDescriptors, ...command];
    const child = spawn(program as string, args, { stdio: ["ignore", "pipe", "pipe"] });
    const gone = this.#watch(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("latin1");
      stream.on("data", (text: string) => output = (output + text).slice(-OUTPUT_CHARACTERS));
    }
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, seconds * 1000);
    await gone;
    clearTimeout(timer);
    return { output, code: child.exitCode, timedOut };
  }

  #watch(child: ChildProcess): Promise<void> {
    this.#running.add(child);
    return new Promise((resolve) => {
      const done = (): void => {
        this.#running.delete(child);
        resolve();
      };
      child.on("error", done);
      child.on("close", done);
    });
  }

  /** Ends a process with all its descendants: in order if it can, else at once. */
  async end(child: ChildProcess): Promise<void> {
    if (child.pid === undefined || !this.#running.has(child)) return;
    const tree = processTree(child.pid);
    const living = (): number[] =>
      tree.filter(({ pid, startTicks }) => {
        const now = processEntry(pid);
        return now !== null && now.startTicks === startTicks && !now.ended;
      }).map(({ pid }) => pid);
    signal(living(), "SIGTERM");
    const until = performance.now() + END_MS;
    while (living().length > 0 && performance.now() < until) await sleep(10);
    signal(living(), "SIGKILL");
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#running].map((child) => this.end(child)));
    this.#destroy();
  }

  /** What can be done without waiting. */
  #destroy(): void {
    this.#closed = true;
    for (const child of this.#running) {
      if (child.pid !== undefined) signal(processTree(child.pid).map(({ pid }) => pid), "SIGKILL");
    }
    this.#running.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** `given` without whatever would configure a Sluice; its control socket is in `folder`, where no other is found. */
export function programEnvironment(
  given: NodeJS.ProcessEnv,
  folder: string,
  added: Launch["env"] = {},
): NodeJS.ProcessEnv {
  const clean = Object.entries(given).filter(([name]) => !name.startsWith("SLUICE_"));
  return { ...Object.fromEntries(clean), XDG_RUNTIME_DIR: folder, TMPDIR: folder, ...added };
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended meanwhile.
    }
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
  });
}
