/** Where a response ends: its framing on both sides, and endpoints that contradict themselves (RFC 9112 §6.3). */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReadFraming } from "../support/http_reader.ts";
import { acrossChunks, inOneChunk } from "../support/wire.ts";
import { message, withLab } from "./lab.ts";

const HOST = "Host: a";
const DATE = "Date: Thu, 01 Jan 1970 00:00:00 GMT";

function request(method: string, version = "1.1"): string {
  return message([`${method} / HTTP/${version}`, HOST]);
}

interface Case {
  readonly name: string;
  readonly method?: string;
  readonly response: readonly string[];
  readonly body?: string;
  /** Framing fields the client gets, "Name: value". */
  readonly fields: readonly string[];
  readonly text?: string;
}

const CASES: readonly Case[] = [
  {
    name: "length",
    response: ["HTTP/1.1 200 OK", "content-length: 3"],
    body: "abc",
    fields: ["Content-Length: 3"],
  },
  {
    name: "length with leading zeros",
    response: ["HTTP/1.1 200 OK", "Content-Length: 003"],
    body: "abc",
    fields: ["Content-Length: 3"],
  },
  {
    name: "HEAD, length with leading zeros",
    method: "HEAD",
    response: ["HTTP/1.1 200 OK", "Content-Length: 0000"],
    fields: ["Content-Length: 0"],
  },
  {
    name: "304, length with leading zeros",
    response: ["HTTP/1.1 304 NM", "Content-Length:0999"],
    fields: ["Content-Length: 999"],
  },
  { name: "length 0", response: ["HTTP/1.1 200 OK", "Content-Length: 0"], fields: ["Content-Length: 0"] },
  {
    name: "chunked",
    response: ["HTTP/1.1 200 OK", "Transfer-Encoding: CHUNKED"],
    body: "2;x=y\r\nab\r\n01\r\nc\r\n000\r\n\r\n",
    fields: ["Transfer-Encoding: chunked"],
    text: "abc",
  },
  {
    name: "HEAD with a length",
    method: "HEAD",
    response: ["HTTP/1.1 200 OK", "Content-Length: 999"],
    fields: ["Content-Length: 999"],
  },
  {
    name: "HEAD, chunked",
    method: "HEAD",
    response: ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"],
    fields: [],
  },
  { name: "HEAD without framing", method: "HEAD", response: ["HTTP/1.1 200 OK"], fields: [] },
  {
    name: "304 with a length",
    response: ["HTTP/1.1 304 NM", "Content-Length: 999"],
    fields: ["Content-Length: 999"],
  },
  { name: "304, chunked", response: ["HTTP/1.1 304 NM", "Transfer-Encoding: chunked"], fields: [] },
  { name: "204 with a length", response: ["HTTP/1.1 204 NC", "Content-Length: 5"], fields: [] },
  { name: "204, chunked", response: ["HTTP/1.1 204 NC", "Transfer-Encoding: chunked"], fields: [] },
  {
    name: "204 with both",
    response: ["HTTP/1.1 204 NC", "Transfer-Encoding: x", "Content-Length: y"],
    fields: [],
  },
  { name: "205", response: ["HTTP/1.1 205 RC", "Content-Length: 0"], fields: ["Content-Length: 0"] },
];

test("framing is ours, and responses without a body are complete with their head", () =>
  withLab("", async ({ origin, connect, proxy }) => {
    const client = await connect();
    const accepted = origin.accept();
    let ended = 0;
    for (const { name, method = "GET", response, body = "", fields, text = body } of CASES) {
      await client.send(request(method));
      const peer = await accepted;
      await peer.readRequest();
      await peer.send(message([...response, DATE], body));
      const answer = await client.readResponse({ method });
      const framing = ["Content-Length", "Transfer-Encoding"]
        .flatMap((field) => answer.all(field).map((value) => `${field}: ${value}`));
      assert.deepEqual(framing, fields, name);
      assert.equal(answer.text, text, name);
      assert.deepEqual(answer.all("Connection"), [], name);
      assert.equal((await proxy.endedAt(ended++)).reason, "", name);
    }
    assert.equal(origin.connections, 1, "and every connection was used again");
  }));

test("trailers come down only to a client that asked for them", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(message(["GET / HTTP/1.1", HOST, "TE: trailers", "Connection: TE"]));
    const first = await peer.readRequest();
    assert.equal(first.field("TE"), "trailers");
    assert.equal(first.field("Connection"), "TE");
    const response = message(
      ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X-Sum"],
      "1\r\na\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\nContent-Length: 4\r\nTransfer-Encoding: x\r\n\r\n",
    );
    await peer.send(response);
    const asked = await client.readResponse();
    assert.equal(asked.field("Trailer"), "X-Sum");
    assert.deepEqual(asked.trailers, [["X-Sum", "1"]]);
    await client.send(request("GET"));
    assert.deepEqual((await peer.readRequest()).all("TE"), []);
    await peer.send(response);
    const unasked = await client.readResponse();
    assert.deepEqual(unasked.all("Trailer"), []);
    assert.deepEqual(unasked.trailers, []);
  }));

for (const [version, framing] of [["1.1", "chunked"], ["1.0", "close"]] as [string, ReadFraming][]) {
  test(`a response to HTTP/${version} that the endpoint ends by closing is ended as "${framing}"`, () =>
    withLab("", async ({ begin, origin, connect }) => {
      for (
        const head of ["HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity"]
      ) {
        const { client, peer } = await begin(request("GET", version));
        await peer.readRequest();
        await peer.send(message([head], "ab"));
        await client.readUntil(acrossChunks("ab"));
        await peer.send("cd");
        await peer.halfClose();
        const end = framing === "chunked" ? "\r\n0\r\n\r\n" : "cd";
        await client.readUntil(end);
        if (framing === "close") assert.equal(await client.readToEnd(), "");
        const at = client.transcript.indexOf("\r\n\r\n") + 4;
        const text = client.transcript.slice(0, at) + inOneChunk(client.transcript.slice(at));
        if (framing === "chunked") {
          assert.match(text, /\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n$/);
        } else {
          assert.match(text, /\r\nConnection: close\r\n\r\nabcd$/);
        }
        await peer.readToClose();
      }
      origin.auto(() => "fresh");
      assert.equal((await (await connect()).ask(request("GET"))).text, "fresh");
      assert.equal(origin.connections, 4, "none of them was used again");
    }));
}

test("an HTTP/1.0 endpoint is kept only when it says keep-alive", () =>
  withLab("", async ({ begin, origin }) => {
    const { client, peer } = await begin(request("GET"));
    await peer.readRequest();
    await peer.send(message(["HTTP/1.0 200 OK", "Content-Length: 1", "Connection: Keep-Alive"], "a"));
    assert.equal((await client.readResponse()).version, "1.1");
    await client.send(request("GET"));
    await peer.readRequest();
    await peer.send(message(["HTTP/1.0 200 OK", "Content-Length: 1"], "b"));
    assert.equal((await client.readResponse()).text, "b");
    await peer.readToClose();
    await client.send(request("GET"));
    await (await origin.accept()).readRequest();
  }));

const MALFORMED: readonly (readonly [name: string, response: string, reason?: string])[] = [
  ["two different lengths", message(["HTTP/1.1 200 OK", "Content-Length: 1", "Content-Length: 2"], "ab")],
  ["a list of lengths", message(["HTTP/1.1 200 OK", "Content-Length: 1, 1"], "a")],
  ["a negative length", message(["HTTP/1.1 200 OK", "Content-Length: -1"], "a")],
  [
    "length and coding",
    message(["HTTP/1.1 200 OK", "Content-Length: 1", "Transfer-Encoding: chunked"], "0\r\n\r\n"),
  ],
  ["coding in HTTP/1.0", message(["HTTP/1.0 200 OK", "Transfer-Encoding: chunked"], "0\r\n\r\n")],
  ["chunked not last", message(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked, gzip"])],
  ["a status of two digits", message(["HTTP/1.1 20 OK", "Content-Length: 0"])],
  ["a status of 600", message(["HTTP/1.1 600 OK", "Content-Length: 0"])],
  ["a control character in the reason", message(["HTTP/1.1 200 O\x01K", "Content-Length: 0"])],
  ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n"],
  ["HTTP/2", message(["HTTP/2.0 200 OK", "Content-Length: 0"])],
  ["a space before a colon", message(["HTTP/1.1 200 OK", "X : 1", "Content-Length: 0"])],
  ["a folded line", message(["HTTP/1.1 200 OK", "X: 1", " 2", "Content-Length: 0"])],
  ["a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
  ["NUL in a value", message(["HTTP/1.1 200 OK", "X: a\0b", "Content-Length: 0"])],
  [
    "a head too large",
    message(["HTTP/1.1 200 OK", `X: ${"a".repeat(40_000)}`]),
    "http_response_header_section_size",
  ],
  [
    "an unknown coding",
    message(["HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"),
    "http_response_transfer_coding",
  ],
];

test("a malformed response becomes a 502, and its connection is dropped", () =>
  withLab("", async ({ origin, connect, proxy }) => {
    let sends = "";
    origin.auto((_, peer) => {
      peer.send(sends).catch(() => {});
      return null;
    });
    for (const [index, [name, response, reason = "http_protocol_error"]] of MALFORMED.entries()) {
      sends = response + message(["HTTP/1.1 200 OK", "Content-Length: 8"], "poisoned");
      const client = await connect();
      const answer = await client.ask(request("POST"));
      assert.equal(answer.status, 502, name);
      assert.match(
        answer.field("Proxy-Status") ?? "",
        new RegExp(`^sluice; error=${reason}; details="`),
        name,
      );
      assert.equal((await proxy.endedAt(index)).reason, reason, name);
      assert.equal(origin.connections, index + 1, `${name}: not used again`);
      await origin.peers[index]?.readToClose();
    }
  }));

test("lenient_upstream repairs what it may, and sends it on clean", () =>
  withLab("lenient_upstream: true", async ({ begin }) => {
    const { client, peer } = await begin(request("GET"));
    await peer.readRequest();
    await peer.send("HTTP/1.1 200 OK\nX : 1\r\nY: 2\r\n  3\nContent-Length: 1\n\na");
    const answer = await client.readResponse();
    assert.equal(answer.field("X"), "1");
    assert.match(answer.field("Y") ?? "", /^2 +3$/);
    assert.equal(answer.text, "a");
  }));

test("lenient_upstream: framing that is said twice is sent on once", () =>
  withLab("lenient_upstream: true", async ({ begin }) => {
    const { client, peer } = await begin(request("GET"));
    await peer.readRequest();
    await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\nX: 1\r\ncontent-length: 3\r\n\r\nabc");
    const length = await client.readResponse();
    assert.deepEqual(length.all("Content-Length"), ["3"]);
    assert.equal(length.text, "abc");
    await client.send(request("GET"));
    await peer.readRequest();
    await peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
    const chunked = await client.readResponse();
    assert.deepEqual(chunked.all("Transfer-Encoding"), ["chunked"]);
    assert.equal(chunked.text, "a");
  }));
