/** What is due first is in front, whatever was set, moved and deleted before. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TimeHeap } from "../../../src/time/time_heap.ts";

test("any sequence of changes leaves the earliest in front", () => {
  let state = 7;
  const pick = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const heap = new TimeHeap<string>();
  const times = new Map<string, number>();
  for (let step = 0; step < 20_000; step++) {
    const item = `i${pick(60)}`;
    if (pick(3) === 0) {
      heap.delete(item);
      times.delete(item);
    } else {
      const at = pick(1000);
      heap.set(item, at);
      times.set(item, at);
    }
    assert.equal(heap.size, times.size);
    assert.equal(heap.firstAt, Math.min(...times.values()), `step ${step}`);
    assert.equal(heap.first === null ? Infinity : times.get(heap.first), heap.firstAt);
  }
  const order: number[] = [];
  for (let first = heap.first; first !== null; first = heap.first) {
    order.push(heap.firstAt);
    heap.delete(first);
  }
  assert.equal(order.length, times.size);
  assert.deepEqual(order, [...order].sort((a, b) => a - b));
});

test("nothing is due in an empty one", () => {
  const heap = new TimeHeap<string>();
  heap.set("a", 1);
  heap.clear();
  heap.delete("a");
  assert.deepEqual([heap.size, heap.first, heap.firstAt], [0, null, Infinity]);
});
