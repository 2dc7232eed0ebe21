/**
 * Values of a program mean what the same words in a file mean: every configuration of the examples and of the vectors is read
 * once from its file and once from the values that a YAML parser makes of it.
 */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "@std/yaml";
import { valueDocument } from "../../../../src/config/file/value_document.ts";
import { asMap } from "../../../../src/config/values/mapping.ts";
import { formatProblem } from "../../../../src/config/values/problem.ts";
import { loadConfig } from "../../../../src/config/load_config.ts";
import { loadDocuments } from "../../../../src/config/load.ts";

const root = new URL("../../../../", import.meta.url);
const files = ["examples/", "test/vectors/config/"].flatMap((folder) =>
  readdirSync(new URL(folder, root)).filter((name) => name.endsWith(".yaml")).map((name) => folder + name)
);

/** What the two have to say, without lines: values have none. */
function outcome(result: ReturnType<typeof loadConfig>): unknown {
  if (result.ok) {
    return { config: result.config, warnings: result.warnings.map(({ path, message }) => [path, message]) };
  }
  return new Set(result.problems.map(({ path, message }) => `${path}: ${message}`));
}

function load(values: Readonly<Record<string, unknown>>): ReturnType<typeof loadDocuments> {
  const documents = [valueDocument("", new Map(Object.entries(values)))];
  return loadDocuments({ flags: {}, env: {}, documents });
}

/** With numbers and booleans, as a program would have them. */
function problemsOf(values: Readonly<Record<string, unknown>>): readonly string[] {
  const result = load(values);
  return result.ok ? [] : result.problems.map(formatProblem);
}

test("value document: every file means the same as its values", () => {
  let compared = 0;
  for (const file of files) {
    const text = readFileSync(new URL(file, root), "utf8");
    const flags = new URL(file.replace(/\.yaml$/, ".json"), root);
    const given = existsSync(flags) ? JSON.parse(readFileSync(flags, "utf8")) : {};
    if (given.flags !== undefined || given.env !== undefined) continue;
    const read = loadConfig({ flags: {}, env: {}, file: { path: "", text } });
    let values: unknown;
    try {
      values = parse(text, { schema: "failsafe", logLevel: "error" });
    } catch {
      continue;
    }
    const map = asMap(values);
    // What a guard of the parser refuses is no text of a configuration.
    if (map === null || (!read.ok && read.problems.some(({ path }) => path === ""))) continue;
    compared++;
    assert.deepEqual(outcome(load(Object.fromEntries(map))), outcome(read), file);
  }
  assert.ok(compared > 50, String(compared));
});

test("value document: numbers and booleans are what their text is", () => {
  const values = load({
    listen: 0,
    upstreams: { app: { endpoints: [3000, { address: "127.0.0.1:3001", weight: 2 }], max_in_flight: 1 } },
    queue: { size: 50 },
    lenient_target: true,
    hold: "10s",
  });
  const text = load({
    listen: "0",
    upstreams: {
      app: { endpoints: ["3000", { address: "127.0.0.1:3001", weight: "2" }], max_in_flight: "1" },
    },
    queue: { size: "50" },
    lenient_target: "true",
    hold: "10s",
  });
  assert.ok(values.ok && text.ok);
  assert.deepEqual(values.config, text.config);
});

test("value document: undefined is not given, and what no file could hold is refused with its place", () => {
  assert.deepEqual(problemsOf({ to: 3000, hold: undefined, queue: { size: undefined } }), []);
  assert.deepEqual(problemsOf({ to: 3000, hold: 1.5, via: () => 1, queue: new Map(), backlog: null }), [
    "hold: needs a unit: must be a duration like 250ms, 30s, 5m, 1h or 1d, got 1.5; did you mean 1.5s?",
    "via: must be a word of letters, digits and -._ (at most 64), got a function",
    "queue: must be a mapping with size, bytes, timeout, got a mapping",
    "backlog: must be a whole number, 1 to 65535, got nothing",
  ]);
  const round: Record<string, unknown> = {};
  round.hold = round;
  assert.equal(problemsOf({ to: 3000, queue: round }).length, 1);
});

test("documents: the first that gives an option counts, upstreams and routes are those of all", () => {
  const first = valueDocument(
    "",
    new Map(Object.entries({ hold: "5s", routes: [{ match: { path: "/a/" }, to: "b" }] })),
  );
  const second = valueDocument(
    "f.yaml",
    new Map(Object.entries({ hold: "9s", via: "off", upstreams: { b: 3000 }, routes: [{ to: "b" }] })),
  );
  const result = loadDocuments({ flags: {}, env: {}, documents: [first, second] });
  assert.ok(result.ok, result.ok ? "" : result.problems.map(formatProblem).join());
  assert.equal(result.config.upstreams[0]?.holdMs, 5_000);
  assert.deepEqual(result.config.routes.map(({ name }) => name), ["/a/", "/"]);
});

test("documents: what two of them give is told once, with both places", () => {
  const credentials = { corp: { scheme: "basic", user: "me", password_file: "/p" } };
  const values = { upstreams: { b: { endpoints: ["https://b"] } }, routes: [{ to: "b" }], credentials };
  const documents = ["", "f.yaml"].map((path) => valueDocument(path, new Map(Object.entries(values))));
  const result = loadDocuments({ flags: {}, env: {}, documents });
  assert.deepEqual(result.ok ? [] : result.problems.map(formatProblem), [
    "f.yaml: upstreams.b: is there already: rename one of the two",
    "f.yaml: credentials.corp: is there already: rename one of the two",
    "f.yaml: routes[0]: matches the same as routes[0] (/): remove one of the two",
  ]);
});
