import assert from "node:assert/strict";
import { test } from "node:test";
import type { TextSink } from "../../../runtime/contract/contract.ts";
import { commandWords, joinWords } from "../../../src/config/values/command_words.ts";
import { loadConfig } from "../../../src/config/load_config.ts";
import { AutoPorts } from "../../../src/backend/auto_port.ts";
import { type Activity, IdleWatch } from "../../../src/backend/backend_idle.ts";
import { BackendOutput, prefixed } from "../../../src/backend/backend_output.ts";
import { untilAccepting } from "../../../src/backend/accept_probe.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemorySink } from "../../support/memory_system.ts";
import { createMemoryRuntime } from "../../support/memory_runtime.ts";

function configOf(yaml: string) {
  const loaded = loadConfig({ flags: {}, env: {}, file: { path: "f.yaml", text: yaml } });
  assert.ok(loaded.ok);
  return loaded.config;
}

const microtasks = async () => {
  for (let turns = 0; turns < 10; turns++) await Promise.resolve();
};

test("words joined are split into the same words", () => {
  const lists = [["a"], ["a b", ""], ["it's", '"', "'"], ["x\ty", "$HOME", "\\"], ["'\"'", "é"]];
  for (const words of lists) {
    assert.deepEqual(commandWords().parse(joinWords(words)), { ok: true, value: words });
  }
});

test("output: lines of each stream have the name before them, whole characters, no line is lost", () => {
  let out = "";
  const sink = new MemorySink(2, 1 << 20, (text) => (out += text));
  const output = new BackendOutput({ 1: sink, 2: sink }, prefixed("app"));
  const bytes = new TextEncoder().encode("zwölf\r\n\nhalf ");
  for (const byte of bytes) output.data(1, Uint8Array.of(byte));
  output.data(2, new TextEncoder().encode("error\n"));
  output.data(1, new TextEncoder().encode("a line"));
  output.ended(1);
  output.ended(2);
  assert.equal(out, "app | zwölf\napp | \napp | error\napp | half a line\n");
});

test("output: a line without an end is written in pieces", () => {
  const lines: string[] = [];
  const sink = new MemorySink(2, 1 << 20, (text) => lines.push(text));
  const output = new BackendOutput({ 1: sink, 2: sink }, (stream, line) => `${stream} ${line.length}`);
  output.data(2, new Uint8Array(20_000).fill(0x61));
  assert.deepEqual(lines, ["stderr 8192", "stderr 8192"]);
  output.ended(2);
  assert.deepEqual(lines, ["stderr 8192", "stderr 8192", "stderr 3616"]);
});

test("output: whoever reads slowly holds the command up", async () => {
  let flushed: () => void = () => {};
  const sink: TextSink = {
    dropped: 0,
    dropCause: "",
    wholeLineBytes: Infinity,
    write() {},
    reopen: () => Promise.resolve(),
    flush: () => new Promise((resolve) => (flushed = () => resolve(true))),
    flushNow() {},
  };
  const told: string[] = [];
  const output = new BackendOutput({ 1: sink, 2: sink }, prefixed("app"));
  output.of({ pauseOutput: () => told.push("pause"), resumeOutput: () => told.push("resume") });
  const line = new TextEncoder().encode("x".repeat(999) + "\n");
  for (let lines = 0; lines < 66; lines++) output.data(1, line);
  assert.deepEqual(told, ["pause"]);
  flushed();
  await microtasks();
  assert.deepEqual(told, ["pause", "resume"]);
});

test("an idle watch tells once nothing has happened for its time, and an eighth more at most", async () => {
  const clock = new FakeClock();
  const now: { -readonly [K in keyof Activity]: Activity[K] } = { inFlight: 0, waiting: 0, requests: 5 };
  let idle = 0;
  const watch = new IdleWatch(clock, 8_000, () => Promise.resolve({ ...now }), () => idle++);
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(100);
      await microtasks();
    }
  };
  watch.start();
  await pass(7_900);
  assert.equal(idle, 0);
  now.requests++;
  await pass(7_900);
  assert.equal(idle, 0, "a request that has ended meanwhile counts");
  now.inFlight = 1;
  await pass(20_000);
  now.inFlight = 0;
  now.waiting = 1;
  await pass(20_000);
  now.waiting = 0;
  await pass(7_900);
  assert.equal(idle, 0);
  await pass(1_100);
  assert.equal(idle, 1);
  await pass(100_000);
  assert.equal(idle, 1, "it has told");
  watch.start();
  watch.stop();
  await pass(100_000);
  assert.equal(idle, 1);
});

test("auto: a port is chosen once, is free, and differs from upstream to upstream", async () => {
  const runtime = createMemoryRuntime({ autorun: true });
  const config = configOf(
    "upstreams: {a: {endpoints: [auto, 3001], command: a}, b: {endpoints: [{address: auto, weight: 3}], command: b}, c: 3002}\n" +
      "routes: [{match: {path: /a}, to: a}, {match: {path: /c}, to: c}, {to: b}]",
  );
  // 20000 is taken by somebody; the second upstream is offered the port of the first.
  const events = { accepted: () => assert.fail(), acceptFailed() {} };
  const options = { backlog: 1, reusePort: false, tls: null, handshakeTimeoutMs: 1 };
  await runtime.listen({ ...options, address: { kind: "tcp", host: "127.0.0.1", port: 20_000 } }, events);
  const numbers = [0, 0.5, 0.5, 0.999999];
  const ports = new AutoPorts(runtime, () => numbers.shift() ?? assert.fail("it chose again"));
  const filled = await ports.fill(config);
  const names = filled.upstreams.map(({ endpoints }) => endpoints.map(({ name }) => name));
  assert.deepEqual(names, [["127.0.0.1:26384", "127.0.0.1:3001"], ["127.0.0.1:32767"], ["127.0.0.1:3002"]]);
  assert.deepEqual(filled.upstreams[1]?.endpoints[0], {
    name: "127.0.0.1:32767",
    address: { kind: "tcp", host: "127.0.0.1", port: 32_767 },
    scheme: "http",
    weight: 3,
  });
  assert.equal(ports.portOf("a"), 26_384);
  assert.equal(ports.portOf("c"), null);
  assert.deepEqual(await ports.fill(config), filled);
  const plain = configOf("to: 3000");
  assert.equal(await ports.fill(plain), plain);
});

test("a probe asks until somebody accepts, and says so once", async () => {
  const clock = new FakeClock();
  const runtime = createMemoryRuntime({ clock });
  const address = { kind: "tcp", host: "127.0.0.1", port: 3000 } as const;
  const other = { kind: "tcp", host: "127.0.0.1", port: 3001 } as const;
  let accepted = 0;
  untilAccepting(runtime, [address, other], () => accepted++);
  const giveUp = untilAccepting(runtime, [address], () => assert.fail("it was given up"));
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1) {
      clock.advance(1);
      runtime.network.run();
      await microtasks();
    }
  };
  await pass(300);
  assert.equal(accepted, 0);
  giveUp();
  let connections = 0;
  await runtime.listen({ address: other, backlog: 1, reusePort: false, tls: null, handshakeTimeoutMs: 1 }, {
    accepted: () => {
      connections++;
      return { data() {}, drained() {}, ended() {}, closed() {} };
    },
    acceptFailed() {},
  });
  await pass(100);
  assert.equal(accepted, 1);
  await pass(1_000);
  assert.deepEqual([accepted, connections], [1, 1]);
});
