/** The place of one worker, whichever process has it. */

import type { Address, Timer } from "../../../runtime/contract/contract.ts";
import type { StartFailure } from "../worker/messages.ts";
import type { ChosenSockets } from "../shared/chosen_sockets.ts";
import { emptyReport, type Report } from "../worker/report.ts";
import type { WorkerStatus } from "../worker/status.ts";
import type { WorkerExit, WorkerLink } from "../worker/worker_link.ts";

/** What became of the start: all workers listen on the same addresses, or why they do not. */
export type Started =
  | { readonly ok: true; readonly addresses: readonly Address[] }
  | { readonly ok: false; readonly failure: StartFailure };

/** A worker that has served for this long is well: its next end counts as the first one. */
const HEALTHY_MS = 60_000;

/** What is told of a worker. */
export interface KnownWorker {
  /** Null between an end and the next start. */
  readonly pid: number | null;
  readonly state: WorkerStatus["state"];
  readonly restarts: number;
  /** What it told last; of one in this process, what it would tell now. */
  readonly report: Report;
  readonly sockets: ChosenSockets | null;
}

export interface WorkerHandle {
  readonly index: number;
  /** Null between an end and the next start. */
  link: WorkerLink | null;
  serial: number;
  /** - `new`: nothing heard; `ready`: waits for its start; `started`: binds; `listening`; `stopped`: is about to end. */
  state: "new" | "ready" | "started" | "listening" | "stopped";
  listeningSince: number;
  /** Null before it listens. */
  sockets: ChosenSockets | null;
  /** It may accept connections. */
  accepts: boolean;
  /** Ends in a row, and how many of these came before it listened. */
  failures: number;
  startFailures: number;
  why: string;
  /** What it told last. */
  report: Report;
  timer: Timer | null;
  /** When one had to be ended, because a script in it did not come to an end; -Infinity = never. Monotonic milliseconds. */
  stalledAt: number;
  /** Where its process notes calls into scripts: an address; 0 = nowhere. */
  note: number;
  /** Times it was filled anew. */
  restarts: number;
}

export function newWorkerHandle(index: number): WorkerHandle {
  return {
    index,
    link: null,
    serial: 0,
    state: "new",
    listeningSince: 0,
    sockets: null,
    accepts: false,
    failures: 0,
    startFailures: 0,
    why: "",
    report: emptyReport(),
    timer: null,
    stalledAt: -Infinity,
    note: 0,
    restarts: 0,
  };
}

/** Its worker has begun to listen, over these sockets. */
export function workerListens(handle: WorkerHandle, nowMs: number, sockets: ChosenSockets): void {
  handle.state = "listening";
  handle.accepts = true;
  handle.startFailures = 0;
  handle.listeningSince = nowMs;
  handle.sockets = sockets;
}

/** Its worker has ended. @returns why, in words */
export function workerEnds(handle: WorkerHandle, exit: WorkerExit, nowMs: number): string {
  const { state } = handle;
  const servedMs = state === "listening" ? nowMs - handle.listeningSince : 0;
  handle.link = null;
  handle.state = "new";
  handle.note = 0;
  handle.accepts = false;
  if (servedMs >= HEALTHY_MS || state === "stopped") handle.failures = 0;
  if (state !== "listening" && state !== "stopped") handle.startFailures++;
  const how = exit.signal === "" ? `exit code ${exit.code}` : `signal ${exit.signal}`;
  const why = handle.why === "" ? how : `${handle.why} (${how})`;
  handle.why = "";
  return why;
}

/** @param stopping all workers have been told to end */
export function knownWorker(handle: WorkerHandle, stopping: boolean): KnownWorker {
  const { link, restarts, sockets } = handle;
  return {
    pid: link === null || link.pid === 0 ? null : link.pid,
    state: stateOf(handle, stopping),
    restarts,
    report: link?.report?.() ?? handle.report,
    sockets: link === null ? null : sockets,
  };
}

function stateOf({ link, state }: WorkerHandle, stopping: boolean): WorkerStatus["state"] {
  if (link === null) return "ended";
  if (stopping || state === "stopped") return "stopping";
  return state === "listening" ? "serving" : "starting";
}
