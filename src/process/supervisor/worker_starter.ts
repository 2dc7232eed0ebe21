/**
 * Starts a worker in a place, and again when it has ended: after a pause that grows with the ends in a row, until it has
 * failed too often before it listened.
 */

import type { Clock } from "../../../runtime/contract/contract.ts";
import type { StartFailure, ToSupervisor } from "../worker/messages.ts";
import type { StartWorker, WorkerExit, WorkerLink } from "../worker/worker_link.ts";
import { restartPause } from "./restart_pause.ts";
import type { WorkerHandle } from "./worker_handle.ts";

/** Ends in a row before it listened after which a worker is given up, unless others serve. */
const MOST_START_FAILURES = 5;

export interface StarterHost {
  /** A worker serves, so that a place may stay empty for longer. */
  readonly serves: boolean;
  /** Of the process that has the place now; what a former one says is dropped. */
  heard(handle: WorkerHandle, link: WorkerLink, message: ToSupervisor): void;
  exited(handle: WorkerHandle, link: WorkerLink, exit: WorkerExit): void;
  /** @param pid 0 = it could not be started @param pauseMs until the next start */
  paused(index: number, pid: number, why: string, pauseMs: number): void;
  giveUp(failure: StartFailure): void;
}

export class WorkerStarter {
  readonly #clock: Clock;
  readonly #startWorker: StartWorker;
  readonly #count: number;
  readonly #host: StarterHost;
  /** Grows with each start. */
  #serial = 0;

  /** @param count places there are */
  constructor(clock: Clock, startWorker: StartWorker, count: number, host: StarterHost) {
    this.#clock = clock;
    this.#startWorker = startWorker;
    this.#count = count;
    this.#host = host;
  }

  start(handle: WorkerHandle): void {
    handle.timer = null;
    handle.state = "new";
    handle.serial = this.#serial++;
    const place = { index: handle.index, count: this.#count, serial: handle.serial };
    try {
      const link: WorkerLink = this.#startWorker(place, {
        message: (message) => {
          if (handle.link === link) this.#host.heard(handle, link, message);
        },
        exited: (exit) => {
          if (handle.link === link) this.#host.exited(handle, link, exit);
        },
      });
      handle.link = link;
    } catch (error) {
      handle.why = error instanceof Error ? error.message : String(error);
      this.replace(handle, 0, "cannot be started: " + handle.why);
    }
  }

  /** Its worker has ended. @param pid 0 = it could not be started */
  replace(handle: WorkerHandle, pid: number, why: string): void {
    handle.failures++;
    handle.restarts++;
    if (pid === 0) handle.startFailures++;
    if (handle.startFailures >= MOST_START_FAILURES && !this.#host.serves) {
      this.#host.giveUp({
        kind: "system",
        message: `worker ${handle.index + 1} ended ${handle.startFailures} times before it listened: ${why}`,
      });
      return;
    }
    const pauseMs = restartPause(handle.failures, Math.random());
    this.#host.paused(handle.index, pid, why, pauseMs);
    handle.timer = this.#clock.setTimer(pauseMs, () => this.start(handle));
  }
}
