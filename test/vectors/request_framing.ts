/** Where a request ends: RFC 9112 §6.1 to §6.3, RFC 9110 §8.6. The heart of request smuggling. */

import type { Vector } from "./vector.ts";
import { lines, request } from "./vector.ts";

function post(name: string, fields: string, body: string, expect: readonly string[]): Vector {
  return request(name, `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`, expect);
}

function length(value: string, fault: string): Vector {
  return post(`Content-Length ${JSON.stringify(value)}`, `Content-Length:${value}\r\n`, "0123456789", [
    `fault ${fault}`,
  ]);
}

function coding(value: string, fault: string): Vector {
  return post(
    `Transfer-Encoding ${JSON.stringify(value)}`,
    `Transfer-Encoding:${value}\r\n`,
    "1\r\nZ\r\n0\r\n\r\n",
    [`fault ${fault}`],
  );
}

function chunked(value: string): Vector {
  return post(
    `Transfer-Encoding ${JSON.stringify(value)}`,
    `Transfer-Encoding:${value}\r\n`,
    "1\r\nZ\r\n0\r\n\r\n",
    ["head POST / HTTP/1.1 | chunked", "content Z", "end"],
  );
}

export const REQUEST_FRAMING: readonly Vector[] = [
  // §6.3 rule 7: no length and no coding is no body; the next byte is the next request.
  post("POST without a body", "", "", ["head POST / HTTP/1.1 | none", "end"]),
  post("content", "Content-Length: 5\r\n", "hello", [
    "head POST / HTTP/1.1 | length 5",
    "content hello",
    "end",
  ]),
  post("empty content", "Content-Length: 0\r\n", "", ["head POST / HTTP/1.1 | length 0", "end"]),
  post("length between tabs and spaces", "Content-Length:\t 5 \t\r\n", "hello", [
    "head POST / HTTP/1.1 | length 5",
    "content hello",
    "end",
  ]),
  post("content that looks like a request", "Content-Length: 18\r\n", "GET / HTTP/1.1\r\n\r\n", [
    "head POST / HTTP/1.1 | length 18",
    "content GET / HTTP/1.1\r\n\r\n",
    "end",
  ]),
  // RFC 9110 §9.3: legal framing on any method. http-garden transducer bug 21, CVE-2026-29057.
  ...["GET", "HEAD", "DELETE", "OPTIONS"].map((method) =>
    request(
      `${method} with content`,
      lines(`${method} / HTTP/1.1`, "Host: a", "Content-Length: 2", "") + "hi",
      [
        `head ${method} / HTTP/1.1 | length 2`,
        "content hi",
        "end",
      ],
    )
  ),
  request(
    "GET with chunked content",
    lines("GET / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "") +
      "2\r\nhi\r\n0\r\n\r\n",
    ["head GET / HTTP/1.1 | chunked", "content hi", "end"],
  ),

  // §6.1, §6.3 rule 3: both. http-garden transducer bugs 15, 18, 23.
  post("length and coding", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", [
    "fault lengthAndCoding",
  ]),
  post("coding and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n", [
    "fault lengthAndCoding",
  ]),
  post("length and unknown coding", "Transfer-Encoding: ,chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n", [
    "fault lengthAndCoding",
  ]),

  // §6.3 rule 5. http-garden server bugs 23, 33, transducer bug 22.
  post("two different lengths", "Content-Length: 1\r\nContent-Length: 0\r\n", "Z", ["fault manyLengths"]),
  post("two equal lengths", "Content-Length: 1\r\nA: b\r\ncontent-length: 1\r\n", "Z", ["fault manyLengths"]),
  // http-garden server bug 42, CVE-2023-40225.
  post("empty length and length", "Content-Length: \r\nContent-Length: 43\r\n", "", ["fault manyLengths"]),
  length(" 5, 5", "lengthValue"),
  length(" 5, 6", "lengthValue"),
  length(" 5,5,5", "lengthValue"),
  // RFC 9110 §8.6: digits only. http-garden server bugs 10, 16, 26, 29, 32, 38, transducer bugs 1, 5.
  ...[
    "",
    " ",
    " +5",
    " -1",
    " -0",
    " -48",
    " 0x5",
    " 0X5",
    " 5_0",
    " +1_0",
    " 5 0",
    " 5\t0",
    " 1Z",
    " five",
    " 5.0",
    " 5e0",
    " 5;",
    " 5,",
    " ,5",
    ' "5"',
    " \xb2",
    " \xa05",
    " 5\xa0",
    " 0b1",
    " 0o7",
    " \u00b9",
  ].map((value) => length(value, "lengthValue")),
  length(" 5\x00", "valueCharacter"),
  length(" 5\x0b", "valueCharacter"),
  // Leading zeros are legal, and octal to some. http-garden server bug 32.
  ...[["010", 10], ["00", 0], ["05", 5], ["00000000000000000007", 7]].map(([value, bytes]) =>
    post(
      `length ${value}`,
      `A: b\r\nContent-Length:  ${value}\t\r\n`,
      "0123456789".slice(0, Number(bytes)),
      [
        `head POST / HTTP/1.1 | length ${bytes}`,
        "field Host: a",
        "field A: b",
        `field Content-Length: ${bytes}`,
        ...(bytes === 0 ? [] : [`content ${"0123456789".slice(0, Number(bytes))}`]),
        "end",
      ],
    )
  ),
  length(" 000000000000000000007", "lengthTooLarge"),
  length(" 0x7", "lengthValue"),
  length(" 0-7", "lengthValue"),
  length(" 00 07", "lengthValue"),
  // Numbers are exact up to 2^53 - 1.
  post("largest length", "Content-Length: 9007199254740991\r\n", "x", [
    "head POST / HTTP/1.1 | length 9007199254740991",
    "content x",
  ]),
  length(" 9007199254740992", "lengthTooLarge"),
  length(" 9999999999999999", "lengthTooLarge"),
  length(" 10000000000000000", "lengthTooLarge"),
  length(" 18446744073709551621", "lengthTooLarge"),
  length(` ${"9".repeat(400)}`, "lengthTooLarge"),

  // §6.1: chunked, in any case, once, last, in HTTP/1.1.
  chunked(" chunked"),
  chunked("chunked"),
  chunked("\tchunked\t "),
  chunked(" Chunked"),
  chunked(" CHUNKED"),
  // CVE-2026-2835.
  request(
    "coding in HTTP/1.0",
    lines("POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked", "") + "0\r\n\r\n",
    [
      "fault codingInOldVersion",
    ],
  ),
  // §6.3 rule 4: 400 when chunked is not last. http-garden server bug 44.
  ...[
    " gzip",
    " identity",
    " xchunked",
    " chunkedx",
    " blegh",
    " chunked, gzip",
    " chunked, identity",
    " chunke",
    " chunked\\",
    " cow",
  ].map((value) => coding(value, "codingValue")),
  // §6.1: 501 when the codings before it are not understood.
  ...[" gzip, chunked", " identity, chunked", " gzip,deflate ,\tchunked"].map((value) =>
    coding(value, "unknownCoding")
  ),
  // http-garden server bugs 11, 21, transducer bugs 9, 18, 25; Http11Probe SMUG-TE-*.
  ...[
    " chunked, chunked",
    " chunked,chunked",
    " ,chunked",
    " chunked,",
    " ,",
    "",
    " ",
    " chunked;x=1",
    " chunked ;",
    ' "chunked"',
    " 'chunked'",
    " chunked chunked",
    " gzip;q=1, chunked",
    " gzip,, chunked",
  ].map((value) => coding(value, "codingValue")),
  post(
    "two codings in two lines",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "1\r\nZ\r\n0\r\n\r\n",
    ["fault manyCodings"],
  ),
  post(
    "two different codings in two lines",
    "Transfer-Encoding: gzip\r\ntransfer-encoding: chunked\r\n",
    "0\r\n\r\n",
    ["fault manyCodings"],
  ),
  // http-garden server bugs 12, 46.
  ...[" \xa0chunked\xa0", " \xffchunked\xff", " chunked\x85", " \xefchunked", " chun\xe9ked"].map((value) =>
    coding(value, "codingValue")
  ),
  ...[" \x0bchunked", " chunked\x0c", " chunked\x00", " \x08chunked", " chunked\x7f"].map((value) =>
    coding(value, "valueCharacter")
  ),

  // RFC 9110 §7.6.1: options that would take framing away.
  ...[
    "transfer-encoding",
    "content-length",
    "host",
    "close, Transfer-Encoding",
    "keep-alive,CONTENT-LENGTH",
    ",Host",
  ].map((value) => post(`Connection: ${value}`, `Connection: ${value}\r\n`, "", ["fault nominatedFraming"])),
  ...[
    "close",
    "keep-alive",
    "Keep-Alive, Upgrade",
    "x-forwarded-for",
    "authorization, cookie",
    "te",
    "",
    ",",
    "close,,",
    "hostname",
    "x",
  ].map((value) =>
    post(`Connection: ${JSON.stringify(value)}`, `Connection: ${value}\r\n`, "", [
      "head POST / HTTP/1.1 | none",
      "end",
    ])
  ),
  ...["clo se", "close;", "close\xa0", "\xffclose", '"close"', "a=b", "a/b"].map((value) =>
    post(`Connection: ${JSON.stringify(value)}`, `Connection: ${value}\r\n`, "", ["fault connectionValue"])
  ),

  // RFC 9110 §9.3.6, §9.3.8.
  ...["Content-Length: 0", "Content-Length: 5", "Transfer-Encoding: chunked"].map((field) =>
    request(`CONNECT with ${field}`, lines("CONNECT b:443 HTTP/1.1", "Host: b:443", field, ""), [
      "fault contentNotAllowed",
    ])
  ),
  request("TRACE with content", lines("TRACE / HTTP/1.1", "Host: a", "Content-Length: 1", "") + "x", [
    "fault contentNotAllowed",
  ]),
  request("TRACE with a coding", lines("TRACE / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", ""), [
    "fault contentNotAllowed",
  ]),
  request("TRACE without content", lines("TRACE / HTTP/1.1", "Host: a", ""), [
    "head TRACE / HTTP/1.1 | none",
    "end",
  ]),
  request(
    "TRACE that says so with leading zeros",
    lines("TRACE / HTTP/1.1", "Host: a", "Content-Length: 00", ""),
    [
      "head TRACE / HTTP/1.1 | length 0",
      "end",
    ],
  ),
  request("TRACE that says so", lines("TRACE / HTTP/1.1", "Host: a", "Content-Length: 0", ""), [
    "head TRACE / HTTP/1.1 | length 0",
    "end",
  ]),

  // RFC 9110 §10.1.1; the 2025 attacks on Expect (http1mustdie.com) lived on odd spellings.
  ...["100-continue", "100-Continue", "\t100-continue "].map((value) =>
    post(`Expect: ${JSON.stringify(value)}`, `Expect:${value}\r\nContent-Length: 1\r\n`, "x", [
      "head POST / HTTP/1.1 | length 1",
      "content x",
      "end",
    ])
  ),
  ...[
    "",
    "x 100-continue",
    "100-continue, x",
    "100-continue,",
    "y 100-continue",
    "100-continue;a",
    "200-ok",
    "100 continue",
    "100-continue\xa0",
    "\xa0100-continue",
  ].map((value) =>
    post(`Expect: ${JSON.stringify(value)}`, `Expect: ${value}\r\n`, "", ["fault expectation"])
  ),
  post("two expectations", "Expect: 100-continue\r\nExpect: 100-continue\r\n", "", ["fault expectation"]),
  request("an expectation in HTTP/1.0 is ignored", lines("GET / HTTP/1.0", "Expect: x", ""), [
    "head GET / HTTP/1.0 | none",
    "end",
  ]),

  // RFC 9110 §7.6.2: only TRACE and OPTIONS care.
  ...["", "-1", "1.0", "x", "1, 2", "9999999999"].map((value) =>
    request(
      `OPTIONS with Max-Forwards ${JSON.stringify(value)}`,
      lines("OPTIONS / HTTP/1.1", "Host: a", `Max-Forwards: ${value}`, ""),
      ["fault maxForwards"],
    )
  ),
  request(
    "OPTIONS with Max-Forwards twice",
    lines("OPTIONS / HTTP/1.1", "Host: a", "Max-Forwards: 1", "Max-Forwards: 1", ""),
    ["fault maxForwards"],
  ),
  request("OPTIONS with Max-Forwards", lines("OPTIONS / HTTP/1.1", "Host: a", "Max-Forwards: 0", ""), [
    "head OPTIONS / HTTP/1.1 | none",
    "end",
  ]),
  request("GET with a strange Max-Forwards", lines("GET / HTTP/1.1", "Host: a", "Max-Forwards: x", ""), [
    "head GET / HTTP/1.1 | none",
    "end",
  ]),
];
