/**
 * Process 1 of a container is the parent of every process there whose own parent has ended, and has to ask for the exit
 * code of each that is dead (waitpid(2)): a zombie keeps its place in the table of processes until no further one can
 * be started. No runtime does this for processes that it has not started, and none has waitpid: so Bun and Deno call
 * libc, and Node cannot do it.
 */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { setImmediate } from "node:timers";
import { canCallLibc, openLibc } from "./libc.ts";

const WNOHANG = 1;

/** Answers the id of a process that it has waited for. */
type Wait = (pid: number) => unknown;

/** Those that the runtime has started and waits for itself: it needs their exit codes. */
const ours = new Set<number>();

/** To be called in the turn that started it. */
export function isOurs(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  ours.add(pid);
  child.once("exit", () => ours.delete(pid));
}

/** `reapOrphans` works. */
export function canReapOrphans(): boolean {
  return process.platform === "linux" && canCallLibc();
}

/**
 * From now on every dead child that we have not started is waited for.
 * @returns false where that cannot be done
 */
export function reapOrphans(): boolean {
  const wait = canReapOrphans() ? openWait() : null;
  if (wait === null) return false;
  let scheduled = false;
  const sweep = () => {
    scheduled = false;
    for (const pid of deadChildren()) if (!ours.has(pid)) wait(pid);
  };
  // One signal may stand for many: what has died by the time of the sweep is found by it, what dies later signals again.
  process.on("SIGCHLD", () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(sweep);
  });
  sweep();
  return true;
}

function openWait(): Wait | null {
  const libc = openLibc<{ waitpid(pid: number, status: number, options: number): number }>({
    waitpid: { args: ["i32", "usize", "i32"], returns: "i32" },
  });
  return libc === null ? null : (pid) => libc.waitpid(pid, 0, WNOHANG);
}

/** Children of ours that have ended and have not been waited for. */
function deadChildren(): number[] {
  const dead: number[] = [];
  for (const pid of childIds()) {
    const status = processStatus(pid);
    if (status?.parent === process.pid && status.state === "Z") dead.push(pid);
  }
  return dead;
}

/** All children, or (where the kernel does not list them) all processes. */
function childIds(): number[] {
  try {
    const text = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "latin1");
    return text.split(" ").filter((id) => id !== "").map(Number);
  } catch {
    return allProcesses();
  }
}

/** Ids of all processes that we can see; none without /proc. */
export function allProcesses(): number[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  } catch {
    return [];
  }
}

export interface ProcessStatus {
  /** One letter, see proc_pid_stat(5): `Z` has ended and has not been waited for. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
}

/** Null when there is no such process, or no /proc. */
export function processStatus(pid: number): ProcessStatus | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // pid (name) state parent group …; the name may hold anything, parentheses included.
    const [state = "", parent, group] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state, parent: Number(parent), group: Number(group) };
  } catch {
    return null;
  }
}
