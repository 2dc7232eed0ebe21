/** What the supervisor tells of its workers. */

import type { Noted } from "../shared/script_note.ts";
import type { WorkerEvent } from "../worker/messages.ts";

/** Told what happens; must not call back. */
export interface SupervisorObserver {
  /** A worker ended without having been told to; it is replaced after `pauseMs`. */
  workerEnded(index: number, pid: number, why: string, pauseMs: number): void;
  /** A worker has not been heard of for so long that it is ended: a script does not come to an end. */
  /** @param noted which script it is in, and for which request; null when that is not known */
  workerStalled(index: number, pid: number, silentMs: number, noted: Noted | null): void;
  /** A worker that replaces another serves. */
  workerBack(index: number, pid: number): void;
  /** A worker did what only a bug can do. */
  workerConfused(index: number, what: string): void;
  /** Something happened in a participant; told while it is watched. `before`: it is not new. */
  workerEvent(index: number, event: WorkerEvent, before: boolean): void;
  /** A participant that is no worker is gone. */
  participantGone(index: number): void;
}
