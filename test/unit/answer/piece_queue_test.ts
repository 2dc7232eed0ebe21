/** Pieces come out as they went in, whoever is faster, and none comes after the end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PieceQueue } from "../../../src/answer/piece_queue.ts";
import { MemoryNetwork } from "../../support/memory_network.ts";
import { walkSeeds } from "../../support/seeds.ts";

const piece = (...bytes: number[]) => new Uint8Array(bytes);

test("piece queue: a reader that waits gets the next piece, one that comes later those that wait", async () => {
  const queue = new PieceQueue();
  const reader = queue.getReader();
  const first = reader.read();
  queue.write(piece(1));
  assert.equal(queue.bytes, 0, "it was given away");
  queue.write(piece());
  queue.write(piece(2, 3));
  queue.write(piece(4));
  assert.equal(queue.bytes, 3);
  assert.deepEqual(await first, { done: false, value: piece(1) });
  assert.deepEqual(await reader.read(), { done: false, value: piece(2, 3) });
  assert.equal(queue.bytes, 1);
  queue.end();
  queue.write(piece(5));
  assert.deepEqual(await reader.read(), { done: false, value: piece(4) });
  assert.deepEqual(await reader.read(), { done: true });
  assert.deepEqual(await reader.read(), { done: true });
  assert.equal(queue.bytes, 0);
});

test("piece queue: its end reaches a reader that waits; a reader that leaves gets nothing more", async () => {
  const ended = new PieceQueue();
  const waiting = ended.read();
  ended.end();
  ended.end();
  assert.deepEqual(await waiting, { done: true });
  const left = new PieceQueue();
  left.write(piece(1, 2));
  await left.cancel();
  left.write(piece(3));
  assert.equal(left.bytes, 0);
  assert.deepEqual(await left.read(), { done: true });
});

test("piece queue: random turns of both sides lose nothing and double nothing", async () => {
  for (const seed of walkSeeds(50)) {
    const chance = new MemoryNetwork({ seed });
    const queue = new PieceQueue();
    const written: number[] = [];
    const read: number[] = [];
    const reads: Promise<void>[] = [];
    let isAsked = false;
    let isOver = false;
    for (let turn = 0; turn < 200; turn++) {
      const what = chance.random(3);
      if (what === 0) {
        const length = chance.random(4);
        const bytes = Array.from({ length }, (_, at) => (written.length + at) % 256);
        queue.write(piece(...bytes));
        written.push(...bytes);
      } else if (what === 1 && !isAsked) {
        isAsked = true;
        reads.push(
          queue.read().then(({ done, value }) => {
            isAsked = false;
            if (done) isOver = true;
            else read.push(...value as Uint8Array);
          }),
        );
      } else {
        await undefined;
      }
      assert.ok(queue.bytes <= written.length - read.length, `seed ${seed}, turn ${turn}`);
    }
    queue.end();
    await Promise.all(reads);
    while (!isOver) {
      const { done, value } = await queue.read();
      if (done) isOver = true;
      else read.push(...value as Uint8Array);
    }
    assert.deepEqual(read, written, `seed ${seed}`);
  }
});
