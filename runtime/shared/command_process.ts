/**
 * Commands: any program, its output and its end, over node:child_process, which behaves alike on all three
 * runtimes. (Deno's `child.kill` sends one signal and no more, so signals go through `process.kill`.)
 */
import type { ChildProcess, SpawnOptions as NodeOptions } from "node:child_process";
import { statSync } from "node:fs";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { setImmediate } from "node:timers";
import {
  type CommandEvents,
  type CommandExit,
  type CommandOutput,
  type CommandProcess,
  type SignalName,
  type SpawnOptions,
  SystemError,
} from "../contract/contract.ts";
import { errorDetail } from "./socket_error.ts";
import { systemError } from "./system_error.ts";
import { childProcessModule } from "./lazy_module.ts";
import { isOurs } from "./orphans.ts";
import { ProcessGroup } from "./process_group.ts";

export const HAS_PROCESS_GROUPS: boolean = process.platform !== "win32";

/**
 * Waits beside a group until its standard input, which we hold, ends with our process; a line on it sends
 * the guard home. It works for any death and on every Unix, and does not stand between us and the command.
 * $1 is the group, $2 the seconds between SIGTERM and SIGKILL.
 */
const GUARD = `read -r _ && exit
kill -s TERM -- "-$1" || exit
while [ "$2" -gt 0 ] && kill -s 0 -- "-$1"; do
  sleep 1
  set -- "$1" $(($2 - 1))
done
kill -s KILL -- "-$1"`;

/** The part of `Deno` used here. */
interface DenoGlobal {
  readonly permissions: { querySync(what: { name: "run" }): { readonly state: string } };
}

/** Any program may be started. */
export function canSpawn(): boolean {
  const deno = (globalThis as { readonly Deno?: DenoGlobal }).Deno;
  return deno === undefined || deno.permissions.querySync({ name: "run" }).state === "granted";
}

/** See `System.spawn`. */
export function spawnCommand(options: SpawnOptions, events: CommandEvents): CommandProcess {
  if (options.ownGroup && !HAS_PROCESS_GROUPS) {
    throw new SystemError("ENOTSUP", `there are no process groups on ${process.platform}`);
  }
  return new NodeCommand(options, events);
}

class NodeCommand implements CommandProcess {
  readonly pid: number;
  readonly #events: CommandEvents;
  readonly #ownGroup: boolean;
  /** Outputs that we read. */
  readonly #outputs: Readable[] = [];
  #input: Writable | null = null;
  #group: ProcessGroup | null = null;
  #guard: ChildProcess | null = null;
  #exited = false;

  constructor(options: SpawnOptions, events: CommandEvents) {
    this.#events = events;
    this.#ownGroup = options.ownGroup;
    const child = started(options);
    if (child instanceof Error) {
      this.pid = 0;
      setImmediate(() => this.#failed(options, child));
      return;
    }
    this.pid = child.pid ?? 0;
    child.on("error", (error) => {
      if (this.pid === 0) this.#failed(options, error);
    });
    if (this.pid === 0) return;
    if (options.stdin === "pipe") {
      this.#input = child.stdin;
      // Its end is told by `exited`.
      child.stdin?.on("error", () => {});
    }
    if (options.ownGroup) this.#group = new ProcessGroup(this.pid);
    if (options.stdout === "events") this.#read(1, child.stdout);
    if (options.stderr === "events") this.#read(2, child.stderr);
    child.on("exit", (code, signal) => {
      this.#end({ code: signal === null ? code : null, signal: signal ?? "", failure: "" });
    });
    if (options.ownGroup && options.endsWithUsMs !== null) {
      this.#guard = startGuard(this.pid, Math.ceil(options.endsWithUsMs / 1000));
    }
  }

  signal(name: SignalName | "SIGKILL", leaderOnly = false): boolean {
    if (leaderOnly || !this.#ownGroup) return !this.#exited && send(this.pid, name);
    // kill(2) reaches zombies too: a signal that no living process gets has not been sent.
    return this.pid !== 0 && this.alive() && send(-this.pid, name);
  }

  alive(): boolean {
    if (!this.#ownGroup) return !this.#exited && this.pid !== 0;
    const alive = this.#group !== null && this.#group.alive();
    // Its number may be given to others now.
    if (!alive) this.#dismissGuard();
    return alive;
  }

  write(text: string): void {
    this.#input?.write(text);
  }

  pauseOutput(): void {
    for (const output of this.#outputs) output.pause();
  }

  resumeOutput(): void {
    for (const output of this.#outputs) output.resume();
  }

  #read(fd: 1 | 2, output: Readable | null): void {
    if (output === null) throw new Error("no output to read");
    this.#outputs.push(output);
    output.on("data", (bytes: Uint8Array) => this.#events.output(fd, bytes));
    // An output that cannot be read any more is closed without an end.
    output.on("error", () => {});
    output.on("close", () => this.#events.outputEnded(fd));
  }

  #failed(options: SpawnOptions, error: unknown): void {
    for (const fd of [1, 2] as const) {
      if ((fd === 1 ? options.stdout : options.stderr) === "events") this.#events.outputEnded(fd);
    }
    this.#end({ code: null, signal: "", failure: whyNotStarted(options, error) });
  }

  #end(how: CommandExit): void {
    if (this.#exited) return;
    this.#exited = true;
    // To dismiss the guard, unless others of the group are left.
    this.alive();
    this.#events.exited(how);
  }

  #dismissGuard(): void {
    this.#guard?.stdin?.end("done\n");
    this.#guard = null;
  }
}

/** The process, with a process id, or about to emit `error`; or what was wrong at once. */
function started(options: SpawnOptions): ChildProcess | Error {
  const [program, ...args] = options.command;
  const env: NodeJS.ProcessEnv = { ...process.env, ...options.env };
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
  const nodeOptions: NodeOptions = {
    env,
    stdio: [options.stdin, outputOf(options.stdout), outputOf(options.stderr)],
    detached: options.ownGroup,
    windowsHide: true,
    ...(options.folder === null ? {} : { cwd: options.folder }),
  };
  try {
    const child = childProcessModule().spawn(program, args, nodeOptions);
    isOurs(child);
    return child;
  } catch (error) {
    return systemError(error);
  }
}

function outputOf(output: CommandOutput): 1 | 2 | "ignore" | "pipe" {
  return output === "events" ? "pipe" : output;
}

function whyNotStarted({ command: [program], folder }: SpawnOptions, error: unknown): string {
  const { code } = systemError(error);
  if (folder !== null && !isFolder(folder)) return `there is no folder ${folder}`;
  if (code === "ENOENT") return `there is no program ${program}${program.includes("/") ? "" : " in PATH"}`;
  if (code === "EACCES") return `${program} may not be executed`;
  if (code === "ENOEXEC") return `${program} is not a program for this machine`;
  return `${program} cannot be started: ${errorDetail(error)}`;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** @param graceS between SIGTERM and SIGKILL, in seconds */
function startGuard(group: number, graceS: number): ChildProcess | null {
  try {
    const args = ["-c", GUARD, "sluice-guard", String(group), String(graceS)];
    // Detached: the terminal's Ctrl-C, and whatever ends our own group, is no end of ours.
    const guard = childProcessModule().spawn("/bin/sh", args, {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
      cwd: "/",
    });
    isOurs(guard);
    // Without a shell there is no guard; the command runs all the same.
    guard.on("error", () => {});
    guard.stdin?.on("error", () => {});
    guard.unref();
    return guard;
  } catch {
    return null;
  }
}

/** @returns false when there is no such process or group */
function send(pid: number, signal: SignalName | "SIGKILL"): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    // A process that changed its user may not be signalled, but it is there.
    return systemError(error).code === "EPERM";
  }
}
