/** Host and the forms of the request target: RFC 9112 §3.2, RFC 9110 §7.2, §9.3.6. */

import type { Vector } from "./vector.ts";
import { lines, request } from "./vector.ts";

const GET = ["head GET / HTTP/1.1 | none", "end"];

function host(value: string, fault: string | null): Vector {
  return request(
    `Host ${JSON.stringify(value)}`,
    `GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`,
    fault === null ? GET : [`fault ${fault}`],
  );
}

function target(line: string, fault: string | null, hostValue = "a"): Vector {
  return request(
    line,
    `${line}\r\nHost: ${hostValue}\r\n\r\n`,
    fault === null ? [`head ${line} | none`, "end"] : [`fault ${fault}`],
  );
}

export const HOST_AND_TARGET: readonly Vector[] = [
  // RFC 9112 §3.2: exactly one valid Host in HTTP/1.1.
  request("no Host in HTTP/1.1", "GET / HTTP/1.1\r\n\r\n", ["fault noHost"]),
  request("no Host in HTTP/1.0", "GET / HTTP/1.0\r\nA: b\r\n\r\n", ["head GET / HTTP/1.0 | none", "end"]),
  request("two different hosts", lines("GET / HTTP/1.1", "Host: a", "Host: b", ""), ["fault manyHosts"]),
  request("two equal hosts", lines("GET / HTTP/1.1", "Host: a", "Host: a", ""), ["fault manyHosts"]),
  request("two hosts in HTTP/1.0", lines("GET / HTTP/1.0", "Host: a", "A: b", "host: b", ""), [
    "fault manyHosts",
  ]),
  ...[
    "a",
    "A.Example",
    "a:80",
    "a:",
    "a:0",
    "a:65535",
    "127.0.0.1:8080",
    "[::1]",
    "[::1]:80",
    "[2001:db8::1]:443",
    "[::ffff:127.0.0.1]",
    "xn--bcher-kva.example",
    "a_b",
    "a-b.c~d",
    "a.".repeat(127) + "a",
    "a".repeat(255) + ":65535",
  ].map((value) => host(value, null)),
  ...[
    "a.".repeat(128),
    "a".repeat(256) + ":1",
    "a.".repeat(10_000),
    "",
    ":80",
    "a,b",
    "a, b",
    "a b",
    "a/b",
    "a/",
    "/",
    "a?b",
    "a#b",
    "user@a",
    "user:pw@a",
    "http://a",
    "a:b",
    "a:80:80",
    "a:-1",
    "a:+80",
    "a:65536",
    "a:000080",
    "a:8 0",
    "[::1",
    "::1",
    "[]",
    "[::1]a",
    "[::1]:x",
    "[1.2.3.4]",
    "[::1%25eth0]",
    "[v1.a]",
    "a\\b",
    "a\tb",
    '"a"',
    "<a>",
    "a%00",
    "[:::1]",
    "[1:2:3:4:5:6:7]",
    "[1:2:3:4:5:6:7:8:9]",
    "[12345::]",
    "[::256.0.0.1]",
    "[::1.2.3]",
    "[::01.2.3.4]",
  ].map((value) => host(value, "hostValue")),
  // RFC 9110 §5.5: obs-text may not reach whoever picks a host. http-garden server bug 46.
  host("\xffa\xff", "hostValue"),
  host("a\xa0", "hostValue"),

  // RFC 9112 §3.2.1 to §3.2.4.
  target("GET http://b/c?d HTTP/1.1", null),
  target("GET http://b HTTP/1.1", null),
  target("GET HTTPS://B:8443/ HTTP/1.1", null),
  target("GET http://b?c HTTP/1.1", null),
  target("GET http://[::1]:80/ HTTP/1.1", null),
  target("OPTIONS http://b HTTP/1.1", null),
  target("GET http:///c HTTP/1.1", "targetAuthority"),
  target("GET http:// HTTP/1.1", "targetAuthority"),
  target("GET http://user@b/ HTTP/1.1", "targetAuthority"),
  target("GET http://user:pw@b/ HTTP/1.1", "targetAuthority"),
  target("GET http://b:x/ HTTP/1.1", "targetAuthority"),
  target("GET http://b:65536/ HTTP/1.1", "targetAuthority"),
  target("GET http://b,c/ HTTP/1.1", "targetAuthority"),
  target("GET http://:80/ HTTP/1.1", "targetAuthority"),
  target("GET http:/b HTTP/1.1", "targetForm"),
  target("GET http:b HTTP/1.1", "targetForm"),
  target("GET ftp://b/ HTTP/1.1", "targetForm"),
  target("GET file:///etc/passwd HTTP/1.1", "targetForm"),
  target("GET b:80 HTTP/1.1", "targetForm"),
  target("GET b HTTP/1.1", "targetForm"),
  // http-garden server bug 7.
  target("GET ! HTTP/1.1", "targetForm"),
  target("GET ?a HTTP/1.1", "targetForm"),
  target("OPTIONS * HTTP/1.1", null),
  target("GET * HTTP/1.1", "targetForm"),
  target("OPTIONS ** HTTP/1.1", "targetForm"),
  target("OPTIONS *?a HTTP/1.1", "targetForm"),
  // The Host field is checked even where the target makes it void, because it is regenerated, not trusted.
  target("GET http://b/ HTTP/1.1", "hostValue", "a b"),
  request("absolute form without Host", "GET http://b/ HTTP/1.1\r\n\r\n", ["fault noHost"]),

  // RFC 9110 §9.3.6: CONNECT has a target of host and port, and no content.
  target("CONNECT b:443 HTTP/1.1", null),
  target("CONNECT [::1]:443 HTTP/1.1", null),
  target("CONNECT b HTTP/1.1", "connectAuthority"),
  target("CONNECT b: HTTP/1.1", "connectAuthority"),
  target("CONNECT b:0 HTTP/1.1", "connectAuthority"),
  target("CONNECT b:65536 HTTP/1.1", "connectAuthority"),
  target("CONNECT :443 HTTP/1.1", "connectAuthority"),
  target("CONNECT / HTTP/1.1", "connectAuthority"),
  target("CONNECT http://b:443/ HTTP/1.1", "connectAuthority"),
  target("CONNECT user@b:443 HTTP/1.1", "connectAuthority"),
  target("CONNECT * HTTP/1.1", "connectAuthority"),
];
