/** What a waiting request keeps of its body counts against its upstream, once, and is given back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Upload } from "../../../src/exchange/upload.ts";
import { UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import type { UpstreamStream } from "../../../src/http/upstream_stream.ts";

/** A client that goes on sending. */
function sender() {
  const calls: string[] = [];
  return {
    calls,
    requestBody: UNKNOWN_LENGTH,
    requestDone: false,
    expectBody: () => void calls.push("expect"),
    pauseBody: () => void calls.push("pause"),
    resumeBody: () => void calls.push("resume"),
  };
}

function memory(bufferedBytes: number, queueBytes: number) {
  return { bufferedBytes, copiedBytes: 0, queueBytes };
}

// The cast: what is sent to it does not matter here.
const STREAM = { backlogBytes: 0, sendBody() {}, sendEnd() {} } as unknown as UpstreamStream;
const BYTES = new Uint8Array(4);

test("what is kept counts as it grows, and no more once the request goes on", () => {
  const upstream = memory(100, 107);
  const upload = new Upload(sender(), upstream, 1000, false);
  upload.kept.append(BYTES, 0, 4);
  assert.equal(upload.count(), true);
  assert.equal(upload.count(), true);
  assert.equal(upstream.bufferedBytes, 104);
  upload.kept.append(BYTES, 0, 4);
  assert.equal(upload.count(), false, "more than there is room for");
  assert.equal(upstream.bufferedBytes, 108);
  upload.uncount();
  upload.uncount();
  assert.equal(upstream.bufferedBytes, 100);
  assert.equal(upload.count(), false, "a retry waits with all of it");
});

test("a body that is read ahead may fill half of the memory", () => {
  const upload = new Upload(sender(), memory(0, 10), 1000, false);
  assert.equal(upload.readAhead(new Uint8Array(5), 0, 5), false);
  assert.equal(upload.readAhead(new Uint8Array(1), 0, 1), true, "enough");
  assert.equal(upload.count(), true, "there is room for it all the same");
});

test("a copy of what was sent stays while there is room, and makes none for itself", () => {
  const upstream = memory(3, 10);
  const upload = new Upload(sender(), upstream, 1000, false);
  upload.kept.append(BYTES, 0, 4);
  upload.count();
  upload.sendKept(STREAM);
  assert.deepEqual([upstream.bufferedBytes, upstream.copiedBytes], [3, 4]);
  upload.count();
  assert.deepEqual([upstream.bufferedBytes, upstream.copiedBytes], [7, 0], "it waits to be sent again");
  upload.sendKept(STREAM);
  assert.equal(upload.kept.replayable, true);
  upload.send(STREAM, BYTES, 0, 4, 0);
  assert.deepEqual([upstream.bufferedBytes, upstream.copiedBytes], [3, 0]);
  assert.equal(upload.kept.replayable, false);
  upload.sendKept(STREAM);
  assert.deepEqual([upstream.bufferedBytes, upstream.copiedBytes], [3, 0]);
});

test("where nothing is kept yet, nothing is given up for want of room", () => {
  const upload = new Upload(sender(), memory(11, 10), 1000, false);
  upload.sendKept(STREAM);
  assert.equal(upload.kept.replayable, true);
});

test("a waiting request for whose body there is no room: its client pauses, unless it has sent everything", () => {
  for (const requestDone of [false, true]) {
    const client = { ...sender(), requestDone };
    const upload = new Upload(client, memory(0, 3), 1000, false);
    upload.kept.append(BYTES, 0, 4);
    assert.equal(upload.wait(), !requestDone);
    assert.deepEqual(client.calls, requestDone ? [] : ["pause"]);
  }
});
