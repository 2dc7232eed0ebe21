/** Brings what happens, in the supervisor and in all workers, to the watchers. */

import type { Clock } from "../../runtime/contract/contract.ts";
import type { ControlEvent } from "./event.ts";
import type { WorkerEvent } from "../process/worker/messages.ts";

/** An event without its time: that is when it is told. */
export type EventBody = ControlEvent extends infer E ? E extends ControlEvent ? Omit<E, "time"> : never
  : never;

/** Failed requests that are told one by one, over all workers. */
const MOST_A_SECOND = 100;
const SECOND_MS = 1000;

/** Something that is so in some of the workers, and since when in the first of them. */
interface Shared {
  readonly workers: Set<number>;
  readonly since: number;
}

export class EventHub {
  readonly #clock: Clock;
  readonly #heard = new Set<(event: ControlEvent) => void>();
  /** Endpoints that are down and upstreams that hold requests, by a text that names them. */
  readonly #shared = new Map<string, Shared>();
  #failures = 0;
  #dropped = 0;
  /** Gets what the supervisor itself does, whether anybody watches or not. */
  noted: (body: EventBody) => void = () => {};
  /** Called when the first begins to watch, and when the last has ended. */
  onWatched: (watched: boolean) => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns ends it */
  watch(heard: (event: ControlEvent) => void): () => void {
    // Two that hand in the same function are two.
    const own = (event: ControlEvent) => heard(event);
    this.#heard.add(own);
    if (this.#heard.size === 1) this.onWatched(true);
    return () => {
      if (!this.#heard.delete(own) || this.#heard.size > 0) return;
      this.#shared.clear();
      this.onWatched(false);
    };
  }

  /** Something that the supervisor has done, or has seen itself. */
  note(body: EventBody): void {
    this.noted(body);
    this.#emit(body);
  }

  #emit(body: EventBody): void {
    if (this.#heard.size === 0) return;
    // The cast: TypeScript does not see that a body and a time are an event.
    const event = { time: new Date(this.#clock.wall()).toISOString(), ...body } as ControlEvent;
    for (const heard of [...this.#heard]) heard(event);
  }

  /** @param before it is not new, but no client was watching */
  fromWorker(worker: number, event: WorkerEvent, before: boolean): void {
    switch (event.event) {
      case "endpoint_down":
        if (this.#begins(`${event.upstream}\n${event.endpoint}`, worker) && !before) this.#emit(event);
        return;
      case "endpoint_up":
        if (this.#ends(`${event.upstream}\n${event.endpoint}`, worker) !== null) {
          this.#emit({ ...event, away_ms: event.down_ms });
        }
        return;
      case "held":
        if (this.#begins(event.upstream, worker) && !before) this.#emit(event);
        return;
      case "released": {
        const heldMs = this.#ends(event.upstream, worker);
        if (heldMs !== null) this.#emit({ ...event, held_ms: Math.max(event.held_ms, heldMs) });
        return;
      }
      case "failed":
        this.#failed(event);
        return;
      case "dropped":
        this.#drop(event.count);
        return;
      default:
        event satisfies never;
    }
  }

  /** Other upstreams are not there any more: nothing ends what has begun in them. */
  keepOnly(upstreams: readonly string[]): void {
    for (const name of this.#shared.keys()) {
      const [upstream = ""] = name.split("\n");
      if (!upstreams.includes(upstream)) this.#shared.delete(name);
    }
  }

  /** A worker is gone: nothing is so in it any more. */
  workerGone(worker: number): void {
    for (const [name, { workers }] of this.#shared) {
      if (workers.delete(worker) && workers.size === 0) this.#shared.delete(name);
    }
  }

  /** @returns true when it was not so in any worker */
  #begins(name: string, worker: number): boolean {
    const known = this.#shared.get(name);
    known?.workers.add(worker);
    if (known !== undefined) return false;
    this.#shared.set(name, { workers: new Set([worker]), since: this.#clock.now() });
    return true;
  }

  /** @returns how long it was so, when it is not so in any worker any more; else null */
  #ends(name: string, worker: number): number | null {
    const known = this.#shared.get(name);
    if (known === undefined) return 0;
    known.workers.delete(worker);
    if (known.workers.size > 0) return null;
    this.#shared.delete(name);
    return Math.round(this.#clock.now() - known.since);
  }

  #failed(event: Extract<WorkerEvent, { event: "failed" }>): void {
    if (this.#failures++ === 0) this.#countSecond();
    if (this.#failures > MOST_A_SECOND) this.#dropped++;
    else this.#emit(event);
  }

  #drop(count: number): void {
    if (this.#failures++ === 0) this.#countSecond();
    this.#dropped += count;
  }

  #countSecond(): void {
    this.#clock.setTimer(SECOND_MS, () => {
      const count = this.#dropped;
      this.#failures = 0;
      this.#dropped = 0;
      if (count > 0) this.#emit({ event: "dropped", count });
    }, true);
  }
}
