/** What is wrong with the options of a program is told all at once, each with its place. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { OpenOptions } from "../../../src/api/api_types.ts";
import type { Status } from "../../../src/process/worker/status.ts";
import { GateLab } from "../../support/gate_lab.ts";

/** Options as JavaScript lets one write them. */
const wrong = (options: Record<string, unknown>): OpenOptions => options as OpenOptions;

test("options: all problems at once, from all places", async () => {
  const lab = new GateLab({ "/f.yaml": "hold: 5\nupstreams: {b: 3001}\n" });
  const lines = await lab.problems(wrong({
    listne: 80,
    listen: [8080, "x y"],
    upstreams: { app: { endpoints: ["127.0.0.1:3000", "?"], hold: 10 } },
    routes: [{ to: "ap" }],
    config: "/f.yaml",
    options: { queue: { size: -1 }, qeue: 1, workers: 4, pid_file: "/x" },
    log: "console.log",
  }));
  const places = [
    "listne: ",
    "log: ",
    "options.queue.size: ",
    "options.qeue: ",
    "listen[1]: ",
    "upstreams.app.hold: ",
    "upstreams.app.endpoints[1]: ",
    "options.workers: ",
    "options.pid_file: ",
    "routes[0].to: ",
    "/f.yaml:1: hold: ",
  ];
  assert.deepEqual(lines.map((line, at) => line.slice(0, places[at]?.length)), places);
  assert.ok(lines.some((line) => line.includes("did you mean listen?")));
  await lab.end();
});

test("options: what is no object, no path, or stands in the wrong place", async () => {
  const lab = new GateLab();
  for (const none of [null, undefined, [], 8080, "8080", new Map()]) {
    await assert.rejects(lab.library.open(none as unknown as OpenOptions), { name: "ConfigError" });
  }
  const upstreams = { app: { endpoints: [3000] } };
  assert.deepEqual(
    await lab.problems(
      wrong({ upstreams, options: { listen: 1, routes: [{ to: "app" }], upstreams: { b: 1 } } }),
    ),
    [
      "options.listen: stands beside options, not in it",
      "options.upstreams: stands beside options, not in it",
      "options.routes: stands beside options, not in it",
    ],
  );
  assert.match((await lab.problems(wrong({ upstreams, config: 1 })))[0] ?? "", /^config: must be the path/);
  assert.match((await lab.problems(wrong({ upstreams, config: "/no" })))[0] ?? "", /^config: cannot be read/);
  assert.match(
    (await lab.problems(wrong({ upstreams, options: [] })))[0] ?? "",
    /^options: must be an object/,
  );
  assert.match((await lab.problems({}))[0] ?? "", /says nowhere where requests should go/);
  await lab.end();
});

test("options: undefined is as good as left out", async () => {
  const lab = new GateLab();
  const given = { listen: "127.0.0.1:0", upstreams: { app: { endpoints: [3000], hold: undefined } } };
  const left = { routes: undefined, config: undefined, options: undefined, log: undefined };
  assert.deepEqual(await lab.problems({ ...given, ...left }), []);
  await lab.end();
});

test("options: what only a program of its own can do is refused, wherever it stands", async () => {
  const lab = new GateLab({ "/f.yaml": "workers: 2\nupstreams: {b: {endpoints: 3001, command: [run]}}\n" });
  const lines = await lab.problems({
    upstreams: { app: { endpoints: [3000], command: ["run"] } },
    routes: [{ to: "app" }, { match: { path: "/b" }, to: "b" }],
    config: "/f.yaml",
  });
  const named = lines.filter((line) => line.includes("is for the program sluice")).map((line) =>
    line.replace(/: is for.*$/, "")
  );
  assert.deepEqual(
    new Set(named),
    new Set([
      "upstreams.app.command",
      "/f.yaml:1: workers",
      "/f.yaml:2: upstreams.b.command",
    ]),
  );
  // What changes nothing may stand in a file that the program is started with as well.
  const usual = { workers: 1, watch: false };
  assert.deepEqual(
    await lab.problems({ listen: 0, upstreams: { app: { endpoints: [3000] } }, options: usual }),
    [],
  );
  await lab.end();
});

test("options: a file and values together, values first", async () => {
  const lab = new GateLab({ "/f.yaml": 'hold: 5s\nvia: "off"\nupstreams: {b: 3001}\nroutes: [{to: b}]\n' });
  const gate = await lab.open({ config: "/f.yaml", options: { hold: "9s" } });
  assert.deepEqual(gate.status().upstreams.map(({ name }) => name), ["b"]);
  await lab.end(gate);
});

test("options: those of the library's own defaults", async () => {
  const lab = new GateLab();
  const gate = await lab.open({ upstreams: { app: { endpoints: [3000] } } });
  // The cast: more is there than is promised.
  const { workers } = gate.status() as Status;
  assert.deepEqual(workers[0]?.sockets, { kind: "native", reason: "" });
  await lab.end(gate);
});
