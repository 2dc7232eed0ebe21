/** What each policy gives to whom: shares by weight, nobody who cannot, and everybody who can. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LeastConn } from "../../../../src/upstream/balance/least_conn.ts";
import { POLICIES } from "../../../../src/upstream/balance/policies.ts";
import { RandomChoice } from "../../../../src/upstream/balance/random.ts";
import { RoundRobin } from "../../../../src/upstream/balance/round_robin.ts";
import { turnList } from "../../../../src/upstream/balance/turns.ts";
import { Endpoint } from "../../../../src/upstream/endpoint.ts";
import type { Policy } from "../../../../src/upstream/policy.ts";
import { SamePolicy, WalkingRoundRobin } from "../../../support/walking_policy.ts";

function endpoints(weights: readonly number[], maxInFlight = 0): Endpoint[] {
  return weights.map((weight, i) =>
    new Endpoint({
      name: String.fromCharCode(97 + (i % 26)) + (i < 26 ? "" : i),
      key: {
        scheme: "http",
        address: { kind: "tcp", host: "127.0.0.1", port: 3000 + i },
        tls: null,
        proxyChain: [],
        credentials: "",
      },
      hostField: "h",
      weight,
      maxInFlight,
      pool: { size: 0, idleTimeoutMs: 1, maxAgeMs: 0 },
    }, { connectionLost() {}, distrusted() {} })
  );
}

/** Uniform in 0 to 1, the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function picks(policy: Policy, count: number): string {
  let names = "";
  for (let i = 0; i < count; i++) names += policy.pick("any", null)?.name ?? "-";
  return names;
}

function shares(policy: Policy, count: number): Record<string, number> {
  const all: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const name = policy.pick("any", null)?.name ?? "-";
    all[name] = (all[name] ?? 0) + 1;
  }
  return all;
}

test("round_robin: each in turn, as often as its weight says, well mixed", () => {
  assert.equal(picks(new RoundRobin(endpoints([1, 1, 1])), 7), "abcabca");
  assert.equal(picks(new RoundRobin(endpoints([7, 7])), 4), "abab", "equal weights are one each");
  assert.equal(picks(new RoundRobin(endpoints([5, 1, 1])), 14), "abaaacaabaaaca");
  assert.equal(turnList(endpoints([4, 2])).length, 3, "a divisor in common is taken out");
  const mixed = picks(new RoundRobin(endpoints([10, ...new Array(10).fill(1)])), 20);
  assert.doesNotMatch(
    mixed + mixed,
    /a{4}|[^a]{4}/,
    `${mixed}: neither the heavy one nor the light ones in a row`,
  );
  assert.deepEqual(shares(new RoundRobin(endpoints([1, 2, 3, 4])), 1000), { a: 100, b: 200, c: 300, d: 400 });
});

test("round_robin: huge weights are shortened, keep their order of size, and leave nobody out", () => {
  const turns = turnList(endpoints([1_000_000, 1, 999]));
  assert.ok(turns.length <= 10_050, `${turns.length} turns`);
  const counts = shares(new RoundRobin(endpoints([1_000_000, 1, 999])), turns.length);
  assert.equal(counts["b"], 1);
  assert.ok((counts["a"] ?? 0) > 9900 && (counts["c"] ?? 0) >= 9);
});

test("round_robin: skips those that cannot, and goes on where it was", () => {
  const list = endpoints([1, 1, 1, 1]);
  const policy = new RoundRobin(list);
  const [, b, c] = list as [Endpoint, Endpoint, Endpoint, Endpoint];
  b.enabled = false;
  c.state = "down";
  assert.equal(picks(policy, 4), "adad");
  b.enabled = true;
  assert.equal(picks(policy, 3), "abd");
});

test("all policies: endpoints that are full, disabled or down are never picked, and null when none is left", () => {
  for (const [name, factory] of Object.entries(POLICIES)) {
    const list = endpoints([1, 2, 3, 1, 1], 1);
    const policy = factory(list);
    const [a, b, c, d] = list as [Endpoint, Endpoint, Endpoint, Endpoint];
    a.busy = 1;
    b.enabled = false;
    c.state = "down";
    d.dialing = 1;
    assert.equal(picks(policy, 20), "e".repeat(20), name);
    assert.equal(policy.pick("idle"), null, "nobody has an idle connection");
    assert.equal(policy.pick("dial")?.name, "e");
    (list[4] as Endpoint).busy = 1;
    for (const need of ["any", "idle", "dial"] as const) assert.equal(policy.pick(need), null, name);
  }
});

test("least_conn: the fewest requests for its weight; ties go round", () => {
  const list = endpoints([1, 1, 2]);
  const policy = new LeastConn(list, seeded(1));
  const [a, b, c] = list as [Endpoint, Endpoint, Endpoint];
  // An unknown endpoint is dialled one at a time; these are known.
  for (const endpoint of list) endpoint.ramp.limit = Infinity;
  [a.busy, b.busy, c.busy] = [3, 1, 4];
  assert.equal(picks(policy, 3), "bbb");
  [a.busy, b.busy, c.busy] = [2, 2, 4];
  assert.equal(picks(policy, 3), "ccc", "(4 + 1) / 2 < 2 + 1");
  [a.busy, b.busy, c.busy] = [2, 2, 9];
  assert.deepEqual(shares(policy, 30), { a: 20, b: 10 }, "in turn from where it stands");
  b.dialing = 1;
  assert.equal(picks(policy, 3), "aaa", "dials count");
});

test("least_conn: with many endpoints a sample is compared, and any that can is found", () => {
  const list = endpoints(new Array(5000).fill(1));
  for (const endpoint of list) endpoint.ramp.limit = Infinity;
  const policy = new LeastConn(list, seeded(5));
  for (let i = 0; i < 20_000; i++) (policy.pick("any") as Endpoint).busy++;
  const most = Math.max(...list.map(({ busy }) => busy));
  assert.ok(most <= 12, `${most} where 4 is the mean`);
  for (const endpoint of list) endpoint.enabled = false;
  const last = list[4321] as Endpoint;
  last.enabled = true;
  for (let i = 0; i < 50; i++) assert.equal(policy.pick("any"), last);
});

test("random: shares follow the weights, by the source it is given", () => {
  const policy = new RandomChoice(endpoints([1, 2, 1]), seeded(42));
  const counts = shares(policy, 8000);
  for (const [name, expected] of [["a", 2000], ["b", 4000], ["c", 2000]] as const) {
    assert.ok(Math.abs((counts[name] ?? 0) - expected) < 250, `${name}: ${counts[name]}`);
  }
  const edge = new RandomChoice(endpoints([1, 1, 1]), () => 0.999_999_999);
  assert.equal(edge.pick("any")?.name, "c");
});

test("5,000 endpoints: every policy reaches all of them in about as many steps as it must", () => {
  for (const [name, factory] of Object.entries(POLICIES)) {
    const list = endpoints(Array.from({ length: 5000 }, (_, i) => 1 + (i % 3)));
    const policy = factory(list);
    const seen = new Set<Endpoint>();
    let asked = 0;
    for (const endpoint of list) {
      const can = endpoint.can.bind(endpoint);
      endpoint.can = (need) => {
        asked++;
        return can(need);
      };
    }
    for (let i = 0; i < 60_000 && seen.size < 5000; i++) {
      const picked = policy.pick("any");
      assert.ok(picked !== null);
      picked.busy++;
      picked.ramp.limit = Infinity;
      seen.add(picked);
    }
    assert.ok(seen.size > 4900, `${name}: ${seen.size}`);
    assert.ok(asked < 60_000 * 40, `${name}: ${asked} questions`);
  }
});

/** Endpoints in any state, changed at random. */
class Changes {
  readonly list: Endpoint[];
  readonly #pick: (below: number) => number;
  /** Of the states it draws so many in ten let an endpoint serve. */
  well = 5;

  constructor(list: Endpoint[], random: () => number) {
    this.list = list;
    this.#pick = (below) => Math.floor(random() * below);
  }

  change(): void {
    const endpoint = this.list[this.#pick(this.list.length)] as Endpoint;
    const well = this.#pick(10) < this.well;
    switch (this.#pick(6)) {
      case 0:
        endpoint.busy = well ? 0 : 2;
        break;
      case 1:
        endpoint.dialing = well ? 0 : 1;
        break;
      case 2:
        endpoint.enabled = well;
        break;
      case 3:
        endpoint.state = well ? "up" : "down";
        break;
      case 4:
        endpoint.slotLimit = well ? 2 : 1;
        break;
      default:
        if (well) endpoint.ramp.limit = Infinity;
        else endpoint.ramp.restart();
    }
  }
}

test("round_robin: with lists the same endpoints in the same order as without, whatever happens to them", () => {
  for (
    const [seed, weights] of [
      [1, new Array<number>(17).fill(1)],
      [2, new Array<number>(300).fill(1)],
      [3, Array.from({ length: 40 }, (_, i) => 1 + (i % 7))],
      [4, [10_000, 1, 1, 50]],
      [5, Array.from({ length: 2000 }, (_, i) => 1 + (i % 3))],
    ] as const
  ) {
    const random = seeded(seed);
    const list = endpoints(weights, 2);
    const policy = new SamePolicy(new RoundRobin(list), new WalkingRoundRobin(list));
    const changes = new Changes(list, random);
    for (let step = 0; step < 4000; step++) {
      if (step % 500 === 0) changes.well = [9, 1, 5, 0][(step / 500) % 4] ?? 0;
      changes.change();
      policy.pick((["any", "idle", "dial"] as const)[step % 3] ?? "any", null);
    }
  }
});

test("all policies: with many endpoints one that can is found whenever there is one, and none that cannot", () => {
  for (const [name, factory] of Object.entries(POLICIES)) {
    const random = seeded(9);
    const list = endpoints(Array.from({ length: 60 }, (_, i) => 1 + (i % 2)), 2);
    const policy = factory(list);
    const changes = new Changes(list, random);
    for (let step = 0; step < 8000; step++) {
      if (step % 500 === 0) changes.well = [9, 0, 2, 1, 5][(step / 500) % 5] ?? 0;
      changes.change();
      for (const need of ["any", "dial"] as const) {
        const picked = policy.pick(need);
        if (picked === null) assert.ok(!list.some((each) => each.can(need)), `${name}, step ${step}`);
        else assert.ok(picked.can(need), `${name}, step ${step}`);
      }
    }
  }
});

test("all policies: nothing is asked of 5,000 endpoints again that have been found wanting", () => {
  for (const [name, factory] of Object.entries(POLICIES)) {
    const list = endpoints(new Array<number>(5000).fill(1), 1);
    const policy = factory(list);
    let asked = 0;
    for (const endpoint of list) {
      endpoint.busy = 1;
      const can = endpoint.can.bind(endpoint);
      endpoint.can = (need) => {
        asked++;
        return can(need);
      };
    }
    assert.equal(policy.pick("any"), null);
    asked = 0;
    for (let i = 0; i < 100; i++) {
      assert.equal(policy.pick("any"), null);
      const one = list[(i * 37) % 5000] as Endpoint;
      one.busy = 0;
      assert.equal(policy.pick("any"), one, name);
      one.busy = 1;
    }
    assert.ok(asked <= 100 * 6, `${name}: ${asked} questions`);
  }
});
