/** The toy wire itself: frames in any pieces, and many streams on one connection to an endpoint. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CloseReason } from "../../../runtime/contract/contract.ts";
import { NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { NO_FORWARDED_FIELDS } from "../../../src/http/forwarded_fields.ts";
import type { Head } from "../../../src/http/head.ts";
import type {
  UpstreamPeer,
  UpstreamStream,
  UpstreamStreamEvents,
} from "../../../src/http/upstream_stream.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { bytesOf, requestHead, textOf } from "../../support/streams/pairs.ts";
import type { EndpointEnd } from "../../support/streams/wire.ts";
import { encodeFrame, type Frame, FrameReader, Kind } from "../../support/toy_wire/frames.ts";
import { TOY } from "../../support/toy_wire/toy_wire.ts";

const TIMEOUTS = { firstByteTimeoutMs: 1000, bodyIdleTimeoutMs: 1000 };
const STREAMS = 20;

function framesOf(reader: FrameReader): (Frame | "broken")[] {
  const frames: (Frame | "broken")[] = [];
  for (let frame = reader.next(); frame !== null; frame = reader.next()) {
    frames.push(frame);
    if (frame === "broken") break;
  }
  return frames;
}

test("frames are the same whatever pieces they come in", () => {
  const one = encodeFrame(1, Kind.head, bytesOf("head"));
  const two = encodeFrame(70_000, Kind.data, new Uint8Array(0));
  const bytes = new Uint8Array([...one, ...two]);
  for (let at = 0; at <= bytes.length; at++) {
    const reader = new FrameReader();
    reader.feed(bytes.subarray(0, at));
    const frames = framesOf(reader);
    reader.feed(bytes.subarray(at));
    frames.push(...framesOf(reader));
    assert.deepEqual(frames, [
      { stream: 1, kind: Kind.head, payload: bytesOf("head") },
      { stream: 70_000, kind: Kind.data, payload: new Uint8Array(0) },
    ]);
  }
});

test("frames of no kind, or too long, end the connection", () => {
  for (const bytes of [encodeFrame(1, 9, new Uint8Array(0)), encodeFrame(1, 2, new Uint8Array(2 << 20))]) {
    const reader = new FrameReader();
    reader.feed(bytes);
    assert.deepEqual(framesOf(reader), ["broken"]);
  }
});

/** Notes what an endpoint does. */
class Notes implements UpstreamStreamEvents {
  readonly told: string[] = [];
  body = "";
  upstreamInterim({ status }: Head): void {
    this.told.push(`interim ${status}`);
  }
  upstreamSwitched(): void {
    this.told.push("switched");
  }
  upstreamHead({ status }: Head): void {
    this.told.push(`head ${status}`);
  }
  upstreamBody(bytes: Uint8Array, from: number, to: number): void {
    this.body += textOf(bytes, from, to);
  }
  upstreamEnd(): void {
    this.told.push("end");
  }
  upstreamFault(): void {
    this.told.push("fault");
  }
  upstreamGone({ code }: CloseReason): void {
    this.told.push(`gone ${code}`);
  }
  upstreamWritable(): void {
    this.told.push("writable");
  }
  upstreamTimedOut(what: string): void {
    this.told.push(`timed out ${what}`);
  }
}

/** A connection with as many streams as it takes, each with a request under way. */
function full() {
  const wire = TOY.open({ seed: null, bodyIdleTimeoutMs: 1000, servesHalfClosed: false });
  const lost: UpstreamPeer[] = [];
  const opened: UpstreamPeer[] = [];
  wire.connector.connect({
    scheme: "http",
    address: { kind: "tcp", host: "127.0.0.1", port: 3000 },
    tls: null,
    proxyChain: [],
    credentials: "",
  }, {
    timeoutMs: 1000,
    limits: DEFAULT_LIMITS,
    owner: { idleLost: (peer) => lost.push(peer) },
  }, { opened: (peer) => opened.push(peer), failed: () => assert.fail() });
  wire.run();
  const [peer] = opened;
  assert.ok(peer !== undefined);
  const streams: { readonly stream: UpstreamStream; readonly notes: Notes }[] = [];
  wire.take(() => {
    while (peer.freeStreams > 0) {
      const stream = peer.openStream();
      const notes = new Notes();
      streams.push({ stream, notes });
      stream.sendRequest(
        {
          head: requestHead("GET", `/${streams.length - 1}`, []),
          target: `/${streams.length - 1}`,
          authority: "a.test",
          fields: NO_FORWARDED_FIELDS,
          body: NO_BODY,
          upgrade: "",
          acceptsTrailers: false,
        },
        notes,
        TIMEOUTS,
      );
    }
  });
  assert.equal(streams.length, STREAMS);
  const endpoint = (index: number): EndpointEnd => {
    const found = wire.requests.find(({ request }) => request.target === `/${index}`);
    assert.ok(found !== undefined);
    return found;
  };
  return { wire, peer, streams, lost, endpoint };
}

function answer(endpoint: EndpointEnd, body: string): void {
  endpoint.head(200, [], body.length);
  endpoint.body(body);
  endpoint.end();
}

test("twenty requests at a time go on one connection to an endpoint", () => {
  const { wire, peer, streams, endpoint } = full();
  assert.deepEqual([peer.freeStreams, peer.uses, wire.fates().length], [0, STREAMS, 1]);
  for (let index = STREAMS - 1; index >= 0; index--) answer(endpoint(index), String(index));
  for (const [index, { notes }] of streams.entries()) {
    assert.deepEqual([notes.told, notes.body], [["head 200", "end"], String(index)]);
  }
  assert.equal(peer.freeStreams, STREAMS);
  assert.deepEqual(wire.violations, []);
});

test("one of them that is reset, or not read, leaves the others alone", () => {
  const { wire, peer, streams, endpoint } = full();
  const [first, second, third] = streams;
  endpoint(0).reset();
  assert.deepEqual(first?.notes.told, ["gone reset"]);
  wire.take(() => second?.stream.pauseBody());
  endpoint(1).head(200, [], UNKNOWN_LENGTH);
  const block = "x".repeat(16 * 1024);
  let sent = 0;
  for (; sent < 1 << 20 && !endpoint(1).held; sent += block.length) endpoint(1).body(block);
  assert.equal(endpoint(1).held, true);
  wire.take(() => third?.stream.discard(false));
  assert.equal(endpoint(2).request.end, "complete");
  for (let index = 3; index < STREAMS; index++) answer(endpoint(index), String(index));
  for (const { notes } of streams.slice(3)) assert.deepEqual(notes.told, ["head 200", "end"]);
  wire.take(() => second?.stream.resumeBody());
  endpoint(1).end();
  assert.deepEqual([second?.notes.told, second?.notes.body.length], [["head 200", "end"], sent]);
  assert.equal(third?.notes.told.length, 0);
  assert.equal(peer.freeStreams, STREAMS, "a stream that was discarded has ended alone");
  wire.take(() => peer.retire());
  assert.deepEqual([peer.freeStreams, wire.fates()], [0, ["closed"]]);
});

test("the end of the connection ends all of them, and one that rests tells its owner", () => {
  const { wire, peer, streams, lost } = full();
  wire.lose(0);
  for (const { notes } of streams) {
    assert.equal(notes.told.length, 1);
    assert.match(notes.told[0] ?? "", /^gone/);
  }
  assert.deepEqual([peer.freeStreams, lost.length], [0, 0]);
  const other = full();
  for (let index = 0; index < STREAMS; index++) answer(other.endpoint(index), "");
  other.wire.take(() => other.peer.rest(other.wire.turn.now, Infinity));
  other.wire.lose(0);
  assert.deepEqual(other.lost, [other.peer]);
});

test("each has deadlines of its own", () => {
  const { wire, streams, endpoint } = full();
  endpoint(0).head(200, [], 5);
  wire.advance(500);
  endpoint(0).body("1");
  answer(endpoint(1), "");
  wire.advance(700);
  assert.deepEqual(streams[0]?.notes.told, ["head 200"]);
  assert.deepEqual(streams[1]?.notes.told, ["head 200", "end"]);
  assert.deepEqual(streams[2]?.notes.told, ["timed out head"]);
  wire.advance(500);
  assert.deepEqual(streams[0]?.notes.told, ["head 200", "timed out read"]);
});
