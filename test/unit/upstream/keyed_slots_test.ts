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

async function lab(): Promise<SlotLab> {
  const lab = new SlotLab({ workers: 2, max: 1, endpoints: 2 });
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
