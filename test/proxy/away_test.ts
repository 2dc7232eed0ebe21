/**
 * The scenario that Sluice exists for: a backend that takes one connection, closes its listening socket,
 * serves, and listens again 50 ms later. Judged by bodies, on both sides.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { AwayBackend, expectedAnswer } from "../support/away_backend.ts";
import type { ReadResponse } from "../support/http_reader.ts";
import { TestProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_client.ts";

const CLIENTS = 10;
const REQUESTS = 30;

function bytesOf(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let value = seed + 1;
  for (let i = 0; i < size; i++) {
    value = (Math.imul(value, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = value >>> 16;
  }
  return bytes;
}

function joined(head: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(new TextEncoder().encode(head), 0);
  bytes.set(body, head.length);
  return bytes;
}

/** Sends `REQUESTS` requests from `CLIENTS` clients at a time, every second one keeping its connection. */
async function load(proxy: TestProxy, method: string, bodyBytes: number): Promise<void> {
  const client = async (number: number): Promise<void> => {
    const keep = number % 2 === 0;
    let connection: RawClient | null = null;
    for (let id = number; id < REQUESTS; id += CLIENTS) {
      connection ??= await RawClient.connect(proxy.port);
      connection.record = false;
      const target = `/${method.toLowerCase()}?id=${id}`;
      const body = bytesOf(bodyBytes, id);
      const head = `${method} ${target} HTTP/1.1\r\nHost: a\r\n` +
        (method === "POST" ? `Content-Length: ${body.length}\r\n` : "") +
        (keep ? "\r\n" : "Connection: close\r\n\r\n");
      const sent = connection.send(joined(head, body));
      const response: ReadResponse = await connection.readResponse({ method });
      await sent;
      assert.equal(response.status, 200, `${target}: ${response.field("Proxy-Status")}`);
      assert.equal(response.text, expectedAnswer(method, target, body));
      if (!keep) {
        connection.destroy();
        connection = null;
      }
    }
    connection?.destroy();
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
}

for (
  const [what, method, bodyBytes, awayMs, workMs] of [
    ["GET", "GET", 0, 50, 0],
    ["POST of 1 KiB", "POST", 1024, 50, 0],
    ["POST of 1 MiB", "POST", 1024 * 1024, 50, 0],
    ["POST that is worked on for longer than the backend is down", "POST", 1024, 20, 25],
  ] as const
) {
  test(`a backend away after each connection: ${what}`, async () => {
    const backend = await AwayBackend.start(awayMs, workMs);
    // A POST that was reset cannot be repeated: for such a backend there is the strict mode. Without it a loaded
    // machine may open a second connection before the backend has closed its listener.
    const mode = method === "POST" ? "max_in_flight: 1" : "max_in_flight: 0";
    const proxy = await TestProxy.start(`{to: "127.0.0.1:${backend.port}", ${mode}}`);
    try {
      await load(proxy, method, bodyBytes);
      assert.deepEqual(backend.errors, []);
      const ids = backend.served.map((target) => Number(target.split("id=")[1])).sort((a, b) => a - b);
      assert.deepEqual(ids, Array.from({ length: REQUESTS }, (_, id) => id), "each request was seen once");
      assert.deepEqual(proxy.ended.map(({ status }) => status), new Array(REQUESTS).fill(200));
      assert.equal(proxy.upstream().waiting, 0);
      assert.equal(proxy.upstream().inFlight, 0);
      assert.equal(proxy.upstream().bufferedBytes, 0);
    } finally {
      await proxy.stop();
      await backend.stop();
    }
  });
}
