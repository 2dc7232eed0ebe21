import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { COMMANDS } from "../../../../src/cli/commands.ts";
import { commandHelp, generalHelp } from "../../../../src/cli/reference/help.ts";
import { flagName } from "../../../../src/config/options/option.ts";
import { OPTION_PATHS, shortPath } from "../../../../src/config/options/options.ts";
import { referenceFile, renderReference } from "../../../../scripts/reference.ts";

test("--help is what the snapshot says", () => {
  // After a wanted change: sluice --help > test/unit/cli/help.txt
  assert.equal(generalHelp(), readFileSync(new URL("help.txt", import.meta.url), "utf8"));
});

test("--help names every option and command, in lines that fit", () => {
  const help = generalHelp();
  for (const path of OPTION_PATHS) {
    assert.ok(help.includes(flagName(shortPath(path)).slice(2)), path);
  }
  for (const command of COMMANDS) {
    if (command.name !== "serve") assert.ok(help.includes(`\n  ${command.name} `), command.name);
  }
  for (const line of help.split("\n")) assert.ok(line.length <= 118, `${line.length}: ${line}`);
});

test("every command has its own help", () => {
  for (const command of COMMANDS) {
    const help = commandHelp(command);
    assert.ok(help.endsWith("\n"));
    for (const flag of command.flags) assert.ok(help.includes(`--${flag.name}`), flag.name);
  }
});

test("docs/reference.md is what scripts/reference.ts writes", () => {
  assert.equal(readFileSync(referenceFile, "utf8"), renderReference(), "run: bun scripts/reference.ts");
});
