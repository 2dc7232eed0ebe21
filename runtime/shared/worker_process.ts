/**
 * Our own program once more, as a worker or as what takes our place, and the channel between the two: node:child_process, which has
 * one on all three runtimes, inside executables too (JSON lines over a socket pair).
 */
import type { ChildProcess } from "node:child_process";
import { readlinkSync, statSync } from "node:fs";
import process from "node:process";
import { setImmediate } from "node:timers";
import type {
  ChannelEvents,
  MessageChannel,
  WorkerProcess,
  WorkerProcessEvents,
} from "../contract/contract.ts";
import { systemError } from "./system_error.ts";
import { childProcessModule } from "./lazy_module.ts";
import { isOurs } from "./orphans.ts";

/**
 * In the environment of a process that we start: the channel is ours, and not that of a Node program which
 * started Sluice.
 */
const WORKER_MARK = "_SLUICE_WORKER";
const SUCCESSOR_MARK = "_SLUICE_SUCCESSOR";
const TOKENS_MARK = "_SLUICE_TOKENS";
/** Variables that speak of our own process to children that inherit them: see sd_notify(3), sd_listen_fds(3). */
const OURS_ONLY = [
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "WATCHDOG_PID",
  "LISTEN_FDS",
  "LISTEN_PID",
  "LISTEN_FDNAMES",
];

/** The part of `Deno` used here. */
interface DenoGlobal {
  readonly build: { readonly os: string; readonly standalone?: boolean };
  readonly permissions: { querySync(what: { name: "run" }): { readonly state: string } };
  readonly listenDatagram?: unknown;
}

const deno = (globalThis as { readonly Deno?: DenoGlobal }).Deno;
const bun = (globalThis as { readonly Bun?: { readonly main: string } }).Bun;

/** Where relative paths lead nowhere, as in a folder that is gone: nothing can be made in it. */
const BARREN_FOLDER = process.platform === "linux" ? "/proc" : "/";
/** What we run, whatever has become of its name. */
const KEPT_FILE = "/proc/self/exe";

/** Several processes can share a port evenly here (only Linux does that), and we can start ourselves. */
export function canStartWorkers(): boolean {
  if (process.platform !== "linux") return false;
  if (deno === undefined) return true;
  // A program compiled without --unstable-net cannot get it; a script's workers get it on their command line.
  if (deno.build.standalone === true) return deno.listenDatagram !== undefined;
  return deno.permissions.querySync({ name: "run" }).state === "granted";
}

/** The channel to the process that started us as its worker; null when none did. To be called once. */
export function connectParent(events: ChannelEvents): MessageChannel | null {
  return connect(WORKER_MARK, events);
}

/** The channel to the process whose place we are to take; null when there is none. To be called once. */
export function connectPredecessor(events: ChannelEvents): MessageChannel | null {
  return connect(SUCCESSOR_MARK, events);
}

function connect(mark: string, events: ChannelEvents): MessageChannel | null {
  if (process.env[mark] === undefined || process.send === undefined) return null;
  delete process.env[mark];
  let open = true;
  process.on("message", (message) => events.message(message));
  process.on("disconnect", () => {
    if (!open) return;
    open = false;
    events.closed();
  });
  return new IpcChannel((message, done) => {
    if (!open || process.send === undefined) done();
    else process.send(message, undefined, undefined, done);
  });
}

/** @throws SystemError */
export function startWorker(
  args: readonly string[],
  events: WorkerProcessEvents,
  descriptors: readonly number[] = [],
): WorkerProcess {
  const { program, first } = ourselves();
  const env: NodeJS.ProcessEnv = { ...process.env, [WORKER_MARK]: "1" };
  for (const name of OURS_ONLY) delete env[name];
  return start(program, [...first, ...args], env, descriptors, events);
}

/** Starts ourselves to make tokens: see token_process.ts. @throws SystemError */
export function startTokenProcess(events: WorkerProcessEvents): WorkerProcess {
  const { program, first } = ourselves();
  const env: NodeJS.ProcessEnv = { ...process.env, [TOKENS_MARK]: "1" };
  for (const name of OURS_ONLY) delete env[name];
  return start(program, [...first, "tokens"], env, [], events);
}

/** That is what we were started for. */
export function isTokenProcess(): boolean {
  return process.env[TOKENS_MARK] !== undefined && process.send !== undefined;
}

/** @throws SystemError */
export function startSuccessor(
  binary: string | null,
  events: WorkerProcessEvents,
  descriptors: readonly number[],
): WorkerProcess {
  // A service manager knows of the successor, and hears from it: so it keeps all variables.
  const env: NodeJS.ProcessEnv = { ...process.env, [SUCCESSOR_MARK]: "1" };
  const { program, first } = ourselves();
  const args = process.argv.slice(2);
  if (binary !== null) return start(binary, args, env, descriptors, events);
  return start(
    program === KEPT_FILE ? process.execPath : program,
    [...first, ...args],
    env,
    descriptors,
    events,
  );
}

function start(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  descriptors: readonly number[],
  events: WorkerProcessEvents,
): WorkerProcess {
  let child: ChildProcess;
  try {
    child = childProcessModule().spawn(program, args, {
      env,
      stdio: ["ignore", "inherit", "inherit", "ipc", ...descriptors],
      ...(folderIsGone() ? { cwd: BARREN_FOLDER } : {}),
    });
    isOurs(child);
  } catch (error) {
    throw systemError(error);
  }
  let gone = false;
  const exited = (code: number | null, signal: string, detail: string) => {
    if (gone) return;
    gone = true;
    events.exited({ code, signal, detail });
  };
  child.on("message", (message) => {
    if (!gone) events.message(message);
  });
  child.on("exit", (code, signal) => exited(code, signal ?? "", ""));
  child.on("error", (error) => {
    // Only when there is no process: a message that could not be sent is none of the worker's end.
    if (child.pid === undefined) exited(null, "", systemError(error).message);
  });
  return {
    pid: child.pid ?? 0,
    channel: new IpcChannel((message, done) => {
      if (gone || !child.connected) done();
      else child.send(message as object, undefined, undefined, done);
    }),
    kill: () => {
      if (!gone) child.kill("SIGKILL");
    },
  };
}

/**
 * Our working directory was removed, as that of an old release is. Bun and Node do not start in such a one, and what
 * runs there has no use for it: no relative path leads anywhere.
 */
function folderIsGone(): boolean {
  try {
    if (process.platform === "linux") return readlinkSync("/proc/self/cwd").endsWith(" (deleted)");
    return !statSync(process.cwd()).isDirectory();
  } catch {
    return true;
  }
}

/** What to start to get another process of this program. */
function ourselves(): { program: string; first: string[] } {
  const script = process.argv[1] ?? "";
  if (bun !== undefined && /^(?:\/\$bunfs\/|[A-Z]:[/\\]~BUN)/.test(bun.main)) {
    return { program: ownFile(), first: [] };
  }
  if (deno?.build.standalone === true || isSingleExecutable()) return { program: ownFile(), first: [] };
  if (deno !== undefined) {
    // All permissions: a user who may run any program has them anyway.
    return { program: process.execPath, first: ["run", "--allow-all", "--unstable-net", script] };
  }
  return { program: process.execPath, first: [...process.execArgv, script] };
}

/** A single executable application of Node. */
function isSingleExecutable(): boolean {
  if (bun !== undefined || deno !== undefined) return false;
  const sea = process.getBuiltinModule?.("node:sea") as { isSea?(): boolean } | undefined;
  return sea?.isSea?.() ?? false;
}

/**
 * The file we run from. When it was replaced meanwhile, the kernel still has the old one, and a worker of
 * another version would not understand us.
 */
function ownFile(): string {
  try {
    const now = statSync(process.execPath);
    const ours = statSync(KEPT_FILE);
    return now.ino === ours.ino && now.dev === ours.dev ? process.execPath : KEPT_FILE;
  } catch {
    return process.platform === "linux" ? KEPT_FILE : process.execPath;
  }
}

class IpcChannel implements MessageChannel {
  readonly #write: (message: unknown, done: () => void) => void;
  #pending = 0;
  #idle: (() => void)[] = [];

  constructor(write: (message: unknown, done: () => void) => void) {
    this.#write = write;
  }

  send(message: unknown): void {
    this.#pending++;
    let called = false;
    const done = () => {
      if (called) return;
      called = true;
      this.#pending--;
      if (this.#pending === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
    };
    try {
      this.#write(message, done);
    } catch {
      // The other side has gone; its `closed` or `exited` says so.
      done();
    }
  }

  async flush(): Promise<void> {
    if (this.#pending > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    // Bun calls back before the bytes have left.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
