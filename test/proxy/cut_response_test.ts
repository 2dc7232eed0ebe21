/** A response that ends too early must not look complete to the client (RFC 9112 §8). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inOneChunk, type WireEnd } from "../support/wire.ts";
import { type Lab, message, withLab } from "./lab.ts";

const DATE = "Date: Thu, 01 Jan 1970 00:00:00 GMT";

interface Cut {
  readonly name: string;
  readonly version: "1.0" | "1.1";
  readonly head: readonly string[];
  readonly body: string;
  readonly end: "finish" | "reset";
  /** What the client gets behind the head. */
  readonly text: string;
  /** Only a reset tells an HTTP/1.0 client that a body without a length is not complete. */
  readonly seen: "ended" | "reset";
}

const LENGTH = ["HTTP/1.1 200 OK", DATE, "Content-Length: 10"];
const CHUNKED = ["HTTP/1.1 200 OK", DATE, "Transfer-Encoding: chunked"];
const CLOSE = ["HTTP/1.1 200 OK", DATE];

const CUTS: readonly Cut[] = (["finish", "reset"] as const).flatMap((end): Cut[] => [
  { name: "length", version: "1.1", head: LENGTH, body: "abc", end, text: "abc", seen: "ended" },
  { name: "length", version: "1.0", head: LENGTH, body: "abc", end, text: "abc", seen: "ended" },
  { name: "no byte of the body", version: "1.1", head: LENGTH, body: "", end, text: "", seen: "ended" },
  {
    name: "between chunks",
    version: "1.1",
    head: CHUNKED,
    body: "3\r\nabc\r\n",
    end,
    text: "3\r\nabc\r\n",
    seen: "ended",
  },
  {
    name: "within a chunk",
    version: "1.1",
    head: CHUNKED,
    body: "a\r\nabc",
    end,
    text: "3\r\nabc\r\n",
    seen: "ended",
  },
  {
    name: "within the last chunk",
    version: "1.1",
    head: CHUNKED,
    body: "3\r\nabc\r\n0\r\nX: 1\r\n",
    end,
    text: "3\r\nabc\r\n",
    seen: "ended",
  },
  {
    name: "between chunks",
    version: "1.0",
    head: CHUNKED,
    body: "3\r\nabc\r\n",
    end,
    text: "abc",
    seen: "reset",
  },
]);

const ALL: readonly Cut[] = [
  ...CUTS,
  {
    name: "close",
    version: "1.1",
    head: CLOSE,
    body: "abc",
    end: "reset",
    text: "3\r\nabc\r\n",
    seen: "ended",
  },
  { name: "close", version: "1.0", head: CLOSE, body: "abc", end: "reset", text: "abc", seen: "reset" },
  {
    name: "bad chunk",
    version: "1.1",
    head: CHUNKED,
    body: "3\r\nabc\r\nx\r\n",
    end: "finish",
    text: "3\r\nabc\r\n",
    seen: "ended",
  },
];

async function cutOnce(lab: Lab, cut: Cut): Promise<void> {
  const { origin, proxy } = lab;
  const name = `${cut.name}, ${cut.end}, HTTP/${cut.version}`;
  const before = proxy.ended.length;
  const { client, peer } = await lab.begin(message([`GET / HTTP/${cut.version}`, "Host: a"]));
  await peer.readRequest();
  await peer.send(message(cut.head, cut.body));
  // A reset destroys what is still under way: first let it arrive.
  const head = await client.readUntil("\r\n\r\n");
  await client.readUntil((unread) => inOneChunk(unread) === cut.text);
  if (cut.end === "finish") await peer.halfClose();
  else peer.reset();
  const end: WireEnd = await client.readToClose();
  const reset = cut.seen === "reset" && proxy.runtime.capabilities.abortSendsReset;
  assert.equal(end, reset ? "reset" : "ended", name);
  assert.equal(inOneChunk(client.transcript.slice(head.indexOf("\r\n\r\n") + 4)), cut.text, name);
  const { status, reason } = await proxy.endedAt(before);
  assert.equal(status, 200, name);
  assert.equal(
    reason,
    cut.name === "bad chunk" ? "http_response_transfer_coding" : "http_response_incomplete",
    name,
  );
  assert.equal(origin.connections, before + 1, `${name}: a new connection each`);
}

test("a response cut short is cut for the client as well", () =>
  withLab("", async (lab) => {
    for (const cut of ALL) await cutOnce(lab, cut);
  }));

test("a response cut within its head is a 502", () =>
  withLab("", async ({ begin, proxy }) => {
    const { client, peer } = await begin(message(["GET / HTTP/1.1", "Host: a"]));
    await peer.readRequest();
    await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1");
    await peer.halfClose();
    const answer = await client.readResponse();
    assert.equal(answer.status, 502);
    assert.match(answer.field("Proxy-Status") ?? "", /^sluice; error=http_response_incomplete; details="/);
    assert.equal((await proxy.endedAt(0)).reason, "http_response_incomplete");
  }));
