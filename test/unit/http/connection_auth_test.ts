/** Which fields authenticate connections, and what is left of challenges without them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  answersChallenge,
  authenticatesConnection,
  connectionChallenge,
  plainChallenges,
  withoutConnectionChallenges,
} from "../../../src/http/connection_auth.ts";
import { ownFields } from "../../../src/http/forwarded_fields.ts";
import { fieldSection } from "../../../src/http/own_fields.ts";
import { fieldLines } from "../../../src/http1/encode.ts";
import { requestHead, responseHead } from "../http1/support.ts";

/** What is left of these field lines. */
function remaining(lines: string): string {
  const head = responseHead("HTTP/1.1 401 Unauthorized", ...lines.split("\r\n").slice(0, -1));
  return fieldLines(withoutConnectionChallenges(ownFields(head.section)));
}

test("Authorization with a scheme of connections, on any line, in any case", () => {
  for (
    const value of [
      "NTLM TlRMTVNTUAAB",
      "ntlm",
      "Negotiate YII=",
      "nEgOtIaTe\tYII=",
      "Nego2 x",
      "NegoEx x",
      "Kerberos x",
      "KERBEROS",
    ]
  ) {
    assert.equal(
      authenticatesConnection(requestHead("GET / HTTP/1.1", "Host: a", `AUTHORIZATION:${value}`)),
      true,
    );
    const second = requestHead("GET / HTTP/1.1", "Authorization: Basic eDp5", `authorization:  ${value}`);
    assert.equal(authenticatesConnection(second), true, value);
  }
  for (const value of ["", "Basic TlRMTQ==", "Bearer Negotiate", "Digest username=ntlm", "xNTLM", "nt lm"]) {
    assert.equal(
      authenticatesConnection(requestHead("GET / HTTP/1.1", `Authorization: ${value}`)),
      false,
      value,
    );
  }
  assert.equal(authenticatesConnection(requestHead("GET / HTTP/1.1", "X-Authorization: NTLM x")), false);
});

test("what may answer a challenge: all tokens but those that begin a handshake", () => {
  const answers = (...lines: string[]) =>
    answersChallenge(requestHead("GET / HTTP/1.1", "Host: a", ...lines));
  for (const value of ["NTLM TlRMTVNTUAADAAAA", "Negotiate oYIBzzCC", "ntlm \t TlRMTVNTUAAD", "Kerberos x"]) {
    assert.equal(answers(`Authorization: ${value}`), true, value);
  }
  for (
    const value of [
      "NTLM",
      "NTLM TlRMTVNTUAABAAAA",
      "Negotiate YIIGhgYG",
      "Basic TlRMTVNTUAAD",
      "Bearer x",
      "",
    ]
  ) {
    assert.equal(answers(`Authorization: ${value}`), false, value);
  }
  assert.equal(answers("Authorization: NTLM TlRMTVNTUAABAAAA", "Authorization: NTLM TlRMTVNTUAADAAAA"), true);
  assert.equal(answers("X-A: NTLM TlRMTVNTUAADAAAA"), false);
});

test("challenges: offered, or with a token, wherever they stand", () => {
  const found = (...lines: string[]) => connectionChallenge(responseHead("HTTP/1.1 401 No", ...lines));
  assert.equal(found(), "none");
  assert.equal(found('WWW-Authenticate: Basic realm="NTLM, Negotiate abc"'), "none");
  assert.equal(found("WWW-Authenticate: NTLM"), "offered");
  assert.equal(found("www-authenticate: Basic realm=a, charset=x, Negotiate"), "offered");
  assert.equal(found("WWW-Authenticate: Negotiate, Basic realm=a"), "offered");
  assert.equal(found("WWW-Authenticate: Basic realm=a", "WWW-Authenticate: NTLM TlRMTVNT"), "token");
  assert.equal(found("Proxy-Authenticate: NTLM TlRMTVNT"), "token");
  assert.equal(found("WWW-Authenticate: Basic realm=a, Negotiate YII=="), "token");
  assert.equal(found("X-Authenticate: NTLM x"), "none");
});

test("what is left without them: other fields, and other challenges behind them", () => {
  const rows: readonly (readonly [before: string, after: string])[] = [
    ["WWW-Authenticate: NTLM x\r\n", ""],
    ["A: 1\r\nWWW-Authenticate: NTLM x\r\nB: 2\r\n", "A: 1\r\nB: 2\r\n"],
    [
      'www-authenticate: Negotiate, Basic realm="a, NTLM b", charset="UTF-8", NTLM, Digest realm=c,qop=auth\r\n',
      'www-authenticate: Basic realm="a, NTLM b", charset="UTF-8", Digest realm=c, qop=auth\r\n',
    ],
    ["WWW-Authenticate: Basic  realm=a ,charset=b\r\n", "WWW-Authenticate: Basic  realm=a ,charset=b\r\n"],
    ["WWW-Authenticate: NTLM\r\nWWW-Authenticate: Bearer\r\n", "WWW-Authenticate: Bearer\r\n"],
    [
      'WWW-Authenticate: Basic realm="a\\", NTLM", Negotiate x==\r\n',
      'WWW-Authenticate: Basic realm="a\\", NTLM"\r\n',
    ],
    ['WWW-Authenticate: Basic realm="open, NTLM\r\n', 'WWW-Authenticate: Basic realm="open, NTLM\r\n'],
    ["", ""],
  ];
  for (const [before, after] of rows) assert.equal(remaining(before), after);
});

test("long and odd challenges take linear time", () => {
  const odd = [
    ",".repeat(60_000),
    '"'.repeat(60_000),
    "a=,".repeat(20_000),
    `NTLM ${"\\".repeat(60_000)}`,
    "=".repeat(60_000),
  ];
  const began = performance.now();
  for (const value of odd) withoutConnectionChallenges(ownFields(fieldSection(["WWW-Authenticate", value])));
  const each = (performance.now() - began) / odd.length;
  // Quadratic would be minutes.
  assert.ok(each < 2000, `${each} ms each`);
});

test("Proxy-Authorization counts where it is sent on to a proxy, and nowhere else", () => {
  const request = (line: string) => requestHead("CONNECT a.test:443 HTTP/1.1", "Host: a", line);
  const first = request("Proxy-Authorization: NTLM TlRMTVNTUAABAAAA");
  const answer = request("proxy-authorization: negotiate oYIB");
  const basic = request("Proxy-Authorization: Basic TlRMTVNTUAAB");
  assert.deepEqual([first, answer, basic].map((head) => authenticatesConnection(head)), [
    false,
    false,
    false,
  ]);
  assert.deepEqual([first, answer, basic].map((head) => authenticatesConnection(head, true)), [
    true,
    true,
    false,
  ]);
  assert.deepEqual([first, answer, basic].map((head) => answersChallenge(head, true)), [false, true, false]);
  assert.ok(authenticatesConnection(request("Authorization: NTLM abc"), true));
});

test("what is left of a challenge line without those of connections", () => {
  assert.equal(plainChallenges('NTLM, Basic realm="a, NTLM", Negotiate abc=='), 'Basic realm="a, NTLM"');
  assert.equal(plainChallenges("NTLM TlRMTVNTUAAC"), "");
  assert.equal(
    plainChallenges('Digest realm="a", nonce="b", qop="auth"'),
    'Digest realm="a", nonce="b", qop="auth"',
  );
});
