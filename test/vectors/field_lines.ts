/** Field lines: RFC 9112 §5, RFC 9110 §5. */

import type { Vector } from "./vector.ts";
import { lines, request, requestWithFields, response } from "./vector.ts";

const HEAD = "GET / HTTP/1.1\r\nHost: a\r\n";
const GET = ["head GET / HTTP/1.1 | none", "end"];
const HOST_FIELD = "field Host: a";

function withField(name: string, line: string, field: string): Vector {
  return request(name, HEAD + line + "\r\n\r\n", [
    "head GET / HTTP/1.1 | none",
    HOST_FIELD,
    `field ${field}`,
    "end",
  ]);
}

/** Controls other than HTAB, CR and LF, and DEL. */
const CONTROLS = [...Array.from({ length: 32 }, (_, i) => i), 0x7f].filter((byte) =>
  byte !== 9 && byte !== 10 && byte !== 13
);

/** Everything below 0x80 that is no tchar, but the colon and line ends. */
const NOT_TCHARS = [
  ...CONTROLS.map((byte) => String.fromCharCode(byte)),
  ...'"(),/;<=>?@[\\]{}',
  "\x80",
  "\x85",
  "\xa0",
  "\xff",
];

export const FIELD_LINES: readonly Vector[] = [
  // RFC 9112 §2.2, §5: lines end in CRLF. http-garden transducer bug 16, Http11Probe RFC9112-2.2.
  requestWithFields("bare LF ends a field line", "A: b\nC: d\r\n", "bareLf"),
  requestWithFields("bare LF ends the last field line", "A: b\n", "bareLf"),
  request("bare LF ends the head", HEAD + "\nGET / HTTP/1.1\r\n", ["fault bareLf"]),
  // http-garden server bugs 13, 30, 34; RFC 9112 §2.2: a bare CR makes the element invalid.
  requestWithFields("bare CR in a value", "A: b\rC: d\r\n", "bareCr"),
  requestWithFields("bare CR at the start of a value", "A:\rb\r\n", "bareCr"),
  requestWithFields("two CR before LF", "A: b\r\r\n", "bareCr"),
  requestWithFields("bare CR in a name", "A\rB: c\r\n", "bareCr"),
  requestWithFields(
    "CR and another byte where the head ends",
    "\rZGET /evil: HTTP/1.1\r\nHost: a\r\n",
    "bareCr",
  ),
  requestWithFields("CR before a name", "\rA: b\r\n", "bareCr"),
  requestWithFields("CR CR LF where the head ends", "\r", "bareCr"),

  // RFC 9112 §2.2: whitespace between the start line and the first field. http-garden server bug 4.
  request("space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", ["fault leadingWhitespace"]),
  request("tab before the first field", "GET / HTTP/1.1\r\n\tContent-Length: 1\r\n\r\nX", [
    "fault leadingWhitespace",
  ]),
  request("a line of whitespace", "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", ["fault leadingWhitespace"]),
  // RFC 9112 §5.1. http-garden server bug 3.
  requestWithFields("space before the colon", "Content-Length : 34\r\n", "spaceBeforeColon"),
  requestWithFields("tab before the colon", "Content-Length\t: 34\r\n", "spaceBeforeColon"),
  requestWithFields(
    "spaces and a tab before the colon",
    "Transfer-Encoding \t : chunked\r\n",
    "spaceBeforeColon",
  ),
  // RFC 9112 §5.2. http-garden server bug 37.
  requestWithFields("folded value", "A: b\r\n c\r\n", "leadingWhitespace"),
  requestWithFields("value folded with a tab", "A: b\r\n\tc\r\n", "leadingWhitespace"),
  requestWithFields("folded coding", "Transfer-Encoding:\r\n chunked\r\n", "leadingWhitespace"),
  requestWithFields("name over two lines", "Transfer-\r\nEncoding: chunked\r\n", "noColon"),
  // http-garden server bugs 18, 27, 28, transducer bug 14.
  requestWithFields("no colon", "Content-Length 10\r\n", "nameCharacter"),
  requestWithFields("name only", "A\r\n", "noColon"),
  requestWithFields("no name", ": ignored\r\n", "emptyName"),
  requestWithFields("colon only", ":\r\n", "emptyName"),
  requestWithFields("space and colon", " : a\r\n", "leadingWhitespace"),

  // RFC 9110 §5.6.2. http-garden server bugs 8, 14, 20, transducer bug 6.
  ...NOT_TCHARS.map((character) =>
    requestWithFields(`name with ${JSON.stringify(character)}`, `A${character}b: c\r\n`, "nameCharacter")
  ),
  ...NOT_TCHARS.map((character) =>
    requestWithFields(
      `name beginning with ${JSON.stringify(character)}`,
      `${character}b: c\r\n`,
      "nameCharacter",
    )
  ),
  requestWithFields("name ending in 0x85", "Content-Length\x85: 10\r\n", "nameCharacter"),
  requestWithFields("space inside a name", "Content Length: 10\r\n", "nameCharacter"),
  withField("name of all tchars", "!#$%&'*+-.^_`|~09azAZ: x", "!#$%&'*+-.^_`|~09azAZ: x"),
  withField("one-letter name", "A: x", "A: x"),

  // RFC 9110 §5.5. http-garden server bugs 2, 35, 43, transducer bugs 12, 20.
  ...CONTROLS.map((byte) =>
    requestWithFields(`control ${byte} in a value`, `A: b${String.fromCharCode(byte)}c\r\n`, "valueCharacter")
  ),
  requestWithFields("NUL at the end of a value", "Evil: evil\x00\r\n", "valueCharacter"),
  requestWithFields("NUL at the start of a value", "Evil:\x00evil\r\n", "valueCharacter"),
  requestWithFields("NUL in a line of its own", "c\x00\r\n", "nameCharacter"),
  withField("tab inside a value", "A: b\tc", "A: b\tc"),
  // obs-text passes as octets and is not whitespace. http-garden server bugs 12, 19, 41, 46.
  withField("obs-text in a value", "A: \xe9\x80\xff", "A: \xe9\x80\xff"),
  withField("0x85 and 0xA0 at the ends of a value", "User: \x85admin\xa0", "User: \x85admin\xa0"),
  withField("only SP and HTAB are trimmed", "A:\t \xa0 b \t ", "A: \xa0 b"),
  withField("no whitespace at all", "A:b", "A: b"),
  withField("colons in a value", "A: :b:", "A: :b:"),
  withField(
    "every visible character",
    "A: " + String.fromCharCode(...Array.from({ length: 94 }, (_, i) => 33 + i)),
    "A: " + String.fromCharCode(...Array.from({ length: 94 }, (_, i) => 33 + i)),
  ),

  // Limits: total bytes and count.
  request("as many fields as allowed", HEAD + "A: b\r\n".repeat(99) + "\r\n", GET),
  request("one field too many", HEAD + "A: b\r\n".repeat(100) + "\r\n", ["fault tooManyFields"]),
  request("three fields, limit three", HEAD + "A: b\r\nC: d\r\n\r\n", GET, { limits: { maxFields: 3 } }),
  request("four fields, limit three", HEAD + "A: b\r\nC: d\r\nE: f\r\n\r\n", ["fault tooManyFields"], {
    limits: { maxFields: 3 },
  }),
  request("fields without an end", HEAD + "A: b\r\n".repeat(1000), ["fault tooManyFields"]),
  request("head as large as allowed", `${HEAD}A: ${"b".repeat(100 - HEAD.length - 7)}\r\n\r\n`, GET, {
    limits: { maxHeadBytes: 100 },
  }),
  request("head too large by one", `${HEAD}A: ${"b".repeat(100 - HEAD.length - 6)}\r\n\r\n`, [
    "fault headTooLarge",
  ], {
    limits: { maxHeadBytes: 100 },
  }),
  request(
    "empty lines count for the head",
    `\r\n${HEAD}A: ${"b".repeat(100 - HEAD.length - 9)}\r\n\r\n`,
    GET,
    {
      limits: { maxHeadBytes: 100 },
    },
  ),
  request(
    "empty lines count for the head, too large by one",
    `\r\n${HEAD}A: ${"b".repeat(100 - HEAD.length - 8)}\r\n\r\n`,
    ["fault headTooLarge"],
    {
      limits: { maxHeadBytes: 100 },
    },
  ),
  request("a value without an end", `${HEAD}A: ${"b".repeat(200)}`, ["fault headTooLarge"], {
    limits: { maxHeadBytes: 100 },
  }),
  request("a bad byte beyond the limit does not matter", `${HEAD}A: ${"b".repeat(200)}\x00\r\n\r\n`, [
    "fault headTooLarge",
  ], { limits: { maxHeadBytes: 100 } }),
  request("a bad byte in an incomplete line", HEAD + "A: \x00", []),
  request("a bad line before an incomplete one", HEAD + "A: \x00\r\nB", ["fault valueCharacter"]),
  request("a large head under the default limit", HEAD + `Cookie: ${"c".repeat(32_000)}\r\n\r\n`, GET),

  // Underscores are legal; what is done about them is decided when forwarding.
  request(
    "names with underscores",
    lines("GET / HTTP/1.1", "Host: a", "Content_Length: 5", "Transfer_Encoding: chunked", ""),
    GET,
  ),

  // RFC 9112 §5.1, §5.2: the same in a response.
  ...[
    ["space before the colon", "A : b\r\n", "spaceBeforeColon"],
    ["folded value", "A: b\r\n c\r\n", "leadingWhitespace"],
    ["bare LF", "A: b\n", "bareLf"],
    ["bare CR", "A: b\rc\r\n", "bareCr"],
    ["NUL in a value", "A: b\x00\r\n", "valueCharacter"],
    ["no colon", "A\r\n", "noColon"],
  ].map(([name, line, fault]) =>
    response(`response with ${name}`, `HTTP/1.1 204 No Content\r\n${line}\r\n`, [`fault ${fault}`])
  ),
];
