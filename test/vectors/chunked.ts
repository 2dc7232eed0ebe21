/** The chunked coding and trailers: RFC 9112 §7.1, RFC 9110 §6.5. */

import type { Http1Limits } from "../../src/http/limits.ts";
import type { Vector } from "./vector.ts";
import { request, response } from "./vector.ts";

const HEAD = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const STARTED = "head POST / HTTP/1.1 | chunked";

/** A chunked body and what comes after its head. */
function body(name: string, bytes: string, expect: readonly string[], limits?: Partial<Http1Limits>): Vector {
  return request(name, HEAD + bytes, [STARTED, ...expect], limits === undefined ? {} : { limits });
}

function size(text: string, fault: string): Vector {
  return body(`chunk size ${JSON.stringify(text)}`, `${text}\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n0\r\n\r\n`, [
    `fault ${fault}`,
  ]);
}

function extension(text: string, fault: string | null): Vector {
  return body(
    `chunk extension ${JSON.stringify(text)}`,
    `2${text}\r\nhi\r\n0\r\n\r\n`,
    fault === null ? ["content hi", "end"] : [`fault ${fault}`],
  );
}

function trailer(
  name: string,
  text: string,
  expect: readonly string[],
  limits?: Partial<Http1Limits>,
): Vector {
  return body(name, `0\r\n${text}`, expect, limits);
}

export const CHUNKED: readonly Vector[] = [
  body("no content", "0\r\n\r\n", ["end"]),
  body("one chunk", "5\r\nhello\r\n0\r\n\r\n", ["content hello", "end"]),
  body("several chunks", "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", ["content abcdef", "end"]),
  body(
    "sizes in any case, with leading zeros",
    "a\r\n0123456789\r\nA\r\n0123456789\r\n00a\r\n0123456789\r\n0000\r\n\r\n",
    [
      "content 012345678901234567890123456789",
      "end",
    ],
  ),
  body("content with CRLF in it", "9\r\n\r\n0\r\n\r\n0\r\r\n0\r\n\r\n", ["content \r\n0\r\n\r\n0\r", "end"]),
  body("a chunk that is a request", "17\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n0\r\n\r\n", [
    "content 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "end",
  ]),
  body("large chunk", `1000\r\n${"x".repeat(4096)}\r\n0\r\n\r\n`, [`content ${"x".repeat(4096)}`, "end"]),

  // §7.1: hex digits only. http-garden server bugs 1, 17, 22, 25, 47, transducer bugs 2, 7, 19, 24.
  ...[
    "",
    "+2",
    "-1",
    "-0x0",
    "0x2",
    "0X2",
    "0_2e",
    "2_",
    "_2",
    " 2",
    "\t2",
    "           0",
    "2 ",
    "2\t",
    "2 3",
    "2h",
    "Z",
    "INVALID!!!",
    "1these-bytes-never-get-validated",
    "2,",
    "2.0",
    '"2"',
    "\x002",
    "2\x00",
    "2\x0b",
    "2\xa0",
    "\xb2",
    "2:",
    "g",
  ].map((text) => size(text, "chunkSize")),
  size(";", "chunkSize"),
  size(";a=b", "chunkSize"),
  // §7.1: recipients must anticipate large sizes. Checked before the multiplication (compare CVE-2013-2028).
  body("largest size", "fffffffffffff\r\nx", ["content x"]),
  body("16 digits with leading zeros", "0000000000000002\r\nhi\r\n0\r\n\r\n", ["content hi", "end"]),
  body("last chunk with 16 zeros", "0000000000000000\r\n\r\n", ["end"]),
  size("10000000000000", "chunkTooLarge"),
  size("00000000000000002", "chunkTooLarge"),
  size("ffffffffffffffff", "chunkTooLarge"),
  size("10000000000000002", "chunkTooLarge"),
  size("f".repeat(100), "chunkTooLarge"),
  size("0".repeat(100), "chunkTooLarge"),

  // §2.2 lets a bare LF end start line and fields only (erratum 7633). http-garden server bug 31, transducer bugs 3, 4, 13.
  body("size line ends in bare LF", "5\nhello\r\n0\r\n\r\n", ["fault chunkLineEnd"]),
  body("size line ends in bare CR", "5\rhello\r\n0\r\n\r\n", ["fault chunkLineEnd"]),
  body("size line ends in two CR", "5\r\r\nhello\r\n0\r\n\r\n", ["fault chunkLineEnd"]),
  body("CR CR before an extension", "5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n", ["fault chunkLineEnd"]),
  body("last size line ends in bare LF", "0\n\r\n", ["fault chunkLineEnd"]),
  body("body ends in bare LF", "0\r\n\n", ["fault bareLf"]),
  body("body ends in CR and another byte", "0\r\n\rX", ["fault chunkLineEnd"]),
  body("chunk data ends in bare LF", "a\r\n0123456789\n0\r\n\r\n", [
    "content 0123456789",
    "fault chunkDataEnd",
  ]),
  body("chunk data ends in bare CR", "2\r\nhi\r0\r\n\r\n", ["content hi", "fault chunkDataEnd"]),
  // oven-sh/bun#29732: the two bytes after the data were skipped, not compared.
  body("other bytes after chunk data", "2\r\nhiXX0\r\n\r\n", ["content hi", "fault chunkDataEnd"]),
  body("chunk data longer than its size", "2\r\nhello\r\n0\r\n\r\n", ["content he", "fault chunkDataEnd"]),
  body("nothing after chunk data", "2\r\nhi0\r\n\r\n", ["content hi", "fault chunkDataEnd"]),
  // http-garden transducer bug 17.
  body("extra CRLF between chunks", "2\r\nhi\r\n\r\n0\r\n\r\n", ["content hi", "fault chunkSize"]),

  // §7.1.1: extensions are parsed and dropped.
  ...[
    ";a",
    ";a=b",
    ';a="b"',
    ';a=""',
    ';a="\\"q\\\\"',
    ';a="b;c\xe9\t "',
    ";a;b;c=d",
    " ;a",
    "\t; a",
    "; a = b",
    ";a ;b",
    ';a = "b" ; c',
    ";!#$%&'*+-.^_`|~09azAZ=1",
  ].map((text) => extension(text, null)),
  ...[
    ";",
    ";;",
    ";a;",
    "; ",
    ";=b",
    ";a=",
    ";a= ",
    ";a=b=c",
    ";a=b c",
    ";a b",
    ';a="b',
    ';a="b"c',
    ';a="\x00"',
    ';a="\\\x00"',
    ";a\x00",
    ";\x01",
    ";a=\x7f",
    ";a=\xe9",
    ";(a)",
    ";a=(b)",
    ";a ",
    ";a=b ",
    ';a="b" ',
    ';a="\x7f"',
    ";a,b",
    ";\x0ba",
  ].map(
    (text) => extension(text, "chunkExtension"),
  ),
  // Http11Probe SMUG-CHUNK-EXT-LF, -CR; http-garden server bug 36.
  body("LF in an extension name", "5;a\nhello\r\n0\r\n\r\n", ["fault chunkLineEnd"]),
  body("LF after an extension value", "5;a=b\nhello\r\n0\r\n\r\n", ["fault chunkLineEnd"]),
  body("LF after a quoted extension value", '5;a="b"\nhello\r\n0\r\n\r\n', ["fault chunkLineEnd"]),
  body("LF after a semicolon", "5;\nhello\r\n0\r\n\r\n", ["fault chunkExtension"]),
  body("LF in a quoted extension value", '5;a="\n"\r\nhello\r\n0\r\n\r\n', ["fault chunkExtension"]),
  body("CR in a quoted extension value", '5;a="\r\n"\r\nhello\r\n0\r\n\r\n', ["fault chunkExtension"]),
  body("CR CR after an extension", "41;a=b\r\rXXXX", ["fault chunkLineEnd"]),
  body("CR after a semicolon", "5;\rhello\r\n0\r\n\r\n", ["fault chunkExtension"]),
  body("extension of the last chunk", "0;a=b\r\n\r\n", ["end"]),
  // CVE-2023-39326: extensions cost nothing to send and were read without end.
  body("longest extension", `2;${"a".repeat(255)}\r\nhi\r\n0\r\n\r\n`, ["content hi", "end"]),
  body("extension too long by one", `2;${"a".repeat(256)}\r\nhi\r\n0\r\n\r\n`, [
    "fault chunkExtensionTooLarge",
  ]),
  body("longest quoted extension", `2;a="${"b".repeat(252)}"\r\nhi\r\n0\r\n\r\n`, [
    "fault chunkExtensionTooLarge",
  ]),
  body("extension of many small parts", `2${";a".repeat(129)}\r\nhi\r\n0\r\n\r\n`, [
    "fault chunkExtensionTooLarge",
  ]),
  body("extension of whitespace", `2${" ".repeat(257)}`, ["fault chunkExtensionTooLarge"]),
  body("all extensions together, at the limit", "1;abc\r\nx\r\n1;abc\r\ny\r\n0;a\r\n\r\n", [
    "content xy",
    "end",
  ], {
    maxChunkExtensionBytes: 10,
  }),
  body("all extensions together, above the limit", "1;abc\r\nx\r\n1;abc\r\ny\r\n0;ab\r\n\r\n", [
    "content xy",
    "fault chunkExtensionTooLarge",
  ], { maxChunkExtensionBytes: 10 }),

  // §7.1.2, RFC 9110 §6.5: trailers follow the field grammar. http-garden server bug 39, CVE-2023-40175.
  trailer("one trailer", "A: b\r\n\r\n", ["trailer A: b", "end"]),
  trailer("several trailers", "A: b\r\na:c\r\nEmpty:\r\n\r\n", [
    "trailer A: b",
    "trailer a: c",
    "trailer Empty: ",
    "end",
  ]),
  trailer(
    "trailers that look like framing",
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\n\r\n",
    [
      "trailer Content-Length: 5",
      "trailer Transfer-Encoding: chunked",
      "trailer Host: b",
      "end",
    ],
  ),
  trailer("a trailer that looks like a request", "X:POST / HTTP/1.1\r\n\r\n", [
    "trailer X: POST / HTTP/1.1",
    "end",
  ]),
  trailer("a request where the end is due", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["fault nameCharacter"]),
  trailer("junk where the end is due", "XX\r\n\r\n", ["fault noColon"]),
  trailer("space before the colon", "A : b\r\n\r\n", ["fault spaceBeforeColon"]),
  trailer("folded", "A: b\r\n c\r\n\r\n", ["fault leadingWhitespace"]),
  trailer("begins with whitespace", " A: b\r\n\r\n", ["fault leadingWhitespace"]),
  trailer("bare LF", "A: b\n\r\n", ["fault bareLf"]),
  trailer("bare CR", "A: b\rC\r\n\r\n", ["fault bareCr"]),
  trailer("NUL", "A: \x00\r\n\r\n", ["fault valueCharacter"]),
  trailer("no name", ": b\r\n\r\n", ["fault emptyName"]),
  trailer("CR and another byte at the end", "A: b\r\n\rX\r\n", ["fault bareCr"]),
  trailer("incomplete", "A: b\r\n", []),
  trailer("at the limit", `A: ${"b".repeat(13)}\r\n\r\n`, [`trailer A: ${"b".repeat(13)}`, "end"], {
    maxTrailerBytes: 20,
  }),
  trailer("above the limit", `A: ${"b".repeat(14)}\r\n\r\n`, ["fault trailersTooLarge"], {
    maxTrailerBytes: 20,
  }),
  trailer("without an end", `A: ${"b".repeat(100)}`, ["fault trailersTooLarge"], { maxTrailerBytes: 20 }),
  trailer("as many as allowed", "A: b\r\nC: d\r\nE: f\r\n\r\n", [
    "trailer A: b",
    "trailer C: d",
    "trailer E: f",
    "end",
  ], {
    maxFields: 3,
  }),
  trailer("too many", "A: b\r\nC: d\r\nE: f\r\nG: h\r\n\r\n", ["fault tooManyFields"], { maxFields: 3 }),

  body("nothing yet", "", []),
  body("size line without an end", "5", []),
  body("in the middle of a chunk", "5\r\nhel", ["content hel"]),
  response(
    "chunked response with trailer",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\nA: b\r\n\r\n",
    [
      "head HTTP/1.1 200 OK | chunked",
      "content hi",
      "trailer A: b",
      "end",
    ],
  ),
  response(
    "chunked response with a bad size",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n",
    [
      "head HTTP/1.1 200 OK | chunked",
      "fault chunkSize",
    ],
  ),
];
