/** Status lines and where a response ends: RFC 9112 §4, §6.3. */

import type { Vector } from "./vector.ts";
import { lines, response } from "./vector.ts";

const LENIENT = { limits: { lenientResponses: true } };

function accepted(line: string, head: string): Vector {
  return response(`status line ${JSON.stringify(line)}`, `${line}\r\nContent-Length: 0\r\n\r\n`, [
    `head ${head} | length 0`,
    "end",
  ]);
}

function refused(line: string, fault: string): Vector {
  return response(`status line ${JSON.stringify(line)}`, `${line}\r\nContent-Length: 0\r\n\r\n`, [
    `fault ${fault}`,
  ]);
}

/** A response that has no body although it announces one; the next response follows at once. */
function bodiless(name: string, statusLine: string, fields: string, methods: readonly string[]): Vector {
  return response(name, `${statusLine}\r\n${fields}\r\nHTTP/1.1 201 Next\r\nContent-Length: 0\r\n\r\n`, [
    `head ${statusLine} | none`,
    "end",
    "head HTTP/1.1 201 Next | length 0",
    "end",
  ], { methods });
}

export const RESPONSES: readonly Vector[] = [
  // RFC 9112 §4.
  accepted("HTTP/1.1 200 OK", "HTTP/1.1 200 OK"),
  accepted("HTTP/1.1 404 Not Found", "HTTP/1.1 404 Not Found"),
  accepted("HTTP/1.1 200 ", "HTTP/1.1 200 "),
  accepted("HTTP/1.1 200", "HTTP/1.1 200 "),
  accepted("HTTP/1.1 599 \xe9\t ~", "HTTP/1.1 599 \xe9\t ~"),
  accepted("HTTP/1.1 200 O", "HTTP/1.1 200 O"),
  accepted("HTTP/1.0 500 Oops", "HTTP/1.0 500 Oops"),
  ...[
    "HTTP/1.1 99 x",
    "HTTP/1.1 099 x",
    "HTTP/1.1 600 x",
    "HTTP/1.1 999 x",
    "HTTP/1.1 2000 x",
    "HTTP/1.1 20 x",
    "HTTP/1.1 2x0 x",
    "HTTP/1.1 -20 x",
    "HTTP/1.1  200 x",
    "HTTP/1.1 200x",
    "HTTP/1.1 200\tOK",
    "HTTP/1.1 ",
    "HTTP/1.1 2",
    "HTTP/1.1 20",
    "HTTP/1.1 \xb200 x",
  ].map((line) => refused(line, "statusCode")),
  ...[
    "HTTP/1.1",
    "HTTP/1.1\t200 OK",
    "http/1.1 200 OK",
    "HTTP/1.x 200 OK",
    "HTTP/11 200 OK",
    "ICY 200 OK",
    "200 OK",
    "HTTP/1.10 200 OK",
    "GET / HTTP/1.1",
    "A: b",
    "HTTP",
  ].map((line) => refused(line, "statusLine")),
  ...["HTTP/2.0 200 OK", "HTTP/1.2 200 OK", "HTTP/0.9 200 OK"].map((line) =>
    refused(line, "unsupportedVersion")
  ),
  ...["HTTP/1.1 200 O\x00K", "HTTP/1.1 200 \x01", "HTTP/1.1 200 OK\x7f", "HTTP/1.1 200 \x1b[31m"].map((
    line,
  ) => refused(line, "reason")),
  refused("HTTP/1.1 200 O\rK", "bareCr"),
  refused("HTTP/1.1 200\rOK", "bareCr"),
  response("status line ends in bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", ["fault bareLf"]),
  response("short status line ends in bare LF", "HTTP/1.1 200\nContent-Length: 0\r\n\r\n", ["fault bareLf"]),
  response("no HTTP at all", "\x15\x03\x03\x00\x02\x02\x28", ["fault statusLine"]),
  response("an empty line before a response", "\r\nHTTP/1.1 204 No Content\r\n\r\n", [
    "head HTTP/1.1 204 No Content | none",
    "end",
  ]),
  response("too many empty lines before a response", "\r\n\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", [
    "fault emptyLines",
  ]),
  response("incomplete status line", "HTTP/1.1 200", []),
  response(
    "status line with fields",
    lines("HTTP/1.1 200 OK", "Server: a", "content-length:  2 ", "") + "hi",
    [
      "head HTTP/1.1 200 OK | length 2",
      "field Server: a",
      "field content-length: 2",
      "content hi",
      "end",
    ],
  ),

  // RFC 9112 §6.3 rule 1.
  bodiless("answer to HEAD with a length", "HTTP/1.1 200 OK", "Content-Length: 5\r\n", ["HEAD", "GET"]),
  bodiless("answer to HEAD with a coding", "HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n", [
    "HEAD",
    "GET",
  ]),
  bodiless("answer to HEAD with neither", "HTTP/1.1 200 OK", "", ["HEAD", "GET"]),
  bodiless("304 with a length", "HTTP/1.1 304 Not Modified", "Content-Length: 5\r\n", ["GET"]),
  bodiless("304 with a coding", "HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked\r\n", ["GET"]),
  bodiless("304 with neither", "HTTP/1.1 304 Not Modified", "", ["GET"]),
  // RFC 9110 §8.6, RFC 9112 §6.1: these fields must not be there, and mean nothing.
  bodiless("204 with a length", "HTTP/1.1 204 No Content", "Content-Length: 5\r\n", ["GET"]),
  bodiless("204 with a coding", "HTTP/1.1 204 No Content", "Transfer-Encoding: chunked\r\n", ["GET"]),
  bodiless(
    "204 with both",
    "HTTP/1.1 204 No Content",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ["GET"],
  ),
  bodiless("100 with a length", "HTTP/1.1 100 Continue", "Content-Length: 5\r\n", ["GET"]),
  bodiless("103 with a coding", "HTTP/1.1 103 Early Hints", "Transfer-Encoding: chunked\r\n", ["GET"]),
  bodiless("100 without fields", "HTTP/1.1 100 Continue", "", ["GET"]),
  // RFC 9112 §6.3 rule 2.
  bodiless("200 to CONNECT with a length", "HTTP/1.1 200 Established", "Content-Length: 5\r\n", [
    "CONNECT",
    "GET",
  ]),
  bodiless(
    "299 to CONNECT with both",
    "HTTP/1.1 299 Fine",
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ["CONNECT", "GET"],
  ),
  response("403 to CONNECT has content", lines("HTTP/1.1 403 No", "Content-Length: 2", "") + "no", [
    "head HTTP/1.1 403 No | length 2",
    "content no",
    "end",
  ], { methods: ["CONNECT"] }),
  // RFC 9110 §15.2: any number of interim responses, each with fields of its own.
  response(
    "several interim responses",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" +
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    [
      "head HTTP/1.1 100 Continue | none",
      "end",
      "head HTTP/1.1 103 Early | none",
      "field Link: x",
      "end",
      "head HTTP/1.1 200 OK | length 2",
      "field Content-Length: 2",
      "content hi",
      "end",
    ],
  ),
  response(
    "an interim response does not answer HEAD",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
    [
      "head HTTP/1.1 100 Continue | none",
      "end",
      "head HTTP/1.1 200 OK | none",
      "end",
    ],
    { methods: ["HEAD", "GET"] },
  ),

  // RFC 9112 §6.3 rules 3 to 5.
  response("length", lines("HTTP/1.1 200 OK", "Content-Length: 5", "") + "hello", [
    "head HTTP/1.1 200 OK | length 5",
    "content hello",
    "end",
  ]),
  response("205 with a length", lines("HTTP/1.1 205 Reset Content", "Content-Length: 0", ""), [
    "head HTTP/1.1 205 Reset Content | length 0",
    "end",
  ]),
  ...["-1", "+5", "5, 5", "5,6", "", "0x5", "5 5", "0 5", "5;"].map((value) =>
    response(
      `length ${JSON.stringify(value)}`,
      lines("HTTP/1.1 200 OK", `Content-Length: ${value}`, "") + "hello",
      ["fault lengthValue"],
    )
  ),
  response("invalid length in an answer to HEAD", lines("HTTP/1.1 200 OK", "Content-Length: x", ""), [
    "fault lengthValue",
  ], {
    methods: ["HEAD"],
  }),
  response("invalid length in a 304", lines("HTTP/1.1 304 x", "Content-Length: x", ""), [
    "fault lengthValue",
  ]),
  response(
    "length with leading zeros",
    lines("HTTP/1.1 200 OK", "Content-Length: 00000000000000000005", "") + "hello",
    [
      "head HTTP/1.1 200 OK | length 5",
      "field Content-Length: 5",
      "content hello",
      "end",
    ],
  ),
  response(
    "length of more digits than are read",
    lines("HTTP/1.1 200 OK", "Content-Length: 000000000000000000005", ""),
    [
      "fault lengthTooLarge",
    ],
  ),
  response("length too large", lines("HTTP/1.1 200 OK", "Content-Length: 9007199254740992", ""), [
    "fault lengthTooLarge",
  ]),
  response("two lengths", lines("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5", ""), [
    "fault manyLengths",
  ]),
  response(
    "length and coding",
    lines("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked", "") + "0\r\n\r\n",
    [
      "fault lengthAndCoding",
    ],
  ),
  response("coding in HTTP/1.0", lines("HTTP/1.0 200 OK", "Transfer-Encoding: chunked", "") + "0\r\n\r\n", [
    "fault codingInOldVersion",
  ]),
  response(
    "two codings",
    lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked", ""),
    ["fault manyCodings"],
  ),
  ...["gzip", "chunked, gzip", "xchunked", "chunked;a", ",chunked", "chunked, chunked", "\xa0chunked"].map((
    value,
  ) =>
    response(`coding ${JSON.stringify(value)}`, lines("HTTP/1.1 200 OK", `Transfer-Encoding: ${value}`, ""), [
      "fault codingValue",
    ])
  ),
  response(
    "unknown coding before chunked",
    lines("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked", ""),
    ["fault unknownCoding"],
  ),
  // identity was a coding that is none (RFC 2616 §3.6); some origins still send it.
  response("identity", lines("HTTP/1.1 200 OK", "Transfer-Encoding: identity", "") + "hello", [
    "head HTTP/1.1 200 OK | close",
    "content hello",
    "end",
  ], { ended: true }),

  // RFC 9112 §6.3 rule 8, §8: close-delimited, and cut short.
  response("to the end of the connection", "HTTP/1.1 200 OK\r\n\r\nhello", [
    "head HTTP/1.1 200 OK | close",
    "content hello",
    "end",
  ], {
    ended: true,
  }),
  response("to the end of the connection, empty", "HTTP/1.0 200 OK\r\n\r\n", [
    "head HTTP/1.0 200 OK | close",
    "end",
  ], { ended: true }),
  response("to the end of the connection, not yet ended", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", [
    "head HTTP/1.1 200 OK | close",
    "content HTTP/1.1 200 OK\r\n\r\n",
  ]),
  // RFC 9112 §9.8: the end of TLS below, without close_notify.
  response("to the end of the connection, which is not the peer's", "HTTP/1.1 200 OK\r\n\r\nhello", [
    "head HTTP/1.1 200 OK | close",
    "content hello",
    "fault incomplete",
  ], { ended: "cut" }),
  response("empty, to an end that is not the peer's", "HTTP/1.0 200 OK\r\n\r\n", [
    "head HTTP/1.0 200 OK | close",
    "fault incomplete",
  ], { ended: "cut" }),
  response(
    "identity, to an end that is not the peer's",
    lines("HTTP/1.1 200 OK", "Transfer-Encoding: identity", ""),
    [
      "head HTTP/1.1 200 OK | close",
      "fault incomplete",
    ],
    { ended: "cut" },
  ),
  response(
    "length, then an end that is not the peer's",
    lines("HTTP/1.1 200 OK", "Content-Length: 5", "") + "hello",
    [
      "head HTTP/1.1 200 OK | length 5",
      "content hello",
      "end",
    ],
    { ended: "cut" },
  ),
  response("cut before its length", lines("HTTP/1.1 200 OK", "Content-Length: 5", "") + "hell", [
    "head HTTP/1.1 200 OK | length 5",
    "content hell",
    "fault incomplete",
  ], { ended: true }),
  response("cut in a chunk", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "") + "5\r\nhell", [
    "head HTTP/1.1 200 OK | chunked",
    "content hell",
    "fault incomplete",
  ], { ended: true }),
  response(
    "cut before the last chunk",
    lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "") + "2\r\nhi\r\n",
    [
      "head HTTP/1.1 200 OK | chunked",
      "content hi",
      "fault incomplete",
    ],
    { ended: true },
  ),
  response(
    "cut before the empty line",
    lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "") + "0\r\n",
    [
      "head HTTP/1.1 200 OK | chunked",
      "fault incomplete",
    ],
    { ended: true },
  ),
  response(
    "cut in the trailers",
    lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "") + "0\r\nA: b\r\n",
    [
      "head HTTP/1.1 200 OK | chunked",
      "fault incomplete",
    ],
    { ended: true },
  ),
  response("cut in the head", "HTTP/1.1 200 OK\r\nA: b", ["fault incomplete"], { ended: true }),
  response("nothing at all", "", [], { ended: true }),

  // Bytes after a response are the next one or none (RFC 9112 §9.2).
  response(
    "bytes after a response",
    lines("HTTP/1.1 200 OK", "Content-Length: 2", "") + "hi HTTP/1.1 204 x",
    ["head HTTP/1.1 200 OK | length 2", "content hi", "end", "fault statusLine"],
  ),

  // What may be forgiven: RFC 9112 §2.2, §5.1, §5.2.
  response("lenient: bare LF", "HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nhi", [
    "head HTTP/1.1 200 OK | length 2",
    "field A: b",
    "field Content-Length: 2",
    "content hi",
    "end",
  ], LENIENT),
  response("lenient: mixed line ends", "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\nhi", [
    "head HTTP/1.1 200 OK | length 2",
    "field A: b",
    "field Content-Length: 2",
    "content hi",
    "end",
  ], LENIENT),
  response(
    "lenient: whitespace before the colon",
    "HTTP/1.1 200 OK\r\nA \t: b\r\nContent-Length : 2\r\n\r\nhi",
    [
      "head HTTP/1.1 200 OK | length 2",
      "field A: b",
      "field Content-Length: 2",
      "content hi",
      "end",
    ],
    LENIENT,
  ),
  ...[
    ["in a list", "Content-Length: 2, 2"],
    ["three in a list", "Content-Length:2 ,\t2,2 "],
    ["in two lines", "content-length: 2\r\nB: c\r\nContent-Length: 2"],
    ["folded", "Content-Length: 2,\r\n 2"],
    ["in a list and a line", "Content-Length: 2,2\r\nContent-Length: 2"],
  ].map(([name, field]) =>
    response(`lenient: equal lengths ${name}`, `HTTP/1.1 200 OK\r\nA: b\r\n${field}\r\n\r\nhi`, [
      "head HTTP/1.1 200 OK | length 2",
      "content hi",
      "end",
    ], LENIENT)
  ),
  response(
    "lenient: equal lengths leave one field where the first was",
    "HTTP/1.1 200 OK\r\nA: b\r\ncontent-LENGTH: 2\r\nC: d\r\nContent-Length: 2, 2\r\nE: f\r\n\r\nhi",
    [
      "head HTTP/1.1 200 OK | length 2",
      "field A: b",
      "field content-LENGTH: 2",
      "field C: d",
      "field E: f",
      "content hi",
      "end",
    ],
    LENIENT,
  ),
  ...[
    ["lengthValue", "Content-Length: 2, 3"],
    ["lengthValue", "Content-Length: 2,"],
    ["lengthValue", "Content-Length: ,2"],
    ["lengthValue", "Content-Length: x, x"],
    ["lengthValue", "Content-Length: +2, +2"],
    ["manyLengths", "Content-Length: 2\r\nContent-Length: 3"],
    ["manyLengths", "Content-Length: 2\r\nContent-Length: 2, 3"],
    ["manyLengths", "Content-Length: 2\r\nContent-Length: 02"],
    ["lengthAndCoding", "Content-Length: 2, 2\r\nTransfer-Encoding: chunked"],
    ["codingValue", "Transfer-Encoding: chunked, gzip"],
    ["codingValue", "Transfer-Encoding: chunked, chunked;x"],
    ["codingValue", "Transfer-Encoding: gzip, chunked, chunked"],
    ["codingValue", "Transfer-Encoding: chunked,"],
    ["codingValue", "Transfer-Encoding: identity, identity"],
    ["manyCodings", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"],
  ].map(([fault, fields]) =>
    response(`lenient, but not ${JSON.stringify(fields)}`, `HTTP/1.1 200 OK\r\n${fields}\r\n\r\nhi`, [
      `fault ${fault}`,
    ], LENIENT)
  ),
  ...[
    "Transfer-Encoding: chunked, Chunked",
    "Transfer-Encoding: chunked\r\nA: b\r\ntransfer-encoding: CHUNKED",
  ].map((
    fields,
  ) =>
    response(
      `lenient: ${JSON.stringify(fields)}`,
      `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
      ["head HTTP/1.1 200 OK | chunked", "content hi", "end"],
      LENIENT,
    )
  ),
  response("lenient: folding", "HTTP/1.1 200 OK\r\nA: b\r\n  c\r\n\td\r\nContent-Length: 2\r\n\r\nhi", [
    "head HTTP/1.1 200 OK | length 2",
    "field A: b   c \td",
    "field Content-Length: 2",
    "content hi",
    "end",
  ], LENIENT),
  response("lenient: strict input", "HTTP/1.1 200 OK\r\nA: b : c\r\nContent-Length: 2\r\n\r\nhi", [
    "head HTTP/1.1 200 OK | length 2",
    "field A: b : c",
    "field Content-Length: 2",
    "content hi",
    "end",
  ], LENIENT),
  response("lenient: bare CR is still refused", "HTTP/1.1 200 OK\nA: b\rc\n\n", ["fault bareCr"], LENIENT),
  response(
    "lenient: NUL is still refused",
    "HTTP/1.1 200 OK\nA: \x00\n\n",
    ["fault valueCharacter"],
    LENIENT,
  ),
  response("lenient: whitespace before the first field", "HTTP/1.1 200 OK\r\n A: b\r\n\r\n", [
    "fault leadingWhitespace",
  ], LENIENT),
  response("lenient: space inside a name", "HTTP/1.1 200 OK\nA b: c\n\n", ["fault nameCharacter"], LENIENT),
  response(
    "lenient: framing stays strict",
    "HTTP/1.1 200 OK\nContent-Length : 2\nTransfer-Encoding: chunked\n\n",
    [
      "fault lengthAndCoding",
    ],
    LENIENT,
  ),
  response("lenient: chunk lines stay strict", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nhi", [
    "head HTTP/1.1 200 OK | chunked",
    "fault chunkLineEnd",
  ], LENIENT),
  response("lenient: head too large", `HTTP/1.1 200 OK\nA: ${"b".repeat(100)}\n\n`, ["fault headTooLarge"], {
    limits: { lenientResponses: true, maxHeadBytes: 60 },
  }),
  response("lenient: two responses", "HTTP/1.1 204 x\n\nHTTP/1.1 204 y\r\n\r\n", [
    "head HTTP/1.1 204 x | none",
    "end",
    "head HTTP/1.1 204 y | none",
    "end",
  ], LENIENT),
];
