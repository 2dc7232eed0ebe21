/** What a waiting request keeps of its body counts against its upstream, once, and is given back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Upload } from "../../../src/exchange/upload.ts";
import type { Upstream } from "../../../src/upstream/upstream.ts";

test("what is kept counts as it grows, and no more once the request goes on", () => {
  // The cast: of an upstream, only its memory matters here.
  const upstream = {
    bufferedBytes: 100,
    copiedBytes: 0,
    settings: { queueBytes: 107 },
  } as unknown as Upstream;
  const upload = new Upload(1000, -1);
  const bytes = new Uint8Array(4);
  upload.kept.append(bytes, 0, 4);
  assert.equal(upload.count(upstream), true);
  assert.equal(upload.count(upstream), true);
  assert.equal(upstream.bufferedBytes, 104);
  upload.kept.append(bytes, 0, 4);
  assert.equal(upload.count(upstream), false, "more than there is room for");
  assert.equal(upstream.bufferedBytes, 108);
  upload.uncount(upstream);
  upload.uncount(upstream);
  assert.equal(upstream.bufferedBytes, 100);
  assert.equal(upload.count(upstream), false, "a retry waits with all of it");
});

test("a body that is read ahead may fill half of the memory", () => {
  const upstream = { bufferedBytes: 0, copiedBytes: 0, settings: { queueBytes: 10 } } as unknown as Upstream;
  const upload = new Upload(1000, -1);
  upload.kept.append(new Uint8Array(5), 0, 5);
  assert.equal(upload.countRead(upstream), true);
  upload.kept.append(new Uint8Array(1), 0, 1);
  assert.equal(upload.countRead(upstream), false);
  assert.equal(upload.count(upstream), true);
});

test("a copy of what was sent stays while there is room, and makes none for itself", () => {
  const upstream = { bufferedBytes: 3, copiedBytes: 0, settings: { queueBytes: 10 } } as unknown as Upstream;
  const upload = new Upload(1000, -1);
  const bytes = new Uint8Array(4);
  upload.kept.append(bytes, 0, 4);
  upload.count(upstream);
  upload.countSent(upstream);
  assert.deepEqual([upstream.bufferedBytes, upstream.copiedBytes], [3, 4]);
  upload.count(upstream);
  assert.deepEqual([upstream.bufferedBytes, upstream.copiedBytes], [7, 0], "it waits to be sent again");
  upload.countSent(upstream);
  assert.equal(upload.kept.replayable, true);
  upload.kept.retain(bytes, 0, 4);
  upload.countSent(upstream);
  assert.deepEqual([upstream.bufferedBytes, upstream.copiedBytes], [3, 0]);
  assert.equal(upload.kept.replayable, false);
  upload.countSent(upstream);
  assert.deepEqual([upstream.bufferedBytes, upstream.copiedBytes], [3, 0]);
});

test("where nothing is kept yet, nothing is given up for want of room", () => {
  const upstream = { bufferedBytes: 11, copiedBytes: 0, settings: { queueBytes: 10 } } as unknown as Upstream;
  const upload = new Upload(1000, -1);
  upload.countSent(upstream);
  assert.equal(upload.kept.replayable, true);
});
