/** Clients must not take every file that the process may open. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clientsWithin,
  filesAside,
  refusedWithin,
  roomAside,
  roomWarning,
} from "../../../../src/process/worker/descriptor_room.ts";
import { loadConfig } from "../../../../src/config/load_config.ts";

test("some files are kept for what is not a client's", () => {
  assert.equal(clientsWithin(Infinity, 97), Infinity);
  assert.equal(clientsWithin(20_000, 0), 20_000 - 40 - 128 - 2 * 256);
  assert.equal(clientsWithin(400, 0), 400 - 40 - 50 - 2 * 50);
  assert.equal(clientsWithin(90, 0), 90 - 40 - 16 - 2 * 11);
  assert.equal(clientsWithin(20, 0), 1, "one is always let in");
  assert.deepEqual([Infinity, 20_000, 400].map(refusedWithin), [256, 256, 50]);
});

test("admin listener and control socket have room of their own, where they are", () => {
  assert.deepEqual(roomAside(Infinity), { maxConnections: 256, maxRefused: 16 });
  assert.deepEqual(roomAside(1024), { maxConnections: 32, maxRefused: 16 });
  assert.deepEqual(roomAside(90), { maxConnections: 4, maxRefused: 1 });
  const config = (flags: Record<string, string[]>) => {
    const loaded = loadConfig({ flags: { to: ["3000"], ...flags }, env: {}, file: null });
    assert.ok(loaded.ok);
    return loaded.config;
  };
  assert.equal(filesAside(1024, config({}), true), 1 + 48);
  assert.equal(filesAside(1024, config({ admin: ["9180"] }), true), 1 + 2 * 48);
  assert.equal(filesAside(1024, config({ control: ["off"] }), true), 1);
  assert.equal(filesAside(1024, config({ control: ["off"], command: ["app"] }), true), 1 + 3);
  assert.equal(filesAside(1024, config({ admin: ["9180"] }), false), 1, "the supervisor has them");
  assert.equal(clientsWithin(1024, 97), clientsWithin(1024, 0) - 97);
});

test("a limit that leaves much less room than was asked for is told", () => {
  assert.equal(roomWarning(20_000, Infinity, 0), "");
  assert.equal(roomWarning(20_000, 20_000, 0), "");
  assert.equal(
    roomWarning(20_000, 1024, 0),
    "1024 files may be open, so 600 clients may be connected at a time, not 20000 (max_connections): raise ulimit -n",
  );
  assert.equal(roomWarning(600, 1024, 0), "");
});
