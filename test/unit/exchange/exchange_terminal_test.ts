/**
 * An exchange that has ended stays ended: whatever a stream, an upstream or the gateway still tells it changes nothing. So
 * does an attempt: what comes late from the stream of an earlier one is not taken for the present one's.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BODY } from "../../../src/http/body_length.ts";
import type { DownstreamStreamEvents } from "../../../src/http/downstream_stream.ts";
import { FAULTS } from "../../../src/http/fault.ts";
import type { UpstreamStreamEvents } from "../../../src/http/upstream_stream.ts";
import { ExchangeLab } from "../../support/streams/exchange_lab.ts";
import type { MemoryDownstream } from "../../support/streams/memory_downstream.ts";
import type { MemoryUpstream } from "../../support/streams/memory_upstream.ts";
import { MEMORY } from "../../support/streams/memory_wire.ts";
import { bytesOf, responseHead, trailerSection } from "../../support/streams/pairs.ts";
import { inPhase, PHASES, type Scene } from "../../support/streams/phases.ts";

const BYTES = bytesOf("late");
const RESET = { code: "reset", detail: "late" } as const;
const SWITCH = responseHead(101, "", [["Upgrade", "chat"]]);

const DOWNSTREAM: readonly [name: string, tell: (events: DownstreamStreamEvents) => void][] = [
  ["body", (events) => events.downstreamBody(BYTES, 0, 4, 0)],
  ["end", (events) => events.downstreamEnd(null)],
  ["end with trailers", (events) => events.downstreamEnd(trailerSection([["X-Sum", "1"]]))],
  ["fault", (events) => events.downstreamFault(FAULTS.chunkSize)],
  ["incomplete", (events) => events.downstreamFault(FAULTS.incomplete)],
  ["writable", (events) => events.downstreamWritable()],
  ["ended", (events) => events.downstreamEnded()],
  ["gone", (events) => events.downstreamGone(RESET)],
  ["late sending", (events) => events.downstreamTimedOut("read", false)],
  ["late reading", (events) => events.downstreamTimedOut("write", false)],
];

const UPSTREAM: readonly [name: string, tell: (events: UpstreamStreamEvents) => void][] = [
  ["interim", (events) => events.upstreamInterim(responseHead(103, "", []))],
  ["switched", (events) => events.upstreamSwitched(SWITCH, true)],
  ["switched as nobody asked", (events) => events.upstreamSwitched(SWITCH, false)],
  ["head", (events) => events.upstreamHead(responseHead(200, "", []), 4)],
  ["head of a status on the list", (events) => events.upstreamHead(responseHead(503, "", []), 4)],
  ["body", (events) => events.upstreamBody(BYTES, 0, 4, 0)],
  ["end", (events) => events.upstreamEnd(null)],
  ["fault", (events) => events.upstreamFault(FAULTS.statusLine)],
  ["gone", (events) => events.upstreamGone(RESET)],
  ["writable", (events) => events.upstreamWritable()],
  ["no first byte", (events) => events.upstreamTimedOut("head")],
  ["late sending", (events) => events.upstreamTimedOut("read")],
  ["late reading", (events) => events.upstreamTimedOut("write")],
];

const ENDS: readonly [name: string, end: (scene: Scene) => void][] = [
  ["reset by its client", ({ client }) => client.reset()],
  ["answered or cut for lateness", ({ client }) => client.timeOut("read")],
  [
    "answered",
    ({ lab, client, endpoint }) => {
      if (lab.phase() === "sending") endpoint?.head(200, [], 5);
      endpoint?.body("67890");
      endpoint?.end();
      client.reset();
    },
  ],
];

for (const phase of PHASES.filter((each) => each !== "tunnel")) {
  for (const [how, end] of ENDS) {
    test(`${phase}, ${how}: nothing changes it any more`, () => {
      const tells = [
        ...DOWNSTREAM.map(([name, tell]) =>
          [name, (down: DownstreamStreamEvents, _up: UpstreamStreamEvents | null) => tell(down)] as const
        ),
        ...UPSTREAM.map(([name, tell]) =>
          [name, (_down: DownstreamStreamEvents, up: UpstreamStreamEvents | null) => up && tell(up)] as const
        ),
      ];
      for (const [name, tell] of tells) {
        const scene = inPhase(MEMORY, phase);
        const { lab, connection, client, endpoint } = scene;
        // The casts: these streams are in memory.
        const { events } = client as MemoryDownstream;
        const receiver = endpoint === undefined ? null : (endpoint as MemoryUpstream).events;
        assert.ok(events !== null);
        end(scene);
        connection.finish();
        lab.upstream.resume();
        const { calls } = client as MemoryDownstream;
        const told = [...lab.ended];
        const called = [...calls];
        assert.equal(told.length, 1, name);
        lab.wire.take(() => tell(events, receiver));
        assert.deepEqual(lab.ended, told, name);
        assert.deepEqual(calls, called, name);
        lab.assertQuietAtLast();
      }
    });
  }
}

test("neither do an upstream, a pin and the gateway", () => {
  for (const phase of PHASES.filter((each) => each !== "tunnel")) {
    const { lab, client } = inPhase(MEMORY, phase);
    client.reset();
    lab.upstream.resume();
    const [exchange] = lab.exchanges;
    lab.wire.take(() => exchange?.waitFailed("hold_timeout", ""));
    lab.wire.take(() => exchange?.pinLost());
    lab.wire.take(() => exchange?.endpointWithdrawn());
    lab.assertQuietAtLast();
  }
});

for (const [name, tell] of UPSTREAM) {
  test(`what an earlier attempt's stream still says is not the present one's: ${name}`, () => {
    const lab = new ExchangeLab(MEMORY);
    const client = lab.ask("GET", NO_BODY);
    const { events } = lab.got(0) as MemoryUpstream;
    assert.ok(events !== null);
    lab.got(0).reset();
    lab.wire.take(() => tell(events));
    assert.equal(lab.phase(), "waiting");
    lab.advance(1000);
    lab.wire.take(() => tell(events));
    lab.got(1).head(200, [], 4);
    lab.wire.take(() => tell(events));
    lab.got(1).body("true");
    lab.got(1).end();
    assert.deepEqual([client.answer.status, client.answer.body, client.answer.end], [
      200,
      "true",
      "complete",
    ]);
    assert.deepEqual(client.answer.interims, []);
    assert.deepEqual([lab.only.status, lab.only.reason, lab.only.attempts], [200, "", 2]);
    lab.assertQuietAtLast();
  });
}
