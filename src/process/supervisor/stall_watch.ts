/**
 * Watches over workers that run scripts: a function of a script that never returns makes its worker deaf, even to the order to
 * end. Such a worker beats once a second; one that has been silent for too long is stalled.
 *
 * What keeps a worker silent for other reasons must not cost it its life. Time is counted in looks of ours, each for
 * a second and a half at most: while this process does not run (a machine that sleeps, a process group that is stopped) no
 * time passes for its workers. A worker that is stopped, by a debugger say, has all its time anew when it goes on.
 */

import type { Clock, Timer } from "../../../runtime/contract/contract.ts";
import { BEAT_MS } from "../worker/worker.ts";
import type { WorkerHandle } from "./worker_handle.ts";

const MOST_COUNTED_MS = 1500;

export interface StallHost {
  /** How long a worker may be silent; null = there are no scripts, and nobody beats. */
  readonly stallMs: number | null;
  /** The process does not run, because somebody has stopped it. */
  isStopped(pid: number): boolean;
  /** It is to be ended. */
  stalled(handle: WorkerHandle, silentMs: number): void;
}

export class StallWatch {
  readonly #clock: Clock;
  readonly #handles: readonly WorkerHandle[];
  readonly #host: StallHost;
  /** By worker; those that do not beat are not here. */
  readonly #silences = new Map<WorkerHandle, Silence>();
  #timer: Timer | null = null;
  #lookedAt = 0;

  constructor(clock: Clock, handles: readonly WorkerHandle[], host: StallHost) {
    this.#clock = clock;
    this.#handles = handles;
    this.#host = host;
  }

  /** It is alive; from the first beat on it is expected to go on. */
  beat(handle: WorkerHandle): void {
    const now = this.#clock.now();
    this.#silences.set(handle, { since: now, countedMs: 0 });
    if (this.#timer !== null) return;
    this.#lookedAt = now;
    this.#later();
  }

  /** Its process is gone. */
  gone(handle: WorkerHandle): void {
    this.#silences.delete(handle);
  }

  #later(): void {
    this.#timer = this.#clock.setTimer(BEAT_MS, () => this.#look(), true);
  }

  #look(): void {
    const now = this.#clock.now();
    const before = this.#lookedAt;
    this.#lookedAt = now;
    this.#timer = null;
    const { stallMs } = this.#host;
    // The last scripts have gone with a reload, and with them the beats.
    if (stallMs === null) this.#silences.clear();
    for (const handle of this.#handles) {
      const silence = this.#silences.get(handle);
      if (silence === undefined || handle.link === null || stallMs === null) continue;
      const { since, countedMs } = silence;
      const silentMs = countedMs + Math.min(now - Math.max(before, since), MOST_COUNTED_MS);
      if (silentMs < stallMs) this.#silences.set(handle, { since, countedMs: silentMs });
      else if (this.#host.isStopped(handle.link.pid)) {
        this.#silences.set(handle, { since: now, countedMs: 0 });
      } else {
        this.#silences.delete(handle);
        this.#host.stalled(handle, silentMs);
      }
    }
    if (this.#silences.size > 0) this.#later();
  }
}

interface Silence {
  /** Of the last beat. */
  readonly since: number;
  /** Time that has passed since, as far as it counts. */
  readonly countedMs: number;
}
