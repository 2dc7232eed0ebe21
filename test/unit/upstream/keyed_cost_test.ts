/** What keys cost where nobody has one: nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Endpoint } from "../../../src/upstream/endpoint.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

// How often a policy is asked while many wait: with a script (no key anywhere) as often as without.
async function looks(script: string): Promise<number> {
  const lab = await PlaneLab.start(
    `upstreams: {app: {endpoints: [127.0.0.1:3000], max_in_flight: 1, queue: {timeout: 10m}}}\nroutes: [{to: app}]\n${script}`,
    {},
    {},
    { "/s.ts": () => ({ onRequest: () => undefined }) },
  );
  const a = await lab.backend(3000);
  a.keeps = true;
  lab.asks(500);
  await lab.pass(50);
  const real = Endpoint.prototype.can;
  let count = 0;
  Endpoint.prototype.can = function (need) {
    count++;
    return real.call(this, need);
  };
  try {
    for (let i = 0; i < 100; i++) {
      a.answer(1);
      await lab.pass(5);
    }
  } finally {
    Endpoint.prototype.can = real;
  }
  assert.ok(a.asked.length > 90);
  await lab.stop();
  return count;
}

test("a script that gives no keys costs nothing where requests wait", async () => {
  const [without, withScript] = [await looks(""), await looks("script: s.ts\n")];
  assert.ok(withScript <= without * 2, `${withScript} looks instead of ${without}`);
});
