/** What Linux tells in /proc about a process with all its descendants, and about one core. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";

export interface ProcessEntry {
  readonly pid: number;
  /** It has ended, and its parent has not asked how. */
  readonly ended: boolean;
  readonly parent: number;
  /** Together with `pid` it names one process for good: numbers are used again. */
  readonly startTicks: number;
  /** User and system time, of children that have ended as well. Coarse: hundredths of a second. */
  readonly cpuTicks: number;
}

const TICKS_PER_SECOND = Number(systemValue("CLK_TCK", "100"));
const MICROS_PER_TICK = 1e6 / TICKS_PER_SECOND;

function systemValue(name: string, otherwise: string): string {
  try {
    return execFileSync("getconf", [name], { encoding: "utf8" }).trim();
  } catch {
    return otherwise;
  }
}

/** A file's text; "" when the process it was about has just ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Null when there is no such process. */
export function processEntry(pid: number): ProcessEntry | null {
  const stat = textOf(`/proc/${pid}/stat`);
  // The program's name stands in parentheses and may hold anything, spaces and parentheses included.
  const words = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const fields = words.map(Number);
  const at = (field: number): number => fields[field - 3] ?? 0; // numbered as proc(5) does, from 1
  if (stat === "") return null;
  const ended = words[0] === "Z" || words[0] === "X";
  return { pid, ended, parent: at(4), startTicks: at(22), cpuTicks: at(14) + at(15) + at(16) + at(17) };
}

/** The process and its descendants, itself first; empty when it is gone. */
export function processTree(root: number): ProcessEntry[] {
  const all: ProcessEntry[] = [];
  for (const name of readdirSync("/proc")) {
    const entry = /^\d+$/.test(name) ? processEntry(Number(name)) : null;
    if (entry !== null) all.push(entry);
  }
  const found = all.filter(({ pid }) => pid === root);
  for (let i = 0; i < found.length; i++) {
    found.push(...all.filter(({ parent }) => parent === found[i]?.pid));
  }
  return found;
}

/** Nanoseconds that the scheduler has given to the living threads of a process. */
function threadNanos(pid: number): number {
  let nanos = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanos += Number(textOf(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0]);
    }
  } catch {
    // It has just ended.
  }
  return nanos;
}

/**
 * CPU time of a process tree so far, in microseconds. The scheduler's figures are exact but forget threads
 * that have ended; the ticks remember them but are coarse. The larger one is nearer the truth.
 */
export function cpuMicros(root: number): number {
  return processTree(root).reduce(
    (sum, { pid, cpuTicks }) => sum + Math.max(threadNanos(pid) / 1000, cpuTicks * MICROS_PER_TICK),
    0,
  );
}

/** Resident memory of a process tree in MiB; pages that its processes share count once for each. */
export function residentMiB(root: number): number {
  return statusMiB(root, "VmRSS");
}

/** The most that has been resident since `resetPeak`. */
export function peakMiB(root: number): number {
  return statusMiB(root, "VmHWM");
}

function statusMiB(root: number, key: string): number {
  let kib = 0;
  for (const { pid } of processTree(root)) {
    kib += Number(new RegExp(`${key}:\\s+(\\d+)`).exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0);
  }
  return kib / 1024;
}

/** Lets the peak begin anew at the present size. */
export function resetPeak(root: number): void {
  for (const { pid } of processTree(root)) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, "5");
    } catch {
      // Another user's process: its peak counts from its start.
    }
  }
}

/** Microseconds that one core has worked, for whomever, since the machine was started. */
export function coreBusyMicros(core: number): number {
  const line = new RegExp(`^cpu${core} (.*)$`, "m").exec(textOf("/proc/stat"))?.[1] ?? "";
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, soft = 0] = line.trim().split(/\s+/).map(Number);
  return (user + nice + system + interrupts + soft) * MICROS_PER_TICK;
}

/** Cores that this process may use. */
export function allowedCores(): number[] {
  const list = /Cpus_allowed_list:\s+(\S+)/.exec(textOf("/proc/self/status"))?.[1] ?? "0";
  return list.split(",").flatMap((range) => {
    const [from = 0, to = from] = range.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

export function loadAverage(): string {
  return textOf("/proc/loadavg").split(" ").slice(0, 3).join(" ");
}

/** The first port that the kernel never picks by itself for an outgoing connection is below this. */
export function firstEphemeralPort(): number {
  return Number(textOf("/proc/sys/net/ipv4/ip_local_port_range").trim().split(/\s+/)[0]) || 32_768;
}
