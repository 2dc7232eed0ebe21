/** What the benchmark is asked for, and that what runs only when it is named can be measured. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { contendersFor } from "../../../scripts/support/bench_lineup.ts";
import { type BenchOptions, readOptions } from "../../../scripts/support/bench_options.ts";
import { rampTables } from "../../../scripts/support/bench_ramp_table.ts";
import { SCENARIOS } from "../../../scripts/support/bench_scenarios.ts";
import { missingTools } from "../../../scripts/support/bench_tools.ts";
import { root, runChild, tool } from "../../../scripts/support/child.ts";

const HELLO_RAMP = SCENARIOS.filter(({ group }) => group === "hello-ramp");
const ON_DEMAND = [
  "forward64",
  "connect",
  "tunnel",
  "tunnels5k",
  "hello",
  "script64",
  ...HELLO_RAMP.map(({ name }) => name),
  "tls64",
  "tlsclose",
  "tlsk64",
];
/** The rows that a Sluice has in each of them. */
const ROWS: Readonly<Record<string, readonly string[]>> = {
  forward64: ["sluice"],
  connect: ["sluice"],
  tunnel: ["sluice"],
  tunnels5k: ["sluice"],
  hello: ["sluice", "sluice-handle", "sluice-object"],
  "hello-ramp10": ["sluice", "sluice-handle", "sluice-object"],
  script64: ["sluice", "sluice-nothing", "sluice-to", "sluice-async", "sluice-response"],
  tls64: ["sluice"],
  tlsclose: ["sluice"],
  tlsk64: ["sluice"],
};

function options(...args: string[]): BenchOptions {
  const read = readOptions(args);
  assert.ok(typeof read !== "string");
  return read;
}

test("forward proxies, scripts and TLS are measured when they are named, and not otherwise", () => {
  const all = SCENARIOS.map(({ name }) => name);
  assert.deepEqual(
    options().scenarios.map(({ name }) => name),
    all.filter((name) => !ON_DEMAND.includes(name)),
  );
  const named = options("--scenarios", "forward,tunnels,script,hello-ramp,tls").scenarios;
  assert.deepEqual(named.map(({ name }) => name), ON_DEMAND);
  const help = String(readOptions(["--help"]));
  assert.match(help, /default: all but forward, tunnels, script, hello-ramp, tls\)/);
  assert.match(help, /its --sockets in forward, tunnels, script, hello-ramp +\(/);
  const list = String(readOptions(["--list"]));
  for (const name of ON_DEMAND) assert.match(list, new RegExp(`^${name} `, "m"));
});

test("a Sluice is a command with a name or without one, and all have the same sockets", () => {
  assert.deepEqual(options().sluices, []);
  assert.equal(options().sockets, "epoll");
  const { sluices, sockets } = options(
    "--sluice",
    "a b=c",
    "--sluice",
    "old=/tmp/x --y=z",
    "--sockets",
    "native",
  );
  assert.deepEqual(sluices, [{ name: "sluice", command: "a b=c" }, { name: "old", command: "/tmp/x --y=z" }]);
  assert.equal(sockets, "native");
  assert.throws(() => readOptions(["--sluice", "node=node x.ts"]), /node is a peer/);
  assert.throws(() => readOptions(["--sluice", "old="]), /write NAME='COMMAND'/);
  assert.throws(
    () => readOptions(["--sluice", "a", "--candidate", "sluice=b {port} {origin}"]),
    /two of one name/,
  );
  assert.throws(() => readOptions(["--sockets", "quick"]), /use auto, native or epoll/);
  assert.throws(() => readOptions(["--peers", "apache"]), /squid, ?tinyproxy/);
});

test("all that runs only when it is named can be measured", async () => {
  const sluice = `'${tool("bun")}' '${join(root, "runtime/main_bun.ts")}'`;
  const args = [
    "--trial",
    "--scenarios",
    "forward,tunnels,script,hello-ramp10,tls",
    "--peers",
    "none",
    "--sockets",
    "auto",
  ];
  const { code, output } = await runChild(tool("bun"), ["scripts/bench.ts", ...args, "--sluice", sluice], {
    silenceMs: 50_000,
  });
  if (process.platform !== "linux") {
    assert.equal(code, 1);
    assert.match(output, /needs Linux/);
    return;
  }
  if (missingTools(["nginx", "wrk", "h2load", "ab", "openssl"]).length > 0) {
    assert.equal(code, 1);
    assert.match(output, /is missing: install the Debian package/);
    return;
  }
  assert.equal(code, 0, output);
  for (const [scenario, sluices] of Object.entries(ROWS)) {
    const rows = output.split("\n").filter((line) => line.startsWith(`| ${scenario} | `))
      .map((line) => line.split("|").map((cell) => cell.trim()));
    const measured = rows.filter((cells) => cells.length > 8);
    assert.deepEqual(measured.map(([, , name]) => name), sluices, output);
    for (const cells of measured) {
      assert.ok(Number.isFinite(Number(cells[3])), `${cells.join("|")}\n${output}`);
    }
  }
  assert.doesNotMatch(output, /Failed requests|Not measured/);
});

test("a ramp has seventeen steps, each with what every contender did, and says whose requests failed", () => {
  assert.deepEqual(
    HELLO_RAMP.map(({ users }) => users),
    [10, 25, 50, 75, 100, 150, 200, 250, 300, 350, 400, 450, 500, 750, 1000, 1500, 2000],
  );
  const line = { sluices: [{ name: "sluice", command: "x" }], sockets: "epoll", candidates: [], peers: null };
  const contenders = contendersFor("answer", line, () => {});
  const steps = (failed: number) =>
    HELLO_RAMP.map((scenario) => ({
      scenario,
      rows: contenders.map((contender) => ({
        contender,
        samples: [{ p50: 1, p99: 2, rate: 3000, failed: scenario.users === 75 ? failed : 0 }],
        problem: "",
      })),
    }));
  const names = contenders.map(({ name }) => name);
  for (const name of ["bun", "library-bun", "library-deno", "library-node", "sluice", "sluice-object"]) {
    assert.ok(names.includes(name), name);
  }
  const good = rampTables(steps(0));
  assert.match(good, new RegExp(`^\\| 2000 ${"\\| 1.000 / 2.00 ".repeat(names.length)}\\|$`, "m"));
  assert.match(good, new RegExp(`^\\| 2000 ${"\\| 3000 ".repeat(names.length)}\\|$`, "m"));
  assert.match(good, /No request failed at any step\./);
  assert.match(rampTables(steps(2)), /Failed requests: .*75 users, sluice: 2/);
  assert.equal(rampTables([]), "");
});
