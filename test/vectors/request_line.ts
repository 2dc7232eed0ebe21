/** The request line and what may stand before it: RFC 9112 §2.2, §2.3, §3. */

import type { Vector } from "./vector.ts";
import { lines, request } from "./vector.ts";

const REST = "\r\nHost: a\r\n\r\n";
const LENIENT = { limits: { lenientTargets: true } };
const GET = ["head GET / HTTP/1.1 | none", "end"];

function accepted(name: string, line: string): Vector {
  return request(name, line + REST, [`head ${line} | none`, "end"]);
}

function refused(name: string, line: string, fault: string): Vector {
  return request(name, line + REST, [`fault ${fault}`]);
}

export const REQUEST_LINE: readonly Vector[] = [
  accepted("shortest request", "GET / HTTP/1.1"),
  request("HTTP/1.0 without fields", "GET / HTTP/1.0\r\n\r\n", ["head GET / HTTP/1.0 | none", "end"]),
  request(
    "fields keep order, spelling and repetition",
    lines(
      "GET /a?b=c HTTP/1.1",
      "HOST: a",
      "x-A: 1",
      "X-a: 2",
      "Empty:",
      "Empty-Too: \t ",
      "",
    ),
    [
      "head GET /a?b=c HTTP/1.1 | none",
      "field HOST: a",
      "field x-A: 1",
      "field X-a: 2",
      "field Empty: ",
      "field Empty-Too: ",
      "end",
    ],
  ),

  // RFC 9112 §2.2: a server should ignore at least one empty line before the request line.
  request("one empty line before the request line", "\r\nGET / HTTP/1.1" + REST, GET),
  request("two empty lines before the request line", "\r\n\r\nGET / HTTP/1.1" + REST, GET),
  request("three empty lines before the request line", "\r\n\r\n\r\nGET / HTTP/1.1" + REST, [
    "fault emptyLines",
  ]),
  request(
    "no empty line is accepted when the limit is 0",
    "\r\nGET / HTTP/1.1" + REST,
    ["fault emptyLines"],
    {
      limits: { maxEmptyLines: 0 },
    },
  ),
  request("an endless run of empty lines", "\r\n".repeat(100), ["fault emptyLines"]),
  request("a bare LF before the request line", "\nGET / HTTP/1.1" + REST, ["fault bareLf"]),
  request("a bare CR before the request line", "\rGET / HTTP/1.1" + REST, ["fault bareCr"]),
  request("two CR before the request line", "\r\r\nGET / HTTP/1.1" + REST, ["fault bareCr"]),
  request("whitespace before the request line", " GET / HTTP/1.1" + REST, ["fault method"]),
  request(
    "an empty line after a request with content",
    lines(
      "POST / HTTP/1.1",
      "Host: a",
      "Content-Length: 1",
      "",
    ) + "x\r\nGET / HTTP/1.1" + REST,
    [
      "head POST / HTTP/1.1 | length 1",
      "content x",
      "end",
      ...GET,
    ],
  ),

  // RFC 9112 §2.2: bare LF may be accepted, but then every hop has to agree (http-garden transducer bug 16).
  request("bare LF ends the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", ["fault bareLf"]),
  request("bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", ["fault bareLf"]),
  request("bare CR ends the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", ["fault bareCr"]),
  refused("CR inside the target", "GET /\ra HTTP/1.1", "bareCr"),
  refused("CR inside the method", "GE\rT / HTTP/1.1", "bareCr"),

  // RFC 9110 §9.1: the method is a token, case matters, and any token may be a method.
  accepted("method of 64 bytes", `${"M".repeat(64)} / HTTP/1.1`),
  refused("method of 65 bytes", `${"M".repeat(65)} / HTTP/1.1`, "methodTooLong"),
  refused("method of 20,000 bytes", `${"M".repeat(20_000)} / HTTP/1.1`, "methodTooLong"),
  request("method longer than the head may be", "M".repeat(40_000), ["fault methodTooLong"]),
  request("small limit, method too long by one", "GETS / HTTP/1.1" + REST, ["fault methodTooLong"], {
    limits: { maxMethodBytes: 3 },
  }),
  request("small limit, longest method", "GET / HTTP/1.1" + REST, GET, { limits: { maxMethodBytes: 3 } }),
  accepted("lower-case method is another method", "get / HTTP/1.1"),
  accepted("method with every kind of tchar", "M!#$%&'*+-.^_`|~09azAZ / HTTP/1.1"),
  ...["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "GETX", "PUSH", "HEAT", "PATCX", "DELETX"]
    .map(
      (method) => accepted(`method ${method}`, `${method} / HTTP/1.1`),
    ),
  // http-garden server bugs 6 and 40.
  refused("method with separators", 'G=":<>(e),[T];?" /get HTTP/1.1', "method"),
  refused("method NUL", "\x00 / HTTP/1.1", "method"),
  refused("method with a byte above 0x7F", "G\xc9T / HTTP/1.1", "method"),
  refused("no method", "/ HTTP/1.1", "method"),
  refused("method followed by a tab", "GET\t/ HTTP/1.1", "method"),
  refused("method alone", "GET", "method"),

  // RFC 9112 §3: exactly one SP between the parts; §3.2: no whitespace in the target.
  refused("two spaces after the method", "GET  / HTTP/1.1", "target"),
  refused("two spaces after the target", "GET /  HTTP/1.1", "version"),
  refused("tab after the target", "GET /\tHTTP/1.1", "target"),
  refused("space at the end of the request line", "GET / HTTP/1.1 ", "version"),
  refused("space in the target", "GET /a b HTTP/1.1", "version"),
  refused("vertical tab after the target", "GET /\x0bHTTP/1.1", "target"),
  refused("no target", "GET HTTP/1.1", "version"),
  refused("empty target", "GET  HTTP/1.1", "target"),
  // http-garden server bug 9.
  request("line feed as separator", "GET /\nHTTP/1.1\r\n\r\n", ["fault bareLf"]),

  // HTTP/0.9: a response without a head cannot be framed.
  request("HTTP/0.9 request", "GET /\r\n", ["fault version"]),
  request("HTTP/0.9 request with a space", "GET / \r\n", ["fault version"]),

  // RFC 9112 §2.3. http-garden server bugs 5, 15 and 24.
  ...["HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/3.0"].map((version) =>
    refused(`version ${version}`, `GET / ${version}`, "unsupportedVersion")
  ),
  ...[
    "http/1.1",
    "Http/1.1",
    "HTTP/1",
    "HTTP/1.",
    "HTTP/.1",
    "HTTP/1.10",
    "HTTP/01.1",
    "HTTP/1.01",
    "HTTP/11.1",
    "HTTP/1,1",
    "HTTP 1.1",
    "HTTP /1.1",
    "HTTP/ 1.1",
    "HTTP/1. 1",
    "HTTP/1.1x",
    "HTTP/4294967295.255",
    "HTTP/-1.1",
    "HTTP/+1.1",
    "HTTPS/1.1",
    "HTTP/1.\xb2",
    "ICY/1.1",
    "1.1",
    "HTTP/",
    "HTTP",
    "HTTP/1.32",
  ].map((version) => refused(`version ${JSON.stringify(version)}`, `GET / ${version}`, "version")),
  refused("CR inside the version", "GET / HTTP/\r\r1.1", "bareCr"),
  refused("NUL after the version", "GET / HTTP/1.1\x00", "version"),
  // The HTTP/2 preface on a port that speaks HTTP/1 (RFC 9113 §3.4).
  request("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ["fault unsupportedVersion"]),
  // Not HTTP at all: refused at the first byte, no line end has to come.
  request("TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", ["fault method"]),
  request("binary garbage", "\x80\xff\x00\x01", ["fault method"]),

  // RFC 9112 §3.2 and RFC 3986: what a target never holds.
  refused("fragment in the target", "GET /a#b HTTP/1.1", "target"),
  refused("backslash in the target", "GET /a\\b HTTP/1.1", "target"),
  refused("non-ASCII in the target", "GET /\xe9 HTTP/1.1", "target"),
  ...([
    ["/\xc3\xa9", "/%C3%A9"],
    ["/\xff\x80?\xa0=%c3", "/%FF%80?%A0=%c3"],
    ["/a|b\xe2\x82\xac/../c", "/a|b%E2%82%AC/../c"],
    ["http://a/\xc3\xa9", "http://a/%C3%A9"],
  ] as const).map(([sent, read]) =>
    request(`lenient target ${JSON.stringify(sent)}`, `GET ${sent} HTTP/1.1${REST}`, [
      `head GET ${read} HTTP/1.1 | none`,
      "end",
    ], LENIENT)
  ),
  ...["/a\x7f", "/a\x01", "/a\\b", "/a#b", "/a\tb"].map((sent) =>
    request(`lenient target, but not ${JSON.stringify(sent)}`, `GET ${sent} HTTP/1.1${REST}`, [
      "fault target",
    ], LENIENT)
  ),
  request("lenient target, but not in an authority", "GET http://\xc3\xa9/ HTTP/1.1" + REST, [
    "fault targetAuthority",
  ], LENIENT),
  request("lenient target whose escapes are as long as allowed", "GET /\xc3\xa9 HTTP/1.1" + REST, [
    "head GET /%C3%A9 HTTP/1.1 | none",
    "end",
  ], { limits: { lenientTargets: true, maxTargetBytes: 7 } }),
  request("lenient target whose escapes are too long", "GET /\xc3\xa9 HTTP/1.1" + REST, [
    "fault targetTooLong",
  ], { limits: { lenientTargets: true, maxTargetBytes: 6 } }),
  request("lenient targets, and not a lenient method", "G\xc9T / HTTP/1.1" + REST, ["fault method"], LENIENT),
  refused("UTF-8 in the target", "GET /\xc3\xa9 HTTP/1.1", "target"),
  refused("NUL in the target", "GET /\x00 HTTP/1.1", "target"),
  refused("DEL in the target", "GET /\x7f HTTP/1.1", "target"),
  // RFC 9110 §7.7: path and query are passed on as they are, whatever they are.
  ...[
    "/%00",
    "/%0d%0aX:%20y",
    "/%c0%af",
    "/%2f",
    "/../a",
    "/a/%2e%2e/b",
    "//a//b",
    "/%",
    "/%zz",
    "/?",
    "/?a?b",
    '/"<>[]^`{|}',
    "/a;b=c",
    "/:80",
    "/@",
    "/http://a/",
  ].map((target) => accepted(`target ${target}`, `GET ${target} HTTP/1.1`)),

  // Limits.
  request("longest target", `GET /${"a".repeat(8191)} HTTP/1.1${REST}`, [
    `head GET /${"a".repeat(8191)} HTTP/1.1 | none`,
    "end",
  ]),
  request("target too long by one", `GET /${"a".repeat(8192)} HTTP/1.1${REST}`, ["fault targetTooLong"]),
  request(
    "small limit, longest target",
    `GET /234 HTTP/1.1${REST}`,
    ["head GET /234 HTTP/1.1 | none", "end"],
    {
      limits: { maxTargetBytes: 4 },
    },
  ),
  request("small limit, target too long by one", `GET /2345 HTTP/1.1${REST}`, ["fault targetTooLong"], {
    limits: { maxTargetBytes: 4 },
  }),
  request("request line beyond the head limit", `GET /${"a".repeat(200)}`, ["fault targetTooLong"], {
    limits: { maxHeadBytes: 100 },
  }),
  request("incomplete request line", "GET / HTTP/1.", []),
  request("incomplete line with a bad byte is judged when it is complete", "GET / HTTP/1.1\x00", []),
];
