import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { sha1 } from "../../../src/websocket/sha1.ts";
import {
  acceptsWebsocket,
  upgradeProtocols,
  upgradesOnlyTo,
  websocketAccept,
  websocketKey,
} from "../../../src/http1/upgrade.ts";
import { requestHead, responseHead } from "./support.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

test("SHA-1 of every length around the block boundaries", () => {
  for (let length = 0; length < 200; length++) {
    const text = "\xe9z".repeat(length).slice(0, length);
    assert.equal(
      Buffer.from(sha1(text)).toString("hex"),
      createHash("sha1").update(text, "latin1").digest("hex"),
      `length ${length}`,
    );
  }
});

test("the accept value of RFC 6455 §1.3", () => {
  assert.equal(websocketAccept(KEY), ACCEPT);
});

test("a response accepts the handshake only with the right value, once", () => {
  const response = (...fields: string[]) => responseHead("HTTP/1.1 101 Switching Protocols", ...fields);
  assert.ok(acceptsWebsocket(response(`Sec-WebSocket-Accept: ${ACCEPT}`), KEY));
  assert.ok(!acceptsWebsocket(response(), KEY));
  assert.ok(!acceptsWebsocket(response("Sec-WebSocket-Accept: x"), KEY));
  assert.ok(!acceptsWebsocket(response(`Sec-WebSocket-Accept: ${ACCEPT.toLowerCase()}`), KEY));
  assert.ok(!acceptsWebsocket(response(`Sec-WebSocket-Accept: ${ACCEPT}`, "Sec-WebSocket-Accept: x"), KEY));
});

test("keys", () => {
  const key = (...fields: string[]) => websocketKey(requestHead("GET / HTTP/1.1", ...fields));
  assert.equal(key(`Sec-WebSocket-Key: ${KEY}`), KEY);
  assert.equal(key(), null);
  assert.equal(key("Sec-WebSocket-Key: "), null);
  assert.equal(key("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ==="), null);
  assert.equal(key("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"), null);
  assert.equal(key("Sec-WebSocket-Key: dGhlIHNhbX*sZSBub25jZQ=="), null);
  assert.equal(key(`Sec-WebSocket-Key: ${KEY}`, `Sec-WebSocket-Key: ${KEY}`), null);
});

test("lists of protocols", () => {
  const protocols = (...values: string[]) =>
    upgradeProtocols(requestHead("GET / HTTP/1.1", ...values.map((value) => `Upgrade: ${value}`)));
  assert.deepEqual(protocols("WebSocket"), ["websocket"]);
  assert.deepEqual(protocols("h2c, websocket", "TLS/1.2"), ["h2c", "websocket", "tls/1.2"]);
  assert.deepEqual(protocols(",websocket,"), ["websocket"]);
  for (const value of ["", ",", "a b", "a/", "/a", "a/b/c", "\xe9", "websocket;x"]) {
    assert.equal(protocols(value), null, value);
  }
  assert.equal(protocols(), null);
});

test("an upgrade to one protocol and no other", () => {
  const only = (value: string) =>
    upgradesOnlyTo(requestHead("GET / HTTP/1.1", `Upgrade: ${value}`), "websocket");
  assert.ok(only("websocket") && only("WebSocket"));
  assert.ok(!only("websocket, h2c") && !only("h2c") && !only("websocket/13") && !only("websockets"));
});
