/** Which losses count, and how long the next connection must stand open, by what became of those before. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Losses } from "../../../src/exchange/losses.ts";
import { LifeSigns } from "../../../src/upstream/life_signs.ts";

/** An endpoint that has lost a request at this time. Monotonic milliseconds. */
const FIRST_LOSS = 1000;

interface Life {
  readonly reused?: boolean;
  /** Milliseconds after the loss before: when its connection was dialled, was open, and carried the request. */
  readonly dialled?: number;
  readonly opened?: number;
  readonly sent?: number;
  /** From then to its end. */
  readonly lived?: number;
  /** What is known of the endpoint, milliseconds after the loss before; below 0 = not since. */
  readonly refused?: number;
  readonly proved?: number;
  /** Part of an answer came. */
  readonly anyResponse?: boolean;
  readonly timeout?: boolean;
  /** Of another endpoint than the one before. */
  readonly elsewhere?: boolean;
}

function after(...lives: readonly Life[]): Losses {
  const losses = new Losses();
  let signs = new LifeSigns();
  let at = FIRST_LOSS;
  for (const life of lives) {
    const { opened = 0, refused = -1, proved = -1 } = life;
    const { dialled = opened, sent = opened } = life;
    if (life.elsewhere === true) signs = new LifeSigns();
    signs.refusedAt = at + refused;
    signs.answered(at + proved);
    const sentAt = at + sent;
    const ended = sentAt + (life.lived ?? 1);
    losses.note(
      {
        reused: life.reused === true,
        anyResponse: life.anyResponse === true,
        sentAt,
        peer: { openedAt: at + opened, connectMs: opened - dialled },
      },
      signs,
      life.timeout !== true,
      ended,
    );
    at = ended;
  }
  return losses;
}

const POOLED: Life = { reused: true, lived: 5 };
/** Right after the loss before, and nothing has been heard of the endpoint. */
const AT_ONCE: Life = {};
const PROVED: Life = { proved: 1 };

/** Of new connections at an endpoint that answers others; how long each has lasted after the request was sent. */
function lasting(...lives: readonly number[]): number {
  return after(...lives.map((lived) => ({ ...PROVED, lived }))).probationMs;
}

test("each loss counts, whatever the connection was, where the endpoint has lived in between", () => {
  assert.equal(new Losses().count, 0);
  for (const first of [POOLED, AT_ONCE]) {
    assert.equal(after(first).count, 1);
    assert.equal(after(first, PROVED).count, 2);
    assert.equal(after(first, PROVED, PROVED).count, 3);
  }
});

for (
  const [what, second, count] of [
    ["nothing was heard of the endpoint", AT_ONCE, 1],
    ["its connection was reset late", { lived: 5000 }, 1],
    ["its connection had stood open for a little while", { opened: 1, sent: 100 }, 1],
    ["its connection had stood open for long", { opened: 1, sent: 201 }, 2],
    ["it was a pooled one, which had been open before", { reused: true, opened: -5000, sent: 3 }, 1],
    ["it was a pooled one, and the loss before is long ago", { reused: true, opened: -5000, sent: 200 }, 2],
    ["what was sent before the first loss had been answered", { proved: 0 }, 1],
    ["what was sent after the first loss had been answered", { opened: 3, proved: 1 }, 2],
    ["it had an interim response, or half a head", { anyResponse: true }, 2],
    ["a dial had been refused in between", { refused: 2, dialled: 2, opened: 3 }, 2],
    ["a dial had been refused before the first loss", { refused: -3, dialled: 1, opened: 1 }, 1],
    ["it was dialled before another dial was refused", { refused: 2, dialled: 1, opened: 3 }, 1],
    ["it was another endpoint's", { elsewhere: true }, 2],
    ["it was no end: there was no answer in time", { timeout: true }, 2],
  ] as const satisfies readonly (readonly [string, Life, number])[]
) {
  test(`a second loss counts ${count === 1 ? "not" : "as well"}: ${what}`, () => {
    for (const first of [POOLED, { lived: 20 }]) {
      const losses = after(first, second);
      assert.equal(losses.count, count);
      assert.equal(losses.attempts, 2);
    }
  });
}

test("a loss after a timeout is another one", () => {
  assert.equal(after({ timeout: true }, AT_ONCE).count, 2);
});

test("whatever an endpoint does, no more than one loss is left out", () => {
  assert.equal(after(POOLED, AT_ONCE, AT_ONCE).count, 2);
  assert.equal(after(...Array.from({ length: 20 }, () => AT_ONCE)).count, 19);
});

test("what was lost on a pooled connection needs no probation; on a new one it does, longer from the second on", () => {
  assert.equal(new Losses().probationMs, 0);
  assert.equal(after(POOLED).probationMs, 0);
  assert.equal(lasting(0), 25);
  for (const first of [AT_ONCE, POOLED]) {
    assert.equal(after(first, AT_ONCE).probationMs, 25, "it was one end");
    assert.equal(after(first, PROVED).probationMs, 200);
  }
  assert.equal(lasting(1, 1, 1, 1, 1), 200, "it does not grow without a reason");
});

test("the time after which a connection was dropped is waited for twice, up to a bound, and never forgotten", () => {
  assert.equal(lasting(120), 240);
  assert.equal(lasting(120, 5), 240);
  assert.equal(lasting(400), 500);
  assert.equal(lasting(500), 25, "too long to be waited for when it may be a restart");
  assert.equal(
    after(POOLED, { ...PROVED, lived: 500 }).probationMs,
    200,
    "the same after one that needs none",
  );
  assert.equal(lasting(3000, 2950), 4000);
  assert.equal(lasting(900, 900), 1750, "less the probation that it has had");
  assert.equal(lasting(60_000, 60_000), 200);
});
