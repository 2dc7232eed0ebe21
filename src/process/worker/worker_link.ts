/** The supervisor's end of a worker: a process of its own, or the same one. */

import type { Report } from "./report.ts";
import type { ToSupervisor, ToWorker, WorkerPlace } from "./messages.ts";

/** How a worker ended. */
export interface WorkerExit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** Its name, or "". */
  readonly signal: string;
}

export interface WorkerLink {
  /** 0 while unknown. */
  readonly pid: number;
  /** Messages arrive whole and in order, or not at all once the worker is gone. Never throws. */
  send(message: ToWorker): void;
  /** Ends the process without asking it. */
  kill(): void;
  /** What a worker in this process has counted until now; others tell when they are asked. */
  report?(): Report;
}

/** Never called inside `StartWorker` or a method of the link. */
export interface WorkerLinkEvents {
  message(message: ToSupervisor): void;
  /** Exactly once, last: the process is gone, and its sockets with it. */
  exited(exit: WorkerExit): void;
}

/** @throws SystemError when no process can be started */
export type StartWorker = (place: WorkerPlace, events: WorkerLinkEvents) => WorkerLink;
