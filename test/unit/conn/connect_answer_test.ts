/** The answer to a CONNECT that is sent to a proxy: a tunnel or a refusal, whatever pieces it comes in. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { IoTurn } from "../../../src/conn/io_turn.ts";
import { UpstreamConnection } from "../../../src/conn/upstream_connection.ts";
import { NO_BODY } from "../../../src/http/body_length.ts";
import { NO_FIELDS } from "../../../src/http/field_section.ts";
import { NO_FORWARDED_FIELDS } from "../../../src/http/forwarded_fields.ts";
import { Head } from "../../../src/http/head.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { StubSocket } from "../../support/stub_socket.ts";

const REQUEST = {
  head: new Head(NO_FIELDS, "CONNECT a.test:443 HTTP/1.1\r\n", 0, 11, "CONNECT", "a.test:443", 0, ""),
  target: "a.test:443",
  authority: "a.test:443",
  fields: NO_FORWARDED_FIELDS,
  body: NO_BODY,
  upgrade: "",
  acceptsTrailers: false,
} as const;

/** What is told when `text` comes in two pieces, and then the end. */
function told(text: string, at: number): string {
  const clock = new FakeClock();
  const turn = new IoTurn({ clock, capabilities: { ownChunks: false }, releaseMemory() {}, discard() {} });
  const socket = new StubSocket();
  const connection = new UpstreamConnection(turn, socket, DEFAULT_LIMITS, { idleLost() {} });
  let said = "";
  turn.begin();
  connection.openStream().sendRequest(REQUEST, {
    upstreamInterim: ({ status }) => (said += `interim ${status}, `),
    upstreamSwitched: ({ status }, asAsked) => {
      said += `${asAsked ? "tunnel" : "odd switch"} ${status}: `;
      if (!asAsked) return;
      connection.switchProtocols().start({
        bytesArrived: (bytes) => (said += new TextDecoder().decode(bytes)),
        bytesEnded: () => (said += " end"),
        bytesBroken() {},
        bytesClosed() {},
        bytesProgress() {},
        bytesTimedOut() {},
      });
    },
    upstreamHead: ({ status }) => (said += `refusal ${status}: `),
    upstreamBody: (bytes, from, to) => (said += new TextDecoder().decode(bytes.subarray(from, to))),
    upstreamEnd: () => (said += " end"),
    upstreamFault: ({ code }) => (said += `fault ${code}`),
    upstreamGone: () => (said += "gone"),
    upstreamWritable() {},
    upstreamTimedOut() {},
  }, { firstByteTimeoutMs: 1000, bodyIdleTimeoutMs: 1000 });
  turn.end();
  assert.match(socket.written, /^CONNECT a\.test:443 HTTP\/1\.1\r\nHost: a\.test:443\r\n\r\n$/);
  const bytes = new TextEncoder().encode(text);
  for (const piece of [bytes.slice(0, at), bytes.slice(at)]) if (piece.length > 0) connection.data(piece);
  connection.ended();
  return said;
}

const CASES: readonly (readonly [text: string, told: string])[] = [
  ["HTTP/1.1 200 OK\r\n\r\nearly", "tunnel 200: early end"],
  ["HTTP/1.0 200 Connection established\r\n\r\n", "tunnel 200:  end"],
  ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nearly", "tunnel 200: early end"],
  ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "tunnel 200: 0\r\n\r\n end"],
  ["HTTP/1.1 204 No\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nx", "tunnel 204: x end"],
  ["HTTP/1.1 299 Odd\r\nConnection: close\r\n\r\nx", "tunnel 299: x end"],
  ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", "interim 100, tunnel 200: x end"],
  ["HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nxy", "refusal 403: xy end"],
  ["HTTP/1.1 300 Many\r\n\r\nxy", "refusal 300: xy end"],
  ["HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "odd switch 101: gone"],
  ["HTTP/1.1 200 OK\r\nX: y\r\n", "fault incomplete_message"],
  ["HTTP/1.1 200", "fault incomplete_message"],
];

for (const [text, wanted] of CASES) {
  test(`CONNECT to a proxy, in two pieces of any length: ${JSON.stringify(text)}`, () => {
    for (let at = 0; at <= text.length; at++) assert.equal(told(text, at), wanted, `cut at ${at}`);
  });
}
