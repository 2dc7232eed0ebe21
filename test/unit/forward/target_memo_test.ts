/** A target that is remembered reads as one that is read anew, whatever came before it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readForwardTarget } from "../../../src/forward/forward_target.ts";
import { targetOf } from "../../../src/forward/target_memo.ts";
import type { Head } from "../../../src/http/head.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { HeadMemos } from "../../../src/http1/head_memos.ts";
import { HeadScanner } from "../../../src/http1/head_scanner.ts";
import { MessageParser } from "../../../src/http1/message_parser.ts";
import { Random } from "../../fuzz/support/random.ts";
import { walkSeeds } from "../../support/seeds.ts";

/** Reads heads as the connections of one codec do. */
class Reader {
  readonly #scanner = new HeadScanner(new HeadMemos());

  head(method: string, target: string, host: string): Head {
    const parser = new MessageParser("request", DEFAULT_LIMITS, this.#scanner);
    parser.feed(Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "latin1"));
    assert.equal(parser.next(), "head", target);
    assert.ok(parser.head !== null);
    return parser.head;
  }

  /** A head whose fields a memo keeps. */
  known(method: string, target: string, host: string): Head {
    for (let i = 0; i < 20; i++) this.head(method, target, host);
    const head = this.head(method, target, host);
    assert.ok(head.section.memo !== null);
    return head;
  }
}

test("whatever came before with the same fields, a target is read as it is read alone", () => {
  const origins = [
    "http://a",
    "http://a:",
    "http://a:80",
    "http://a:8080",
    "http://ab",
    "http://A",
    "HTTP://a",
    "https://a",
    "https://a:80",
    "http://a.",
    "http://[::1]",
    "http://[::ffff:127.0.0.1]:80",
    "http://127.0.0.1",
    "http://127.1",
    "http://user@a",
    "http://",
    "ftp://a",
    "a:443",
    "a",
    "ws://a",
  ];
  const rests = [
    "",
    "/",
    "/?",
    "?q",
    "/x",
    "/y?z=1",
    "?x/y",
    "//b",
    "/#f",
    "/\\",
    "/%00",
    "@b/",
    ":81/",
    ".b/",
    "/*",
    "#",
    ":80",
    "*",
  ];
  const methods = ["GET", "GET", "GET", "POST", "OPTIONS", "CONNECT", "get"];
  for (const seed of walkSeeds(20)) {
    const random = new Random(seed);
    const reader = new Reader();
    // Not all of these targets would pass the parser.
    const known = { h0: reader.known("GET", "/", "h0"), h1: reader.known("GET", "/", "h1") };
    let host: keyof typeof known = "h0";
    let [accepted, refused] = [0, 0];
    let [method, origin, rest, takesHttps] = ["GET", "http://a", "/", false];
    for (let round = 0; round < 2000; round++) {
      // Of five things few are others than before: so all kinds of neighbours meet.
      if (random.once(4)) method = random.pick(methods);
      if (random.once(6)) origin = random.pick(origins);
      if (random.once(2)) rest = random.pick(rests);
      if (random.once(8)) takesHttps = !takesHttps;
      if (random.once(30)) host = random.pick(["h0", "h1"] as const);
      const target = origin + rest;
      const read = targetOf(known[host].changed(known[host].section, method, target), takesHttps);
      const alone = readForwardTarget(method, target, takesHttps);
      assert.deepEqual(read, alone, `seed ${seed}: ${method} ${target} ${takesHttps}`);
      if (read.kind === "target") accepted++;
      else refused++;
    }
    assert.ok(accepted > 100 && refused > 100, `${accepted} accepted, ${refused} refused`);
  }
});

test("an equal target is the same object, and another path of the same origin no other origin", () => {
  const reader = new Reader();
  const head = reader.known("GET", "http://a:81/x", "h");
  const first = targetOf(head, false);
  assert.equal(targetOf(reader.head("GET", "http://a:81/x", "h"), false), first);
  const other = targetOf(reader.head("GET", "http://a:81/y", "h"), false);
  assert.deepEqual(other, { ...first, target: "/y" });
  assert.deepEqual(targetOf(head, false), first);
  assert.notEqual(targetOf(reader.known("GET", "http://a:81/x", "other"), false), first);
});

test("whether https is taken counts, also for what has been read", () => {
  const head = new Reader().known("GET", "https://a/", "h");
  for (const takesHttps of [true, false, true, true, false, false]) {
    assert.equal(targetOf(head, takesHttps).kind, takesHttps ? "target" : "refusal");
  }
});

test("long targets are read, not kept", () => {
  const head = new Reader().known("GET", `http://a/${"x".repeat(2040)}`, "h");
  const first = targetOf(head, false);
  assert.deepEqual(targetOf(head, false), first);
  assert.notEqual(targetOf(head, false), first);
  assert.equal(head.section.memo?.asked, null);
});
