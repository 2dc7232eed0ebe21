import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { loadConfig } from "../../../src/config/load_config.ts";
import { printYaml } from "../../../src/config/print.ts";
import { formatProblem } from "../../../src/config/values/problem.ts";

const folder = new URL("../../vectors/config/", import.meta.url);

for (const name of readdirSync(folder).filter((file) => file.endsWith(".yaml"))) {
  test(`what is printed of ${name} gives the same configuration`, () => {
    const text = readFileSync(new URL(name, folder), "utf8");
    const loaded = loadConfig({ flags: {}, env: {}, file: { path: name, text } });
    if (!loaded.ok) return;
    const printed = printYaml(loaded);
    const again = loadConfig({ flags: {}, env: {}, file: { path: "printed", text: printed } });
    assert.ok(again.ok, again.ok ? "" : again.problems.map(formatProblem).join("\n") + printed);
    assert.deepEqual(again.config, loaded.config);
    const before = new Set(loaded.warnings.map(({ message }) => message));
    assert.deepEqual(again.warnings.filter(({ message }) => !before.has(message)), []);
  });
}

test("every value says where it came from", () => {
  const text = "to: 3000\nvia: a\nqueue:\n  size: 3\n";
  const loaded = loadConfig({
    flags: { hold: ["1s"] },
    env: { SLUICE_MAX_FIELDS: "7" },
    file: { path: "sluice.yaml", text },
  });
  assert.ok(loaded.ok);
  const printed = printYaml(loaded);
  for (
    const line of [
      "hold: 1s  # flag --hold",
      "max_fields: 7  # environment SLUICE_MAX_FIELDS",
      "via: a  # sluice.yaml:2",
      "  size: 3  # sluice.yaml:4",
      "max_in_flight: 0  # default",
      "    endpoints: [127.0.0.1:3000]  # sluice.yaml:1",
      "  - to: default",
    ]
  ) {
    assert.ok(printed.split("\n").includes(line), line);
  }
});
