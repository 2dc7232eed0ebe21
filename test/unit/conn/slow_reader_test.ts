/** Peers that read all the time, but so slowly that the platform tells of no room: they are not given up. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DownstreamConnection } from "../../../src/conn/downstream_connection.ts";
import type { DownstreamStreamEvents } from "../../../src/http/downstream_stream.ts";
import { NO_FORWARDED_FIELDS } from "../../../src/http/forwarded_fields.ts";
import type { UpstreamStreamEvents } from "../../../src/http/upstream_stream.ts";
import { IoTurn } from "../../../src/conn/io_turn.ts";
import { UpstreamConnection } from "../../../src/conn/upstream_connection.ts";
import type { Head } from "../../../src/http/head.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { StubSocket } from "../../support/stub_socket.ts";

const IDLE_MS = 1000;
/** Too many to wait for company. */
const BODY_BYTES = 10_000;

/** A socket whose kernel can tell when it last sent something. */
class TellingSocket extends StubSocket {
  readonly #clock: FakeClock;
  sentAt = 0;

  constructor(clock: FakeClock) {
    super();
    this.#clock = clock;
  }

  sentAgoMs(): number {
    return this.#clock.now() - this.sentAt;
  }
}

/** A client in the middle of an answer, and an endpoint in the middle of a request; neither socket has room. */
function stalled(which: "client" | "endpoint") {
  const clock = new FakeClock();
  const turn = new IoTurn({ clock, capabilities: { ownChunks: false }, releaseMemory() {}, discard() {} });
  const socket = new TellingSocket(clock);
  const told: string[] = [];
  let head: Head | undefined;
  const client = new DownstreamConnection(
    turn,
    which === "client" ? socket : new StubSocket(),
    {
      headTimeoutMs: IDLE_MS,
      bodyIdleTimeoutMs: IDLE_MS,
      keepAliveTimeoutMs: IDLE_MS,
      servesHalfClosed: false,
      limits: DEFAULT_LIMITS,
    },
    { request: (_client, its) => head = its, refused() {}, connectionClosed() {} },
  );
  const upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n";
  client.data(new TextEncoder().encode(which === "client" ? "GET / HTTP/1.1\r\nHost: a\r\n\r\n" : upload));
  assert.ok(head !== undefined);
  const timedOut = (what: string): void => void told.push(what);
  socket.room = 10;
  if (which === "client") {
    client.events = {
      leastRate: 0,
      downstreamWritable() {},
      downstreamTimedOut: timedOut,
    } as unknown as DownstreamStreamEvents;
    client.sendHead(200, "OK", NO_FORWARDED_FIELDS, BODY_BYTES, false);
    turn.end();
    client.sendBody(new Uint8Array(BODY_BYTES), 0, BODY_BYTES);
  } else {
    const events = { upstreamTimedOut: timedOut } as unknown as UpstreamStreamEvents;
    const owner = { idleLost() {} };
    const endpoint = new UpstreamConnection(turn, socket, DEFAULT_LIMITS, owner);
    const request = {
      head,
      target: "/",
      authority: "a",
      fields: NO_FORWARDED_FIELDS,
      body: BODY_BYTES,
      upgrade: "",
      acceptsTrailers: false,
    };
    endpoint.sendRequest(request, events, { firstByteTimeoutMs: 60_000, bodyIdleTimeoutMs: IDLE_MS });
    turn.end();
    endpoint.sendBody(new Uint8Array(BODY_BYTES), 0, BODY_BYTES);
  }
  return { clock, socket, told, client, turn };
}

for (const which of ["client", "endpoint"] as const) {
  test(`${which}: while the kernel sends what it has, the deadline for sending does not strike`, () => {
    const { clock, socket, told } = stalled(which);
    for (let i = 0; i < 20; i++) {
      clock.advance(IDLE_MS * 0.9);
      socket.sentAt = clock.now();
    }
    assert.deepEqual(told, []);
    clock.advance(IDLE_MS * 0.9);
    assert.deepEqual(told, []);
    clock.advance(IDLE_MS * 0.2);
    assert.deepEqual(told, ["write"], "it counts from when something was sent last");
  });

  test(`${which}: where the kernel tells nothing, the deadline strikes`, () => {
    const { clock, socket, told } = stalled(which);
    socket.sentAt = -Infinity;
    clock.advance(IDLE_MS * 1.1);
    assert.deepEqual(told, ["write"]);
  });
}

test("client: a connection is idle once the kernel has sent its answer, and only then closed because the server ends", () => {
  const { clock, socket, told, client, turn } = stalled("client");
  const closes = () => socket.calls.filter((call) => call === "close").length;
  socket.room = Infinity;
  socket.sentAt = clock.now();
  client.drained();
  client.sendEnd(null);
  turn.end();
  client.drain(clock.now(), 500);
  assert.equal(closes(), 0);
  for (let i = 0; i < 5; i++) {
    clock.advance(400);
    socket.sentAt = clock.now();
  }
  assert.equal(closes(), 0, "its client is still getting the answer");
  clock.advance(400);
  assert.equal(closes(), 0);
  clock.advance(200);
  assert.equal(closes(), 1);
  assert.deepEqual(told, []);
});

test("client: one that takes nothing any more of its last answer is dropped in the time that it always has, also while the server ends", () => {
  const { clock, socket, client, turn } = stalled("client");
  const closes = () => socket.calls.filter((call) => call === "close" || call === "abort");
  client.sendEnd(null);
  turn.end();
  client.drain(clock.now(), 500);
  clock.advance(IDLE_MS * 0.9);
  assert.deepEqual(closes(), []);
  clock.advance(IDLE_MS * 0.2);
  assert.deepEqual(closes(), ["abort"]);
});
