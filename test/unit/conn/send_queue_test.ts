import assert from "node:assert/strict";
import { test } from "node:test";
import { type Memory, SendQueue } from "../../../src/conn/send_queue.ts";

/** What is given back can be recognised. */
const MEMORY: Memory = { discard: (bytes) => void bytes.fill(0xdd) };

/** Takes at most `most` bytes at a time, and `room` in all. */
class Taker {
  readonly taken: number[] = [];
  calls = 0;
  room: number;
  readonly #most: number;

  constructor(most: number, room = Infinity) {
    this.#most = most;
    this.room = room;
  }

  write(bytes: Uint8Array, from: number, to: number): number {
    this.calls++;
    const count = Math.min(to - from, this.#most, this.room);
    this.room -= count;
    for (let i = from; i < from + count; i++) this.taken.push(bytes[i] as number);
    return count;
  }
}

test("bytes come out as they went in, whatever the pieces", () => {
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const queue = new SendQueue(MEMORY);
  const expected: number[] = [];
  const taken: number[] = [];
  for (let round = 0; round < 400; round++) {
    const size = random(random(10) === 0 ? 20_000 : 300);
    const bytes = new Uint8Array(size + 2).map(() => random(256));
    queue.push(bytes, 1, size + 1);
    for (const byte of bytes.subarray(1, size + 1)) expected.push(byte);
    bytes.fill(0xee);
    const taker = new Taker(1 + random(5000), random(600));
    assert.equal(queue.drainTo(taker), taker.taken.length);
    for (const byte of taker.taken) taken.push(byte);
    assert.equal(queue.bytes, expected.length - taken.length);
  }
  const rest = new Taker(Infinity);
  queue.drainTo(rest);
  for (const byte of rest.taken) taken.push(byte);
  assert.equal(queue.bytes, 0);
  assert.deepEqual(taken, expected);
});

test("what dribbles in is joined: no object for each byte", () => {
  const queue = new SendQueue(MEMORY);
  for (let i = 0; i < 60_000; i++) queue.push(Uint8Array.of(i & 0xff), 0, 1);
  const taker = new Taker(Infinity);
  assert.equal(queue.drainTo(taker), 60_000);
  assert.ok(taker.calls <= 16, `${taker.calls} pieces`);
});

test("nothing is left after clear", () => {
  const queue = new SendQueue(MEMORY);
  queue.push(new Uint8Array(10), 0, 10);
  queue.clear();
  assert.equal(queue.bytes, 0);
  queue.push(Uint8Array.of(1, 2), 0, 2);
  const taker = new Taker(Infinity);
  queue.drainTo(taker);
  assert.deepEqual(taker.taken, [1, 2]);
});

test("what is kept is a copy, also of a Buffer", () => {
  const lent = Buffer.alloc(10_000, 1);
  const queue = new SendQueue(MEMORY);
  queue.push(lent, 100, 9_000);
  lent.fill(2);
  const seen: number[] = [];
  queue.drainTo({
    write(bytes, from, to) {
      for (let i = from; i < to; i++) seen.push(bytes[i] as number);
      return to - from;
    },
  });
  assert.equal(seen.length, 8_900);
  assert.ok(seen.every((byte) => byte === 1));
});

test("an array that may be kept is not copied, unless an eighth of it is gone", () => {
  const queue = new SendQueue(MEMORY);
  const chunk = new Uint8Array(40_000).fill(1);
  queue.push(chunk, 5_000, 40_000, true);
  const other = new Uint8Array(40_000).fill(2);
  queue.push(other, 5_001, 40_000, true);
  assert.equal(queue.bytes, 69_999);
  chunk.fill(3);
  other.fill(4);
  const taker = new Taker(Infinity);
  assert.equal(queue.drainTo(taker), 69_999);
  assert.ok(taker.taken.slice(0, 35_000).every((byte) => byte === 3), "the array itself");
  assert.ok(taker.taken.slice(35_000).every((byte) => byte === 2), "a copy");
});

test("small pieces go on behind an array that was kept", () => {
  const queue = new SendQueue(MEMORY);
  queue.push(new Uint8Array(10_000).fill(1), 0, 10_000, true);
  queue.push(Uint8Array.of(2, 2), 0, 2);
  queue.push(Uint8Array.of(3), 0, 1, true);
  const taker = new Taker(Infinity);
  queue.drainTo(taker);
  assert.deepEqual(taker.taken.slice(9_999), [1, 2, 2, 3]);
});

test("arrays are given back once they are sent, and when they are dropped", () => {
  const given: number[] = [];
  const queue = new SendQueue({ discard: (bytes) => void given.push(bytes[0] as number) });
  for (let mark = 1; mark <= 4; mark++) {
    assert.equal(queue.push(new Uint8Array(10_000).fill(mark), 0, 10_000, mark < 4), mark < 4, "kept");
  }
  queue.drainTo(new Taker(Infinity, 9_999));
  assert.deepEqual(given, []);
  queue.drainTo(new Taker(Infinity, 10_001));
  assert.deepEqual(given, [1, 2]);
  queue.clear();
  assert.deepEqual(given, [1, 2, 3, 4]);
});
