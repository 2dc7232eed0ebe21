/** Decisions: what can be made, and what is refused with the place and the fix. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isDecision, next, pass, reject, respond, to, tunnel } from "../../../src/script/decision.ts";
import { ScriptError } from "../../../src/answer/script_error.ts";
import { decisionOf } from "../../../src/script/verdict.ts";

const fails = (make: () => unknown, words: RegExp): void => {
  assert.throws(make, (error) => error instanceof ScriptError && words.test(error.message), String(words));
};
// The casts of these tests: scripts are not checked by a compiler.
// deno-lint-ignore no-explicit-any -- whatever a script gives
const any = (value: unknown): any => value;

test("decisions are frozen, and known as such", () => {
  for (
    const made of [to("a"), tunnel("a"), next(), next({ retry: false }), respond(200), reject(), pass({})]
  ) {
    assert.ok(isDecision(made));
    assert.ok(Object.isFrozen(made));
    assert.equal(decisionOf(made), made);
  }
  assert.equal(isDecision({ kind: "to" }), false);
});

test("fields that are never a script's", () => {
  const names = [
    "Connection",
    "content-length",
    "Transfer-Encoding",
    "TE",
    "Trailer",
    "Upgrade",
    "Keep-Alive",
    "Proxy-Connection",
    "Expect",
    "Via",
    "HTTP2-Settings",
  ];
  for (const name of names) {
    for (const value of ["x", null, ["x"]]) {
      fails(() => next({ headers: { [name]: value } }), /written by Sluice/);
      fails(() => pass({ headers: { [name]: value } }), /written by Sluice/);
    }
    fails(() => next({ add: { [name]: "x" } }), /written by Sluice/);
    if (name !== "content-length") fails(() => respond(200, "", { [name]: "x" }), /written by Sluice/);
    fails(() => respond({ body: any([]), trailers: { [name]: "x" } }), /written by Sluice/);
  }
  fails(() => next({ headers: { Host: "a" } }), /say it as `host`/);
  for (const name of ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]) {
    fails(() => next({ headers: { [name]: "a" } }), /Sluice writes it/);
  }
  fails(() => next({ headers: { Proxy: "a" } }), /CGI/);
  fails(() => next({ headers: { X_Y: "a" } }), /use "-"/);
  next({ headers: { "X-Real-IP": "1.2.3.4" } });
});

test("names and values that would be something else on a wire", () => {
  for (const name of ["", " ", "a b", "a:", "a\r\n", "ä", "a\0"]) {
    fails(() => next({ headers: { [name]: "x" } }), /no field name/);
  }
  for (const value of ["a\r\nb", "a\nb", "a\rb", "a\0", "\x7f", "€"]) {
    fails(
      () => next({ headers: { a: value } }),
      /line breaks, control characters or characters beyond Latin-1/,
    );
    fails(() => respond(200, "", { a: value }), /beyond Latin-1/);
  }
  for (const value of [1, {}, undefined, true, () => {}]) {
    fails(() => next({ headers: { a: any(value) } }), /no text/);
  }
  fails(() => next({ headers: { a: ["x", any(1)] } }), /no text/);
  fails(
    () => next({ headers: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`a${at}`, "x"])) }),
    /65 lines/,
  );
  fails(() => next({ headers: { a: "x".repeat(17_000) } }), /bytes, at most/);
  fails(() => respond(200, "", any([["a"]])), /no pair/);
  // Names of JavaScript's own are names like others.
  next({ headers: { constructor: "x", toString: null } });
  fails(() => respond(200, "", any("a: b")), /object or pairs/);
});

test("how a request goes on", () => {
  for (const uri of ["x", "http://a/", "/a b", "/a#b", "/ä", "/a\r\n", "*", ""]) {
    fails(() => to("a", { uri }), /uri: /);
  }
  for (const method of ["HEAD", "TRACE", "CONNECT"]) fails(() => next({ method }), /nothing becomes/);
  for (const method of ["", "A B", "A".repeat(65)]) fails(() => next({ method }), /is none/);
  for (const host of ["", "a b", "a/b", "a@b", "a:b"]) fails(() => next({ host }), /no host/);
  fails(() => next({ body: any(1) }), /no text and no Uint8Array/);
  fails(() => next({ retry: any("no") }), /no boolean/);
  fails(() => next({ key: any(1) }), /key: 1 is no text/);
  fails(() => next({ log: { "a b": 1 } }), /small letters/);
  fails(() => next({ log: { a: any({}) } }), /no text and no number/);
  fails(() => next(any({ header: {} })), /header: there is no such word here; one of headers/);
  fails(() => next(any("x")), /an object is needed/);
  for (const name of ["", undefined, 1, {}]) fails(() => to(any(name)), /name of an upstream/);
});

test("answers", () => {
  for (const status of [0, 99, 100, 101, 199, 600, 200.5, NaN, "200"]) {
    fails(() => respond(any(status)), /200 to 599/);
  }
  fails(() => respond(204, "x"), /has no body/);
  fails(() => respond(304, any((function* () {})())), /has no body/);
  fails(() => respond(200, any(1)), /no text, no Uint8Array/);
  fails(() => respond(200, any({})), /no text, no Uint8Array/);
  fails(() => respond(200, "abc", { "Content-Length": "4" }), /says 4, the body has 3/);
  fails(() => respond(200, "abc", { "Content-Length": "3, 3" }), /no length/);
  fails(() => respond(200, "abc", [["Content-Length", "3"], ["content-length", "3"]]), /no length/);
  fails(() => respond({ body: "x", trailers: { a: "b" } }), /piece by piece/);
  respond(200, "abc", { "Content-Length": "3" });
  for (const status of [200, 399, 600]) fails(() => reject(status), /400 to 599/);
  fails(() => reject(403, "a\r\nb"), /without line breaks/);
  for (const status of [204, 304, 101, 600]) fails(() => pass({ status }), /status/);
});

test("what is no decision", () => {
  for (const value of ["app", 1, true, [], () => {}, Symbol.iterator, { kind: "to", upstream: "a" }]) {
    fails(() => decisionOf(value), /is no decision and no answer/);
  }
  assert.equal(decisionOf(undefined), null);
  assert.equal(decisionOf(null), null);
  fails(() => decisionOf("app"), /named by to\("app"\)/);
});
