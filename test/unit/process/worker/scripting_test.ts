/** Scripts in a worker over reloads: who is asked, what becomes of requests under way, and what is left of what is over. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ScriptLoadFault } from "../../../../runtime/contract/contract.ts";
import type { ScriptApi } from "../../../../src/script/script_api.ts";
import type { HttpRequest } from "../../../../src/script/script_types.ts";
import type { MemoryExports } from "../../../support/memory_scripts.ts";
import { answerOf } from "../../../support/network_lab.ts";
import { PlaneLab } from "../../../support/plane_lab.ts";

/** What a script imports. */
function sluice(apis: Parameters<MemoryExports>[0]): ScriptApi {
  // The cast: that is what a worker gives.
  return apis["sluice"] as unknown as ScriptApi;
}

/** A script that says which generation it is; `told` gets what its life cycle calls. */
function counted(told: string[]): MemoryExports {
  let generations = 0;
  return () => {
    const own = ++generations;
    return {
      onStart: () => void told.push(`start ${own}`),
      onStop: () => void told.push(`stop ${own}`),
      onRequest: async (request: HttpRequest) => {
        if (request.path === "/later") {
          await new Promise((done) => request.signal.addEventListener("abort", done));
        }
        return request.path === "/own" ? { body: `generation ${own}` } : undefined;
      },
    };
  };
}

async function withLab(
  yaml: string,
  scripts: Readonly<Record<string, MemoryExports>>,
  act: (lab: PlaneLab) => Promise<void>,
): Promise<void> {
  const lab = await PlaneLab.start(yaml, {}, {}, scripts);
  try {
    await lab.backend(3000);
    await act(lab);
  } finally {
    await lab.stop();
  }
}

test("a reload loads scripts anew, and requests keep those that they began with", async () => {
  const told: string[] = [];
  await withLab("to: 3000\nscript: route.ts", { "/route.ts": counted(told) }, async (lab) => {
    const ask = async (target: string) => {
      const client = lab.ask(target);
      await lab.pass(5);
      return answerOf(client);
    };
    assert.deepEqual(told, ["start 1"]);
    assert.equal(await ask("/own"), "200 generation 1");
    assert.equal(await ask("/backend"), "200 3000/backend");
    const [backend] = lab.backends;
    assert.ok(backend !== undefined);
    backend.keeps = true;
    const held = lab.ask("/held");
    await lab.pass(5);
    const outcome = await lab.done(lab.plane.reload());
    assert.ok(outcome.ok);
    assert.deepEqual(outcome.changes, ["script /route.ts: loaded anew"]);
    assert.equal(await ask("/own"), "200 generation 2");
    await lab.pass(1000);
    assert.deepEqual(told, ["start 1", "start 2"], "a request of the first one is under way");
    backend.answer();
    await lab.pass(500);
    assert.equal(answerOf(held), "200 3000/held");
    assert.deepEqual(told, ["start 1", "start 2", "stop 1"]);
    assert.deepEqual(lab.system.scripts.loaded.map(({ retired }) => retired), [true, false]);
  });
  assert.deepEqual(told, ["start 1", "start 2", "stop 1", "stop 2"]);
});

test("scripts that are over end after the drain time, whatever is under way", async () => {
  const told: string[] = [];
  const yaml = "to: 3000\nscript: route.ts\ndrain_timeout: 2s";
  await withLab(yaml, { "/route.ts": counted(told) }, async (lab) => {
    lab.ask("/later");
    await lab.pass(5);
    await lab.done(lab.plane.reload());
    await lab.pass(1500);
    assert.equal(told.includes("stop 1"), false);
    await lab.pass(1000);
    assert.equal(told.includes("stop 1"), true);
  });
});

test("a reload with a script that cannot be loaded, or started, changes nothing and leaves nothing", async () => {
  const told: string[] = [];
  const other: string[] = [];
  let wrong: "load" | "start" | "hook" | null = null;
  const scripts = {
    "/a.ts": counted(told),
    "/b.ts": () => {
      if (wrong === "load") {
        throw new ScriptLoadFault([{ file: "b.ts", line: 3, column: 14, message: "nope" }], ["b.ts", "c.ts"]);
      }
      return {
        onStart: () => {
          if (wrong === "start") throw new TypeError("no database");
        },
        onRequest: wrong === "hook" ? 7 : () => undefined,
        onStop: () => void other.push("stopped"),
      };
    },
  };
  await withLab(
    "to: 3000\nscript: a.ts\nroutes: [{match: {path: /b/}, to: 3001, script: b.ts}]",
    scripts,
    async (lab) => {
      const cases = [
        ["load", /^b\.ts:3:14: nope$/],
        ["start", /^\/b\.ts: onStart: TypeError: no database$/],
        ["hook", /^\/b\.ts: onRequest is no function$/],
      ] as const;
      for (const [at, [kind, words]] of cases.entries()) {
        wrong = kind;
        const loaded = lab.system.scripts.loaded.length;
        const outcome = await lab.done(lab.plane.reload());
        assert.ok(!outcome.ok);
        assert.match(outcome.problems?.join("\n") ?? "", words);
        assert.ok(lab.system.scripts.loaded.slice(loaded).every(({ retired }) => retired), kind);
        const client = lab.ask("/own");
        await lab.pass(5);
        assert.equal(answerOf(client), "200 generation 1", `${at}`);
      }
      // The one before it had been started, and was told.
      assert.deepEqual(told, ["start 1", "start 3", "stop 3"]);
      assert.deepEqual(other, []);
      wrong = null;
      assert.ok((await lab.done(lab.plane.reload())).ok);
      await lab.pass(500);
      assert.deepEqual(other, ["stopped"]);
    },
  );
});

test("a swap keeps the scripts as they are", async () => {
  const told: string[] = [];
  await withLab("to: 3000\nscript: route.ts", { "/route.ts": counted(told) }, async (lab) => {
    await lab.backend(3001);
    const swapped = lab.plane.swap("default", ["3001"], null, 5000, 1000);
    assert.ok((await lab.done(swapped)).ok);
    const client = lab.ask("/own");
    const other = lab.ask("/x");
    await lab.pass(5);
    assert.equal(answerOf(client), "200 generation 1");
    assert.equal(answerOf(other), "200 3001/x");
    assert.deepEqual(told, ["start 1"]);
  });
});

test("handlers answer routes, and a file without one is a fault", async () => {
  const yaml = "routes: [{match: {path: /app/}, handle: app.ts}, {to: 3000}]";
  let handles = true;
  const scripts = {
    "/app.ts": () =>
      handles ? { default: (r: HttpRequest) => ({ body: `app ${r.path}` }) } : { onLog: () => {} },
  };
  await withLab(yaml, scripts, async (lab) => {
    const client = lab.ask("/app/x");
    await lab.pass(5);
    assert.equal(answerOf(client), "200 app /app/x");
    handles = false;
    const outcome = await lab.done(lab.plane.reload());
    assert.ok(!outcome.ok);
    assert.match(outcome.problems?.join() ?? "", /^\/app\.ts: a route is handled by it/);
  });
});

test("a script sets upstreams while it is loaded and while it serves, for itself only", async () => {
  let set: ScriptApi["setUpstream"] | null = null;
  let at = 3000;
  const scripts: Record<string, MemoryExports> = {
    "/route.ts": async (apis) => {
      const { to, setUpstream } = sluice(apis);
      await setUpstream("dyn", { endpoints: [at], hold: "1s" });
      set = setUpstream;
      return { onRequest: () => to("dyn") };
    },
  };
  await withLab(
    "script: route.ts\nupstreams: {limited: {endpoints: 3009, max_in_flight: 1}}",
    scripts,
    async (lab) => {
      await lab.backend(3001);
      await lab.backend(3002);
      const asked = async () => {
        const client = lab.ask("/x");
        await lab.pass(5);
        return answerOf(client);
      };
      assert.equal(await asked(), "200 3000/x");
      assert.ok(set !== null);
      const first = set as ScriptApi["setUpstream"];
      await lab.done(first("dyn", { endpoints: [3001] }));
      assert.equal(await asked(), "200 3001/x");
      await assert.rejects(first("dyn", { endpoints: [] }), /setUpstream/);
      await assert.rejects(first("dyn", { endpoints: [3002], hold: "soon" }), /hold/);
      await assert.rejects(first("limited", { endpoints: [3002] }), /max_in_flight/);
      assert.equal(await asked(), "200 3001/x");
      // Of many at once the last one counts, whatever a reload does meanwhile.
      const many = [first("dyn", { endpoints: [3000] }), first("dyn", { endpoints: [3002] })];
      at = 3001;
      const reloaded = lab.plane.reload();
      await lab.done(Promise.all(many));
      assert.ok((await lab.done(reloaded)).ok);
      assert.equal(await asked(), "200 3001/x");
      await lab.pass(1000);
      await assert.rejects(first("dyn", { endpoints: [3000] }), /another version of the script/);
      assert.equal(await asked(), "200 3001/x");
    },
  );
});

test("a watched file is told at once and when it has changed, until the script is over", async () => {
  const seen: string[] = [];
  const scripts: Record<string, MemoryExports> = {
    "/conf/route.ts": async (apis) => {
      const { watchFile } = sluice(apis);
      await watchFile("percent.txt", (text) => {
        seen.push(text);
        if (text === "bad") throw new Error("not a number");
      });
      return { onRequest: () => undefined };
    },
  };
  const lab = await PlaneLab.start(
    "to: 3000\nscript: conf/route.ts",
    {},
    { "/conf/percent.txt": "5" },
    scripts,
  );
  assert.deepEqual(seen, ["5"]);
  lab.system.files.set("/conf/percent.txt", "bad");
  await lab.pass(1100);
  lab.system.files.delete("/conf/percent.txt");
  await lab.pass(1100);
  lab.system.files.set("/conf/percent.txt", "20");
  await lab.pass(1100);
  assert.deepEqual(seen, ["5", "bad", "20"]);
  assert.match(lab.system.stderr, /script_error: Error: not a number/);
  await lab.done(lab.plane.reload());
  await lab.pass(500);
  lab.system.files.set("/conf/percent.txt", "21");
  await lab.pass(1100);
  assert.deepEqual(seen, ["5", "bad", "20", "20", "21"], "told once: the first generation is over");
  await lab.stop();
});

test("faults are told with the request, and counted in status and metrics", async () => {
  const scripts: Record<string, MemoryExports> = {
    "/route.ts": (_apis, events) => ({
      onRequest: (r: HttpRequest) => {
        if (r.path === "/timer") events.failed("timer", new Error("in a timer"));
        if (r.path === "/say") events.printed("info", "one\ntwo");
        if (r.path === "/throw") throw new TypeError("no");
        return { body: "fine" };
      },
    }),
  };
  await withLab("to: 3000\nscript: route.ts", scripts, async (lab) => {
    for (const target of ["/throw", "/timer", "/say"]) lab.ask(target);
    for (let n = 0; n < 30; n++) lab.ask("/throw?" + n);
    await lab.pass(50);
    const { stderr } = lab.system;
    assert.match(stderr, /script_error: TypeError: no script=\/route\.ts in=onRequest request="GET \/throw"/);
    assert.match(stderr, /script_error: Error: in a timer script=\/route\.ts in=timer\n/);
    assert.match(stderr, /info script: one script=\/route\.ts\n.*info script: two script=\/route\.ts\n/);
    const status = await lab.done(lab.plane.status());
    assert.deepEqual(status.scripts, [{ name: "/route.ts", error: 32, timeout: 0, stalled: 0, slow: 0 }]);
    await lab.pass(61_000);
    assert.match(lab.system.stderr, /1\d more lines about scripts were left out/);
  });
});

test("after a thousand reloads nothing of the former scripts is left", async () => {
  const told: string[] = [];
  await withLab("to: 3000\nscript: route.ts", { "/route.ts": counted(told) }, async (lab) => {
    for (let n = 0; n < 1000; n++) {
      lab.ask("/own");
      assert.ok((await lab.done(lab.plane.reload())).ok);
    }
    await lab.pass(1000);
    assert.equal(lab.system.scripts.loaded.filter(({ retired }) => !retired).length, 1);
    assert.equal(told.filter((words) => words.startsWith("stop")).length, 1000);
  });
});
