/** The order of those who wait. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Waiter, WaitingRoom } from "../../../src/upstream/waiting_room.ts";

function waiter(arrivedAt: number): Waiter {
  return {
    arrivedAt,
    ownConnection: null,
    wantsFresh: false,
    isRetry: false,
    repeatable: true,
    admitted: false,
    enteredAt: -1,
    heldAtEntry: 0,
    outage: 0,
    inRoom: false,
    roomBefore: null,
    roomAfter: null,
    connectionReady() {},
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

test("any sequence keeps the order", () => {
  let state = 7;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const room = new WaitingRoom();
  const all = Array.from({ length: 40 }, () => waiter(random(30)));
  for (let step = 0; step < 3000; step++) {
    const one = all[random(all.length)] as Waiter;
    if (one.inRoom) room.leave(one);
    else room.enter(one);
    const times = inside(room).map(({ arrivedAt }) => arrivedAt);
    assert.deepEqual(times, [...times].sort((a, b) => a - b));
  }
});
