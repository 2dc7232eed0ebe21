/** Several messages on one connection, and connections that end early: RFC 9112 §8, §9.3.2. */

import type { Vector } from "./vector.ts";
import { lines, request } from "./vector.ts";

const HEAD = "head GET / HTTP/1.1 | none";

export const PIPELINING: readonly Vector[] = [
  request("two requests", lines("GET / HTTP/1.1", "Host: a", "").repeat(2), [HEAD, "end", HEAD, "end"]),
  request(
    "three requests with content of every kind",
    lines("POST /1 HTTP/1.1", "Host: a", "Content-Length: 3", "") + "one" +
      lines("POST /2 HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "") +
      "3\r\ntwo\r\n0\r\nA: b\r\n\r\n" +
      lines("GET /3 HTTP/1.0", ""),
    [
      "head POST /1 HTTP/1.1 | length 3",
      "content one",
      "end",
      "head POST /2 HTTP/1.1 | chunked",
      "content two",
      "trailer A: b",
      "end",
      "head GET /3 HTTP/1.0 | none",
      "end",
    ],
  ),
  // http-garden server bug 48.
  request(
    "requests after a Content-Length of 0",
    lines("POST / HTTP/1.1", "Content-Length: 0", "Connection:keep-alive", "Host: a", "") +
      lines("POST / HTTP/1.1", "Host: a", "Content-Length: 4", "") + "GET " +
      lines("GET / HTTP/1.1", "Host: a", ""),
    [
      "head POST / HTTP/1.1 | length 0",
      "end",
      "head POST / HTTP/1.1 | length 4",
      "content GET ",
      "end",
      HEAD,
      "end",
    ],
  ),
  // http-garden server bug 45: the first one is answered all the same.
  request("a bad request after a good one", lines("GET / HTTP/1.1", "Host: a", "") + "Invalid\r\n\r\n", [
    HEAD,
    "end",
    "fault method",
  ]),
  // http-garden server bug 47: no resynchronisation after a fault.
  request(
    "a good request after a bad chunk",
    lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "") + "INVALID!!!\r\n" +
      lines("GET / HTTP/1.1", "Host: a", ""),
    ["head POST / HTTP/1.1 | chunked", "fault chunkSize"],
  ),
  request("a good request after a bad one", "BAD\r\n\r\n" + lines("GET / HTTP/1.1", "Host: a", ""), [
    "fault method",
  ]),
  request(
    "a NUL after a chunked body",
    lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "") + "0\r\n\r\n\x00",
    [
      "head POST / HTTP/1.1 | chunked",
      "end",
      "fault method",
    ],
  ),
  request("an incomplete request after a good one", lines("GET / HTTP/1.1", "Host: a", "") + "GET", [
    HEAD,
    "end",
  ], { cut: true }),

  // RFC 9112 §8: what is cut is not complete.
  request("end between requests", lines("GET / HTTP/1.1", "Host: a", ""), [HEAD, "end"], { ended: true }),
  request("end before anything", "", [], { ended: true }),
  request("end after an empty line", "\r\n", [], { ended: true }),
  request("end within an empty line", "\r", ["fault incomplete"], { ended: true }),
  request("end within a head", "GET / HTTP/1.1\r\nHost: a\r\n", ["fault incomplete"], { ended: true }),
  request("end within content", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "") + "hell", [
    "head POST / HTTP/1.1 | length 5",
    "content hell",
    "fault incomplete",
  ], { ended: true }),
  request("end before content", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5", ""), [
    "head POST / HTTP/1.1 | length 5",
    "fault incomplete",
  ], { ended: true }),
  request(
    "end within a chunk",
    lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "") + "5\r\nhell",
    [
      "head POST / HTTP/1.1 | chunked",
      "content hell",
      "fault incomplete",
    ],
    { ended: true },
  ),
  request(
    "end before the last chunk",
    lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "") + "2\r\nhi\r\n",
    [
      "head POST / HTTP/1.1 | chunked",
      "content hi",
      "fault incomplete",
    ],
    { ended: true },
  ),
];
