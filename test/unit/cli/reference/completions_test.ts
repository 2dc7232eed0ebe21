import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../../../../src/cli/commands.ts";
import { completions, type Shell, SHELLS } from "../../../../src/cli/reference/completions.ts";
import { manualPage } from "../../../../src/cli/reference/manual_page.ts";
import { flagsOf, NAMED_COMMANDS } from "../../../../src/cli/reference/word_table.ts";
import { flagName } from "../../../../src/config/options/option.ts";
import { OPTION_PATHS, shortPath } from "../../../../src/config/options/options.ts";

function has(program: string): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

/** A shell is a capability of the machine. */
const only = (shell: string) => ({ skip: has(shell) ? false : `there is no ${shell} here` });

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

/** What completes lines from standard input with the script, in front of a Sluice with two upstreams. */
const HARNESS: Readonly<Record<Shell, readonly string[]>> = {
  bash: [
    "--norc",
    "-u",
    "-c",
    `
    source ./script
    sluice() {
      [[ $* == "status --names upstreams "* ]] && printf 'app\\napi\\n'
      [[ $* == "status --names endpoints "* ]] && printf '127.0.0.1:3000\\n127.0.0.1:3001\\n'
    }
    while IFS= read -r line; do
      COMP_LINE=$line COMP_POINT=\${#line} COMPREPLY=()
      _sluice
      echo "\${COMPREPLY[*]}"
    done`,
  ],
  // The functions of its completion system, which works on a terminal only, are played.
  zsh: [
    "-f",
    "-c",
    `
    compdef() { }
    compset() { current=\${current#*=} }
    _matching() { print -rn -- "\${(@M)given:#$current*} " }
    compadd() {
      local -a given
      if [[ $1 == -a ]]; then given=("\${(@P)2}"); else given=("\${@[2,-1]}"); fi
      _matching
    }
    _describe() { local -a given=("\${(@P)2}"); given=("\${given[@]%%:*}"); _matching }
    _files() { local -a given=(*); _matching }
    _message() { }
    _normal() { print -rn -- "word $CURRENT of $words, \${+commands[zsh]}" }
    source ./script
    sluice() {
      [[ $* == "status --names upstreams "* ]] && print -l app api
      [[ $* == "status --names endpoints "* ]] && print -l 127.0.0.1:3000 127.0.0.1:3001
    }
    while IFS= read -r line; do
      words=(\${(z)line})
      [[ $line == *' ' ]] && words+=("")
      CURRENT=$#words current=$words[-1]
      _sluice
      print
    done`,
  ],
  fish: [
    "--no-config",
    "-c",
    `
    source ./script
    function sluice
      string match -q "status --names upstreams *" "$argv"; and printf 'app\\napi\\n'
      string match -q "status --names endpoints *" "$argv"; and printf '127.0.0.1:3000\\n127.0.0.1:3001\\n'
    end
    while read -l line
      echo (complete -C "$line" | string split -f 1 \\t)
    end`,
  ],
};

/** The words that each line can go on with. */
function completed(shell: Shell, lines: readonly string[]): string[][] {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-"));
  try {
    fs.writeFileSync(path.join(folder, "script"), completions(shell));
    fs.writeFileSync(path.join(folder, "config.yaml"), "");
    const { stdout, stderr } = spawnSync(shell, HARNESS[shell], {
      cwd: folder,
      env: { ...process.env, HOME: folder },
      input: lines.join("\n") + "\n",
      encoding: "utf8",
    });
    assert.equal(stderr, "");
    return stdout.split("\n").slice(0, -1).map((line) => line.split(" ").filter((word) => word !== ""));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

type Case = readonly [line: string, words: readonly string[]];

function check(shell: Shell, cases: readonly Case[]): void {
  const answers = completed(shell, cases.map(([line]) => line));
  assert.deepEqual(cases.map(([line], index) => [line, answers[index]]), cases);
}

test("bash accepts the script, and completes with it", only("bash"), () => {
  const checked = spawnSync("bash", ["-n"], { input: completions("bash"), encoding: "utf8" });
  assert.deepEqual([checked.status, checked.stderr], [0, ""]);
  check("bash", [
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
    ["sluice --to 3000 --hold-", ["--hold-interval", "--hold-direct"]],
    ["sluice --forward --allo", ["--allow"]],
    ["sluice --config con", ["config.yaml"]],
    ["sluice check --config con", ["config.yaml"]],
    ["sluice completions ", ["bash", "zsh", "fish"]],
    ["sluice help dr", ["drain"]],
    ["sluice with-pause app -- sta", []],
    ["sluice stop --n", ["--now"]],
  ]);
});

test("zsh completes with the script, and knows another command's words", only("zsh"), () => {
  check("zsh", [
    ["sluice st", ["status", "stop"]],
    ["sluice pause ", ["app", "api"]],
    ["sluice --via status --lis", ["--listen"]],
    ["sluice drain 127.0.0.1:3000 --w", ["--wait", "--window"]],
    ["sluice --policy r", ["round_robin", "random"]],
    ["sluice --policy=r", ["round_robin", "random"]],
    ["sluice --hold=", []],
    ["sluice --config con", ["config.yaml"]],
    ["sluice --config=con", ["config.yaml"]],
    ["sluice help dr", ["drain"]],
    ["sluice --to 3000 -- no", ["word", "1", "of", "no,", "1"]],
    ["sluice with-pause app -- node ser", ["word", "2", "of", "node", "ser,", "1"]],
  ]);
});

test("fish completes with the script, and knows another command's words", only("fish"), () => {
  check("fish", [
    ["sluice st", ["status", "stop"]],
    ["sluice pause ", ["api", "app"]],
    ["sluice --via status --lis", ["--listen"]],
    ["sluice drain 127.0.0.1:3000 --w", ["--wait", "--window"]],
    ["sluice --policy r", ["random", "round_robin"]],
    ["sluice --policy=r", ["--policy=random", "--policy=round_robin"]],
    ["sluice --hold=", []],
    ["sluice --config con", ["config.yaml"]],
    ["sluice help dr", ["drain"]],
    ["sluice --to 3000 -- sluice st", ["status", "stop"]],
    ["sluice with-pause app -- cat conf", ["config.yaml"]],
    ["sluice --to 3000 -- cat --listen", []],
  ]);
});

test("the manual has every command, flag and option, and is what man(7) takes", () => {
  const page = manualPage();
  const plain = page.replaceAll("\\-", "-").replace(/\\f[BIR]/g, "");
  for (const command of NAMED_COMMANDS) {
    assert.ok(plain.includes(`sluice ${command.usage.replaceAll('"', "\\(dq")}`), command.name);
  }
  for (const option of OPTION_PATHS) assert.ok(plain.includes(flagName(shortPath(option))), option);
  for (
    const said of ["Largest request body; 0 = no limit.", "Let held requests go, oldest first.", "SIGUSR2"]
  ) {
    assert.ok(plain.includes(said), said);
  }
  for (const line of page.split("\n")) {
    if (line.startsWith(".")) assert.match(line, /^\.(?:TH|SH|SS|TP|B|br|PP)(?: |$)/);
    assert.match(line, /^[\x20-\x7e]*$/);
  }
  if (!has("groff")) return;
  const formatted = spawnSync("groff", ["-man", "-Tutf8", "-ww"], { input: page, encoding: "utf8" });
  assert.deepEqual([formatted.status, formatted.stderr], [0, ""]);
});
