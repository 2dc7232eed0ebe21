/** A request body is kept as long as it can be sent again, and no longer. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestBody } from "../../../src/exchange/request_body.ts";

function bytes(from: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => from + i);
}

function kept(body: RequestBody): number[] {
  return [...body.bytes.subarray(0, body.length)];
}

test("a body of known length is kept whole, in one piece of memory", () => {
  const body = new RequestBody(100, 10);
  const memory = body.bytes;
  assert.equal(memory.length, 10);
  body.append(bytes(0, 8), 2, 6);
  body.append(bytes(6, 10), 0, 6);
  assert.equal(body.bytes, memory);
  assert.deepEqual(kept(body), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  body.sent();
  assert.ok(body.replayable);
  assert.equal(body.length, 10);
});

test("the memory for an announced length is not more than the limit", () => {
  assert.equal(new RequestBody(100, 1e15).bytes.length, 100);
});

test("a body of unknown length grows; copies are its own", () => {
  const body = new RequestBody(1000, -1);
  const lent = bytes(0, 200);
  for (let i = 0; i < 5; i++) body.append(lent, 0, 200);
  lent.fill(0xee);
  assert.equal(body.length, 1000);
  assert.ok(body.full);
  assert.deepEqual(kept(body).slice(200, 203), [0, 1, 2]);
});

test("what goes by is kept up to the limit, then none of it", () => {
  const body = new RequestBody(10, -1);
  body.retain(bytes(0, 6), 0, 6);
  body.retain(bytes(6, 4), 0, 4);
  assert.ok(body.replayable);
  assert.deepEqual(kept(body), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  body.retain(bytes(0, 1), 0, 1);
  assert.ok(!body.replayable);
  assert.equal(body.length, 0);
  assert.equal(body.bytes.length, 0, "the memory is given back");
  body.retain(bytes(0, 1), 0, 1);
  assert.equal(body.length, 0);
});

test("a chunk that came while waiting may exceed the limit: it is sent, and then not kept", () => {
  const body = new RequestBody(10, -1);
  body.append(bytes(0, 30), 0, 30);
  assert.ok(body.full);
  assert.equal(body.length, 30);
  assert.ok(body.replayable, "nothing has been sent yet");
  body.sent();
  assert.ok(!body.replayable);
  assert.equal(body.bytes.length, 0);
});

test("a limit of 0 keeps nothing that goes by", () => {
  const body = new RequestBody(0, -1);
  assert.ok(body.full);
  body.retain(bytes(0, 1), 0, 1);
  assert.ok(!body.replayable);
});

test("announcing a large body takes no memory, sending it does", () => {
  const body = new RequestBody(65_536, 65_536);
  assert.equal(body.bytes.length, 0);
  body.append(new Uint8Array(100), 0, 100);
  assert.ok(body.bytes.length <= 4096);
  for (let i = 0; i < 400; i++) body.append(new Uint8Array(100), 0, 100);
  assert.equal(body.bytes.length, 65_536);
  assert.equal(body.length, 40_100);
});
