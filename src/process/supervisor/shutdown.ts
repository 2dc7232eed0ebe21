/**
 * The end of all workers: what they get to end by themselves, when none accepts a connection any more, when all are gone,
 * and what that has cost.
 */

import type { Clock, Timer } from "../../../runtime/contract/contract.ts";
import type { StartFailure, ToWorker } from "../worker/messages.ts";
import type { WorkerHandle } from "./worker_handle.ts";

/** What workers get once they have to end now. */
const ABORT_GRACE_MS = 1_000;

/** The process before this one, whose end is waited for as well, and the one after it. */
export interface ShutdownLineage {
  /** Null when there is none. */
  readonly elder: object | null;
  /** Another process has our place. */
  readonly led: boolean;
  /** The process before this one is to end now. */
  abort(): void;
}

export class Shutdown {
  readonly #clock: Clock;
  readonly #handles: readonly WorkerHandle[];
  readonly #lineage: () => ShutdownLineage;
  #begun = false;
  #timer: Timer | null = null;
  /** The process before us has had all the time there is: we do not wait for its end. */
  #elderAbandoned = false;
  #failure: StartFailure | null = null;
  #dropped = 0;
  #logged = true;
  readonly #closed = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<StartFailure | null>();

  /** @param lineage called later, not inside */
  constructor(clock: Clock, handles: readonly WorkerHandle[], lineage: () => ShutdownLineage) {
    this.#clock = clock;
    this.#handles = handles;
    this.#lineage = lineage;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** Resolves when no worker accepts a connection any more, because all have been told to stop. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** See `Supervisor.ended`. */
  get ended(): Promise<StartFailure | null> {
    return this.#ended.promise;
  }

  /** Requests that it has cut off, those that a killed worker had when it last told included. */
  get dropped(): number {
    return this.#dropped;
  }

  /** False when a worker has ended that could not write its last lines of the access log. */
  get logged(): boolean {
    return this.#logged;
  }

  /** All workers end because they could not start. @returns false when that has been told before */
  fail(failure: StartFailure): boolean {
    if (this.#failure !== null) return false;
    this.#failure = failure;
    return true;
  }

  /** Tells all workers to end, within `drainMs` and what they get on top of it. */
  stop(drainMs: number, graceMs: number): void {
    this.#begin({ type: "stop", drainMs }, drainMs + graceMs);
  }

  /** Tells all workers to end now. May follow a `stop`. */
  abort(): void {
    this.#lineage().abort();
    this.#begin({ type: "abort" }, ABORT_GRACE_MS);
  }

  #begin(message: Extract<ToWorker, { readonly type: "stop" | "abort" }>, patienceMs: number): void {
    const { type } = message;
    this.#begun = true;
    for (const handle of this.#handles) {
      handle.timer?.cancel();
      handle.timer = null;
      handle.link?.send(message);
    }
    this.#after(patienceMs, () => {
      for (const { link } of this.#handles) link?.kill();
      const lineage = this.#lineage();
      // The process that has our place counts on us for the process before us, which has a drain time of its own.
      if (type === "stop" && lineage.led) return;
      lineage.abort();
      this.#after(type === "abort" ? 0 : ABORT_GRACE_MS, () => {
        this.#elderAbandoned = true;
        this.check();
      });
    });
    this.check();
  }

  #after(ms: number, act: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(ms, act, true);
  }

  /** A worker has stopped, and has told what that has cost. */
  stopped(dropped: number, logged: boolean): void {
    if (this.#begun) this.#dropped += dropped;
    if (!logged) this.#logged = false;
  }

  /** A worker has ended that had this many requests when it last told. */
  cutOff(requests: number): void {
    if (this.#begun) this.#dropped += requests;
  }

  /** To be called when a worker accepts no more or is gone, and when the process before us is gone. */
  check(): void {
    if (!this.#begun) return;
    if (!this.#handles.some(({ accepts }) => accepts)) this.#closed.resolve();
    if (this.#handles.some(({ link }) => link !== null)) return;
    if (this.#lineage().elder !== null && !this.#elderAbandoned) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#ended.resolve(this.#failure);
  }
}
