/**
 * Micro benches of the HTTP/1 codec. Best of several rounds, because on a shared machine the slow
 * rounds measure the others. Runs on Bun, Deno and Node: `bun test/bench/codec_bench.ts [name part]`.
 */

import process from "node:process";
import { encodeLatin1 } from "../../src/bytes/latin1.ts";
import { keptFields } from "../../src/http1/encode.ts";
import { Field, maskOf } from "../../src/http/field.ts";
import { bodyLength, requestFraming, responseFraming } from "../../src/http1/framing.ts";
import type { Head } from "../../src/http/head.ts";
import { DEFAULT_LIMITS } from "../../src/http/limits.ts";
import { Http1Codec } from "../../src/http1/http1_codec.ts";
import type { MessageParser } from "../../src/http1/message_parser.ts";
import { requestPersists, responsePersists } from "../../src/http1/persistence.ts";
import { checkRequest } from "../../src/http1/request_rules.ts";

const codec = new Http1Codec();

const ROUNDS = 12;
const ROUND_MS = 40;

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

const SHORT_GET = bytesOf("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");

const BROWSER_GET = bytesOf(
  [
    "GET /products/1234?ref=home&campaign=autumn HTTP/1.1",
    "Host: shop.example.com",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Referer: https://shop.example.com/",
    "Connection: keep-alive",
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Mode: navigate",
    "",
    "",
  ].join("\r\n"),
);

const SMALL_RESPONSE = bytesOf(
  "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Thu, 20 Nov 2025 12:00:00 GMT\r\n" +
    "Content-Type: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n",
);

const CHUNK = "x".repeat(4096);
const CHUNKED_HEAD = bytesOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
const CHUNKED_BODY = bytesOf(`${(4096).toString(16)}\r\n${CHUNK}\r\n`.repeat(16));
const SMALL_CHUNKED_BODY = bytesOf(`10\r\n${"y".repeat(16)}\r\n`.repeat(256));

const DROPPED = maskOf(
  Field.connection,
  Field.host,
  Field.keepAlive,
  Field.te,
  Field.contentLength,
  Field.transferEncoding,
  Field.via,
  Field.underscored,
);

/** Nanoseconds per call of `body`. */
function measure(body: () => number): number {
  let best = Infinity;
  let guard = 0;
  let calls = 100;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < calls; i++) guard += body();
    const elapsedMs = performance.now() - start;
    best = Math.min(best, elapsedMs / calls);
    calls = Math.max(100, Math.min(1_000_000, Math.floor(ROUND_MS / (elapsedMs / calls))));
  }
  if (guard === -1) throw new Error("unreachable");
  return best * 1e6;
}

function requestOnce(parser: MessageParser, bytes: Uint8Array): Head {
  parser.feed(bytes);
  if (parser.next() !== "head" || parser.head === null) throw new Error("no head");
  const head = parser.head;
  parser.startBody("none", 0);
  parser.next();
  parser.next();
  return head;
}

function chunkedOnce(body: Uint8Array): () => number {
  const parser = codec.borrow("response", DEFAULT_LIMITS);
  parser.feed(CHUNKED_HEAD);
  parser.next();
  parser.startBody("chunked", -1);
  parser.next();
  return () => {
    parser.feed(body);
    let content = 0;
    while (parser.next() === "data") content += parser.dataTo - parser.dataFrom;
    return content;
  };
}

const requestParser = codec.borrow("request", DEFAULT_LIMITS);
const responseParser = codec.borrow("response", DEFAULT_LIMITS);
/** One that comes again and again. */
const browserHead = [1, 2, 3].map(() => requestOnce(requestParser, BROWSER_GET)).at(-1) as Head;
const out = new Uint8Array(4096);

const BENCHES: Record<string, () => number> = {
  "parse short GET": () => requestOnce(requestParser, SHORT_GET).count,
  "parse browser GET": () => requestOnce(requestParser, BROWSER_GET).count,
  "parse small response": () => {
    responseParser.feed(SMALL_RESPONSE);
    responseParser.next();
    const head = responseParser.head as Head;
    responseParser.startBody("length", 3);
    responseParser.next();
    responseParser.next();
    responseParser.next();
    return head.status;
  },
  "rules, framing, persistence of browser GET": () => {
    const fault = checkRequest(browserHead);
    return (fault === null ? 1 : 0) + requestFraming(browserHead).toString().length +
      (requestPersists(browserHead) ? 1 : 0);
  },
  "keptFields of browser GET": () => keptFields(browserHead.section, DROPPED, null).length,
  "keptFields and encodeLatin1 of browser GET": () =>
    encodeLatin1(keptFields(browserHead.section, DROPPED, null), out, 0),
  "short request, whole": () => {
    const head = requestOnce(requestParser, SHORT_GET);
    const faulty = checkRequest(head) !== null || typeof requestFraming(head) !== "string";
    const fields = "GET " + head.target + " HTTP/1.1\r\nHost: origin\r\n" +
      keptFields(head.section, DROPPED, null) +
      "\r\n";
    return encodeLatin1(fields, out, 0) + (faulty || !requestPersists(head) ? 1 : 0);
  },
  "small response, whole": () => {
    responseParser.feed(SMALL_RESPONSE);
    responseParser.next();
    const head = responseParser.head as Head;
    const kind = responseFraming(head, "GET");
    if (typeof kind !== "string") return 0;
    responseParser.startBody(kind, bodyLength(kind, head));
    responseParser.next();
    responseParser.next();
    responseParser.next();
    const fields = "HTTP/1.1 200 OK\r\nContent-Length: " + bodyLength(kind, head) + "\r\n" +
      keptFields(head.section, DROPPED, null) + "\r\n";
    return encodeLatin1(fields, out, 0) + (responsePersists(head, kind) ? 1 : 0);
  },
  "chunked 16 x 4 KiB": chunkedOnce(CHUNKED_BODY),
  "chunked 256 x 16 bytes": chunkedOnce(SMALL_CHUNKED_BODY),
};

const wanted = process.argv[2] ?? "";
for (const [name, body] of Object.entries(BENCHES)) {
  if (!name.includes(wanted)) continue;
  const ns = measure(body);
  const wireBytes = name.includes("16 x 4")
    ? CHUNKED_BODY.length
    : name.includes("256 x")
    ? SMALL_CHUNKED_BODY.length
    : 0;
  const rate = wireBytes === 0 ? "" : `  ${(wireBytes / ns * 1000).toFixed(0)} MB/s`;
  console.log(`${name.padEnd(44)} ${ns.toFixed(0).padStart(7)} ns${rate}`);
}
