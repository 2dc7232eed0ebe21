/** Every cell of the retry table, and what policies change in it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttemptFacts, decideRetry, type RetryPolicy } from "../../../src/exchange/retry.ts";

const DEFAULT: RetryPolicy = {
  on: ["reset"],
  methods: ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"],
  tries: 0,
  unansweredTries: 3,
  unanswered: false,
};

const FACTS: AttemptFacts = {
  failure: "reset",
  sent: true,
  reused: false,
  anyResponse: false,
  responseBegun: false,
  method: "GET",
  idempotencyKey: false,
  replayable: true,
  attempts: 1,
  lost: 1,
  timeLeftMs: 1000,
  pinned: false,
  elsewhere: false,
};

/** "again", "fresh" (again, on a new connection), or why not. */
function decided(facts: Partial<AttemptFacts>, policy: Partial<RetryPolicy> = {}): string {
  const decision = decideRetry({ ...FACTS, ...facts }, { ...DEFAULT, ...policy });
  return decision.kind === "again" ? decision.fresh ? "fresh" : "again" : decision.because;
}

/** What has happened to the request, by column. */
const COLUMNS = {
  "nothing sent, new": { sent: false, reused: false },
  "nothing sent, reused": { sent: false, reused: true },
  "sent, reused": { sent: true, reused: true },
  "sent, new": { sent: true, reused: false },
  "begun": { sent: true, reused: false, responseBegun: true },
  "begun, reused": { sent: true, reused: true, responseBegun: true },
} as const;

/** What the request is, by row. */
const ROWS = {
  "GET": { method: "GET" },
  "HEAD": { method: "HEAD" },
  "OPTIONS": { method: "OPTIONS" },
  "PUT": { method: "PUT" },
  "DELETE": { method: "DELETE" },
  "PUT, streamed": { method: "PUT", replayable: false },
  "POST": { method: "POST" },
  "PATCH": { method: "PATCH" },
  "POST, streamed": { method: "POST", replayable: false },
  "POST, key": { method: "POST", idempotencyKey: true },
  "POST, key, streamed": { method: "POST", idempotencyKey: true, replayable: false },
} as const;

const IDEMPOTENT = ["again", "again", "fresh", "again", "response_begun", "response_begun"];
const STREAMED = [
  "body_not_replayable",
  "body_not_replayable",
  "body_not_replayable",
  "body_not_replayable",
  "response_begun",
  "response_begun",
];
const OTHER = ["again", "again", "not_idempotent", "not_idempotent", "response_begun", "response_begun"];
const OTHER_STREAMED = [
  "body_not_replayable",
  "body_not_replayable",
  "not_idempotent",
  "not_idempotent",
  "response_begun",
  "response_begun",
];

const TABLE: Record<keyof typeof ROWS, readonly string[]> = {
  "GET": IDEMPOTENT,
  "HEAD": IDEMPOTENT,
  "OPTIONS": IDEMPOTENT,
  "PUT": IDEMPOTENT,
  "DELETE": IDEMPOTENT,
  "PUT, streamed": STREAMED,
  "POST": OTHER,
  "PATCH": OTHER,
  "POST, streamed": OTHER_STREAMED,
  "POST, key": IDEMPOTENT,
  "POST, key, streamed": STREAMED,
};

function rows(policy: Partial<RetryPolicy>, more: Partial<AttemptFacts> = {}): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(ROWS).map(([name, row]) => [
      name,
      Object.values(COLUMNS).map((column) => decided({ ...row, ...column, ...more }, policy)),
    ]),
  );
}

test("the table, cell by cell", () => {
  assert.deepEqual(rows({}), TABLE);
});

test("retry: unanswered repeats any method while nothing has been answered", () => {
  assert.deepEqual(rows({ unanswered: true }), {
    ...TABLE,
    "POST": IDEMPOTENT,
    "PATCH": IDEMPOTENT,
    "POST, streamed": STREAMED,
  });
});

test("retry: off repeats nothing that was sent, and still holds what was not", () => {
  const off = { on: [], tries: 1 } as const;
  const expected = ["again", "again", "exhausted", "exhausted", "response_begun", "response_begun"];
  assert.deepEqual(rows(off)["GET"], expected);
  assert.deepEqual(rows(off)["POST"], expected);
});

test("methods narrow and widen", () => {
  assert.equal(decided({ method: "PUT" }, { methods: ["GET"] }), "not_idempotent");
  assert.equal(decided({ method: "PUT", idempotencyKey: true }, { methods: ["GET"] }), "again");
  assert.equal(decided({ method: "POST" }, { methods: ["POST"] }), "again");
  assert.equal(decided({ method: "get" }), "not_idempotent", "methods are case-sensitive");
});

test("time: nothing is held beyond the hold time, but a dead pooled connection costs nobody its request", () => {
  const late = { timeLeftMs: 0 };
  assert.deepEqual(rows({}, late)["GET"], [
    "exhausted",
    "again",
    "fresh",
    "exhausted",
    "response_begun",
    "response_begun",
  ]);
  assert.deepEqual(rows({}, { timeLeftMs: -1 })["POST"]?.slice(0, 2), ["exhausted", "again"]);
});

test("time: another endpoint that is ready may be tried without holding", () => {
  const late = { timeLeftMs: 0, elsewhere: true };
  assert.deepEqual(rows({}, late)["GET"]?.slice(0, 4), ["again", "again", "fresh", "again"]);
  assert.deepEqual(rows({}, late)["POST"]?.slice(0, 4), [
    "again",
    "again",
    "not_idempotent",
    "not_idempotent",
  ]);
});

test("tries count the first attempt; unsent attempts have only the clock", () => {
  assert.equal(decided({ attempts: 1 }, { tries: 1 }), "exhausted");
  assert.equal(decided({ attempts: 1, reused: true }, { tries: 1 }), "exhausted");
  assert.equal(decided({ attempts: 2 }, { tries: 3 }), "again");
  assert.equal(decided({ attempts: 3 }, { tries: 3 }), "exhausted");
  assert.equal(decided({ attempts: 1000 }), "again", "0 = until the hold time ends");
  assert.equal(decided({ attempts: 3, sent: false }, { tries: 3 }), "again");
});

test("a failure counts only when the policy lists it", () => {
  assert.equal(decided({ failure: "timeout" }), "exhausted");
  assert.equal(decided({ failure: "timeout" }, { on: ["timeout"] }), "again");
  assert.equal(decided({ failure: "timeout", reused: true }, { on: ["timeout"] }), "again");
  assert.equal(decided({ failure: "timeout", method: "POST" }, { on: ["timeout"] }), "not_idempotent");
  assert.equal(decided({ failure: "reset" }, { on: ["timeout"] }), "exhausted");
});

test("attempts without an answer are bounded, beside all attempts", () => {
  assert.equal(decided({ lost: 2 }), "again");
  assert.equal(decided({ lost: 3 }), "exhausted");
  assert.equal(decided({ lost: 3, reused: true }), "exhausted");
  assert.equal(decided({ lost: 3 }, { unansweredTries: 0 }), "again");
  assert.equal(decided({ lost: 1, attempts: 2 }, { unansweredTries: 9, tries: 2 }), "exhausted");
  assert.equal(decided({ lost: 3, failure: "timeout" }, { on: ["timeout"] }), "exhausted");
  // One that was not sent has done no harm, however the others ended.
  assert.equal(decided({ lost: 3, sent: false }), "again");
});

test("what belongs to its connection goes on no other, whatever else is true", () => {
  const on = ["reset", "timeout", 502] as const;
  for (const failure of on) {
    for (const sent of [false, true]) {
      for (const reused of [false, true]) {
        const facts = { failure, sent, reused, pinned: true, elsewhere: true, idempotencyKey: true };
        assert.equal(decided(facts, { on, unanswered: true, tries: 9 }), "pinned");
      }
    }
  }
  assert.equal(decided({ pinned: true, responseBegun: true }), "response_begun");
});

test("a status is retried only when listed, three attempts unless the policy has a number", () => {
  for (const failure of [502, 503, 504] as const) {
    const on = [failure];
    assert.equal(decided({ failure }), "exhausted");
    assert.equal(decided({ failure }, { on }), "again");
    assert.equal(decided({ failure, attempts: 2 }, { on }), "again");
    assert.equal(decided({ failure, attempts: 3 }, { on }), "exhausted");
    assert.equal(decided({ failure, attempts: 3 }, { on, tries: 5 }), "again");
    assert.equal(decided({ failure, attempts: 5 }, { on, tries: 5 }), "exhausted");
    assert.equal(decided({ failure, method: "POST" }, { on }), "not_idempotent");
    assert.equal(decided({ failure, method: "POST", idempotencyKey: true }, { on }), "again");
    assert.equal(decided({ failure, method: "POST" }, { on, unanswered: true }), "not_idempotent");
    assert.equal(decided({ failure, replayable: false }, { on }), "body_not_replayable");
    // A healthy reused connection is as good as a new one.
    assert.equal(decided({ failure, reused: true }, { on }), "again");
    // The response may be complete before the request is taken.
    assert.equal(decided({ failure, sent: false, method: "POST" }, { on }), "not_idempotent");
  }
});
