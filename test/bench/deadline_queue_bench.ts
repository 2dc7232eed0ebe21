/**
 * What a deadline costs, by how many there are: `bun test/bench/deadline_queue_bench.ts`. Nanoseconds per
 * call, or per deadline where all are swept; a row that grows from left to right is a fault.
 */

import type { Clock, Timer } from "../../runtime/contract/contract.ts";
import { DeadlineQueue, TICK_MS, Timed } from "../../src/time/deadline_queue.ts";
import { leastNanos, printRow } from "./least_time.ts";

const SIZES = [1, 10, 100, 1000, 10_000, 100_000];

/** Moves when told, and fires the one timer that a queue has. */
class StepClock implements Clock {
  #now = 1000;
  #fire: (() => void) | null = null;
  now(): number {
    return this.#now;
  }
  wall(): number {
    return this.#now;
  }
  setTimer(_ms: number, fire: () => void): Timer {
    this.#fire = fire;
    return { cancel: () => this.#fire = null };
  }
  step(ms: number): void {
    this.#now += ms;
    const fire = this.#fire;
    this.#fire = null;
    fire?.();
  }
}

class Item extends Timed {
  expirations = 0;
  override expired(): void {
    this.expirations++;
  }
}

interface Filled {
  readonly clock: StepClock;
  readonly queue: DeadlineQueue;
  readonly items: readonly Item[];
}

/** Deadlines as connections have them: some seconds ahead, spread over a minute. */
function filled(size: number): Filled {
  const clock = new StepClock();
  const queue = new DeadlineQueue(clock);
  const items = Array.from({ length: size }, () => new Item());
  items.forEach((item, i) => queue.set(item, clock.now() + 5000 + (i * 60_000) / size));
  return { clock, queue, items };
}

const BENCHES: Record<string, (filled: Filled) => () => number> = {
  "set further away": ({ clock, queue, items }) => {
    let i = 0;
    return () => {
      const item = items[i++ % items.length] as Item;
      queue.set(item, clock.now() + 120_000);
      return 1;
    };
  },
  "set closer, and back": ({ clock, queue, items }) => {
    let i = 0;
    return () => {
      const item = items[i++ % items.length] as Item;
      queue.set(item, clock.now() + 1000);
      queue.remove(item);
      queue.set(item, clock.now() + 5000 + (i % 60_000));
      return 1;
    };
  },
  "remove and set, all in one slot": ({ clock, queue, items }) => {
    for (const item of items) queue.set(item, clock.now() + 2000);
    let i = 0;
    return () => {
      const item = items[i++ % items.length] as Item;
      queue.remove(item);
      queue.set(item, clock.now() + 2000);
      return 1;
    };
  },
};

/** Ticks of the sweep below. */
const TICKS = 800;

/** Per tick in which no deadline is due, however many lie ahead. */
function idleSweep(size: number): number {
  let least = Infinity;
  for (let round = 0; round < 30; round++) {
    const { clock, queue, items } = filled(size);
    for (const item of items) {
      queue.remove(item);
      queue.set(item, clock.now() + (TICKS + 100) * TICK_MS);
    }
    const begun = performance.now();
    for (let tick = 0; tick < TICKS; tick++) clock.step(TICK_MS);
    least = Math.min(least, performance.now() - begun);
    if (queue.size !== size) throw new Error("a deadline came too early");
  }
  return (least * 1e6) / TICKS;
}

/** Per deadline that expires: nobody else is to be looked at. */
function expiry(size: number): number {
  let least = Infinity;
  for (let round = 0; round < 8; round++) {
    const { clock, items } = filled(size);
    const begun = performance.now();
    for (let at = 0; at < 70_000; at += TICK_MS) clock.step(TICK_MS);
    least = Math.min(least, performance.now() - begun);
    if (items.some(({ expirations }) => expirations !== 1)) throw new Error("not every deadline came once");
  }
  return (least * 1e6) / size;
}

printRow("deadlines", SIZES.map(String));
for (const [name, prepare] of Object.entries(BENCHES)) {
  printRow(name, SIZES.map((size) => leastNanos(prepare(filled(size)))));
}
printRow("sweep a tick in which none is due", SIZES.map(idleSweep));
printRow("expire, each (1,400 ticks included)", SIZES.map(expiry));
