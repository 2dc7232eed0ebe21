/** What a waiting request keeps of its body counts against its upstream, once, and is given back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Upload } from "../../../src/exchange/upload.ts";
import type { Upstream } from "../../../src/upstream/upstream.ts";

test("what is kept counts as it grows, and no more once the request goes on", () => {
  // The cast: of an upstream, only its memory matters here.
  const upstream = { bufferedBytes: 100, settings: { queueBytes: 107 } } as unknown as Upstream;
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
