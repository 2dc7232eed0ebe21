/** Two workers and slots that they share: who wants one endpoint only keeps no other one's slot. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { keyable } from "../../../src/upstream/balance/keyable.ts";
import { RoundRobin } from "../../../src/upstream/balance/round_robin.ts";
import { SlotLab, SlotRequest, type SlotWorker } from "../../support/slot_lab.ts";

// Two workers, max_in_flight 1 each endpoint: requests that want A only must not keep B's slot from others.
const policy = keyable((endpoints) => new RoundRobin(endpoints));

function arrive(worker: SlotWorker, name: string, endpoint: string | null): SlotRequest {
  worker.turn.begin();
  const request = new SlotRequest(worker, name, null);
  if (endpoint !== null) Object.assign(request, { balanceKey: 7, prefers: endpoint });
  worker.requests.push(request);
  request.ask();
  return request;
}

async function lab(max = 1): Promise<SlotLab> {
  const lab = new SlotLab({ workers: 2, max, endpoints: 2 });
  await lab.up(3000);
  await lab.up(3001);
  for (const { upstream } of lab.workers) upstream.reconfigure({ ...upstream.settings, policy });
  lab.settle();
  return lab;
}

test("requests for A wait in one worker; one for B in the other is served, since B is idle", async () => {
  const scene = await lab();
  const [one, two] = scene.workers as [SlotWorker, SlotWorker];
  arrive(one, "a1", "e3000");
  scene.settle();
  scene.advance(50);
  arrive(one, "a2", "e3000");
  scene.settle();
  scene.advance(50);
  const b = arrive(two, "b1", "e3001");
  scene.settle();
  for (let ms = 0; ms < 5000; ms += 5) {
    scene.advance(5);
    scene.settle();
  }
  assert.equal(b.state, "served", "B is idle, and b1 has waited for 5 s");
});

test("a request for A in one worker, while A's slot is in the other, where requests wait for B only", async () => {
  const scene = await lab();
  const [one, two] = scene.workers as [SlotWorker, SlotWorker];
  // A is used and free again in `one`, so its slot is there.
  const a = arrive(one, "a0", "e3000");
  scene.settle();
  a.answered(true);
  arrive(one, "b1", "e3001");
  scene.settle();
  arrive(one, "b2", "e3001");
  scene.settle();
  scene.advance(50);
  const a1 = arrive(two, "a1", "e3000");
  scene.settle();
  for (let ms = 0; ms < 5000; ms += 5) {
    scene.advance(5);
    scene.settle();
  }
  assert.equal(a1.state, "served", "A is idle");
});

for (const wants of ["e3000", null]) {
  test(`a slot that was kept for a request is given when another endpoint has served it, to one that wants ${wants ?? "any"}`, async () => {
    const scene = await lab(2);
    const [one, two] = scene.workers as [SlotWorker, SlotWorker];
    // Each has a slot of A and one of B; all are taken but two's of A.
    arrive(one, "a0", "e3000");
    const b0 = arrive(one, "b0", "e3001");
    arrive(two, "b1", "e3001");
    scene.settle();
    // It gets that one, and cannot use it yet: A has not answered, and may be one that takes one client at a time.
    const any = arrive(one, "any", null);
    scene.settle();
    assert.equal(one.endpoint("e3000").slotLimit, 2);
    scene.advance(20);
    const late = arrive(two, "late", wants);
    scene.settle();
    assert.deepEqual([any.state, late.state], ["waiting", "waiting"]);
    b0.answered(true);
    scene.settle();
    assert.equal(any.state, "served");
    for (let ms = 0; ms < 500; ms += 5) {
      scene.advance(5);
      scene.settle();
    }
    assert.equal(late.state, "served", "a slot of A lies idle");
  });
}
