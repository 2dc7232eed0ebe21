/** Deadlines come late by one tick at most, never early, never twice, and cost nothing when they are gone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DeadlineQueue, TICK_MS, Timed } from "../../../src/time/deadline_queue.ts";
import { FakeClock } from "../../support/fake_clock.ts";

class Item extends Timed {
  readonly clock: FakeClock;
  readonly fired: number[] = [];
  then: (now: number) => void = () => {};

  constructor(clock: FakeClock) {
    super();
    this.clock = clock;
  }

  override expired(now: number): void {
    assert.equal(this.deadlineAt, Infinity, "it is over while it is reported");
    this.fired.push(this.clock.now());
    this.then(now);
  }
}

function lab(start = 1000) {
  const clock = new FakeClock(start);
  const queue = new DeadlineQueue(clock);
  return { clock, queue, item: () => new Item(clock) };
}

function firedInTime(item: Item, deadline: number): void {
  assert.equal(item.fired.length, 1);
  const late = (item.fired[0] as number) - deadline;
  // A platform's timer has whole milliseconds.
  assert.ok(late >= 0 && late <= TICK_MS + 1, `${late} ms late`);
}

test("a deadline fires once, within a tick after its time", () => {
  for (const start of [1000, 1000.7, 1049.999, 7e9]) {
    for (const ms of [0, 1, 49, 50, 51, 99.5, 1000, 60_000]) {
      const { clock, queue, item } = lab(start);
      const one = item();
      queue.set(one, start + ms);
      clock.advance(ms + 2 * TICK_MS);
      firedInTime(one, start + Math.max(ms, 0));
      clock.advance(500_000);
      assert.equal(one.fired.length, 1);
      assert.equal(queue.size, 0);
      assert.equal(clock.pendingTimers, 0, "no timer runs for nothing");
    }
  }
});

test("moved farther: the old time passes silently, and the move costs no filing", () => {
  const { clock, queue, item } = lab();
  const one = item();
  queue.set(one, 2000);
  const filed = one.filedTick;
  for (let at = 2001; at < 9000; at += 7) queue.set(one, at);
  queue.set(one, 9000);
  assert.equal(one.filedTick, filed);
  clock.advance(7900);
  assert.equal(one.fired.length, 0);
  clock.advance(200);
  firedInTime(one, 9000);
});

test("moved closer: fires at the new time", () => {
  const { clock, queue, item } = lab();
  const one = item();
  queue.set(one, 60_000);
  queue.set(one, 1300);
  clock.advance(400);
  firedInTime(one, 1300);
  assert.equal(queue.size, 0);
});

test("beyond the wheel: hours are as exact as seconds", () => {
  const { clock, queue, item } = lab();
  const items = [100_000, 102_400, 103_000, 204_800, 3_600_000, 20_000_000].map((ms) => {
    const one = item();
    queue.set(one, 1000 + ms);
    return [one, 1000 + ms] as const;
  });
  clock.advance(21_000_000);
  for (const [one, at] of items) firedInTime(one, at);
  assert.equal(queue.size, 0);
});

test("taken back: Infinity is noticed late, remove at once, neither fires", () => {
  const { clock, queue, item } = lab();
  const [lazy, removed, never] = [item(), item(), item()];
  queue.set(lazy, 1500);
  queue.set(lazy, Infinity);
  queue.set(removed, 1500);
  queue.remove(removed);
  queue.set(never, Infinity);
  queue.remove(never);
  assert.equal(queue.size, 1);
  clock.advance(5000);
  assert.deepEqual([lazy.fired, removed.fired, never.fired], [[], [], []]);
  assert.equal(queue.size, 0);
  assert.equal(clock.pendingTimers, 0);
});

test("during a sweep: items of the same tick may be removed, moved and set by one another", () => {
  const { clock, queue, item } = lab();
  const items = Array.from({ length: 10 }, item);
  for (const one of items) queue.set(one, 1500);
  // Swept from the last one filed to the first.
  const [first, second, third, fourth] = items.reverse() as [Item, Item, Item, Item];
  first.then = (now) => {
    first.then = () => {};
    queue.remove(second);
    queue.set(third, now + 1000);
    queue.set(first, now);
    queue.set(fourth, now);
  };
  clock.advance(600);
  assert.deepEqual(second.fired, []);
  assert.deepEqual(third.fired, []);
  assert.equal(fourth.fired.length, 1);
  assert.equal(first.fired.length, 2, "set again inside its own event: the next tick");
  for (const one of items.slice(4)) assert.equal(one.fired.length, 1);
  clock.advance(2000);
  assert.equal(third.fired.length, 1);
  assert.equal(queue.size, 0);
});

test("an event that sets itself again and again does not keep the sweep from ending", () => {
  const { clock, queue, item } = lab();
  const one = item();
  one.then = (now) => queue.set(one, now);
  queue.set(one, 1000);
  clock.advance(1000);
  assert.ok(one.fired.length >= 19 && one.fired.length <= 21, `${one.fired.length} times in a second`);
});

/** Its timers come late by the time that the process has been asleep. */
class Sleeper extends FakeClock {
  asleep = 0;
  override now(): number {
    return super.now() + this.asleep;
  }
}

test("after a long standstill everything that is due fires, and the rest stays exact", () => {
  const clock = new Sleeper(1000);
  const queue = new DeadlineQueue(clock);
  const items = Array.from({ length: 1000 }, (_, i) => {
    const one = new Item(clock);
    queue.set(one, 1001 + i * 400);
    return one;
  });
  // The process was stopped for 200 s, twice the length of the wheel.
  clock.asleep = 200_000;
  clock.advance(600);
  const due = items.filter((one) => one.fired.length === 1).length;
  assert.equal(due, 500 + 2);
  clock.advance(300_000);
  assert.ok(items.every((one) => one.fired.length === 1));
  assert.equal(queue.size, 0);
});

test("after a standstill what came in time meanwhile is told before deadlines strike", () => {
  const clock = new Sleeper(1000);
  const queue = new DeadlineQueue(clock);
  const [heard, silent] = [new Item(clock), new Item(clock)];
  queue.set(heard, 1500);
  queue.set(silent, 1500);
  clock.advance(300);
  clock.asleep = 1000;
  clock.advance(TICK_MS);
  assert.deepEqual([heard.fired, silent.fired], [[], []]);
  // The platform's other events come now.
  queue.set(heard, clock.now() + 1000);
  clock.advance(500);
  assert.equal(silent.fired.length, 1);
  assert.equal(heard.fired.length, 0);
  clock.advance(1000);
  assert.equal(heard.fired.length, 1);
});

test("where every timer comes late, deadlines strike all the same", () => {
  const clock = new Sleeper(1000);
  const queue = new DeadlineQueue(clock);
  const one = new Item(clock);
  queue.set(one, 1500);
  for (let turns = 0; one.fired.length === 0; turns++) {
    assert.ok(turns < 100, "put off for ever");
    clock.asleep += 3 * TICK_MS;
    clock.fireNext(Infinity);
  }
  assert.equal(one.fired.length, 1);
  assert.ok(clock.now() < 5000, `${clock.now()}`);
});

test("an exception in one event does not stop the others for ever", () => {
  const { clock, queue, item } = lab();
  const [bad, good] = [item(), item()];
  queue.set(good, 1500);
  queue.set(bad, 1500);
  bad.then = () => {
    throw new Error("a bug");
  };
  assert.throws(() => clock.advance(600), /a bug/);
  clock.advance(600);
  assert.equal(good.fired.length, 1);
});

test("thousands of items, moved at random: each fires once and in time, and nothing is left", () => {
  const { clock, queue, item } = lab();
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const items = Array.from({ length: 5000 }, item);
  const wanted = new Map<Item, number>();
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 1000; i++) {
      const one = items[random(items.length)] as Item;
      if (one.fired.length > 0) continue;
      const at = random(5) === 0 ? Infinity : clock.now() + random(150_000);
      queue.set(one, at);
      wanted.set(one, at);
    }
    clock.advance(random(5000));
  }
  clock.advance(400_000);
  for (const [one, at] of wanted) {
    if (at === Infinity) assert.equal(one.fired.length, 0);
    else firedInTime(one, at);
  }
  assert.equal(queue.size, 0);
  assert.equal(clock.pendingTimers, 0);
  for (const one of items) {
    assert.ok(one.filedBefore === null && one.filedAfter === null, "no links are left");
  }
});
