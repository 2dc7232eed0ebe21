/** Keys over shared slots, in random order: limits hold, nobody who waits stays behind a slot that lies idle. */

// deno-lint-ignore-file no-explicit-any -- what scripts and labs give is not checked here

import assert from "node:assert/strict";
import { test } from "node:test";
import { keyable } from "../../../src/upstream/balance/keyable.ts";
import { RoundRobin } from "../../../src/upstream/balance/round_robin.ts";
import { Random } from "../../fuzz/support/random.ts";
import { SlotLab, SlotRequest, type SlotWorker } from "../../support/slot_lab.ts";
import { walkSeeds } from "../../support/seeds.ts";

// Keys over shared slots, in random order: limits hold, nobody who waits stays behind a slot that lies idle.
const policy = keyable((endpoints) => new RoundRobin(endpoints));
for (const seed of walkSeeds(60)) {
  test(`keys over shared slots, seed ${seed}`, async () => {
    const random = new Random(seed);
    const n = 2 + random.next(2);
    const lab = new SlotLab({ workers: n, max: 1 + random.next(3), endpoints: 2 + random.next(2), seed });
    for (const port of lab.ports) await lab.up(port);
    for (const { upstream } of lab.workers) upstream.reconfigure({ ...upstream.settings, policy });
    lab.settle();
    const all: SlotRequest[] = [];
    for (let step = 0; step < 150; step++) {
      const d = random.next(10);
      if (d < 4) {
        const worker = random.pick(lab.workers) as SlotWorker;
        worker.turn.begin();
        const r = new SlotRequest(worker, `r${all.length}`, null);
        if (random.next(3) > 0) Object.assign(r, { balanceKey: 7, prefers: `e${random.pick(lab.ports)}` });
        worker.requests.push(r);
        all.push(r);
        r.ask();
      } else if (d < 6) {
        const served = all.filter((r) => r.state === "served");
        if (served.length > 0) random.pick(served).answered(random.next(5) > 0);
      } else if (d === 6) {
        const w = all.filter((r) => r.state === "waiting");
        if (w.length > 0 && random.next(3) === 0) random.pick(w).leave();
      } else if (d === 7) lab.advance(random.pick([1, 5, 20, 100]));
      else if (d === 8) {
        const c = lab.channels;
        if (c.length > 0) lab.deliver(random.pick(c));
        else lab.network.step();
      } else for (let i = 0; i < 20; i++) lab.network.step();
      lab.check();
    }
    const before = lab.messages;
    for (let ms = 0; ms < 300; ms += 5) {
      lab.advance(5);
      lab.settle();
      lab.check();
    }
    // Whoever waits now waits for something that is in use.
    for (const r of all.filter((r) => r.state === "waiting")) {
      const wants = (r as any).prefers ? [Number((r as any).prefers.slice(1))] : lab.ports;
      for (const port of wants) {
        const used = lab.workers.reduce((sum, w) => sum + w.at(port).reduce((s, e) => s + e.busy, 0), 0);
        assert.equal(
          used,
          lab.max,
          `seed ${seed}: ${r.name} waits for ${port}, of which ${used} of ${lab.max} are in use`,
        );
      }
    }
    for (let round = 0; round < 200; round++) {
      for (const r of all) if (r.state === "served") r.answered(true);
      lab.advance(5);
      lab.settle();
      lab.check();
    }
    assert.deepEqual(all.filter((r) => r.state === "waiting").map((r) => r.name), [], `seed ${seed}`);
    assert.ok(lab.messages - before < 20_000);
  });
}
