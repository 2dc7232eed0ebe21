import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { completions, SHELLS } from "../../../src/cli/completions.ts";
import { manualPage } from "../../../src/cli/manual_page.ts";
import { flagsOf, NAMED_COMMANDS } from "../../../src/cli/word_table.ts";
import { flagName } from "../../../src/config/option.ts";
import { OPTION_PATHS, shortPath } from "../../../src/config/options.ts";

function has(program: string): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

const bashOnly = { skip: has("bash") ? false : "there is no bash here" };

test("every command and every flag is in every script", () => {
  for (const shell of SHELLS) {
    const script = completions(shell);
    for (const command of COMMANDS) {
      if (command.name !== "serve") assert.ok(script.includes(command.name), `${shell}: ${command.name}`);
      for (const { flag } of flagsOf(command)) {
        const word = shell === "fish" ? ` -l ${flag.slice(2)} ` : flag;
        assert.ok(script.includes(word), `${shell}: ${flag}`);
      }
    }
  }
});

/** Completes lines by sourcing the script, in front of a Sluice with two upstreams. */
function completed(lines: readonly string[]): string[][] {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-"));
  try {
    fs.writeFileSync(path.join(folder, "completions.bash"), completions("bash"));
    fs.writeFileSync(path.join(folder, "config.yaml"), "");
    const script = `
      source ./completions.bash
      sluice() {
        [[ $* == "status --names upstreams "* ]] && printf 'app\\napi\\n'
        [[ $* == "status --names endpoints "* ]] && printf '127.0.0.1:3000\\n127.0.0.1:3001\\n'
      }
      while IFS= read -r line; do
        COMP_LINE=$line COMP_POINT=\${#line} COMPREPLY=()
        _sluice
        echo "\${COMPREPLY[*]}"
      done`;
    const input = lines.join("\n") + "\n";
    const output = execFileSync("bash", ["--norc", "-u", "-c", script], {
      cwd: folder,
      input,
      encoding: "utf8",
    });
    return output.split("\n").slice(0, -1).map((line) => line.split(" ").filter((word) => word !== ""));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test("bash accepts the script, and completes with it", bashOnly, () => {
  const checked = spawnSync("bash", ["-n"], { input: completions("bash"), encoding: "utf8" });
  assert.deepEqual([checked.status, checked.stderr], [0, ""]);
  const cases: readonly (readonly [line: string, words: readonly string[]])[] = [
    ["sluice st", ["status", "stop"]],
    ["sluice ", NAMED_COMMANDS.map(({ name }) => name)],
    ["sluice with", ["with-pause"]],
    ["sluice pause ", ["app", "api"]],
    ["sluice pause ap", ["app", "api"]],
    ["sluice pause --w", ["--wait-idle"]],
    ["sluice pause --lease ", []],
    ["sluice pause app --le", ["--lease"]],
    ["sluice drain 127.0.0.1:", ["3000", "3001"]],
    ["sluice drain 127.0.0.1:3000 --w", ["--wait", "--window"]],
    ["sluice watch --until endpoint_", ["endpoint_down", "endpoint_up"]],
    ["sluice --policy ", ["round_robin", "least_conn", "random"]],
    ["sluice --policy=r", ["round_robin", "random"]],
    ["sluice --to 3000 --hold-", ["--hold-interval"]],
    ["sluice --config con", ["config.yaml"]],
    ["sluice check --config con", ["config.yaml"]],
    ["sluice completions ", ["bash", "zsh", "fish"]],
    ["sluice help dr", ["drain"]],
    ["sluice with-pause app -- sta", []],
    ["sluice stop --n", ["--now"]],
  ];
  const answers = completed(cases.map(([line]) => line));
  for (const [index, [line, words]] of cases.entries()) {
    const given = (answers[index] ?? []).filter((word) => line !== "sluice --policy " || word !== "");
    if (line.includes("--policy")) {
      for (const word of words) assert.ok(given.includes(word), `${line}: ${word}`);
    } else assert.deepEqual(given, words, line);
  }
});

test("the manual has every command, flag and option, and is what man(7) takes", () => {
  const page = manualPage();
  const plain = page.replaceAll("\\-", "-").replace(/\\f[BIR]/g, "");
  for (const command of NAMED_COMMANDS) {
    assert.ok(plain.includes(`sluice ${command.usage.replaceAll('"', "\\(dq")}`), command.name);
  }
  for (const option of OPTION_PATHS) assert.ok(plain.includes(flagName(shortPath(option))), option);
  for (const line of page.split("\n")) {
    if (line.startsWith(".")) assert.match(line, /^\.(?:TH|SH|SS|TP|B|br)(?: |$)/);
    assert.match(line, /^[\x20-\x7e]*$/);
  }
  if (!has("groff")) return;
  const formatted = spawnSync("groff", ["-man", "-Tutf8", "-ww"], { input: page, encoding: "utf8" });
  assert.deepEqual([formatted.status, formatted.stderr], [0, ""]);
});
