/** Clients must not take every file that the process may open. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { clientsWithin, refusedWithin, roomWarning } from "../../../src/cli/descriptor_room.ts";

test("some files are kept for what is not a client's", () => {
  assert.equal(clientsWithin(Infinity), Infinity);
  assert.equal(clientsWithin(20_000), 20_000 - 40 - 128 - 2 * 256);
  assert.equal(clientsWithin(400), 400 - 40 - 50 - 2 * 50);
  assert.equal(clientsWithin(90), 90 - 40 - 16 - 2 * 11);
  assert.equal(clientsWithin(20), 1, "one is always let in");
  assert.deepEqual([Infinity, 20_000, 400].map(refusedWithin), [256, 256, 50]);
});

test("a limit that leaves much less room than was asked for is told", () => {
  assert.equal(roomWarning(20_000, Infinity), "");
  assert.equal(roomWarning(20_000, 20_000), "");
  assert.equal(
    roomWarning(20_000, 1024),
    "1024 files may be open, so 600 clients may be connected at a time, not 20000 (max_connections): raise ulimit -n",
  );
  assert.equal(roomWarning(600, 1024), "");
});
