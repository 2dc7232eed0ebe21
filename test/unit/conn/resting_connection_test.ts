/** What a client's connection that rests costs: thousands of them are open at a time. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { DownstreamConnection } from "../../../src/conn/downstream_connection.ts";
import type { DownstreamSettings } from "../../../src/conn/downstream_settings.ts";
import { IoTurn } from "../../../src/conn/io_turn.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { createMemoryRuntime } from "../../support/memory_runtime.ts";
import { StubSocket } from "../../support/stub_socket.ts";

/** Bytes of the engine's cells: that of 30 fields, and no list of further ones beside it. */
const MOST_BYTES = 256;

const jsc = "Bun" in globalThis
  ? process.getBuiltinModule("bun:jsc" as "node:fs") as unknown as {
    estimateShallowMemoryUsageOf(value: object): number;
  }
  : null;
const options = jsc === null ? { skip: "only Bun's engine tells what an object takes" } : {};

test("a connection that rests fits into one small cell of the heap", options, () => {
  const turn = new IoTurn(createMemoryRuntime());
  const settings: DownstreamSettings = {
    headTimeoutMs: 1000,
    bodyIdleTimeoutMs: 1000,
    keepAliveTimeoutMs: 1000,
    servesHalfClosed: false,
    limits: DEFAULT_LIMITS,
  };
  const handler = { request() {}, refused() {}, connectionClosed() {} };
  const connection = new DownstreamConnection(turn, new StubSocket(), settings, handler);
  const bytes = jsc?.estimateShallowMemoryUsageOf(connection) ?? 0;
  assert.ok(bytes <= MOST_BYTES, `${bytes} bytes: more than 30 fields, inherited ones included`);
});
