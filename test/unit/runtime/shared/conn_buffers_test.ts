import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnBuffers, LARGE_BYTES, SMALL_BYTES } from "../../../../runtime/shared/conn_buffers.ts";

test("conn buffers: a buffer that was given back is taken again, by its size", () => {
  const buffers = new ConnBuffers();
  const small = buffers.take(1);
  const large = buffers.take(SMALL_BYTES + 1);
  assert.deepEqual([small.length, large.length], [SMALL_BYTES, LARGE_BYTES]);
  buffers.give(small);
  buffers.give(large);
  assert.equal(buffers.take(LARGE_BYTES), large);
  assert.equal(buffers.take(SMALL_BYTES), small);
  assert.notEqual(buffers.take(1), small);
});

test("conn buffers: 64 reads that wait have a large buffer, another one only while it streams", () => {
  const buffers = new ConnBuffers();
  const reading = Array.from({ length: 64 }, () => {
    const buffer = buffers.takeForRead(false);
    buffers.beginRead(buffer);
    return buffer;
  });
  assert.ok(reading.every(({ length }) => length === LARGE_BYTES));
  assert.equal(buffers.takeForRead(false).length, SMALL_BYTES);
  assert.equal(buffers.takeForRead(true).length, LARGE_BYTES);
  const [first] = reading;
  assert.ok(first !== undefined);
  buffers.endRead(first);
  assert.equal(buffers.takeForRead(false).length, LARGE_BYTES);
});

test("conn buffers: a lent large buffer has one taker, and only for bytes that lie in it", () => {
  const buffers = new ConnBuffers();
  const lent = buffers.take(LARGE_BYTES);
  buffers.lend(lent);
  assert.equal(buffers.claim(new Uint8Array(10)), null);
  assert.equal(buffers.claim(lent.subarray(5, 10)), lent);
  assert.equal(buffers.claim(lent.subarray(5, 10)), null);
  assert.equal(buffers.endLend(lent), true);

  const small = buffers.take(1);
  buffers.lend(small);
  assert.equal(buffers.claim(small), null);
  assert.equal(buffers.endLend(small), false);
});
