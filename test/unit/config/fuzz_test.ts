/**
 * Invariant: whatever stands in flags, variables and file, `loadConfig` does not throw; it gives either a
 * configuration that prints and reads back as itself, or problems of one printable line each.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { loadConfig, type Sources } from "../../../src/config/load_config.ts";
import { OPTION_BY_ENV, OPTION_BY_FLAG, OPTION_PATHS } from "../../../src/config/options/options.ts";
import { printYaml } from "../../../src/config/print.ts";
import { formatProblem } from "../../../src/config/values/problem.ts";

const SEED = 20_261_004;
const CASES = 1500;

const SCALARS = [
  "",
  "0",
  "1",
  "3000",
  ":3000",
  "30s",
  "64KiB",
  "true",
  "off",
  "yes",
  "auto",
  "~",
  "null",
  "08",
  "1e3",
  ".nan",
  "-.inf",
  "9".repeat(400),
  "a b",
  "é\u202e",
  "\u0000",
  "a\nb",
  "http://u:p@h/",
  "https://h",
  "unix:/x",
  "[::1]:1",
  "10.0.0.0/8",
  "GET",
  "connect",
  "/api",
  "example.com",
  "*.x.y",
  "app",
  "__proto__",
  "x".repeat(5000),
  ",",
  "json",
  "random",
];

const KEYS = [
  ...OPTION_PATHS.flatMap((path) => [path, ...path.split(".")]),
  "upstreams",
  "routes",
  "match",
  "respond",
  "endpoints",
  "address",
  "weight",
  "status",
  "body",
  "headers",
  "host",
  "path",
  "app",
  "default",
  "__proto__",
  "constructor",
  "toString",
  "",
  "a b",
  "<<",
];

/** xorshift32: the same cases on every runtime. */
function random(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function check(sources: Sources, label: string): boolean {
  let result;
  try {
    result = loadConfig(sources);
  } catch (error) {
    throw new Error(`${label}: ${JSON.stringify(sources)}`, { cause: error });
  }
  if (!result.ok) {
    assert.ok(result.problems.length > 0, label);
    for (const problem of result.problems) assert.match(formatProblem(problem), /^[\x20-\x7e]+$/, label);
    return false;
  }
  for (const warning of result.warnings) assert.match(formatProblem(warning), /^[\x20-\x7e]+$/, label);
  const printed = printYaml(result);
  const again = loadConfig({ flags: {}, env: {}, file: { path: "printed", text: printed } });
  assert.ok(
    again.ok,
    `${label}: ${again.ok ? "" : again.problems.map(formatProblem).join("\n")}\n${printed}`,
  );
  assert.deepEqual(again.config, result.config, label);
  return true;
}

test("random values in every place", () => {
  const pick = random(SEED);
  const one = <T>(list: readonly T[]): T => list[pick(list.length)] as T; // the lists are not empty
  const value = (depth: number): string => {
    const kind = pick(depth > 4 ? 1 : 4);
    if (kind < 2) return JSON.stringify(one(SCALARS));
    const size = pick(4);
    if (kind === 2) return `[${Array.from({ length: size }, () => value(depth + 1)).join(", ")}]`;
    const entries = new Map(Array.from({ length: size }, () => [one(KEYS), value(depth + 1)]));
    return `{${[...entries].map(([key, inner]) => `${JSON.stringify(key)}: ${inner}`).join(", ")}}`;
  };
  for (let index = 0; index < CASES; index++) {
    const flags: Record<string, string[]> = {};
    const env: Record<string, string> = {};
    for (let count = pick(3); count > 0; count--) {
      flags[one([...OPTION_BY_FLAG.keys(), "--x"]).slice(2)] = Array.from(
        { length: pick(3) },
        () => one(SCALARS),
      );
      env[one([...OPTION_BY_ENV.keys(), "SLUICE_X"])] = one(SCALARS);
    }
    const keys = new Set(Array.from({ length: 1 + pick(5) }, () => one(KEYS)));
    const text = [...keys].map((key) => `${JSON.stringify(key)}: ${value(0)}\n`).join("");
    check({ flags, env, file: { path: "f.yaml", text } }, `seed ${SEED} case ${index}`);
  }
});

test("valid files with a few characters changed", () => {
  const pick = random(SEED + 1);
  const folder = new URL("../../vectors/config/", import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith(".yaml")).toSorted()
    .map((file) => readFileSync(new URL(file, folder), "utf8"))
    .filter((text) => loadConfig({ flags: {}, env: {}, file: { path: "f.yaml", text } }).ok);
  const alphabet = "{}[]:,-#&*!|>'\"%@` \n\t\0é0a?~\u2028\ufeff1234567890 xyz";
  let accepted = 0;
  for (let index = 0; index < CASES; index++) {
    let text = files[pick(files.length)] ?? "";
    for (let count = pick(3); count >= 0; count--) {
      const at = pick(text.length + 1);
      text = text.slice(0, at) + (alphabet[pick(alphabet.length)] ?? "") + text.slice(at + pick(3));
    }
    if (check({ flags: {}, env: {}, file: { path: "f.yaml", text } }, `seed ${SEED + 1} case ${index}`)) {
      accepted++;
    }
  }
  assert.ok(
    accepted > CASES / 30,
    `only ${accepted} accepted: the other half of the invariant was hardly tried`,
  );
});

test("YAML that is meant to hurt", () => {
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 12; level++) {
    const [name, inner] = [String.fromCharCode(97 + level), String.fromCharCode(96 + level)];
    bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${inner}`).join(", ")}]`);
  }
  const texts = [
    bomb.join("\n"),
    bomb.join("\n") + "\nto: *l\nlisten: *l\n",
    "to: &x [*x]\n",
    "to: &x {address: *x}\n",
    "routes: &x [*x]\nupstreams: &y {a: *y}\n",
    "[".repeat(20_000),
    "{a: ".repeat(20_000),
    "- ".repeat(20_000),
    "? ".repeat(5000),
    "to: " + "[".repeat(3000) + "]".repeat(3000),
    "to: 3000 #" + "x".repeat(2_000_000),
    "\u0000\u0001\u0002",
    "%YAML 9.9\n---\nto: 3000\n",
    "to: !<tag:yaml.org,2002:js/function> 'x'\n",
    "to: !!js/undefined ''\n",
    "!!set {to}\n",
    "!!omap [to: 3000]\n",
    "to: !!set {x}\n",
    "to: !!timestamp 2020-01-01\n",
    "to: >\n  3000\n",
    "to: 'a\n",
    Array.from({ length: 100_000 }, (_, index) => `k${index}: 1`).join("\n"),
    "- &a x\n" + "- *a\n".repeat(100_000),
    // A hundred thousand errors each.
    "[" + ",".repeat(100_000),
    "&a ".repeat(100_000),
    '"'.repeat(100_000),
  ];
  const started = performance.now();
  for (const text of texts) check({ flags: {}, env: {}, file: { path: "f.yaml", text } }, text.slice(0, 40));
  assert.ok(performance.now() - started < 20_000);
});
