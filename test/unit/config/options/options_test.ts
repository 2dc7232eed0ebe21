import { parse } from "@std/yaml";
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../../src/config/load_config.ts";
import { envName, flagName, GROUPS } from "../../../../src/config/options/option.ts";
import {
  isUpstreamOption,
  OPTION_BY_ENV,
  OPTION_BY_FLAG,
  OPTION_PATHS,
  optionAt,
  type OptionPath,
  OPTIONS,
  RETRY_OPTION_PATHS,
  shortPath,
} from "../../../../src/config/options/options.ts";
import { formatProblem } from "../../../../src/config/values/problem.ts";
import { printDuration, printSize } from "../../../../src/config/values/quantity.ts";

test("every option is in a group and has its texts", () => {
  assert.equal(OPTION_PATHS.length, Object.keys(OPTIONS).length);
  for (const path of OPTION_PATHS) {
    const option = optionAt(path);
    assert.match(path, /^[a-z]+(?:_[a-z]+)*(?:\.[a-z]+(?:_[a-z]+)*)?$/);
    assert.ok(GROUPS.includes(option.group));
    assert.ok(option.help.length <= 60, `${path}: ${option.help.length}`);
    assert.match(option.help, /[^.]$/, path);
    assert.match(option.doc, /^[`A-Z0-9].*\.$/s, path);
    assert.equal(isUpstreamOption(path), option.scope === "upstream", path);
  }
  assert.equal(RETRY_OPTION_PATHS.length, 5);
});

test("names of flags and variables follow from the path", () => {
  assert.equal(flagName("queue.idle_timeout"), "--queue-idle-timeout");
  assert.equal(envName("queue.idle_timeout"), "SLUICE_QUEUE_IDLE_TIMEOUT");
  assert.equal(OPTION_BY_FLAG.get("--queue-size"), "queue.size");
  assert.equal(OPTION_BY_ENV.get("SLUICE_QUEUE_SIZE"), "queue.size");
  assert.equal(OPTION_BY_FLAG.get("--access-log"), "access_log.format");
  assert.equal(OPTION_BY_FLAG.get("--access-log-format"), "access_log.format");
  assert.equal(OPTION_BY_ENV.get("SLUICE_RETRY"), "retry.mode");
  assert.equal(OPTION_BY_FLAG.get("--to-string"), undefined);
});

test("the options of a mapping stand together, as printing them needs", () => {
  const heads = OPTION_PATHS.map((path) => path.split(".")[0]);
  const runs = heads.filter((head, index) => head !== heads[index - 1]);
  assert.deepEqual(runs, [...new Set(runs)]);
});

for (const path of OPTION_PATHS) {
  const option = optionAt(path);

  test(`${path}: default and example are valid and can be printed and read back`, () => {
    const texts: unknown[] = [parse(option.example, { schema: "failsafe" })];
    if (option.default !== null) texts.push(option.default);
    for (const raw of texts) {
      const parsed = option.type.parse(raw);
      assert.ok(parsed.ok, String(raw));
      const printed = option.type.print(parsed.value);
      assert.deepEqual(option.type.parse(printed), parsed);
    }
  });

  test(`${path}: both ends of the range`, () => {
    const range = /, (\S+) to (\S+?)(?:,|$)/.exec(option.type.accepts);
    if (range === null) {
      assert.ok(!/duration|size|count/.test(option.type.name), "a quantity without range");
      return;
    }
    const [, low = "", high = ""] = range;
    const min = valueOf(path, low);
    const max = valueOf(path, high);
    const print = option.type.name === "count"
      ? String
      : option.type.name === "size"
      ? printSize
      : printDuration;
    for (const beyond of [min - 1, max + 1]) {
      const text = beyond < 0 ? `-${print(-beyond)}` : print(beyond);
      const parsed = option.type.parse(text);
      assert.ok(!parsed.ok, text);
      assert.match(parsed.faults[0]?.message ?? "", /^must be .*, got /);
    }
  });

  test(`${path}: nonsense is refused with the place and what would be right`, () => {
    for (const raw of ["\u0000", [], {}, [[]], { a: "b" }, null, undefined, "\n", "é\u202e", 3, NaN, true]) {
      const parsed = option.type.parse(raw);
      if (parsed.ok) {
        const emptyList = option.type.many && (Array.isArray(raw) || raw === "\n");
        // Names of files and programs are any text without control characters.
        const fileName = (option.type.name.includes("path") || path === "command") && raw === "é\u202e";
        assert.ok(emptyList || fileName, JSON.stringify(raw));
        continue;
      }
      for (const fault of parsed.faults) {
        assert.match(fault.message, /^[\x20-\x7e]+$/);
        assert.match(fault.message, /^(?:must|needs|has|is|unknown key)/);
      }
    }
  });

  test(`${path}: flag, variable and file mean the same`, () => {
    if (option.outsideFile === true) return;
    const value = option.default === null || option.default === "" ? null : option.default;
    if (value === null || path === "listen") return;
    const file = (text: string) => ({ path: "f.yaml", text: `to: "3000"\n${text}` });
    const [head = "", leaf] = path.split(".");
    const yaml = leaf === undefined ? `${head}: "${value}"` : `${head}: {${leaf}: "${value}"}`;
    const results = [
      loadConfig({ flags: { [flagName(path).slice(2)]: [value] }, env: {}, file: file("") }),
      loadConfig({ flags: { [flagName(shortPath(path)).slice(2)]: [value] }, env: {}, file: file("") }),
      loadConfig({ flags: {}, env: { [envName(path)]: value }, file: file("") }),
      loadConfig({ flags: {}, env: {}, file: file(yaml) }),
    ];
    const sources = ["flag", "flag", "env", "file"];
    for (const [index, result] of results.entries()) {
      assert.ok(result.ok, result.ok ? "" : result.problems.map(formatProblem).join());
      const first = results[0];
      assert.ok(first?.ok);
      assert.deepEqual(result.config, first.config);
      assert.equal(result.origins.get(path)?.source, sources[index]);
    }
  });
}

function valueOf(path: OptionPath, text: string): number {
  const parsed = optionAt(path).type.parse(text);
  assert.ok(parsed.ok, `${path}: ${text} is in its own range`);
  assert.ok(typeof parsed.value === "number");
  return parsed.value;
}
