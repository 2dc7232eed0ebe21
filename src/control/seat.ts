/** The place of one worker, whichever process has it. */

import type { Timer } from "../../runtime/contract.ts";
import { emptyReport, type Report } from "./report.ts";
import type { WorkerLink } from "./worker_link.ts";

export interface Seat {
  readonly index: number;
  /** Null between an end and the next start. */
  link: WorkerLink | null;
  serial: number;
  /** - `new`: nothing heard; `ready`: waits for its start; `started`: binds; `listening`; `stopped`: is about to end. */
  state: "new" | "ready" | "started" | "listening" | "stopped";
  listeningSince: number;
  /** It may accept connections. */
  accepts: boolean;
  /** Ends in a row, and those of them before it listened. */
  failures: number;
  startFailures: number;
  why: string;
  /** What it told last. */
  report: Report;
  timer: Timer | null;
  /** Times it was filled anew. */
  restarts: number;
}

export function newSeat(index: number): Seat {
  return {
    index,
    link: null,
    serial: 0,
    state: "new",
    listeningSince: 0,
    accepts: false,
    failures: 0,
    startFailures: 0,
    why: "",
    report: emptyReport(),
    timer: null,
    restarts: 0,
  };
}
