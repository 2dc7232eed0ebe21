/** What two processes call the same backends: recognised as a reload recognises them, in both directions. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointConfig } from "../../../../src/config/values/config.ts";
import { renamed } from "../../../../src/config/renamed.ts";
import { LineageNames, type NamedUpstream } from "../../../../src/process/supervisor/lineage_names.ts";
import {
  emptyReport,
  type EndpointReport,
  type Report,
  totalsOf,
} from "../../../../src/process/worker/report.ts";
import { walkSeeds } from "../../../support/seeds.ts";

function endpoint(name: string): EndpointConfig {
  const port = Number(/\d+$/.exec(name)?.[0] ?? 1);
  return { name, address: { kind: "tcp", host: "a", port }, scheme: "http", weight: 1 };
}

function upstream(name: string, ...endpoints: string[]): NamedUpstream {
  return { name, endpoints: endpoints.map(endpoint) };
}

const PLAIN: EndpointReport = {
  name: "",
  state: "up",
  since: 1,
  inFlight: 0,
  idle: 0,
  dialing: 0,
  pinned: 0,
  sentAt: null,
  byClass: [],
  failures: 0,
  lastError: null,
  firstByte: { counts: [], sum_ms: 0 },
};

function report(upstreams: Record<string, Record<string, number>>): Report {
  return {
    ...emptyReport(),
    upstreams: Object.entries(upstreams).map(([name, endpoints]) => ({
      name,
      waiting: 0,
      waitsMs: [],
      inFlight: Object.values(endpoints).reduce((sum, count) => sum + count, 0),
      tunnels: 0,
      totals: totalsOf(null),
      reasons: {},
      endpoints: Object.entries(endpoints).map(([each, inFlight]) => ({ ...PLAIN, name: each, inFlight })),
    })),
  };
}

function counts({ upstreams }: Report): Record<string, Record<string, number>> {
  return Object.fromEntries(
    upstreams.map(({ name, endpoints }) => [
      name,
      Object.fromEntries(endpoints.map((each) => [each.name, each.inFlight])),
    ]),
  );
}

test("an upstream by its addresses, an endpoint by its name, else by its address", () => {
  const names = new LineageNames([upstream("old", "x1", "x2")], [upstream("new", "x1", "y2", "y3")]);
  assert.deepEqual(names.ours({ upstream: "old", endpoint: "x1" }), { upstream: "new", endpoint: "x1" });
  assert.deepEqual(names.ours({ upstream: "old", endpoint: "x2" }), { upstream: "new", endpoint: "y2" });
  assert.deepEqual(names.theirs({ upstream: "new", endpoint: "y2" }), { upstream: "old", endpoint: "x2" });
  assert.equal(names.theirs({ upstream: "new", endpoint: "y3" }), null);
  assert.equal(names.theirs({ upstream: "old", endpoint: "x1" }), null, "that is their name");
  const slots = { upstream: "new", endpoint: "x2", count: 1 };
  assert.deepEqual(names.theirsSlots(slots), { ...slots, upstream: "old" });
  assert.deepEqual(names.oursSlots({ ...slots, upstream: "old" }), slots, "slots keep the endpoint's name");
});

test("a name that is given to another backend later is not theirs", () => {
  const names = new LineageNames([upstream("a", "x1")], [upstream("b", "x1")]);
  const before = [upstream("b", "x1")];
  const after = [upstream("b", "x1"), upstream("a", "x2")];
  assert.deepEqual([...names.reconfigure(before, after)], []);
  assert.equal(names.theirsCommand({ command: "pause", upstreams: ["a"] }), null);
  assert.deepEqual(names.theirsCommand({ command: "pause", upstreams: ["a", "b"] }), {
    command: "pause",
    upstreams: ["a"],
  });
  const sums = counts(names.theirsReport(report({ b: { x1: 1 }, a: { x2: 5 } })));
  assert.deepEqual(sums, { a: { x1: 1 }, "\na": { x2: 5 } });
});

test("what only the other process has left is found when its address is there again", () => {
  const names = new LineageNames([upstream("a", "x1")], [upstream("b", "x2")]);
  assert.equal(names.theirsCommand({ command: "resume", upstreams: ["b"] }), null);
  const former = names.reconfigure([upstream("b", "x2")], [upstream("b", "x2"), upstream("c", "x1")]);
  assert.deepEqual([...former], [["c", "a"]]);
  assert.deepEqual(names.theirsCommand({ command: "resume", upstreams: ["c"] }), {
    command: "resume",
    upstreams: ["a"],
  });
});

test("reports: what gets one name is added up", () => {
  const names = new LineageNames([upstream("a", "x1", "y1")], [upstream("a", "z1")]);
  assert.deepEqual(counts(names.oursReport(report({ a: { x1: 1, y1: 2 } }))), { a: { z1: 3 } });
});

test("other endpoints: what is known of the former ones stays, and is taken back when they could not", () => {
  const names = new LineageNames([upstream("a", "x1")], [upstream("b", "x1")]);
  names.reconfigure([upstream("b", "x1")], [upstream("b", "x2")]);
  assert.deepEqual(names.differing().map((each) => each.upstream), ["b"]);
  const command = names.theirsCommand({ command: "follow", upstreams: names.differing(), drainMs: 1 });
  assert.ok(command?.command === "follow");
  assert.deepEqual(command.upstreams.map((each) => each.upstream), ["a"]);
  const undo = names.follow(command.upstreams);
  assert.deepEqual(names.differing(), []);
  assert.deepEqual(names.theirs({ upstream: "b", endpoint: "x2" }), { upstream: "a", endpoint: "x2" });
  undo();
  assert.equal(names.theirs({ upstream: "b", endpoint: "x2" }), null);
  assert.equal(names.differing().length, 1);
});

test("seeded: over any reloads each name of theirs is the one that a reload would have made of it", () => {
  for (const seed of walkSeeds(400)) {
    const state = { value: seed };
    const pick = (below: number) => {
      state.value = (Math.imul(state.value, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state.value / 2 ** 32) * below);
    };
    // Each address belongs to one upstream, so that there is no doubt which is which.
    const config = () => {
      const shuffled = ["p", "q", "r", "s"].sort(() => pick(3) - 1);
      return [1, 2, 3].flatMap((port) => {
        const name = pick(5) === 0 ? undefined : shuffled.pop();
        return name === undefined ? [] : [upstream(name, `${["x", "y"][pick(2)]}${port}`)];
      });
    };
    const theirs = config();
    let ours = config();
    const names = new LineageNames(theirs, ours);
    const same = new Map(theirs.map(({ name }) => [name, name]));
    for (const [name, before] of renamed(theirs, ours)) same.set(before.name, name);
    for (let step = 0; step < 5; step++) {
      for (const { name, endpoints: [first] } of theirs) {
        const own = same.get(name) ?? "";
        const what = `seed ${seed}, step ${step}: ${name}`;
        assert.equal(names.oursUpstream(name), own, what);
        const back = names.theirsCommand({ command: "pause", upstreams: [own] });
        assert.ok(back?.command === "pause" && back.upstreams.includes(name), what);
        const slots = { upstream: name, endpoint: first?.name ?? "", count: 1 };
        assert.deepEqual(names.theirsSlots(names.oursSlots(slots)), slots, what);
      }
      const next = config();
      const left = theirs
        .filter(({ name }) => !ours.some((each) => each.name === same.get(name)))
        .map(({ name, endpoints }) => ({ name: same.get(name) ?? "", endpoints }));
      for (const [name, before] of renamed([...ours, ...left], next)) {
        for (const [their, own] of same) if (own === before.name) same.set(their, name);
      }
      names.reconfigure(ours, next);
      ours = next;
    }
  }
});
