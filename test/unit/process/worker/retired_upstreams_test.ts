import assert from "node:assert/strict";
import { test } from "node:test";
import { IoTurn } from "../../../../src/conn/io_turn.ts";
import type { Gateway } from "../../../../src/gateway/gateway.ts";
import { RetiredUpstreams } from "../../../../src/process/worker/retired_upstreams.ts";
import type { Upstream } from "../../../../src/upstream/upstream.ts";
import { FakeClock } from "../../../support/fake_clock.ts";
import { createMemoryRuntime } from "../../../support/memory_runtime.ts";

class FakeUpstream {
  waiting = 0;
  inFlight = 0;
  pinned = 0;
  paused = false;
  readonly log: string[] = [];
  readonly endpoints: readonly unknown[];
  constructor(port: number) {
    this.endpoints = [{ settings: { key: { address: { kind: "tcp", host: "127.0.0.1", port } } } }];
  }
  retire = () => this.log.push("retire");
  stop = () => this.log.push("stop");
  pause = () => this.log.push("pause");
  resume = () => this.log.push("resume");
  readmitAll = () => this.log.push("readmit");
  /** The cast: no more is asked of an upstream that is retired. */
  get upstream(): Upstream {
    return this as unknown as Upstream;
  }
}

function scene() {
  const clock = new FakeClock();
  const log: string[] = [];
  // The cast: the same for the gateway.
  const gateway = {
    drainEndpoints: (_: unknown, ms: number) => log.push(`drain ${ms}`),
    cut: () => log.push("cut"),
    keepEndpoint: () => {},
  } as unknown as Gateway;
  let returning: Upstream | null = null;
  const turn = new IoTurn(createMemoryRuntime({ seed: 1 }));
  const retired = new RetiredUpstreams(clock, turn, gateway, (upstream) => upstream === returning);
  return { clock, log, retired, prepare: (upstream: Upstream | null) => (returning = upstream) };
}

test("retired: without a request it ends at once", () => {
  const { log, retired } = scene();
  const old = new FakeUpstream(1);
  retired.retire([old.upstream], 1000);
  assert.deepEqual(old.log, ["retire", "stop"]);
  assert.deepEqual(log, ["cut"]);
  assert.deepEqual(retired.all, []);
});

test("retired: what waits is not drained; what is in flight then has the drain time", () => {
  const { clock, log, retired } = scene();
  const old = new FakeUpstream(1);
  old.waiting = 1;
  retired.retire([old.upstream], 1000);
  clock.advance(10_000);
  assert.deepEqual(old.log, []);
  old.waiting = 0;
  old.inFlight = 1;
  clock.advance(250);
  assert.deepEqual(log, ["drain 1000"]);
  clock.advance(750);
  assert.equal(retired.all.length, 1);
  clock.advance(250);
  assert.deepEqual(log, ["drain 1000", "cut"]);
  assert.deepEqual(retired.all, []);
});

test("retired: one that may return is left alone, and taken back with all its endpoints", () => {
  const { clock, retired, prepare } = scene();
  const old = new FakeUpstream(1);
  prepare(old.upstream);
  retired.retire([old.upstream], 0);
  clock.advance(10_000);
  assert.deepEqual(old.log, []);
  retired.takeBack([old.upstream]);
  assert.deepEqual(old.log, ["readmit"]);
  assert.deepEqual(retired.all, []);
});

test("retired: requests wait for the pause of an upstream in use with the same backend", () => {
  const { retired } = scene();
  const old = new FakeUpstream(1);
  old.waiting = 1;
  retired.retire([old.upstream], 0);
  const same = new FakeUpstream(1);
  const other = new FakeUpstream(2);
  other.paused = true;
  retired.pauseWith([same.upstream, other.upstream]);
  same.paused = true;
  retired.pauseWith([same.upstream, other.upstream]);
  assert.deepEqual(old.log, ["resume", "pause"]);
});
