/** What `sockets` comes to, and how it is told. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseSockets } from "../../../../src/process/shared/choose_sockets.ts";
import { loadConfig } from "../../../../src/config/load_config.ts";
import { socketsSummary } from "../../../../src/process/shared/chosen_sockets.ts";
import { createMemoryRuntime } from "../../../support/memory_runtime.ts";
import { MemorySystem } from "../../../support/memory_system.ts";

const HERE = "needs the executable (or Bun) on Linux, this is memory on linux";

/** @param answer of `useEpoll`; undefined = a platform without the capability */
function choose(sockets: string | null, answer?: string | null) {
  const text = `to: 9\n${sockets === null ? "" : `sockets: ${sockets}\n`}`;
  const loaded = loadConfig({ flags: {}, env: {}, file: { path: "test.yaml", text } });
  assert.ok(loaded.ok);
  const plain = createMemoryRuntime();
  let asked = 0;
  const useEpoll = () => {
    asked++;
    return answer ?? null;
  };
  const runtime = answer === undefined
    ? plain
    : Object.assign(plain, { capabilities: { ...plain.capabilities, epoll: true }, useEpoll });
  return { chosen: chooseSockets(runtime, new MemorySystem(), loaded.config), asked };
}

test("sockets: auto is the default, and takes epoll where it can be had", () => {
  assert.deepEqual(choose(null, null), { chosen: { kind: "epoll", reason: "" }, asked: 1 });
  assert.deepEqual(choose("auto", null).chosen, { kind: "epoll", reason: "" });
});

test("sockets: auto takes native where epoll fails its check, or is not known, and says why", () => {
  assert.deepEqual(choose("auto", "accept4: EPERM").chosen, { kind: "native", reason: "accept4: EPERM" });
  assert.deepEqual(choose("auto").chosen, { kind: "native", reason: HERE });
});

test("sockets: native asks for nothing and needs no reason", () => {
  assert.deepEqual(choose("native", null), { chosen: { kind: "native", reason: "" }, asked: 0 });
});

test("sockets: epoll is refused where it cannot be had", () => {
  assert.deepEqual(choose("epoll", null).chosen, { kind: "epoll", reason: "" });
  assert.equal(choose("epoll", "accept4: EPERM").chosen, "--sockets epoll: accept4: EPERM");
  assert.equal(choose("epoll").chosen, `--sockets epoll: ${HERE}`);
});

test("sockets of workers are told once, and by worker where they differ", () => {
  const epoll = { kind: "epoll", reason: "" } as const;
  const native = { kind: "native", reason: "epoll_create1: EMFILE" } as const;
  const of = (...sockets: (typeof epoll | typeof native | null)[]) =>
    socketsSummary(sockets.map((each, at) => ({ worker: at + 1, sockets: each })));
  assert.equal(of(), "");
  assert.equal(of(null), "");
  assert.equal(of(epoll, null, epoll), "epoll");
  assert.equal(of(native), "native, since epoll cannot be had: epoll_create1: EMFILE");
  assert.equal(
    of(epoll, native, epoll),
    "epoll (worker 1, 3); native, since epoll cannot be had: epoll_create1: EMFILE (worker 2)",
  );
});
