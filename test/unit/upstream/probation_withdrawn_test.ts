/** A request that waits for a connection which proves itself, and the endpoint of that connection goes out of use meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf, PlaneLab } from "../../support/plane_lab.ts";

/** Less than any time for which requests are held or queued, and more than any probation after one loss. */
const SOON_MS = 300;

for (
  const [what, act] of [
    ["is replaced by a reload", async (lab: PlaneLab) => {
      lab.yaml = lab.yaml.replace("3001", "3002");
      return (await lab.done(lab.plane.reload())).ok;
    }],
    ["is drained", async (lab: PlaneLab) => {
      return (await lab.done(lab.plane.drain("127.0.0.1:3001", null, 60_000, false))).ok;
    }],
  ] as const
) {
  test(`a request is lost on a new connection, the next one is under probation, and its endpoint ${what}`, async () => {
    const lab = await PlaneLab.start(
      "upstreams: {app: {endpoints: 3001}}\nroutes: [{to: app}]\nretry: unanswered\n",
    );
    if (what === "is drained") {
      lab.yaml = lab.yaml.replace("3001", "[3001, 3002]");
      assert.ok((await lab.done(lab.plane.reload())).ok);
    }
    const first = await lab.backend(3001);
    let lost = 0;
    first.script = (peer) => {
      lost++;
      peer.socket.abort();
    };
    const client = lab.ask("/x");
    await lab.until("the loss, and the next connection", () => lost === 1 && first.open === 1, 1000);
    await lab.backend(3002);
    assert.ok(await act(lab));
    await lab.pass(SOON_MS);
    assert.equal(answerOf(client), "200 3002/x");
    assert.deepEqual([lost, first.open], [1, 0]);
    await lab.stop();
  });
}
