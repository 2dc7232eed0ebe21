import assert from "node:assert/strict";
import { test } from "node:test";
import {
  readForwardTarget,
  TARGET_REFUSALS,
  type TargetRefusalReason,
} from "../../../src/forward/forward_target.ts";
import { Random } from "../../fuzz/support/random.ts";

/** The longest name: 253 characters. */
const MAX_NAME = `${`${"a".repeat(63)}.`.repeat(3)}${"b".repeat(61)}`;

/** In one line: what to compare with. */
function shown(method: string, target: string, takesHttps = false): string {
  const read = readForwardTarget(method, target, takesHttps);
  if (read.kind === "refusal") return `${read.status} ${read.reason}`;
  const literal = read.hostIsLiteral ? " literal" : "";
  return `${
    read.scheme ?? "tunnel"
  } ${read.host} ${read.port}${literal} Host=${read.authority} ${read.target}`;
}

test("absolute form", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["GET", "http://example.com/", "http example.com 80 Host=example.com /"],
    ["GET", "http://example.com", "http example.com 80 Host=example.com /"],
    ["GET", "http://example.com?a=b", "http example.com 80 Host=example.com /?a=b"],
    ["GET", "http://example.com/?", "http example.com 80 Host=example.com /?"],
    [
      "GET",
      "http://example.com/a//b/../%2e?x=http://y@z/",
      "http example.com 80 Host=example.com /a//b/../%2e?x=http://y@z/",
    ],
    ["GET", "HTTP://Example.COM/A", "http example.com 80 Host=Example.COM /A"],
    ["GET", "http://example.com:80/", "http example.com 80 Host=example.com:80 /"],
    ["GET", "http://example.com:/", "http example.com 80 Host=example.com /"],
    ["GET", "http://example.com:8080/", "http example.com 8080 Host=example.com:8080 /"],
    ["GET", "http://example.com:08080/", "http example.com 8080 Host=example.com:08080 /"],
    ["GET", "http://example.com./", "http example.com 80 Host=example.com. /"],
    ["GET", "http://a_b.example/", "http a_b.example 80 Host=a_b.example /"],
    ["GET", "http://xn--bcher-kva.example/", "http xn--bcher-kva.example 80 Host=xn--bcher-kva.example /"],
    ["GET", "http://localhost/", "http localhost 80 Host=localhost /"],
    ["GET", "http://127.0.0.1:3000/x", "http 127.0.0.1 3000 literal Host=127.0.0.1:3000 /x"],
    ["GET", "http://[::1]/", "http ::1 80 literal Host=[::1] /"],
    ["GET", "http://[::1]:8080/", "http ::1 8080 literal Host=[::1]:8080 /"],
    ["GET", "http://[2001:DB8:0:0::1]/", "http 2001:db8::1 80 literal Host=[2001:DB8:0:0::1] /"],
    ["GET", "http://[::ffff:127.0.0.1]/", "http 127.0.0.1 80 literal Host=[::ffff:127.0.0.1] /"],
    ["OPTIONS", "http://example.com", "http example.com 80 Host=example.com *"],
    ["OPTIONS", "http://example.com:8001", "http example.com 8001 Host=example.com:8001 *"],
    ["OPTIONS", "http://example.com/", "http example.com 80 Host=example.com /"],
    ["OPTIONS", "http://example.com?q", "http example.com 80 Host=example.com /?q"],
    ["options", "http://example.com", "http example.com 80 Host=example.com /"],
  ];
  for (const [method, target, expected] of cases) assert.equal(shown(method, target), expected, target);
});

test("absolute form refused", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["/path", "400 origin_form"],
    ["//h/", "400 origin_form"],
    ["*", "400 asterisk_form"],
    ["", "400 character"],
    ["http://a b/", "400 character"],
    ["http://a/\u0000", "400 character"],
    ["http://a\\b/", "400 character"],
    ["http://b\u00fccher.example/", "400 character"],
    ["http://a/#f", "400 fragment"],
    ["http://a#@b/", "400 fragment"],
    ["http://user@host/", "400 user_information"],
    ["http://user:secret@host:80/", "400 user_information"],
    ["http://@host/", "400 user_information"],
    ["http:/x", "400 not_absolute"],
    ["http:x", "400 not_absolute"],
    ["http:", "400 not_absolute"],
    ["http", "400 not_absolute"],
    ["example.com", "400 not_absolute"],
    ["example.com:80", "400 not_absolute"],
    ["localhost:3000", "400 not_absolute"],
    ["unknown://host/", "400 not_absolute"],
    ["://host/", "400 not_absolute"],
    ["http:///path", "400 host"],
    ["http://", "400 host"],
    ["http://?q", "400 host"],
    ["http://:80/", "400 host"],
    ["https://host/", "501 https"],
    ["HTTPS://host/", "501 https"],
    ["ftp://host/", "501 scheme"],
    ["file:///etc/passwd", "501 scheme"],
    ["gopher://host/", "501 scheme"],
    ["urn:isbn:1", "501 scheme"],
    ["ws://host/", "501 scheme"],
    ["wss://host/", "501 scheme"],
    ["http://2130706433/", "400 host"],
    ["http://0177.0.0.1/", "400 host"],
    ["http://0x7f.1/", "400 host"],
    ["http://0x7f000001/", "400 host"],
    ["http://0x/", "400 host"],
    ["http://127.1/", "400 host"],
    ["http://127.0.0.1./", "400 host"],
    ["http://127.0.0.01/", "400 host"],
    ["http://256.0.0.1/", "400 host"],
    ["http://1.2.3.4.5/", "400 host"],
    ["http://a.1/", "400 host"],
    ["http://a.0xff./", "400 host"],
    ["http://[::1/", "400 host"],
    ["http://[::1]x/", "400 host"],
    ["http://[::1]x:80/", "400 host"],
    ["http://[1.2.3.4]/", "400 host"],
    ["http://[v1.x]/", "400 host"],
    ["http://[]/", "400 host"],
    ["http://[fe80::1%25lo]/", "400 host"],
    ["http://[fe80::1%lo]/", "400 host"],
    ["http://::1/", "400 host"],
    ["http://a%2eb/", "400 host"],
    ["http://a,b/", "400 host"],
    ["http://a;b/", "400 host"],
    ["http://a!/", "400 host"],
    ["http://a..b/", "400 host"],
    ["http://.a/", "400 host"],
    ["http://a../", "400 host"],
    ["http://./", "400 host"],
    [`http://${"a".repeat(64)}/`, "400 host"],
    [`http://${"a.".repeat(127)}/`, `http ${"a.".repeat(126)}a 80 Host=${"a.".repeat(127)} /`],
    [`http://${"a.".repeat(127)}b/`, "400 host"],
    [`http://${MAX_NAME}/`, `http ${MAX_NAME} 80 Host=${MAX_NAME} /`],
    [`http://${MAX_NAME}a/`, "400 host"],
    ["http://host:0/", "400 port"],
    ["http://host:65536/", "400 port"],
    ["http://host:65535/", "http host 65535 Host=host:65535 /"],
    ["http://host:+80/", "400 port"],
    ["http://host:-1/", "400 port"],
    ["http://host:8o/", "400 port"],
    ["http://host:80:80/", "400 port"],
    ["http://host:000080/", "400 port"],
    ["http://host:%38/", "400 port"],
  ];
  for (const [target, expected] of cases) assert.equal(shown("GET", target), expected, target);
});

test("the target * is about the proxy itself, whatever the method", () => {
  assert.equal(shown("OPTIONS", "*"), "400 origin_form");
  assert.equal(shown("GET", "*"), "400 asterisk_form");
});

test("https in absolute form, where it is taken", () => {
  assert.equal(shown("GET", "https://host/p", true), "https host 443 Host=host /p");
  assert.equal(shown("GET", "https://host:8443", true), "https host 8443 Host=host:8443 /");
  assert.equal(shown("GET", "https://u@host/", true), "400 user_information");
  assert.equal(shown("GET", "http://host/", true), "http host 80 Host=host /");
});

test("CONNECT", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["example.com:443", "tunnel example.com 443 Host=example.com:443 "],
    ["Example.com.:443", "tunnel example.com 443 Host=Example.com.:443 "],
    ["127.0.0.1:80", "tunnel 127.0.0.1 80 literal Host=127.0.0.1:80 "],
    ["[2001:db8::1]:22", "tunnel 2001:db8::1 22 literal Host=[2001:db8::1]:22 "],
    ["example.com", "400 port"],
    ["example.com:", "400 port"],
    ["example.com:0", "400 port"],
    ["example.com:65536", "400 port"],
    ["example.com:https", "400 port"],
    ["[::1]", "400 port"],
    ["::1:443", "400 host"],
    [":443", "400 host"],
    ["*", "400 host"],
    ["user@host:443", "400 user_information"],
    ["http://host/", "400 port"],
    ["http://host:443", "400 port"],
    ["/", "400 port"],
    ["host:443/", "400 port"],
    ["host:443?x", "400 port"],
    ["host:443#x", "400 fragment"],
    ["127.1:443", "400 host"],
    ["[fe80::1%25eth0]:443", "400 host"],
  ];
  for (const [target, expected] of cases) assert.equal(shown("CONNECT", target), expected, target);
});

test("refusals are fit for a reason phrase and repeat nothing of the peer", () => {
  const reasons = new Set<TargetRefusalReason>();
  for (const refusal of Object.values(TARGET_REFUSALS)) {
    assert.match(refusal.words, /^[\x20-\x7e]{1,60}$/);
    assert.match(refusal.detail, /^[\x20-\x7e]+\.$/);
    reasons.add(refusal.reason);
  }
  assert.equal(reasons.size, 10);
});

test("whatever is accepted, the platform's URL parser reads as the same host and port", () => {
  const random = new Random(20_261);
  const pieces = [
    ..."abcxyz019.-_:[]/?@%#\\,!~",
    "127.0.0.1",
    "0x7f",
    "::1",
    "localhost",
    "example.com",
    ":80",
    ":8080",
    "[::ffff:1.2.3.4]",
    "xn--a",
    "..",
  ];
  let accepted = 0;
  for (let round = 0; round < 20_000; round++) {
    let authority = "";
    for (let count = random.between(1, 4); count > 0; count--) authority += random.pick(pieces);
    const target = `http://${authority}/`;
    const read = readForwardTarget("GET", target, false);
    if (read.kind === "refusal") continue;
    accepted++;
    let url: URL;
    try {
      url = new URL(target);
    } catch {
      // The URL standard checks the Punycode of xn-- labels.
      assert.match(target, /xn--/, target);
      continue;
    }
    const host = url.hostname.replace(/\.$/, "");
    const expected = host.startsWith("[") ? host.slice(1, -1) : host;
    // There an IPv4-mapped address stays one of IPv6.
    if (!expected.startsWith("::ffff:")) assert.equal(read.host, expected, target);
    assert.equal(String(read.port), url.port === "" ? "80" : url.port, target);
  }
  assert.ok(accepted > 1000, `${accepted} accepted`);
});
