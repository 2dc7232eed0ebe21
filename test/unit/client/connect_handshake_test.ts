/** CONNECT to a proxy that leads to another one: what is sent, and what each answer means, however it is cut. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectHandshake } from "../../../src/client/connect_handshake.ts";
import { isProxyAnswer } from "../../../src/client/dial_fault.ts";

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function text(of: Uint8Array): string {
  return String.fromCharCode(...of);
}

/** Fed in these pieces, each of which is spoilt once it was lent. */
function fed(pieces: readonly string[], authorization = ""): ConnectHandshake {
  const handshake = new ConnectHandshake("b.test:3128", authorization);
  handshake.begin();
  for (const piece of pieces) {
    if (handshake.over) break;
    const lent = bytes(piece);
    assert.equal(handshake.feed(lent).length, 0);
    lent.fill(0x21);
  }
  return handshake;
}

test("what is sent", () => {
  assert.equal(
    text(new ConnectHandshake("b.test:3128", "").begin()),
    "CONNECT b.test:3128 HTTP/1.1\r\nHost: b.test:3128\r\n\r\n",
  );
  assert.match(
    text(new ConnectHandshake("[::1]:1", "Basic eDp5").begin()),
    /\r\nProxy-Authorization: Basic eDp5\r\n\r\n$/,
  );
});

test("connected: at every cut, with interim responses, whatever the framing fields say, and with what follows", () => {
  for (
    const answer of [
      "HTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.0 204 Fine\r\nContent-Length: 7\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 299 Odd\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]
  ) {
    for (let cut = 0; cut <= answer.length; cut++) {
      const handshake = fed([answer.slice(0, cut), `${answer.slice(cut)}early`]);
      assert.ok(handshake.over && handshake.error === null, `${cut}`);
      assert.equal(text(handshake.rest), cut === answer.length ? "" : "early");
    }
    const dribble = fed([...answer]);
    assert.ok(dribble.over && dribble.error === null);
  }
});

test("refused: the next proxy is away, or this one has decided", () => {
  for (
    const [status, code, decided] of [
      [502, "connection_refused", false],
      [503, "connection_refused", false],
      [504, "connection_timeout", false],
      [403, "connection_refused", true],
      [407, "connection_refused", true],
      [302, "connection_refused", true],
      [101, "connection_refused", true],
    ] as const
  ) {
    const { over, error } = fed([`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`]);
    assert.ok(over);
    assert.equal(error?.code, code);
    assert.equal(isProxyAnswer(error), decided, `${status}`);
    assert.match(error?.detail ?? "", new RegExp(`b\\.test:3128 .*${status}`));
  }
});

test("nonsense, and interim responses without end", () => {
  for (
    const pieces of [
      ["SSH-2.0-x\r\n\r\n"],
      ["HTTP/1.1 2000 OK\r\n\r\n"],
      Array.from({ length: 20 }, () => "HTTP/1.1 100 Continue\r\n\r\n"),
      [`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(100_000)}`],
    ]
  ) {
    const { over, error } = fed(pieces);
    assert.ok(over && error !== null);
  }
});
