/** The first endpoint that can be reached, and what is preferred to one that has failed a request. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FirstUp } from "../../../../src/upstream/balance/first_up.ts";
import type { Endpoint } from "../../../../src/upstream/endpoint.ts";

interface Double {
  state: "up" | "down" | "probing";
  enabled: boolean;
  able: boolean;
}

function endpoints(count: number): { doubles: Double[]; policy: FirstUp; picked(avoided?: number): number } {
  const doubles = Array.from({ length: count }, (): Double => ({ state: "up", enabled: true, able: true }));
  // The cast: the policy asks for nothing else.
  const list = doubles.map((double) =>
    Object.assign(double, { can: () => double.enabled && double.able && double.state !== "down" })
  ) as unknown as Endpoint[];
  const policy = new FirstUp(list);
  return {
    doubles,
    policy,
    picked: (avoided = -1) => {
      const found = policy.pick("any", null, { avoids: (endpoint) => endpoint === list[avoided] });
      return found === null ? -1 : list.indexOf(found);
    },
  };
}

test("the first one, the next one while it is down or drained, and the first again", () => {
  const { doubles: [a, b], picked } = endpoints(3);
  assert.ok(a !== undefined && b !== undefined);
  assert.equal(picked(), 0);
  a.state = "down";
  assert.equal(picked(), 1);
  b.enabled = false;
  assert.equal(picked(), 2);
  a.state = "up";
  assert.equal(picked(), 0);
});

test("one that is up but takes no connection just now is waited for, one that is tried again is not", () => {
  const { doubles: [a], picked } = endpoints(2);
  assert.ok(a !== undefined);
  a.able = false;
  assert.equal(picked(), -1);
  a.state = "probing";
  assert.equal(picked(), 1);
});

test("a request that avoids an endpoint gets the next one", () => {
  const { policy, picked } = endpoints(2);
  assert.equal(picked(0), 1);
  assert.equal(picked(1), 0);
  assert.notEqual(policy.pick("dial"), null);
});
