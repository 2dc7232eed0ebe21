/**
 * `max_in_flight` while one Sluice takes the place of another: the new one holds requests to upstreams that have it
 * until the old one has none on its way there any more. So the limit holds over both.
 */

import type { Clock } from "../../runtime/contract.ts";
import type { Config } from "../config/config.ts";
import { sleep } from "../control/conditions.ts";
import type { Controller } from "../control/controller.ts";

/** A connection that is open for longer after the end began is busy with its last request. See Front.drain. */
const LAST_REQUESTS_MS = 1_500;
const LOOK_EVERY_MS = 20;

function limited({ upstreams }: Config): string[] {
  return upstreams.flatMap(({ name, maxInFlight }) => maxInFlight > 0 ? [name] : []);
}

/** For the old one, which drains: tells each such upstream once, when nothing of ours is on its way to it. */
export async function tellQuiet(
  clock: Clock,
  controller: Controller,
  tell: (upstreams: readonly string[]) => void,
): Promise<void> {
  const open = new Set(limited(controller.config));
  const began = clock.now();
  while (open.size > 0) {
    const { connections, upstreams } = await controller.report();
    const tunnels = upstreams.reduce((sum, upstream) => sum + upstream.tunnels, 0);
    const last = connections === tunnels || clock.now() - began > LAST_REQUESTS_MS;
    const quiet = upstreams
      .filter(({ name, inFlight, waiting, tunnels }) =>
        open.has(name) && inFlight === tunnels && waiting === 0
      )
      .map(({ name }) => name);
    if (last && quiet.length > 0) {
      for (const name of quiet) open.delete(name);
      tell(quiet);
    }
    await sleep(clock, LOOK_EVERY_MS);
  }
}

/** For the new one. */
export class HeldLimits {
  readonly #controller: Controller;
  readonly #paused: () => readonly string[];
  readonly #held: Set<string>;

  /**
   * Before the controller starts.
   * @param paused upstreams that somebody has paused: those stay so
   */
  constructor(controller: Controller, paused: () => readonly string[]) {
    this.#controller = controller;
    this.#paused = paused;
    this.#held = new Set(limited(controller.config));
    controller.stand({ paused: this.#all() });
  }

  /** The other has nothing on its way to these any more; null = to none. */
  release(upstreams: readonly string[] | null): void {
    const due = [...this.#held].filter((name) => upstreams?.includes(name) ?? true);
    for (const name of due) this.#held.delete(name);
    const paused = this.#paused();
    const free = due.filter((name) => !paused.includes(name));
    if (free.length > 0) {
      void this.#controller.order({ order: "resume", upstreams: free }, { paused: this.#all() });
    }
  }

  #all(): string[] {
    return [...new Set([...this.#paused(), ...this.#held])];
  }
}
