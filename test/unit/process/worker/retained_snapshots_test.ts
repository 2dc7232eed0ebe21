/**
 * What is replaced is freed: after any number of reloads and swaps one configuration and one snapshot are there, and
 * whatever requests under way still use.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway } from "../../../../src/gateway/gateway.ts";
import type { Snapshot } from "../../../../src/gateway/snapshot.ts";
import type { Outcome } from "../../../../src/control/plane.ts";
import { collect } from "../../../support/collector.ts";
import { answerOf } from "../../../support/network_lab.ts";
import { PlaneLab } from "../../../support/plane_lab.ts";

const ROUNDS = 40;
/**
 * Of 40; a leak keeps all of them. The one that serves, and what the stack or a register still names: collectors look
 * there without knowing types, and in a process that has run other tests they find up to a dozen.
 */
const MOST_RETAINED = 20;

class Retained {
  readonly worlds: WeakRef<Snapshot>[] = [];
  readonly configs: WeakRef<object>[] = [];

  /** Keeps an eye on the configuration that was read last. */
  note(lab: PlaneLab): void {
    assert.ok(lab.plane.loaded !== null);
    this.configs.push(new WeakRef(lab.plane.loaded.config));
  }

  /** How many of each are there still. */
  async count(): Promise<{ readonly worlds: number; readonly configs: number }> {
    await collect();
    const left = (refs: readonly WeakRef<object>[]) => refs.filter((ref) => ref.deref() !== undefined).length;
    return { worlds: left(this.worlds), configs: left(this.configs) };
  }
}

/** Starts a Sluice whose worlds are noted as they are put in use. */
async function use(yaml: string, body: (lab: PlaneLab, retained: Retained) => Promise<void>): Promise<void> {
  const retained = new Retained();
  const original = Gateway.prototype.use;
  Gateway.prototype.use = function (snapshot) {
    retained.worlds.push(new WeakRef(snapshot));
    original.call(this, snapshot);
  };
  try {
    const lab = await PlaneLab.start(yaml);
    await body(lab, retained);
    await lab.stop();
  } finally {
    Gateway.prototype.use = original;
  }
}

async function done<T>(lab: PlaneLab, answer: Promise<Outcome<T>>): Promise<void> {
  const outcome = await lab.done(answer);
  assert.ok(outcome.ok, outcome.ok ? "" : outcome.message);
}

async function assertFreed(retained: Retained, rounds: number): Promise<void> {
  const { worlds, configs } = await retained.count();
  assert.equal(retained.worlds.length, rounds, "worlds were put in use");
  assert.ok(worlds <= MOST_RETAINED, `${worlds} worlds of ${rounds} are kept`);
  assert.ok(configs <= MOST_RETAINED, `${configs} configurations of ${rounds} are kept`);
}

/** The configuration of one generation; `b` has another name in each. */
function yamlOf(generation: number): string {
  return `queue: {size: ${100 + generation}}
upstreams:
  a: {endpoints: [3001]}
  b${generation}: {endpoints: [${4000 + generation}]}
routes:
  - {match: {path: /own}, respond: "generation ${generation}"}
  - {match: {path: /b}, to: b${generation}}
  - {to: a}
`;
}

test("worlds and configurations before a reload are freed", () =>
  use(yamlOf(0), async (lab, retained) => {
    await lab.backend(3001);
    for (let generation = 1; generation <= ROUNDS; generation++) {
      lab.yaml = yamlOf(generation);
      await done(lab, lab.plane.reload());
      retained.note(lab);
      const client = lab.ask("/own");
      assert.equal(answerOf(client), `200 generation ${generation}`);
      client.socket.abort();
    }
    await lab.pass(60_000);
    await assertFreed(retained, ROUNDS);
  }));

test("clients that stay connected do not keep the worlds in which they came", () =>
  use(yamlOf(0), async (lab, retained) => {
    await lab.backend(3001);
    const clients = [];
    for (let generation = 1; generation <= ROUNDS; generation++) {
      clients.push(lab.ask("/some"));
      await lab.pass(5);
      lab.yaml = yamlOf(generation);
      await done(lab, lab.plane.reload());
      retained.note(lab);
    }
    await assertFreed(retained, ROUNDS);
    for (const client of clients) assert.equal(answerOf(client), "200 3001/some");
  }));

test("worlds and configurations before a swap are freed", () =>
  use("to: [3001]\n", async (lab, retained) => {
    await lab.backend(3001);
    await lab.backend(3002);
    for (let round = 1; round <= ROUNDS; round++) {
      await done(lab, lab.plane.swap("default", [round % 2 === 0 ? "3001" : "3002"], null, 1000, 1000));
      await lab.pass(5);
      lab.ask("/").socket.abort();
    }
    await lab.pass(60_000);
    await assertFreed(retained, ROUNDS);
  }));

test("a reload that is refused leaves nothing behind", () =>
  use(yamlOf(0), async (lab, retained) => {
    for (let round = 1; round <= ROUNDS; round++) {
      lab.yaml = yamlOf(round).replace("respond:", "answer:");
      const outcome = await lab.done(lab.plane.reload());
      assert.ok(!outcome.ok);
    }
    lab.yaml = yamlOf(1);
    await done(lab, lab.plane.reload());
    await assertFreed(retained, 1);
  }));

test("pauses, leases and drains across reloads keep none of the worlds", () =>
  use(yamlOf(0), async (lab, retained) => {
    await lab.backend(3001);
    for (let generation = 1; generation <= ROUNDS; generation++) {
      await done(lab, lab.plane.pause("a", 0, 600_000));
      await done(lab, lab.plane.drain("127.0.0.1:3001", "a", 600_000, false));
      lab.yaml = yamlOf(generation);
      await done(lab, lab.plane.reload());
      retained.note(lab);
      await done(lab, lab.plane.undrain("127.0.0.1:3001", "a"));
      await done(lab, lab.plane.resume("a"));
    }
    await assertFreed(retained, ROUNDS);
  }));

test("a verb that is answered long before its time is up leaves no timer", async () => {
  const lab = await PlaneLab.start("to: [3001]\n");
  await lab.backend(3001);
  await lab.pass(1000);
  const before = lab.clock.pendingTimers;
  const DAY_MS = 86_400_000;
  for (let round = 0; round < ROUNDS; round++) {
    await done(lab, lab.plane.wait(null, "idle", DAY_MS));
    await lab.done(lab.plane.status());
    await done(lab, lab.plane.pause(null, DAY_MS, null));
    await done(lab, lab.plane.resume(null));
  }
  await lab.pass(1000);
  assert.ok(lab.clock.pendingTimers <= before, `${before} timers before, ${lab.clock.pendingTimers} after`);
  await lab.stop();
});
