/** Where WebSocket frames end, however their bytes are cut into pieces. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { closeFrame, FrameTracker } from "../../../src/websocket/frames.ts";

function frame(opcode: number, length: number, masked: boolean, long = false): number[] {
  const mask = masked ? 0x80 : 0;
  const sizes = length > 0xffff || long
    ? [mask | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (length >>> shift) & 0xff)]
    : length > 125
    ? [mask | 126, length >> 8, length & 0xff]
    : [mask | length];
  return [0x80 | opcode, ...sizes, ...(masked ? [1, 2, 3, 4] : []), ...new Array<number>(length).fill(0x88)];
}

const FRAMES = [
  frame(1, 5, false),
  frame(2, 0, false),
  frame(1, 0, true),
  frame(2, 126, true),
  frame(9, 125, false),
  frame(2, 70_000, false),
  frame(1, 3, true, true),
];

function boundaries(): number[] {
  let at = 0;
  return FRAMES.map((bytes) => at += bytes.length);
}

for (const piece of [1, 2, 3, 7, 64, 65_536, 1_000_000]) {
  test(`frames in pieces of ${piece}: each end is found`, () => {
    const bytes = new Uint8Array(FRAMES.flat());
    const tracker = new FrameTracker();
    const found: number[] = [];
    for (let at = 0; at < bytes.length; at += piece) {
      const to = Math.min(bytes.length, at + piece);
      for (let from = at; from < to;) {
        from = tracker.pass(bytes, from, to, true);
        if (tracker.atBoundary) found.push(from);
      }
    }
    assert.deepEqual(found, boundaries());
  });
}

test("without a wish to stop everything passes at once", () => {
  const bytes = new Uint8Array(FRAMES.flat());
  const tracker = new FrameTracker();
  assert.equal(tracker.pass(bytes, 0, bytes.length - 1, false), bytes.length - 1);
  assert.equal(tracker.atBoundary, false);
  assert.equal(tracker.pass(bytes, bytes.length - 1, bytes.length, false), bytes.length);
  assert.equal(tracker.atBoundary, true);
});

test("a Close frame ends what is followed", () => {
  for (const from of ["server", "client"] as const) {
    const bytes = new Uint8Array([...frame(1, 2, false), ...closeFrame(from), 0xff, 0xff, 0xff]);
    const tracker = new FrameTracker();
    assert.equal(tracker.pass(bytes, 0, bytes.length, false), bytes.length - 3);
    assert.equal(tracker.closed, true);
    assert.equal(tracker.pass(bytes, 0, 3, true), 3);
  }
});

test("a length that no frame can have: there is no end to be found any more", () => {
  const bytes = new Uint8Array([0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0]);
  const tracker = new FrameTracker();
  assert.equal(tracker.pass(bytes, 0, bytes.length, true), bytes.length);
  assert.equal(tracker.atBoundary, false);
});
