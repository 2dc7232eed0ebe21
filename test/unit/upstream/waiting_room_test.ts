/** The order of those who wait. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Waiter, WaitingRoom } from "../../../src/upstream/waiting_room.ts";

function waiter(arrivedAt: number, goesLast = false): Waiter {
  return {
    arrivedAt,
    ownConnection: null,
    wantsFresh: false,
    isRetry: false,
    goesLast,
    balanceKey: null,
    probationMs: 0,
    repeatable: true,
    admitted: false,
    enteredAt: -1,
    heldAtEntry: 0,
    outage: 0,
    inRoom: false,
    roomBefore: null,
    roomAfter: null,
    streamReady() {},
    waitFailed() {},
  };
}

/** Walks the room both ways. */
function inside(room: WaitingRoom): Waiter[] {
  const forth: Waiter[] = [];
  for (let at = room.oldest; at !== null; at = at.roomAfter) forth.push(at);
  const back: Waiter[] = [];
  for (let at = forth.at(-1) ?? null; at !== null; at = at.roomBefore) back.unshift(at);
  assert.deepEqual(back, forth);
  assert.equal(room.size, forth.length);
  assert.ok(forth.every(({ inRoom }) => inRoom));
  return forth;
}

test("in order of arrival, equals as they entered", () => {
  const room = new WaitingRoom();
  const [a, b, c] = [waiter(1), waiter(1), waiter(2)];
  for (const one of [a, b, c]) room.enter(one);
  assert.deepEqual(inside(room), [a, b, c]);
});

test("one that comes back takes the place its arrival gives it", () => {
  const room = new WaitingRoom();
  const [a, b, c] = [waiter(10), waiter(20), waiter(30)];
  for (const one of [a, b, c]) room.enter(one);
  const [first, middle, equal, last] = [waiter(5), waiter(25), waiter(20), waiter(31)];
  for (const one of [first, middle, equal, last]) room.enter(one);
  assert.deepEqual(inside(room), [first, a, b, equal, middle, c, last]);
});

test("anyone may leave, from any place, and enter again; leaving twice is nothing", () => {
  const room = new WaitingRoom();
  const all = [waiter(1), waiter(2), waiter(3), waiter(4)] as const;
  for (const one of all) room.enter(one);
  room.leave(all[1]);
  room.leave(all[1]);
  assert.deepEqual(inside(room), [all[0], all[2], all[3]]);
  room.leave(all[0]);
  room.leave(all[3]);
  assert.deepEqual(inside(room), [all[2]]);
  room.leave(all[2]);
  assert.deepEqual(inside(room), []);
  for (const one of all) {
    assert.deepEqual([one.inRoom, one.roomBefore, one.roomAfter], [false, null, null]);
    room.enter(one);
  }
  assert.deepEqual(inside(room), [...all]);
});

test("some go last, among each other in order of arrival", () => {
  const room = new WaitingRoom();
  const [a, b, c] = [waiter(3), waiter(5), waiter(4)];
  const [x, y, z] = [waiter(1, true), waiter(9, true), waiter(2, true)];
  for (const one of [y, a, x, b, z, c]) room.enter(one);
  assert.deepEqual(inside(room), [a, c, b, x, z, y]);
  assert.equal(room.rear, x);
  assert.deepEqual(room.waits(10, 10), [9, 8, 7, 6, 5, 1], "who has waited longest, first");
  assert.deepEqual(room.waits(10, 2), [9, 8]);
  room.leave(x);
  assert.equal(room.rear, z);
  for (const one of [a, b, c]) room.leave(one);
  assert.deepEqual([room.oldest, room.rear], [z, z]);
  for (const one of [y, z]) room.leave(one);
  assert.deepEqual([room.oldest, room.rear], [null, null]);
});

test("waits that are over end before and behind those that are not", () => {
  const endOf = ({ enteredAt }: Waiter): number => enteredAt + 100;
  const ended = (now: number): string[] => {
    const room = new WaitingRoom();
    const names = new Map<Waiter, string>();
    const came = (name: string, arrivedAt: number, enteredAt: number, last = false): void => {
      const one = waiter(arrivedAt, last);
      one.enteredAt = enteredAt;
      names.set(one, name);
      room.enter(one);
    };
    came("back", 0, 90);
    came("first", 10, 10);
    came("second", 20, 20);
    came("last, back", 5, 95, true);
    came("last", 6, 6, true);
    assert.equal(room.firstEnd(endOf), 106);
    const told: string[] = [];
    room.endDue((one) => endOf(one) <= now, (one) => told.push(names.get(one) ?? ""));
    assert.equal(room.size, 5 - told.length);
    return told;
  };
  assert.deepEqual(ended(105), []);
  assert.deepEqual(ended(110), ["first", "last"]);
  assert.deepEqual(ended(190), ["back", "first", "second", "last"]);
  assert.deepEqual(ended(200), ["back", "first", "second", "last, back", "last"]);
});

test("any sequence keeps the order", () => {
  let state = 7;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const room = new WaitingRoom();
  const all = Array.from({ length: 40 }, () => waiter(random(30), random(3) === 0));
  for (let step = 0; step < 3000; step++) {
    const one = all[random(all.length)] as Waiter;
    if (one.inRoom) room.leave(one);
    else room.enter(one);
    const present = inside(room);
    const times = present.map(({ arrivedAt, goesLast }) => arrivedAt + (goesLast ? 1000 : 0));
    assert.deepEqual(times, [...times].sort((a, b) => a - b));
    assert.equal(room.rear, present.find(({ goesLast }) => goesLast) ?? null);
  }
});
