/**
 * After one Sluice has taken the place of another the requests that are left in the old process are part of it, as
 * processes: for verbs, waits, limits and signals.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { childrenOf, ownProgram, until, untilGone } from "../support/processes.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { Backend, begin, post, untilStatus, variants } from "../support/succession_load.ts";
import { able, get, scene } from "../support/succession_scene.ts";
import { within } from "../support/watchdog.ts";

variants("what the old process holds hears resume, and waits count it", [], async (all) => {
  const { sluice, origin, pid, upgrade, control } = all;
  const backend = new Backend(origin);
  const long = await begin(sluice.port, post("/long"));
  await backend.reached("/long");
  assert.equal((await control("/pause", {})).status, 200);
  const held = await begin(sluice.port, post("/held"));
  await untilStatus(control, "a request that waits", (status) => status.upstreams[0].waiting === 1);
  const old = pid();
  await upgrade();
  const { told } = await control("/status");
  assert.deepEqual([told.pid, told.predecessor.pid], [pid(), old]);
  assert.deepEqual([told.upstreams[0].in_flight, told.upstreams[0].waiting], [1, 1]);
  const late = await control("/pause", { wait_idle_ms: 100 });
  assert.deepEqual([late.status, late.told.error], [504, "timeout"], "one is in flight there");
  const idle = control("/pause", { wait_idle_ms: 20_000 });
  backend.end("/long");
  assert.equal((await long.answer).status, 200);
  assert.equal((await idle).status, 200);
  assert.ok(!backend.asked.includes("/held"));
  assert.equal((await control("/resume", {})).status, 200);
  assert.equal((await held.answer).text, "/held");
  await untilGone(old);
  await untilStatus(control, "the end of the old process", (status) => status.predecessor === null);
  const { told: after } = await control("/status");
  assert.equal(after.totals.requests, 2, "what it has counted stays");
});

variants("max_in_flight 20: one long answer leaves 19 slots", ["--max-in-flight", "20"], async (all) => {
  const { sluice, origin, upgrade } = all;
  const backend = new Backend(origin);
  const long = await begin(sluice.port, get("/long"));
  await backend.reached("/long");
  await upgrade();
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, i) => askOnce(sluice.port, get(`/${i}`))),
  );
  assert.deepEqual(answers.filter(({ status }) => status !== 200), []);
  assert.ok(backend.most <= 20 && backend.most > 1, `${backend.most} at a time`);
  backend.end("/long");
  assert.equal((await long.answer).status, 200);
});

variants(
  "max_in_flight 1 holds over three processes, resumes and a death",
  ["--max-in-flight", "1"],
  async (all) => {
    const { sluice, origin, pid, upgrade, verb, control } = all;
    const backend = new Backend(origin);
    const long = await begin(sluice.port, post("/long"));
    await backend.reached("/long");
    const first = pid();
    const waited = await begin(sluice.port, get("/waited"));
    await untilStatus(control, "a request that waits", (status) => status.upstreams[0].waiting === 1);
    await upgrade();
    const second = pid();
    const next = await begin(sluice.port, get("/next"));
    await untilStatus(control, "two that wait", (status) => status.upstreams[0].waiting === 2);
    await upgrade();
    const last = await begin(sluice.port, get("/last"));
    await untilStatus(control, "three that wait", (status) => status.upstreams[0].waiting === 3);
    assert.equal((await control("/pause", {})).status, 200);
    assert.equal((await control("/resume", {})).status, 200);
    assert.deepEqual(backend.asked, ["/long"]);
    backend.end("/long");
    assert.equal((await long.answer).status, 200);
    const answers = await Promise.all([waited, next, last].map(({ answer }) => answer));
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200]);
    assert.equal(backend.most, 1);
    await untilGone(first);
    await untilGone(second);
    // One that is killed takes its slot with it, and nothing else.
    const lost = await begin(sluice.port, get("/long/lost"));
    await backend.reached("/long/lost");
    const third = pid();
    // The verb, which is answered when the old process accepts nothing any more: what comes then is the new one's.
    await verb("upgrade");
    const after = await begin(sluice.port, get("/after"));
    await untilStatus(control, "one that waits", (status) => status.upstreams[0].waiting === 1);
    // With its workers, which would let what they have end.
    const workers = childrenOf(third).filter(({ args }) => args.includes("worker"));
    process.kill(third, "SIGKILL");
    for (const worker of workers) process.kill(worker.pid, "SIGKILL");
    await assert.rejects(lost.answer);
    assert.equal((await after.answer).status, 200);
  },
);

variants("a swap and a reload reach what waits in the old process", [], async (all) => {
  const { sluice, origin, upgrade, control, pid } = all;
  const other = await ScriptedOrigin.listen();
  try {
    const before = new Backend(origin, "a");
    const after = new Backend(other, "b");
    assert.equal((await control("/pause", {})).status, 200);
    const held = await begin(sluice.port, post("/held"));
    await untilStatus(control, "a request that waits", (status) => status.upstreams[0].waiting === 1);
    const old = pid();
    await upgrade();
    const swapped = await control("/swap", { to: [other.address] });
    assert.equal(swapped.status, 200, JSON.stringify(swapped.told));
    assert.equal((await control("/resume", {})).status, 200);
    assert.equal((await held.answer).text, "b/held");
    assert.deepEqual([before.asked, after.asked], [[], ["/held"]]);
    await untilGone(old);
  } finally {
    await other.close();
  }
});

variants("a drained endpoint that is put in use again is so in the old process", [], async (all) => {
  const { sluice, origin, upgrade, control } = all;
  new Backend(origin);
  const endpoint = origin.address;
  assert.equal((await control("/drain", { endpoint, window_ms: 0 })).status, 200);
  const held = await begin(sluice.port, post("/held"));
  await untilStatus(control, "a request that waits", (status) => status.upstreams[0].waiting === 1);
  await upgrade();
  assert.equal((await control("/undrain", { endpoint })).status, 200);
  assert.equal((await held.answer).text, "/held");
});

variants(
  "the first SIGTERM of the old process lets its requests end, the second does not",
  [],
  async (all) => {
    const { sluice, origin, pid, upgrade } = all;
    const backend = new Backend(origin);
    const long = await begin(sluice.port, get("/long"));
    await backend.reached("/long");
    let old = pid();
    await upgrade();
    process.kill(old, "SIGTERM");
    assert.equal((await askOnce(sluice.port, get("/other"))).status, 200);
    assert.doesNotThrow(() => process.kill(old, 0));
    backend.end("/long");
    assert.equal((await long.answer).status, 200);
    await untilGone(old);
    const cut = await begin(sluice.port, get("/long/cut"));
    await backend.reached("/long/cut");
    old = pid();
    await upgrade();
    process.kill(old, "SIGTERM");
    await sluice.said(/SIGTERM: what is left here[^]*SIGTERM: what is left here/);
    process.kill(old, "SIGTERM");
    await assert.rejects(cut.answer);
    await untilGone(old);
  },
);

variants("stop waits for the old process", [], async (all) => {
  const { sluice, origin, pid, upgrade, verb, control } = all;
  const backend = new Backend(origin);
  const long = await begin(sluice.port, get("/long"));
  await backend.reached("/long");
  const first = pid();
  await upgrade();
  let stopped = false;
  const stopping = verb("stop").then(() => (stopped = true));
  await untilStatus(control, "the end to begin", (status) => status.state === "stopping");
  assert.equal(stopped, false);
  backend.end("/long");
  assert.equal((await long.answer).status, 200);
  await stopping;
  await untilGone(first);
});

variants("stop --now ends the old process as well", [], async ({ sluice, origin, pid, upgrade, control }) => {
  const backend = new Backend(origin);
  const long = await begin(sluice.port, get("/long"));
  await backend.reached("/long");
  const [first, second] = [pid(), (await upgrade(), pid())];
  void control("/stop", { now: true }).catch(() => {});
  await assert.rejects(long.answer);
  await untilGone(first);
  await untilGone(second);
});

/** Longer than an upgrade takes on a machine that is busy with other things. */
const LEASE_MS = 8000;

test(
  "succession: a control connection of the old process is told of the new one",
  able,
  () =>
    scene([], async ({ folder, sluice, origin, upgrade, control }) => {
      const backend = new Backend(origin);
      const long = await begin(sluice.port, get("/long"));
      await backend.reached("/long");
      const kept = await RawClient.connect({ path: folder.file("control") });
      const ask = "POST /pause HTTP/1.1\r\nHost: c\r\nContent-Length: 2\r\n\r\n{}";
      assert.equal((await kept.ask("GET /status HTTP/1.1\r\nHost: c\r\n\r\n")).status, 200);
      // Its request is under way when the place changes hands.
      await kept.send(ask.slice(0, -1));
      await upgrade();
      await kept.send("}");
      const answer = await kept.readResponse({ method: "POST" });
      assert.equal(answer.status, 409);
      assert.equal(JSON.parse(answer.text).error, "replaced");
      assert.equal(answer.field("connection"), "close");
      kept.destroy();
      assert.equal((await control("/status")).told.upstreams[0].paused, null);
      backend.end("/long");
      assert.equal((await long.answer).status, 200);
    }),
);

test(
  "succession: a wait that the old process was asked for goes on, for both",
  able,
  () =>
    scene([], async ({ sluice, origin, upgrade, verb, pid, control }) => {
      const backend = new Backend(origin);
      const old = pid();
      const first = await begin(sluice.port, get("/long/old"));
      await backend.reached("/long/old");
      let idle = false;
      const waiting = verb("wait", "--idle", "--timeout", "60s").then(() => (idle = true));
      await upgrade();
      const second = await begin(sluice.port, get("/long/new"));
      await backend.reached("/long/new");
      backend.end("/long/old");
      assert.equal((await first.answer).status, 200);
      // The old process ends, and what was waited for in it is waited for in the new one.
      await untilGone(old);
      assert.equal((await control("/status")).status, 200);
      assert.equal(idle, false, "the new process has one in flight");
      backend.end("/long/new");
      assert.equal((await second.answer).status, 200);
      await waiting;
    }),
);

test(
  "succession: a lease that was renewed at the new process holds in the old one",
  able,
  () =>
    scene([], async (all) => {
      const { sluice, origin, upgrade, control } = all;
      const backend = new Backend(origin);
      const { told } = await control("/pause", { lease_ms: LEASE_MS, owner: "with_pause" });
      const held = await begin(sluice.port, post("/held"));
      await untilStatus(control, "a request that waits", (status) => status.upstreams[0].waiting === 1);
      await upgrade();
      assert.equal((await control("/renew", { token: told.token, lease_ms: 60_000 })).status, 200);
      const until = Date.parse((await control("/status")).told.upstreams[0].paused.lease_until);
      assert.ok(until > Date.now() + 30_000);
      // Past the lease that the old process knows of.
      await new Promise((done) => setTimeout(done, LEASE_MS + 200));
      assert.deepEqual(backend.asked, []);
      assert.equal((await control("/resume", { token: told.token })).status, 200);
      assert.equal((await held.answer).text, "/held");
    }),
);

test(
  "succession: what is asked while another process is on trial holds afterwards, or is refused",
  able,
  () =>
    scene(["--workers", "1"], async ({ folder, origin, control, replaceProgram, pid }) => {
      new Backend(origin);
      const go = folder.file("go");
      const program = readFileSync(folder.file("program.ts"), "latin1");
      // A successor that takes its time.
      replaceProgram(
        `import { existsSync } from "node:fs";\nwhile (!existsSync(${JSON.stringify(go)})) ` +
          `await new Promise((done) => setTimeout(done, 10));\n${program}`,
      );
      const old = pid();
      const upgraded = control("/upgrade", {});
      await until("the new process", () => childrenOf(old).length > 0);
      for (const path of ["/swap", "/reload"]) {
        const { status, told } = await control(path, path === "/swap" ? { to: [origin.address] } : {});
        assert.deepEqual([status, told.error], [409, "busy"], path);
      }
      const drained = control("/drain", { endpoint: origin.address, window_ms: 0 });
      const paused = control("/pause", { lease_ms: 60_000 });
      await untilStatus(control, "the old process to carry them out", ({ upstreams: [upstream] }) =>
        upstream.paused !== null && upstream.endpoints[0].state === "drained");
      writeFileSync(go, "");
      assert.equal((await upgraded).status, 200);
      assert.equal((await drained).status, 200);
      assert.equal((await paused).status, 200);
      const { told } = await control("/status");
      assert.equal(told.pid, pid());
      assert.notEqual(told.pid, old);
      assert.equal(told.upstreams[0].endpoints[0].state, "drained");
      assert.notEqual(told.upstreams[0].paused, null);
    }),
);

test(
  "succession: watch goes on at the new process",
  able,
  () =>
    scene([], async ({ folder, upgrade, control }) => {
      const [program, ...first] = ownProgram();
      const args = [...first, "watch", "--until", "draining", "--control", folder.file("control")];
      const watch = spawn(program, args, { cwd: folder.path, stdio: ["ignore", "pipe", "inherit"] });
      let seen = "";
      watch.stdout.on("data", (bytes) => seen += String(bytes));
      const ended = new Promise((over) => watch.once("exit", over));
      /** Asks again and again, until the event has been seen. */
      const askUntil = async (what: string, path: string, event: string) => {
        const again = setInterval(() => void control(path, {}).catch(() => {}), 50);
        try {
          await until(what, () => seen.includes(`"event":"${event}"`));
        } finally {
          clearInterval(again);
        }
      };
      try {
        await askUntil("an event of the old process", "/pause", "paused");
        await upgrade();
        await control("/resume", {});
        seen = "";
        await askUntil("an event of the new process", "/pause", "paused");
        const { told } = await control("/status");
        const endpoint = told.upstreams[0].endpoints[0].name;
        assert.equal((await control("/drain", { endpoint, window_ms: 0 })).status, 200);
        assert.equal(await within(ended, "the end of watch"), 0);
      } finally {
        watch.kill("SIGKILL");
      }
    }),
);

test(
  "succession: an old process that is stopped (SIGSTOP) is waited for once, named, and catches up",
  able,
  () =>
    scene([], async ({ sluice, origin, pid, verb, control }) => {
      const backend = new Backend(origin);
      assert.equal((await control("/pause", {})).status, 200);
      const held = await begin(sluice.port, post("/held"));
      await untilStatus(control, "a request that waits", (status) => status.upstreams[0].waiting === 1);
      const old = pid();
      // The verb is answered when the old process accepts nothing any more: what comes then is the new one's.
      await verb("upgrade");
      const late = await begin(sluice.port, post("/late"));
      await untilStatus(control, "two that wait", (status) => status.upstreams[0].waiting === 2);
      process.kill(old, "SIGSTOP");
      try {
        const resumed = await within(control("/resume", {}), "an answer");
        assert.deepEqual([resumed.status, resumed.told.error], [504, "timeout"]);
        assert.match(resumed.told.message, new RegExp(`Process ${old}, which drains`));
        assert.equal((await late.answer).text, "/late", "all others have done it");
        const idle = await control("/wait", { for: "idle", timeout_ms: 100 });
        assert.deepEqual([idle.status, idle.told.error], [504, "timeout"]);
        assert.match(idle.told.message, new RegExp(`0 requests are still in flight, 1 wait. Process ${old}`));
        assert.equal((await control("/status")).told.predecessor.answers, false);
      } finally {
        process.kill(old, "SIGCONT");
      }
      assert.equal((await held.answer).text, "/held");
      assert.deepEqual(backend.asked, ["/late", "/held"]);
      await untilGone(old);
      await untilStatus(control, "the end of the old process", (status) => status.predecessor === null);
      assert.equal((await control("/pause", {})).status, 200);
    }),
);
