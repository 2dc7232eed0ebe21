/**
 * Bytes and ends that nobody asked for on a connection to an endpoint: it is dropped, so that they never
 * answer another request (RFC 9112 §9.2; response-queue poisoning).
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Peer } from "../support/scripted_origin.ts";
import { message, withLab } from "./lab.ts";

const POISON = message(["HTTP/1.1 200 OK", "Content-Length: 6"], "poison");

interface Poisoning {
  readonly name: string;
  readonly method?: string;
  readonly response: string;
  readonly text: string;
  /** Done after the client has its response. */
  readonly then?: (peer: Peer) => void;
}

const WHOLE = message(["HTTP/1.1 200 OK", "Content-Length: 2"], "ok");

const POISONINGS: readonly Poisoning[] = [
  { name: "a second response in the same segment", response: WHOLE + POISON, text: "ok" },
  { name: "one byte in the same segment", response: WHOLE + "\n", text: "ok" },
  {
    name: "a second response behind the last chunk",
    response: message(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "2\r\nok\r\n0\r\n\r\n") + POISON,
    text: "ok",
  },
  {
    name: "a body in answer to HEAD",
    method: "HEAD",
    response: message(["HTTP/1.1 200 OK", `Content-Length: ${POISON.length}`], POISON),
    text: "",
  },
  { name: "a body behind a 304", response: message(["HTTP/1.1 304 Not Modified"], POISON), text: "" },
  { name: "a body behind a 204", response: message(["HTTP/1.1 204 No Content"], POISON), text: "" },
  {
    name: "Connection: close",
    response: message(["HTTP/1.1 200 OK", "Content-Length: 2", "Connection: close"], "ok"),
    text: "ok",
  },
  {
    name: "a response on the idle connection",
    response: WHOLE,
    text: "ok",
    then: (peer) => void peer.send(POISON),
  },
  {
    name: "a byte on the idle connection",
    response: WHOLE,
    text: "ok",
    then: (peer) => void peer.send("\r"),
  },
  { name: "FIN on the idle connection", response: WHOLE, text: "ok", then: (peer) => void peer.halfClose() },
  { name: "reset of the idle connection", response: WHOLE, text: "ok", then: (peer) => peer.reset() },
];

test("a connection with more on it than the response is never used again", () =>
  withLab("", async ({ origin, connect, proxy }) => {
    const client = await connect();
    for (const { name, method = "GET", response, text, then } of POISONINGS) {
      await client.send(message([`${method} / HTTP/1.1`, "Host: a"]));
      const peer = await origin.accept();
      await peer.readRequest();
      await peer.send(response);
      assert.equal((await client.readResponse({ method })).text, text, name);
      then?.(peer);
      await peer.readToClose();
      await proxy.until("nothing in flight", () => proxy.upstream().inFlight === 0);
    }
    // A new connection each: `accept` above would still be waiting otherwise.
    assert.equal(origin.connections, POISONINGS.length);
    for (const { reason } of proxy.ended) assert.equal(reason, "");
    assert.doesNotMatch(client.transcript, /poison/);
  }));
