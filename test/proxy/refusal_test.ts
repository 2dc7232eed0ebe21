/**
 * Requests that are refused: answered with their status and reason, the connection closed after a lingering
 * read, nothing forwarded, nothing that follows on the connection ever parsed (RFC 9112 §2.2, §3, §6.3, §9.3).
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Lab, message, undated, withLab } from "./lab.ts";

interface Refusal {
  readonly name: string;
  readonly request: string | Uint8Array;
  readonly status: number;
  readonly reason: string;
}

const H = "Host: a";
const CHUNKED = ["POST / HTTP/1.1", H, "Transfer-Encoding: chunked"];

function bad(name: string, request: string, status = 400, reason = "http_request_error"): Refusal {
  return { name, request, status, reason };
}

const HEADS: readonly Refusal[] = [
  bad("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
  bad("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n"),
  bad("bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n"),
  bad("too many empty lines", "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  bad("space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
  bad("space before a colon", message(["GET / HTTP/1.1", H, "X : 1"])),
  bad("folded line", message(["GET / HTTP/1.1", H, "X: 1", " 2"])),
  bad("line without a colon", message(["GET / HTTP/1.1", H, "X"])),
  bad("empty name", message(["GET / HTTP/1.1", H, ": 1"])),
  bad("name with a control character", message(["GET / HTTP/1.1", H, "X\x01: 1"])),
  bad("name above 0x7F", message(["GET / HTTP/1.1", H, "X\x85: 1"])),
  bad("NUL in a value", message(["GET / HTTP/1.1", H, "X: \0"])),
  bad("obs-text in Host", message(["GET / HTTP/1.1", "Host: \xa0a"])),
  bad("obs-text in Connection", message(["GET / HTTP/1.1", H, "Connection: close\xa0"])),
  bad("method of 65 bytes", message(["M".repeat(65) + " / HTTP/1.1", H]), 501),
  bad("method of 20,000 bytes", message(["M".repeat(20_000) + " / HTTP/1.1", H]), 501),
  bad("method that never ends", "M".repeat(40_000), 501),
  bad("method that is no token", message(["G(T / HTTP/1.1", H])),
  bad("two spaces", message(["GET  / HTTP/1.1", H])),
  bad("no version", message(["GET /", H])),
  bad("lower-case version", message(["GET / http/1.1", H])),
  bad("HTTP/1.2", message(["GET / HTTP/1.2", H]), 505, "unsupported_version"),
  bad("HTTP/2.0", message(["GET / HTTP/2.0", H]), 505, "unsupported_version"),
  bad("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "unsupported_version"),
  bad("TLS handshake", "\x16\x03\x01\x02\x00\x01"),
  bad("no Host", message(["GET / HTTP/1.1"])),
  bad("two Host", message(["GET / HTTP/1.1", H, H])),
  bad("Host with a list", message(["GET / HTTP/1.1", "Host: a, b"])),
  bad("Host with a path", message(["GET / HTTP/1.1", "Host: a/b"])),
  bad("Host with user information", message(["GET / HTTP/1.1", "Host: u@a"])),
  bad("Host with a bad port", message(["GET / HTTP/1.1", "Host: a:99999"])),
  bad("* with GET", message(["GET * HTTP/1.1", H])),
  bad("authority form with GET", message(["GET a:80 HTTP/1.1", H])),
  bad("CONNECT without a port", message(["CONNECT a HTTP/1.1", H])),
  bad("CONNECT with a body", message(["CONNECT a:1 HTTP/1.1", H, "Content-Length: 3"], "abc")),
  bad("TRACE with a body", message(["TRACE / HTTP/1.1", H, "Content-Length: 3"], "abc")),
  bad("fragment", message(["GET /a#b HTTP/1.1", H])),
  bad("target above 0x7F", message(["GET /\xff HTTP/1.1", H])),
  bad("target too long", message([`GET /${"a".repeat(8200)} HTTP/1.1`, H]), 414, "target_too_long"),
  bad("head too large", message(["GET / HTTP/1.1", H, `X: ${"a".repeat(33_000)}`]), 431, "head_too_large"),
  bad(
    "too many fields",
    message(["GET / HTTP/1.1", H, ...new Array<string>(100).fill("X: 1")]),
    431,
    "head_too_large",
  ),
  bad("odd Expect", message(["PUT / HTTP/1.1", H, "Expect: x 100-continue"]), 417, "expectation_failed"),
  bad("Connection: content-length", message(["GET / HTTP/1.1", H, "Connection: Content-Length"])),
  bad("Connection: transfer-encoding", message(["GET / HTTP/1.1", H, "Connection: x, transfer-encoding"])),
  bad("Connection: host", message(["GET / HTTP/1.1", H, "Connection: HOST"])),
];

const FRAMINGS: readonly Refusal[] = [
  bad("length and coding", message([...CHUNKED, "Content-Length: 5"], "0\r\n\r\n")),
  bad(
    "two different lengths",
    message(["POST / HTTP/1.1", H, "Content-Length: 1", "Content-Length: 2"], "a"),
  ),
  bad("two equal lengths", message(["POST / HTTP/1.1", H, "Content-Length: 1", "Content-Length: 1"], "a")),
  bad("list of lengths", message(["POST / HTTP/1.1", H, "Content-Length: 5, 5"], "abcde")),
  bad("length with a sign", message(["POST / HTTP/1.1", H, "Content-Length: +5"], "abcde")),
  bad("length with letters", message(["POST / HTTP/1.1", H, "Content-Length: 0x5"], "abcde")),
  bad("length of hexadecimal digits", message(["POST / HTTP/1.1", H, "Content-Length: 0x8"], "abcdefgh")),
  bad("empty length", message(["POST / HTTP/1.1", H, "Content-Length:"])),
  bad(
    "length that no number holds",
    message(["POST / HTTP/1.1", H, "Content-Length: 9007199254740993"]),
    413,
    "request_too_large",
  ),
  bad("coding in HTTP/1.0", message(["POST / HTTP/1.0", H, "Transfer-Encoding: chunked"], "0\r\n\r\n")),
  bad("chunked not last", message(["POST / HTTP/1.1", H, "Transfer-Encoding: chunked, gzip"], "0\r\n\r\n")),
  bad("chunked twice", message(["POST / HTTP/1.1", H, "Transfer-Encoding: chunked, chunked"], "0\r\n\r\n")),
  bad("two codings lines", message([...CHUNKED, "Transfer-Encoding: chunked"], "0\r\n\r\n")),
  bad("xchunked", message(["POST / HTTP/1.1", H, "Transfer-Encoding: xchunked"], "0\r\n\r\n")),
  bad("identity", message(["POST / HTTP/1.1", H, "Transfer-Encoding: identity"], "abc")),
  bad("chunked with a parameter", message(["POST / HTTP/1.1", H, "Transfer-Encoding: chunked;a=b"])),
  bad("VT before chunked", message(["POST / HTTP/1.1", H, "Transfer-Encoding: \x0bchunked"], "0\r\n\r\n")),
  bad("empty list element", message(["POST / HTTP/1.1", H, "Transfer-Encoding: ,chunked"], "0\r\n\r\n")),
  bad(
    "known length, unknown coding",
    message(["POST / HTTP/1.1", H, "Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"),
    501,
    "unsupported_transfer_coding",
  ),
];

const CHUNKS: readonly Refusal[] = [
  bad("empty chunk size", message(CHUNKED, "\r\na\r\n0\r\n\r\n")),
  bad("chunk size with a sign", message(CHUNKED, "+1\r\na\r\n0\r\n\r\n")),
  bad("chunk size with 0x", message(CHUNKED, "0x1\r\na\r\n0\r\n\r\n")),
  bad("chunk size with a space", message(CHUNKED, " 1\r\na\r\n0\r\n\r\n")),
  bad("chunk size too large", message(CHUNKED, "fffffffffffffff1\r\na\r\n0\r\n\r\n")),
  bad("chunk line with a bare LF", message(CHUNKED, "1\na\r\n0\r\n\r\n")),
  bad("chunk data with another end", message(CHUNKED, "1\r\naXX0\r\n\r\n")),
  bad("control character in an extension", message(CHUNKED, "1;a=\x01\r\na\r\n0\r\n\r\n")),
  bad("junk after the last chunk", message(CHUNKED, "0\r\nGET / HTTP/1.1\r\n\r\n")),
  bad(
    "extension too long",
    message(CHUNKED, `1;a=${"b".repeat(300)}\r\na\r\n0\r\n\r\n`),
    413,
    "request_too_large",
  ),
  bad("trailers too large", message(CHUNKED, `0\r\nX: ${"a".repeat(9000)}\r\n\r\n`), 431, "head_too_large"),
];

/** Would be forwarded if it were ever parsed. */
const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

async function refusedWhole(lab: Lab, { name, request, status, reason }: Refusal): Promise<void> {
  const { proxy } = lab;
  const before = proxy.ended.length;
  const client = await lab.connect();
  await client.send(request);
  await client.send(SMUGGLED).catch(() => {});
  const text = undated(await client.readToEnd());
  const end = text.indexOf("\r\n\r\n") + 4;
  const lines = text.slice(0, end).split("\r\n");
  assert.match(lines[0] ?? "", new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`), name);
  assert.equal(lines[1], "Date: *", name);
  assert.equal(lines[2], "Content-Type: text/plain; charset=utf-8", name);
  assert.equal(lines[3], "Cache-Control: no-store", name);
  assert.match(lines[4] ?? "", new RegExp(`^Proxy-Status: sluice; error=${reason}(;|$)`), name);
  assert.equal(lines[5], `Content-Length: ${text.length - end}`, name);
  assert.deepEqual(lines.slice(6), ["Connection: close", "", ""], name);
  assert.equal(text.endsWith(`\nreason: ${reason}\n`), true, name);
  assert.equal(text.match(/^HTTP\/1\.1 \d/gm)?.length, 1, `${name}: one answer`);
  await client.halfClose();
  assert.equal(await client.untilClosed(), "ended", name);
  const ended = await proxy.endedAt(before);
  assert.equal(`${ended.status} ${ended.reason}`, `${status} ${reason}`, name);
}

for (const [what, refusals] of [["head", HEADS], ["framing", FRAMINGS]] as const) {
  test(`a malformed ${what} is refused and ends the connection`, () =>
    withLab("", async (lab) => {
      for (const refusal of refusals) await refusedWhole(lab, refusal);
      assert.equal(lab.origin.connections, 0);
      assert.equal(lab.proxy.ended.length, refusals.length, "nothing that followed was parsed");
    }));
}

test("a malformed chunk is refused, and the request never completed upstream", () =>
  withLab("", async (lab) => {
    for (const refusal of CHUNKS) await refusedWhole(lab, refusal);
    assert.equal(lab.proxy.ended.length, CHUNKS.length, "nothing that followed was parsed");
    // The connection may have been there before the fault was: then it was dropped, without a last chunk.
    lab.proxy.upstream().stop();
    for (const peer of lab.origin.peers) {
      await peer.readToClose();
      assert.doesNotMatch(peer.transcript, /\r\n0\r\n|smuggled/);
    }
  }));

test("two empty lines before a request are ignored", () =>
  withLab("", async ({ origin, connect }) => {
    origin.auto(() => "fine");
    const client = await connect();
    assert.equal(
      (await client.ask(`\r\n\r\nGET / HTTP/1.1\r\n${H}\r\n\r\n`, { method: "GET" })).text,
      "fine",
    );
  }));

test("a refused HEAD request gets no body", () =>
  withLab("", async ({ connect }) => {
    const client = await connect();
    await client.send(message(["HEAD / HTTP/1.1", H, "Content-Length: 1, 1"]));
    const text = await client.readToEnd();
    assert.match(text, /^HTTP\/1\.1 400 /);
    assert.match(text, /\r\nContent-Length: \d+\r\nConnection: close\r\n\r\n$/);
  }));

test("a refused request with a large body is read on for a while, so that the answer arrives", () =>
  withLab("max_body: 1KiB", async ({ proxy, connect, origin }) => {
    const client = await connect();
    await client.send(message(["POST / HTTP/1.1", H, "Content-Length: 500000"]));
    const answer = await client.readResponse();
    assert.equal(answer.status, 413);
    assert.equal(answer.field("Connection"), "close");
    assert.equal(answer.field("Proxy-Status"), "sluice; error=request_too_large");
    await client.send(new Uint8Array(500_000));
    await client.halfClose();
    assert.equal(await client.untilClosed(), "ended", "the connection ends in order");
    assert.equal((await proxy.endedAt(0)).reason, "request_too_large");
    assert.equal(origin.connections, 0);
  }));
