/** How long a request waits: every product of holding, queueing and pauses. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TICK_MS } from "../../../src/time/deadline_queue.ts";
import { Random } from "../../fuzz/support/random.ts";
import { type LabOptions, type TestWaiter, UpstreamLab } from "../../support/upstream_lab.ts";
import { walkSeeds } from "../../support/seeds.ts";

/** An upstream whose only slot is taken for as long as the test likes. */
async function full(options: LabOptions): Promise<UpstreamLab & { readonly first: TestWaiter }> {
  const lab = new UpstreamLab({ maxInFlight: 1, ...options });
  await lab.backend().up();
  const first = lab.ask("first");
  lab.run();
  assert.notEqual(first.connection, null);
  return Object.assign(lab, { first });
}

/** `waiter` fails in `ms` from now, give or take what deadlines are precise to. */
function failsIn(lab: UpstreamLab, waiter: TestWaiter, ms: number, failure: string): void {
  lab.advance(ms - 10);
  assert.equal(waiter.failure, "", `not before ${ms} ms`);
  lab.advance(2 * TICK_MS);
  assert.equal(waiter.failure, failure);
}

test("a pause fails nobody who has waited in the queue for longer than hold", async () => {
  const lab = await full({ holdMs: 5000, queueTimeoutMs: 300_000 });
  const waiter = lab.ask();
  lab.advance(40_000);
  lab.upstream.pause();
  lab.advance(2000);
  assert.equal(waiter.failure, "");
  lab.upstream.resume();
  lab.first.answered();
  lab.advance(500);
  assert.notEqual(waiter.connection, null);
});

test("an outage fails nobody who has waited in the queue for longer than hold", async () => {
  const lab = await full({ holdMs: 5000, queueTimeoutMs: 300_000 });
  const waiter = lab.ask();
  lab.advance(40_000);
  lab.upstream.withdraw(lab.endpoint());
  failsIn(lab, waiter, 5000, "hold_timeout");
});

for (const holdMs of [0, 5000, 60_000]) {
  for (const queueTimeoutMs of [0, 1000]) {
    const mostMs = Math.max(holdMs, 30_000);
    const settings = { holdMs, queueTimeoutMs };
    const name = `hold ${holdMs}, queue.timeout ${queueTimeoutMs}`;

    test(`${name}: a pause counts from the arrival of who comes meanwhile`, async () => {
      const lab = await full(settings);
      lab.upstream.pause();
      lab.advance(10_000);
      failsIn(lab, lab.ask(), mostMs, "hold_timeout");
    });

    test(`${name}: a pause that is asked for again does not begin anew, the next one does`, async () => {
      const lab = await full(settings);
      lab.upstream.pause();
      const waiter = lab.ask();
      lab.advance(20_000);
      lab.upstream.pause();
      lab.upstream.resume();
      lab.upstream.pause();
      lab.advance(5000);
      lab.upstream.pause();
      failsIn(lab, waiter, mostMs - 5000, "hold_timeout");
    });

    test(`${name}: after a pause the wait for a slot has an end`, async () => {
      const lab = await full(settings);
      lab.upstream.pause();
      const waiter = lab.ask();
      lab.advance(20_000);
      lab.upstream.resume();
      failsIn(lab, waiter, queueTimeoutMs === 0 ? mostMs : queueTimeoutMs, "queue_timeout");
    });

    test(`${name}: a pause over an outage, which counts from the resume`, async () => {
      const lab = await full(settings);
      lab.first.answered();
      lab.backend().down();
      lab.backend().resetAll();
      lab.run();
      const early = lab.ask();
      lab.run();
      lab.upstream.pause();
      const waiter = lab.ask();
      lab.advance(20_000);
      assert.equal(early.failure, holdMs === 0 ? "connection_refused" : "", "refused before the pause");
      lab.upstream.resume();
      if (holdMs === 0) {
        lab.run();
        assert.equal(waiter.failure, "connection_refused", "one more dial, and no wait");
      } else {
        failsIn(lab, waiter, holdMs, "hold_timeout");
      }
    });
  }
}

test("without hold a dial that has to wait for a slot has an end, too", async () => {
  const lab = await full({ holdMs: 0, connectTimeoutMs: 1000, maxInFlight: 2 });
  const second = lab.ask();
  lab.advance(500);
  assert.notEqual(second.connection, null);
  const { settings } = lab.upstream;
  lab.upstream.reconfigure({
    ...settings,
    endpoints: settings.endpoints.map((endpoint) => ({ ...endpoint, maxInFlight: 1 })),
  });
  // The only slot that is left is taken by a request that never ends, and nothing can be dialled.
  second.resetAndRetry();
  assert.equal(lab.upstream.allDown, true);
  const waiter = lab.ask();
  failsIn(lab, waiter, 31_000, "hold_timeout");
});

test("a request that comes back to a full upstream waits for a slot anew", async () => {
  const lab = await full({ queueTimeoutMs: 1000, holdMs: 60_000 });
  lab.advance(5000);
  const second = lab.ask();
  lab.first.resetAndRetry();
  lab.run();
  lab.advance(500);
  for (const waiter of [lab.first, second]) assert.equal(waiter.failure, "");
});

/** One request, as the table in hold_clock.ts describes it, by adding up small steps of time. */
interface Expected {
  readonly waiter: TestWaiter;
  openMs: number;
  downMs: number;
  pausedMs: number;
}

const SEEDS = 300;

test("whatever happens in whichever order, each request waits as long as the table says", async () => {
  for (const seed of walkSeeds(SEEDS)) {
    const random = new Random(seed);
    const holdMs = random.pick([0, 2000, 7000, 45_000]);
    const queueTimeoutMs = random.pick([0, 1500, 9000, 80_000]);
    const lab = await full({ holdMs, queueTimeoutMs });
    const expected: Expected[] = [];
    let paused = false;
    let down = false;
    const trace: string[] = [];
    // Some change of the state is about half of what happens, so most waits meet several.
    for (let step = 0; step < 40; step++) {
      const action = random.pick(["ask", "ask", "pause", "resume", "withdraw", "restore", "pass", "pass"]);
      trace.push(action);
      if (action === "ask") {
        const waiter = lab.ask();
        // What is turned away at once is for other tests.
        if (waiter.failure === "") expected.push({ waiter, openMs: 0, downMs: 0, pausedMs: 0 });
      } else if (action === "pause") {
        if (!paused) { for (const each of expected) each.pausedMs = 0; }
        paused = true;
        lab.upstream.pause();
      } else if (action === "resume") {
        if (paused) { for (const each of expected) each.downMs = 0; }
        paused = false;
        lab.upstream.resume();
      } else if (action === "withdraw") {
        down = true;
        lab.upstream.withdraw(lab.endpoint());
      } else if (action === "restore") {
        down = false;
        lab.upstream.restore(lab.endpoint());
      }
      const passes = action === "pass" ? random.pick([1000, 4000, 20_000]) : 100;
      trace.push(String(passes));
      for (let passed = 0; passed < passes; passed += 100) {
        lab.advance(100);
        for (const each of expected) {
          if (paused) each.pausedMs += 100;
          else if (down) each.downMs += 100;
          else each.openMs += 100;
          const most = paused
            ? Math.max(holdMs, 30_000)
            : down
            ? holdMs
            : queueTimeoutMs === 0
            ? Math.max(holdMs, 30_000)
            : queueTimeoutMs;
          const over = (paused ? each.pausedMs : down ? each.downMs : each.openMs) - most;
          const what = `seed ${seed}, hold ${holdMs}, queue ${queueTimeoutMs}, ${each.waiter.name} after ` +
            `${trace.join(" ")} at ${passed}: ${JSON.stringify({ ...each, waiter: each.waiter.failure })}`;
          if (over >= 100) assert.notEqual(each.waiter.failure, "", `still there: ${what}`);
          if (over < 0) assert.equal(each.waiter.failure, "", `gone too early: ${what}`);
        }
        for (let at = expected.length; at-- > 0;) {
          if (expected[at]?.waiter.failure !== "") expected.splice(at, 1);
        }
      }
    }
  }
});
