/**
 * Invariant: any bytes in any splits yield events or one fault, never a throw or unbounded memory, and
 * all splits agree; and what the encoder forwards of an accepted message, parsed again, means the same.
 *
 * Run: `bun test/fuzz/codec_fuzz.ts --seconds 5 --seed 1` (or node, or deno run -A).
 */

import process from "node:process";
import { encodeLatin1 } from "../../src/bytes/latin1.ts";
import { forwardedTrailers } from "../../src/http/trailers.ts";
import { encodeChunkHead, fieldLines, keptFields, LAST_CHUNK } from "../../src/http1/encode.ts";
import { Field, maskOf } from "../../src/http/field.ts";
import { bodyLength, requestFraming, responseFraming } from "../../src/http1/framing.ts";
import type { Head } from "../../src/http/head.ts";
import type { Http1Limits } from "../../src/http/limits.ts";
import { DEFAULT_LIMITS } from "../../src/http/limits.ts";
import { Http1Codec } from "../../src/http1/http1_codec.ts";
import { checkRequest } from "../../src/http1/request_rules.ts";
import { normalizedPath, parseTarget } from "../../src/http/target.ts";
import { VECTORS } from "../vectors/all.ts";
import type { ReplayOptions } from "../vectors/replay.ts";
import { bytesOf, replay, textOf } from "../vectors/replay.ts";
import type { Vector } from "../vectors/vector.ts";

const codec = new Http1Codec();

/** Small limits are reached more often than large ones. */
const SMALL_LIMITS: Http1Limits = {
  maxHeadBytes: 200,
  maxMethodBytes: 8,
  maxTargetBytes: 20,
  maxFields: 4,
  maxEmptyLines: 1,
  maxChunkLineBytes: 8,
  maxChunkExtensionBytes: 16,
  maxTrailerBytes: 40,
  lenientResponses: false,
  lenientTargets: false,
};

const SPLITS_PER_CASE = 4;

/** Pieces that matter to a parser, put in where they hurt. */
const FRAGMENTS = [
  "\r\n",
  "\n",
  "\r",
  "\r\r\n",
  "\r\n\r\n",
  "\n\n",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "\x00",
  "\x0b",
  "\x7f",
  "\x80",
  "\xa0",
  "\xff",
  "0",
  "0\r\n",
  "0\r\n\r\n",
  "5",
  "f",
  "10",
  "ffffffffffffffff",
  "0x5",
  "+5",
  "-1",
  "_",
  "%00",
  "%2e%2e",
  "#",
  "\\",
  "*",
  "[::1]",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/2.0",
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "HTTP/1.1 200 OK\r\n",
  "Host: a\r\n",
  "Host: b\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Content-Length: 0005\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Connection: close\r\n",
  "Connection: host\r\n",
  "Expect: 100-continue\r\n",
  "A:b\r\n",
  "A: b \r\n",
  " folded\r\n",
  "A :b\r\n",
  "chunked",
  "chunked, chunked",
  "5, 5",
  "\xc3\xa9",
  "identity",
  ";a=b",
  ';a="b"',
  ';a="',
  "x-forwarded-for: 1\r\n",
  "X_Y: 1\r\n",
];

/** Small, seedable and good enough for fuzzing (mulberry32). */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to `below - 1`. */
  next(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.next(items.length)] as T;
  }
}

interface FuzzCase {
  readonly bytes: string;
  readonly options: ReplayOptions;
}

class Finding extends Error {}

function mutate(text: string, random: Random, corpus: readonly Vector[]): string {
  const at = random.next(text.length + 1);
  const length = Math.min(text.length - at, 1 + random.next(random.next(4) === 0 ? 40 : 3));
  switch (random.next(8)) {
    case 0:
      return text.slice(0, at) + text.slice(at + length);
    case 1:
      return text.slice(0, at) + random.pick(FRAGMENTS) + text.slice(at);
    case 2:
      return text.slice(0, at) + random.pick(FRAGMENTS) + text.slice(at + length);
    case 3:
      return text.slice(0, at) + String.fromCharCode(random.next(256)) + text.slice(at + 1);
    case 4:
      return text.slice(0, at) + text.slice(at, at + length).repeat(1 + random.next(5)) + text.slice(at);
    case 5: {
      const other = random.pick(corpus).bytes;
      return text.slice(0, at) + other.slice(random.next(other.length + 1));
    }
    case 6:
      return text + random.pick(corpus).bytes;
    default: {
      // Swap two lines.
      const lines = text.split("\r\n");
      const first = random.next(lines.length);
      const second = random.next(lines.length);
      [lines[first], lines[second]] = [lines[second] as string, lines[first] as string];
      return lines.join("\r\n");
    }
  }
}

function makeCase(
  random: Random,
  corpora: Readonly<Record<"request" | "response", readonly Vector[]>>,
): FuzzCase {
  const role = random.next(3) === 0 ? "response" : "request";
  const corpus = corpora[role];
  const vector = random.pick(corpus);
  let bytes = vector.bytes;
  for (let i = random.next(6); i > 0; i--) bytes = mutate(bytes, random, corpus);
  const base = random.next(3) === 0 ? SMALL_LIMITS : { ...DEFAULT_LIMITS, ...vector.limits };
  const lenient = random.next(4) === 0;
  const limits = { ...base, lenientResponses: lenient, lenientTargets: lenient };
  return {
    bytes: bytes.slice(0, 4096),
    options: {
      role,
      limits,
      methods: vector.methods ?? [random.pick(["GET", "HEAD", "CONNECT"])],
      ended: random.pick([false, false, true, "cut"] as const),
      suspend: false,
    },
  };
}

function split(bytes: Uint8Array, random: Random): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const longest = random.pick([1, 2, 3, 10, 100, 1000]);
  for (let at = 0; at < bytes.length;) {
    const to = Math.min(bytes.length, at + 1 + random.next(longest));
    pieces.push(bytes.subarray(at, to));
    at = to;
  }
  return pieces;
}

function checkCase(fuzzCase: FuzzCase, random: Random): string[] {
  const bytes = bytesOf(fuzzCase.bytes);
  const { options } = fuzzCase;
  const whole = replay([bytes], options);
  const ways: (readonly [string, readonly Uint8Array[]])[] = [
    ["whole", [bytes]],
    ["byte by byte", Array.from(bytes, (byte) => Uint8Array.of(byte))],
  ];
  for (let i = 0; i < SPLITS_PER_CASE; i++) ways.push(["in pieces", split(bytes, random)]);
  for (const [way, pieces] of ways) {
    for (const suspend of [false, true]) {
      const other = replay(pieces, { ...options, suspend });
      if (other.join("\n") !== whole.join("\n")) {
        throw new Finding(
          `${way}${suspend ? ", suspended" : ""} (${
            pieces.map((piece) => piece.length).join("+")
          } bytes) gives\n` +
            `  ${JSON.stringify(other)}\ninstead of\n  ${JSON.stringify(whole)}`,
        );
      }
    }
  }
  checkForwarding(bytes, options);
  return whole;
}

/** Encodes every accepted message again, as we would forward it, and compares what a strict reader sees. */
function checkForwarding(bytes: Uint8Array, options: ReplayOptions): void {
  const parser = codec.borrow(options.role, options.limits);
  parser.feed(bytes);
  if (options.ended !== false) parser.endOfInput(options.ended === "cut");
  for (;;) {
    if (parser.next() !== "head") return;
    const head = parser.head as Head;
    const method = options.methods[0] ?? "GET";
    const kind = options.role === "request"
      ? checkRequest(head) ?? requestFraming(head)
      : responseFraming(head, method);
    if (typeof kind !== "string") return;
    parser.startBody(kind, bodyLength(kind, head));
    let content = "";
    let event = parser.next();
    for (; event === "data"; event = parser.next()) {
      content += textOf(parser.data, parser.dataFrom, parser.dataTo);
    }
    if (event !== "end") return;
    checkHead(head);
    compareForwarded(head, content, parser.trailers, options.role);
  }
}

/** No control character but HTAB, none above 0xFF, and no whitespace at either end (RFC 9110 §5.5). */
const FIELD_VALUE = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/;

function checkHead(head: Head): void {
  for (let i = 0; i < head.count; i++) {
    if (!FIELD_VALUE.test(head.value(i))) {
      throw new Finding(`value ${i} is not safe: ${JSON.stringify(head.value(i))}`);
    }
  }
  if (head.method === "") return;
  const target = parseTarget(head.method, head.target);
  if ("kind" in target) throw new Finding("an accepted target is refused");
  const normal = normalizedPath(target.path);
  if (normal !== null && normalizedPath(normal) !== normal) {
    throw new Finding("normalizedPath is not idempotent");
  }
}

function compareForwarded(
  head: Head,
  content: string,
  trailers: Head | null,
  role: "request" | "response",
): void {
  const dropped = maskOf(Field.contentLength, Field.transferEncoding);
  const start = role === "request" ? head.startLine : codec.statusLines.line(head.status, head.reason);
  const fields = keptFields(head.section, dropped, null);
  const bodiless = role === "response" && (head.status < 200 || head.status === 204 || head.status === 304);
  const chunkHead = new Uint8Array(16);
  const chunkHeadBytes = encodeChunkHead(Math.max(1, content.length), chunkHead, 0);
  const body = bodiless
    ? ""
    : (content === "" ? "" : textOf(chunkHead, 0, chunkHeadBytes) + content + "\r\n") +
      (trailers === null
        ? textOf(LAST_CHUNK, 0, LAST_CHUNK.length)
        : "0\r\n" + fieldLines(forwardedTrailers(trailers)) + "\r\n");
  const framing = bodiless ? "" : "Transfer-Encoding: chunked\r\n";
  const text = start.replace(/HTTP\/1\.0\r\n$/, "HTTP/1.1\r\n") + framing + fields + "\r\n" + body;
  const out = new Uint8Array(text.length);
  encodeLatin1(text, out, 0);
  const parser = codec.borrow(role, {
    ...DEFAULT_LIMITS,
    maxFields: 200,
    maxHeadBytes: 65_536,
    maxMethodBytes: 65_536,
    maxTargetBytes: 65_536,
  });
  parser.feed(out);
  if (parser.next() !== "head") throw new Finding(`forwarded head is refused: ${JSON.stringify(text)}`);
  const again = parser.head as Head;
  const before = fieldList(head).filter((field) => !/^(content-length|transfer-encoding): /i.test(field));
  const after = fieldList(again).slice(bodiless ? 0 : 1);
  if (before.join("\n") !== after.join("\n")) {
    throw new Finding(`forwarded fields differ: ${JSON.stringify(text)}`);
  }
  parser.startBody(bodiless ? "none" : "chunked", -1);
  let forwarded = "";
  let event = parser.next();
  for (; event === "data"; event = parser.next()) {
    forwarded += textOf(parser.data, parser.dataFrom, parser.dataTo);
  }
  if (event !== "end" || forwarded !== content || !(parser.next() === "more" && parser.idle)) {
    throw new Finding(`forwarded body differs: ${JSON.stringify(text)}`);
  }
}

function fieldList(head: Head): string[] {
  return Array.from({ length: head.count }, (_, i) => `${head.name(i)}: ${head.value(i)}`);
}

function numberOption(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : Number(process.argv[at + 1]);
  if (!Number.isFinite(value)) throw new Error(`--${name} needs a number`);
  return value;
}

function main(): number {
  const seconds = numberOption("seconds", 5);
  const seed = numberOption("seed", Date.now() % 1_000_000);
  const maxCases = numberOption("cases", 1e9);
  // Most vectors are refused; the accepted ones lead deeper, so they are drawn more often.
  const vectors = Object.values(VECTORS).flat().filter((vector) => vector.bytes.length < 3000)
    .flatMap((vector) => vector.expect.at(-1) === "end" ? Array<Vector>(6).fill(vector) : [vector]);
  const corpora = {
    request: vectors.filter((vector) => vector.role === "request"),
    response: vectors.filter((vector) => vector.role === "response"),
  };
  const random = new Random(seed);
  const end = performance.now() + seconds * 1000;
  let cases = 0;
  let accepted = 0;
  let refused = 0;
  while (cases < maxCases && performance.now() < end) {
    const fuzzCase = makeCase(random, corpora);
    cases++;
    try {
      const transcript = checkCase(fuzzCase, random);
      if (transcript.includes("end")) accepted++;
      if (transcript.at(-1)?.startsWith("fault ") === true) refused++;
    } catch (error) {
      console.error(
        `seed ${seed}, case ${cases}: ${error instanceof Finding ? error.message : (error as Error).stack}`,
      );
      console.error(`reproducer: ${JSON.stringify(fuzzCase)}`);
      return 1;
    }
  }
  console.log(
    `codec_fuzz: seed ${seed}, ${cases} cases (${accepted} with a complete message, ${refused} with a fault), no finding`,
  );
  return 0;
}

process.exitCode = main();
