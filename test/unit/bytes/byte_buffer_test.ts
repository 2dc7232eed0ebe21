import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteBuffer } from "../../../src/bytes/byte_buffer.ts";

function contents(buffer: ByteBuffer): number[] {
  return [...buffer.bytes.subarray(buffer.from, buffer.to)];
}

test("what is appended comes out in order", () => {
  const buffer = new ByteBuffer();
  const source = Uint8Array.from({ length: 200 }, (_, i) => i);
  buffer.append(source, 0, 3);
  buffer.append(source, 10, 100);
  buffer.append(source, 5, 5);
  assert.deepEqual(contents(buffer), [0, 1, 2, ...source.subarray(10, 100)]);
  buffer.consume(2);
  buffer.dropLast(89);
  assert.deepEqual(contents(buffer), [2, 10]);
  assert.equal(buffer.length, 2);
});

test("an empty buffer holds no memory", () => {
  const buffer = new ByteBuffer();
  assert.equal(buffer.bytes.length, 0);
  buffer.append(new Uint8Array(1000), 0, 1000);
  buffer.consume(1000);
  assert.equal(buffer.bytes.length, 0);
  buffer.append(new Uint8Array(1000), 0, 1000);
  buffer.dropLast(1000);
  assert.equal(buffer.bytes.length, 0);
  assert.deepEqual([buffer.from, buffer.to], [0, 0]);
});

test("the source may be changed afterwards", () => {
  const buffer = new ByteBuffer();
  const source = new Uint8Array(100).fill(7);
  buffer.append(source, 0, 100);
  source.fill(8);
  assert.ok(contents(buffer).every((byte) => byte === 7));
});

test("a buffer used as a queue does not grow", () => {
  const buffer = new ByteBuffer();
  const source = Uint8Array.from({ length: 100 }, (_, i) => i);
  buffer.append(source, 0, 50);
  for (let round = 0; round < 1000; round++) {
    buffer.append(source, 0, 100);
    buffer.consume(100);
    assert.equal(buffer.length, 50);
  }
  assert.ok(buffer.bytes.length <= 1024, `${buffer.bytes.length} bytes`);
});

test("appending single bytes copies each a bounded number of times", () => {
  const buffer = new ByteBuffer();
  let reallocations = 0;
  let last = buffer.bytes;
  for (let i = 0; i < 100_000; i++) {
    buffer.append(Uint8Array.of(i & 0xff), 0, 1);
    if (buffer.bytes !== last) reallocations++;
    last = buffer.bytes;
  }
  assert.ok(reallocations < 20);
  assert.ok(buffer.bytes.length <= 200_000 + 256);
  assert.equal(buffer.bytes[buffer.from + 99_999], 99_999 & 0xff);
});
