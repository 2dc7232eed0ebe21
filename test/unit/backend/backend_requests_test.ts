import assert from "node:assert/strict";
import { test } from "node:test";
import type { BackendGate } from "../../../src/backend/backend_gate.ts";
import { BackendRequests } from "../../../src/backend/backend_requests.ts";

type Heard = Parameters<BackendGate["watch"]>[0];

function scene() {
  const heard = new Set<Heard>();
  const api = {
    name: "api",
    in_flight: 2,
    waiting: 1,
    totals: { requests: 7 },
    endpoints: [{ last_request: null }, { last_request: "2026-01-01T00:00:10Z" }],
  };
  // The cast: nothing else is asked for.
  const gate = {
    status: () => Promise.resolve({ upstreams: [api] }),
    watch(listener: Heard) {
      heard.add(listener);
      return () => heard.delete(listener);
    },
  } as unknown as BackendGate;
  const tell = (event: "held" | "released", upstream: string) => {
    // The cast: the name of the upstream is all that is looked at.
    for (const listener of heard) listener({ event, upstream } as Parameters<Heard>[0]);
  };
  return { gate, heard, tell, requests: new BackendRequests() };
}

test("backend requests: before the control plane is there, there are none", async () => {
  const { requests } = scene();
  requests.watch(() => assert.fail());
  assert.deepEqual(await requests.activity("api"), { inFlight: 0, waiting: 0, requests: 0 });
  assert.equal(await requests.usedSince("api", 0), false);
});

test("backend requests: what an upstream does, and when it was used last", async () => {
  const { gate, requests } = scene();
  requests.open(gate);
  assert.deepEqual(await requests.activity("api"), { inFlight: 2, waiting: 1, requests: 7 });
  assert.deepEqual(await requests.activity("web"), { inFlight: 0, waiting: 0, requests: 0 });
  const last = Date.parse("2026-01-01T00:00:10Z");
  assert.equal(await requests.usedSince("api", last), true);
  assert.equal(await requests.usedSince("api", last + 1), false);
});

test("backend requests: a request that begins to wait is told once, and known until it is released", () => {
  const { gate, heard, tell, requests } = scene();
  const wanted: string[] = [];
  requests.open(gate);
  requests.watch((upstream) => wanted.push(upstream));
  requests.watch(() => assert.fail());
  tell("held", "api");
  assert.equal(requests.waitsAt("api"), true);
  tell("released", "api");
  assert.equal(requests.waitsAt("api"), false);
  tell("held", "web");
  requests.unwatch();
  assert.equal(requests.waitsAt("web"), false);
  assert.equal(heard.size, 0);
  assert.deepEqual(wanted, ["api", "web"]);
});
