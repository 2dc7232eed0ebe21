/**
 * Watches over workers that run scripts: a function of a script that never returns makes its worker deaf, even to the order to
 * end. Such a worker beats, once a second as a rule; one that has been silent for too long is stalled.
 *
 * What keeps a worker silent for other reasons must not cost it its life. Time is counted in looks of ours, each for
 * one and a half times what lies between two beats at most: while this process does not run (a machine that sleeps, a process group that is stopped) no
 * time passes for its workers. A worker that is stopped, by a debugger say, has all its time anew when it goes on.
 */

import type { Clock, System, Timer } from "../../../runtime/contract/contract.ts";
import { beatMs } from "../worker/worker.ts";
import { NOTE_BYTES, type Noted, readNote } from "../shared/script_note.ts";
import type { WorkerHandle } from "./worker_handle.ts";

/** Of the time between two beats. */
const MOST_COUNTED = 1.5;

export interface StallHost {
  /** How long a worker may be silent; null = there are no scripts, and nobody beats. */
  readonly stallMs: number | null;
  readonly processes: WatchedProcesses;
  /** It is to be ended. @param noted the call into a script that it is in; null when that cannot be read */
  stalled(handle: WorkerHandle, silentMs: number, noted: Noted | null): void;
}

/** Processes of workers, from outside. */
export type WatchedProcesses = Pick<System, "isStopped" | "readExposed">;
/** Nothing is known of them: there are none. */
export const UNWATCHED: WatchedProcesses = { isStopped: () => false, readExposed: () => null };

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
    this.#timer = this.#clock.setTimer(beatMs(this.#host.stallMs ?? Infinity), () => this.#look(), true);
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
      const silentMs = countedMs + Math.min(now - Math.max(before, since), MOST_COUNTED * beatMs(stallMs));
      if (silentMs < stallMs) this.#silences.set(handle, { since, countedMs: silentMs });
      else if (this.#host.processes.isStopped(handle.link.pid)) {
        this.#silences.set(handle, { since: now, countedMs: 0 });
      } else {
        this.#silences.delete(handle);
        this.#host.stalled(handle, silentMs, noteOf(handle, this.#host.processes));
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

function noteOf({ link, note }: WorkerHandle, processes: WatchedProcesses): Noted | null {
  if (link === null || note === 0) return null;
  const bytes = processes.readExposed(link.pid, note, NOTE_BYTES);
  return bytes === null ? null : readNote(bytes);
}
