/** A succession between this version and the one before: both ends are told in words that they know. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTHING_HANDED } from "../../../../src/control/handover_state.ts";
import type { ToElder, ToHeir } from "../../../../src/process/supervisor/lineage_messages.ts";
import { emptyReport } from "../../../../src/process/worker/report.ts";
import { Predecessor } from "../../../../src/serve/upgrade/predecessor.ts";
import { Successor } from "../../../../src/serve/upgrade/successor.ts";
import { FakeClock } from "../../../support/fake_clock.ts";
import { MemorySystem } from "../../../support/memory_system.ts";

const NAME = { upstream: "app", endpoint: "a:1" };
const HINT = { ...NAME, code: "connection_refused", detail: "d" };
const DESIRED = { paused: ["app"], drained: [], watched: true };
const HANDOVER = { ...NOTHING_HANDED, drained: [NAME] };

/** A report whose endpoints are in these states. */
function reportOf(...states: string[]): Record<string, unknown> {
  const endpoints = states.map((state, at) => ({ name: `e${at}`, state, answered: at }));
  return { ...emptyReport(), upstreams: [{ name: "app", waiting: 3, endpoints }] };
}

/** Each message that the new process may hear, in today's words and in those before. */
const TO_HEIR: readonly (readonly [now: unknown, before: unknown])[] = [
  [{ type: "down", ...HINT }, { type: "away", ...HINT }],
  [
    { type: "report", report: reportOf("up", "down", "probing", "drained") },
    { type: "report", report: reportOf("up", "away", "trial", "drained") },
  ],
  [
    { type: "event", event: { event: "endpoint_up", ...NAME, down_ms: 5 }, before: false },
    { type: "event", event: { event: "endpoint_up", ...NAME, away_ms: 5 }, before: false },
  ],
  [
    { type: "event", event: { event: "held", upstream: "app", waiting: 1 }, before: true },
    { type: "event", event: { event: "held", upstream: "app", waiting: 1 }, before: true },
  ],
  [{ type: "want", ...NAME, count: 1, waitedMs: 2 }, { type: "want", ...NAME, count: 1, waitedMs: 2 }],
];

/** The same for the old process. */
const TO_ELDER: readonly (readonly [now: unknown, before: unknown])[] = [
  [{ type: "down", ...HINT }, { type: "away", ...HINT }],
  [
    { type: "command", id: 0, command: { command: "desire", desired: DESIRED } },
    { type: "order", id: 0, order: { order: "stand", standing: DESIRED } },
  ],
  [
    { type: "command", id: 1, command: { command: "drain", windowMs: 5, ...NAME } },
    { type: "order", id: 1, order: { order: "drain", windowMs: 5, ...NAME } },
  ],
  [
    { type: "whole", id: 2, report: reportOf("down", "probing") },
    { type: "whole", id: 2, report: reportOf("away", "trial") },
  ],
  [{ type: "grant", ...NAME, count: 1 }, { type: "grant", ...NAME, count: 1 }],
];

/** A new process, and what it says to the old one. */
async function newProcess(take: Record<string, unknown>) {
  const said: unknown[] = [];
  const heard: ToHeir[] = [];
  const system = new MemorySystem({ args: [] });
  let tell: (message: unknown) => void = () => {};
  const channel = { send: (message: unknown) => void said.push(message), flush: () => Promise.resolve() };
  const met = Predecessor.meet(Object.assign(system, {
    connectPredecessor: ({ message }: { message: (message: unknown) => void }) => {
      tell = message;
      return channel;
    },
  }));
  tell({ type: "take", sockets: [], listening: [], pid: 7, lineage: 1, limits: [], upstreams: [], ...take });
  const predecessor = await met;
  assert.ok(predecessor !== null);
  predecessor.onElder = (message) => void heard.push(message);
  return { predecessor, said, heard, tell };
}

/** An old process that tries a new one which says `hello`, and what it says to it. */
function oldProcess(hello: Record<string, unknown>) {
  const said: unknown[] = [];
  const heard: ToElder[] = [];
  let tell: (message: unknown) => void = () => {};
  const channel = { send: (message: unknown) => void said.push(message), flush: () => Promise.resolve() };
  const system = Object.assign(new MemorySystem({ args: [] }), {
    startSuccessor: (_: string | null, { message }: { message: (message: unknown) => void }) => {
      tell = message;
      return { pid: 8, channel, kill: () => {} };
    },
  });
  const successor = new Successor(new FakeClock(), {
    binary: null,
    sockets: [],
    listening: [],
    handover: () => HANDOVER,
    yours: () => ({ handover: HANDOVER, reopen: true }),
    pid: 7,
    limits: [],
    upstreams: [],
    timeoutMs: 1000,
  });
  const outcome = successor.run(system as unknown as MemorySystem, () => {});
  tell({ type: "hello", protocol: 1, version: "x", pid: 8, lineage: 1, ...hello });
  tell({ type: "ready" });
  tell({ type: "mine" });
  successor.listen((message) => void heard.push(message));
  return { successor, said, heard, tell, outcome };
}

test("after the version before: what it hands over is understood, in `take` and in `yours`", async () => {
  const { predecessor, tell, said } = await newProcess({ carried: HANDOVER });
  assert.deepEqual(predecessor.handover, HANDOVER);
  const yours = predecessor.ready();
  tell({ type: "yours", carried: HANDOVER, reopen: true });
  assert.deepEqual(await yours, { type: "yours", handover: HANDOVER, reopen: true });
  assert.equal((said[0] as { protocol: number }).protocol, 1);
  assert.equal((said[0] as { lineage: number }).lineage, 1, "or the old process drains alone");
});

test("after the version before: what it says while it drains is understood, and it is told in its own words", async () => {
  const { predecessor, tell, said, heard } = await newProcess({ carried: HANDOVER });
  for (const [, before] of TO_HEIR) tell({ type: "elder", message: before });
  assert.deepEqual(heard, TO_HEIR.map(([now]) => now));
  said.length = 0;
  // The casts, here and below: reports that have only what the test is about.
  for (const [now] of TO_ELDER) predecessor.lead(now as ToElder);
  assert.deepEqual(said, TO_ELDER.map(([, before]) => ({ type: "heir", message: before })));
});

test("after this version: today's words, both ways", async () => {
  const { predecessor, tell, said, heard } = await newProcess({ handover: HANDOVER, vocabulary: 2 });
  assert.deepEqual(predecessor.handover, HANDOVER);
  for (const [now] of TO_HEIR) tell({ type: "elder", message: now });
  assert.deepEqual(heard, TO_HEIR.map(([now]) => now));
  said.length = 0;
  for (const [now] of TO_ELDER) predecessor.lead(now as ToElder);
  assert.deepEqual(said, TO_ELDER.map(([now]) => ({ type: "heir", message: now })));
});

test("before the version before: it is told in its own words, and understood", async () => {
  const { successor, tell, said, heard, outcome } = oldProcess({});
  assert.deepEqual(await outcome, { ok: true, pid: 8 });
  assert.ok(successor.leads);
  const [take, yours] = said as Record<string, unknown>[];
  assert.deepEqual([take?.["type"], take?.["carried"], take?.["handover"]], ["take", HANDOVER, undefined]);
  assert.deepEqual(yours, { type: "yours", carried: HANDOVER, reopen: true });
  said.length = 0;
  for (const [now] of TO_HEIR) successor.tell(now as ToHeir);
  assert.deepEqual(said, TO_HEIR.map(([, before]) => ({ type: "elder", message: before })));
  for (const [, before] of TO_ELDER) tell({ type: "heir", message: before });
  assert.deepEqual(heard, TO_ELDER.map(([now]) => now));
});

test("before this version: today's words, both ways", async () => {
  const { successor, tell, said, heard, outcome } = oldProcess({ vocabulary: 2 });
  await outcome;
  const [take, yours] = said as Record<string, unknown>[];
  assert.deepEqual([take?.["vocabulary"], take?.["handover"], take?.["carried"]], [2, HANDOVER, undefined]);
  assert.deepEqual(yours, { type: "yours", handover: HANDOVER, reopen: true });
  said.length = 0;
  for (const [now] of TO_HEIR) successor.tell(now as ToHeir);
  assert.deepEqual(said, TO_HEIR.map(([now]) => ({ type: "elder", message: now })));
  for (const [now] of TO_ELDER) tell({ type: "heir", message: now });
  assert.deepEqual(heard, TO_ELDER.map(([now]) => now));
});

test("messages that no version has sent are left as they are", async () => {
  const { tell, heard } = await newProcess({ carried: HANDOVER });
  const odd = [{ type: "report" }, { type: "report", report: { upstreams: 5 } }, {
    type: "event",
    event: null,
  }, {
    type: "later",
    x: 1,
  }];
  for (const message of odd) tell({ type: "elder", message });
  assert.deepEqual(heard as unknown[], odd);
});
