/**
 * An upgrade, or a reload after it, that calls an upstream otherwise or names other endpoints for it, as processes: what the
 * old process holds is found by its new name, counts, and keeps its slots.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { untilGone } from "../support/processes.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { Backend, begin, post, untilStatus, variants } from "../support/succession_load.ts";
import { able, get, scene } from "../support/succession_scene.ts";

function config(name: string, address: string, more = ""): string {
  return `upstreams:\n  ${name}:\n    endpoints: ["${address}"]\n${more}routes:\n  - to: ${name}\n`;
}

const named = (name: string, more = "") => ({ config: (address: string) => config(name, address, more) });

const ONE = "    max_in_flight: 1\n";

variants("a pause is of the backend, whatever the upgrade calls it, and so is its end", [], async (all) => {
  const { sluice, origin, pid, upgrade, control, configure } = all;
  const backend = new Backend(origin);
  assert.equal((await control("/pause", { upstream: "before" })).status, 200);
  const held = await begin(sluice.port, post("/held"));
  await untilStatus(control, "a request that waits", (status) => status.upstreams[0].waiting === 1);
  const old = pid();
  configure(config("after", origin.address));
  await upgrade();
  const { told } = await control("/status");
  assert.deepEqual([told.upstreams[0].name, told.upstreams[0].state, told.upstreams[0].waiting], [
    "after",
    "paused",
    1,
  ]);
  const late = await begin(sluice.port, post("/late"));
  await untilStatus(control, "a request that waits in each", (status) => status.upstreams[0].waiting === 2);
  assert.deepEqual(backend.asked, []);
  assert.equal((await control("/resume", { upstream: "after" })).status, 200);
  assert.deepEqual([(await held.answer).text, (await late.answer).text], ["/held", "/late"]);
  await untilGone(old);
  const { told: after } = await control("/status");
  assert.equal(after.upstreams[0].totals.requests, 2, "what the old process has counted stays");
}, named("before"));

variants("max_in_flight 1 and waits hold over three processes with three names", [], async (all) => {
  const { sluice, origin, upgrade, control, configure } = all;
  const backend = new Backend(origin);
  const long = await begin(sluice.port, post("/long"));
  await backend.reached("/long");
  const first = await begin(sluice.port, get("/first"));
  await untilStatus(control, "one that waits", (status) => status.upstreams[0].waiting === 1);
  configure(config("second", origin.address, ONE));
  await upgrade();
  const second = await begin(sluice.port, get("/second"));
  await untilStatus(control, "two that wait", (status) => status.upstreams[0].waiting === 2);
  configure(config("third", origin.address, ONE));
  assert.equal((await control("/reload", {})).status, 200);
  configure(config("fourth", origin.address, ONE));
  await upgrade();
  const last = await begin(sluice.port, get("/last"));
  await untilStatus(
    control,
    "three that wait",
    (status) => status.upstreams[0].name === "fourth" && status.upstreams[0].waiting === 3,
  );
  const late = await control("/wait", { upstream: "fourth", for: "idle", timeout_ms: 100 });
  assert.deepEqual([late.status, late.told.error], [504, "timeout"]);
  assert.deepEqual(backend.asked, ["/long"]);
  const idle = control("/wait", { upstream: "fourth", for: "idle", timeout_ms: 20_000 });
  backend.end("/long");
  const answers = await Promise.all([long, first, second, last].map(({ answer }) => answer));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
  assert.equal(backend.most, 1);
  assert.deepEqual(backend.asked, ["/long", "/first", "/second", "/last"]);
  assert.equal((await idle).status, 200);
}, named("first", ONE));

variants("what waits in the old process goes where the upgrade's configuration says", [], async (all) => {
  const { sluice, origin, pid, upgrade, control, configure } = all;
  const other = await ScriptedOrigin.listen();
  try {
    const [before, after] = [new Backend(origin, "a"), new Backend(other, "b")];
    const long = await begin(sluice.port, get("/long"));
    await before.reached("/long");
    assert.equal((await control("/pause", {})).status, 200);
    const held = await begin(sluice.port, post("/held"));
    await untilStatus(control, "a request that waits", (status) => status.upstreams[0].waiting === 1);
    const old = pid();
    configure(config("app", other.address));
    await upgrade();
    assert.equal((await control("/resume", {})).status, 200);
    assert.equal((await held.answer).text, "b/held");
    assert.deepEqual([before.asked, after.asked], [["/long"], ["/held"]]);
    before.end("/long");
    assert.equal((await long.answer).text, "a/long", "what was on its way goes on");
    await untilGone(old);
  } finally {
    await other.close();
  }
}, named("app"));

test(
  "succession: seeded renames, upgrades, pauses and requests: each is answered once, and the limit holds",
  { ...able, timeout: 120_000 },
  () =>
    scene(["--workers", "1", "--hold", "60s"], async (all) => {
      const { sluice, origin, upgrade, control, configure } = all;
      const seed = Number(process.env["SLUICE_TEST_SEED"] ?? 7);
      const state = { value: seed };
      const pick = (below: number) => {
        state.value = (Math.imul(state.value, 1_664_525) + 1_013_904_223) >>> 0;
        return Math.floor((state.value / 2 ** 32) * below);
      };
      const backend = new Backend(origin);
      const asked: string[] = [];
      const answers: Promise<{ status: number; text: string }>[] = [];
      const ask = async (target: string) => {
        asked.push(target);
        answers.push((await begin(sluice.port, post(target))).answer);
      };
      let name = "app0";
      for (let round = 0; round < 8; round++) {
        const paused = pick(2) === 0;
        if (paused) assert.equal((await control("/pause", { upstream: name })).status, 200);
        for (let i = 1 + pick(4); i > 0; i--) await ask(`/${round}-${i}`);
        name = `app${pick(5)}`;
        configure(config(name, origin.address, "    max_in_flight: 2\n"));
        if (pick(3) === 0) assert.equal((await control("/reload", {})).status, 200);
        else await upgrade();
        for (let i = pick(3); i > 0; i--) await ask(`/${round}-after-${i}`);
        if (paused) {
          const { status, told } = await control("/resume", { upstream: name });
          assert.deepEqual([status, told.still_paused], [200, []], `seed ${seed}`);
        }
      }
      const idle = await control("/wait", { upstream: name, for: "idle", timeout_ms: 30_000 });
      assert.equal(idle.status, 200, `seed ${seed}: ${JSON.stringify(idle.told)}`);
      const texts = (await Promise.all(answers)).map(({ status, text }) => `${status} ${text}`);
      assert.deepEqual(texts, asked.map((target) => `200 ${target}`), `seed ${seed}`);
      assert.deepEqual([...backend.asked].sort(), [...asked].sort(), `seed ${seed}: each once`);
      assert.ok(backend.most <= 2, `seed ${seed}: ${backend.most} at a time`);
      const { told } = await control("/status");
      assert.deepEqual([told.upstreams[0].waiting, told.upstreams[0].in_flight], [0, 0]);
    }, named("app0", "    max_in_flight: 2\n")),
);
