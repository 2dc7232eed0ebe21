/**
 * Packs the package for npm, installs it into a fresh folder, and uses it there on Bun, Deno and Node. Nothing is fetched: what it
 * depends on comes from our own node_modules.
 *
 *     bun test/smoke/package.ts
 *
 * Prints `ok name (time)` or `FAIL name: why` for every check and exits 1 when one failed.
 */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, runChild, tool } from "../../scripts/support/child.ts";
import { buildNpmPackage } from "../../scripts/support/npm_package.ts";
import { checkExamples } from "./library_examples.ts";
import { ScratchFolder } from "./program.ts";

const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  bun: [tool("bun")],
  // Deno asks for nothing but the network.
  deno: [tool("deno"), "run", "--no-prompt", "--allow-net"],
  node: [tool("node")],
};

const PROGRAM = `
import { ConfigError, open, proxy, router, serve, to } from "sluice";

const app = await serve("127.0.0.1:0", ({ path }) => ({ headers: { "Content-Length": "12" }, body: "hello world\\n" }));
const lines = [];
const gate = await open({
  listen: "127.0.0.1:0",
  upstreams: { app: { endpoints: [app.port], max_in_flight: 1 } },
  handler: router({ "/carried": proxy(app.port) }, () => to("app")),
  log: (line) => lines.push(line),
});
const ask = async (path) => (await fetch("http://127.0.0.1:" + gate.port + path)).text();
const answers = [await ask("/"), await ask("/carried")];
const { totals, upstreams } = gate.status();
let problems = [];
try {
  await open({ upstreams: { app: { endpoints: ["?"], hold: 1 } } });
} catch (error) {
  if (error instanceof ConfigError) problems = error.problems.map((line) => line.split(":")[0]);
}
await gate.close(0);
await app.close(0);
console.log(JSON.stringify({
  answers,
  requests: totals.requests,
  upstreams: upstreams.length,
  problems,
  logged: lines.length > 0,
}));
`;

/** A script, and a test of it by the runtime's own means. */
const SCRIPT = `
import { type OnRequest, reject } from "sluice";
const denied = reject(401, "a token is needed");
export const onRequest: OnRequest = (request) => request.under("/admin") ? denied : undefined;
`;
const SCRIPT_TEST = `
import { dry } from "sluice/test";
const sluice = await dry("./route.ts", { upstreams: ["app"] });
const answers = [];
for (const uri of ["/", "/admin"]) {
  const { status, upstream } = await sluice.request("GET", uri);
  answers.push([status, upstream]);
}
console.log(JSON.stringify(answers));
`;

const TYPED = `
import { ConfigError, type Gate, open, serve } from "sluice";
export async function start(): Promise<Gate> {
  await using gate = await open({ listen: 0, upstreams: { app: { endpoints: [3000], hold: "5s" } } });
  const waiting: number = gate.status().upstreams[0]?.waiting ?? 0;
  // @ts-expect-error a function is no port
  await open({ listen: () => waiting });
  return gate;
}
export const apps = [
  open({ fetch: async (request) => new Response(await request.text()) }),
  serve(8080, () => new Response("text")),
  serve(8080, async ({ body }) => ({ body })),
  serve(8080, () => ({ body: new Blob(["x"]).stream() })),
];
export const isProblem = (error: unknown): boolean => error instanceof ConfigError && error.problems.length > 0;
`;

let failed = 0;

async function check(name: string, act: () => Promise<void>): Promise<void> {
  const started = performance.now();
  try {
    await act();
    console.log(`ok ${name} (${Math.round(performance.now() - started)} ms)`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error instanceof Error ? error.message : error}`);
  }
}

async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, output } = await runChild(program, args, { cwd, silenceMs: 60_000 });
  assert.equal(code, 0, `${[program, ...args].join(" ")}: code ${code}\n${output}`);
  return output;
}

/** @returns the file that npm makes of a package */
async function pack(folder: string, into: string): Promise<string> {
  mkdirSync(into);
  await run("npm", ["pack", "--offline", "--ignore-scripts", "--pack-destination", into, folder], into);
  const [file = ""] = readdirSync(into);
  return `file:${join(into, file)}`;
}

const scratch = new ScratchFolder();
const home = scratch.file("home");
try {
  await check("npm: packed, and installed into a fresh folder", async () => {
    await buildNpmPackage(scratch.file("npm"));
    const sluice = await pack(scratch.file("npm"), scratch.file("sluice"));
    const yaml = await pack(join(root, "node_modules", "@std", "yaml"), scratch.file("yaml"));
    const cac = await pack(join(root, "node_modules", "cac"), scratch.file("cac"));
    mkdirSync(home);
    const own = { type: "module", dependencies: { sluice, yaml, cac } };
    writeFileSync(join(home, "package.json"), JSON.stringify(own));
    const quiet = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
    await run("npm", ["install", ...quiet], home);
    writeFileSync(join(home, "program.js"), PROGRAM);
    writeFileSync(join(home, "program.ts"), TYPED);
    writeFileSync(join(home, "route.ts"), SCRIPT);
    writeFileSync(join(home, "route_test.js"), SCRIPT_TEST);
    writeFileSync(join(home, "route_test.ts"), SCRIPT_TEST);
  });
  const expected = {
    answers: ["hello world\n", "hello world\n"],
    requests: 2,
    upstreams: 2,
    problems: ["upstreams.app.hold", "upstreams.app.endpoints[0]"],
    logged: true,
  };
  for (const [runtime, [program = "", ...args]] of Object.entries(RUNTIMES)) {
    await check(`npm: used on ${runtime}`, async () => {
      // One line and no more: a library prints nothing, and the program ends by itself.
      assert.deepEqual(JSON.parse(await run(program, [...args, "program.js"], home)), expected);
    });
    await check(`npm: a test of a script on ${runtime}`, async () => {
      const all = runtime === "deno" ? ["run", "-A"] : [];
      const output = await run(program, [...all, "route_test.js"], home);
      assert.deepEqual(JSON.parse(output), [[200, "app"], [401, null]]);
    });
    await check(`npm: the program on ${runtime}`, async () => {
      const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
      const all = runtime === "deno" ? ["run", "-A"] : [];
      const output = await run(program, [
        ...all,
        join("node_modules", "sluice", "bin", "sluice.js"),
        "--version",
      ], home);
      assert.match(output, new RegExp(`^sluice ${version.replaceAll(".", "\\.")} .*${runtime}`));
    });
  }
  await checkExamples(home, { ...RUNTIMES, deno: [...RUNTIMES.deno ?? [], "--allow-read=."] }, check);
  await check("npm: its types", async () => {
    const settings = ["--strict", "--noEmit", "--target", "ES2024", "--lib", "ES2024,DOM", "--types", ""];
    for (const module of [["NodeNext", "NodeNext"], ["ESNext", "Bundler"]]) {
      const [kind = "", resolution = ""] = module;
      await run(
        tool("tsc"),
        [...settings, "--module", kind, "--moduleResolution", resolution, "program.ts", "route_test.ts"],
        home,
      );
    }
  });
} finally {
  scratch.remove();
}
process.exit(failed > 0 ? 1 : 0);
