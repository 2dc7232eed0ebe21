import assert from "node:assert/strict";
import { test } from "node:test";
import { expectsContinue } from "../../../src/http/expect.ts";
import { FAULTS } from "../../../src/http/fault.ts";
import { maxForwards } from "../../../src/http/max_forwards.ts";
import { checkRequest } from "../../../src/http1/request_rules.ts";
import { requestHead } from "./support.ts";

// Most cases are in test/vectors/host_and_target.ts and request_framing.ts.

test("an ordinary request passes", () => {
  const head = requestHead("GET / HTTP/1.1", "Host: a", "Connection: keep-alive", "Expect: 100-continue");
  assert.equal(checkRequest(head), null);
});

test("faults name what is wrong", () => {
  assert.equal(checkRequest(requestHead("GET / HTTP/1.1")), FAULTS.noHost);
  assert.equal(checkRequest(requestHead("GET / HTTP/1.1", "Host: a", "Expect: x")), FAULTS.expectation);
  assert.equal(FAULTS.expectation.status, 417);
});

test("who waits for 100 (Continue)", () => {
  assert.ok(expectsContinue(requestHead("GET / HTTP/1.1", "Expect: 100-continue")));
  assert.ok(expectsContinue(requestHead("GET / HTTP/1.1", "expect:100-Continue")));
  assert.ok(!expectsContinue(requestHead("GET / HTTP/1.1")));
  assert.ok(!expectsContinue(requestHead("GET / HTTP/1.0", "Expect: 100-continue")));
  assert.ok(!expectsContinue(requestHead("GET / HTTP/1.1", "Expect: 100-continued")));
  assert.ok(!expectsContinue(requestHead("GET / HTTP/1.1", "Expect: 100-continue", "Expect: 100-continue")));
});

test("Max-Forwards", () => {
  const hops = (...fields: string[]): number => maxForwards(requestHead("TRACE / HTTP/1.1", ...fields));
  assert.equal(hops(), -1);
  assert.equal(hops("Max-Forwards: 0"), 0);
  assert.equal(hops("Max-Forwards: 010"), 10);
  assert.equal(hops("Max-Forwards: 999999999"), 999_999_999);
  assert.equal(hops("Max-Forwards: 9999999999"), -1);
  assert.equal(hops("Max-Forwards: +1"), -1);
});
