/** `sluice completions`: scripts that make shells complete our command line, out of the tables of the program. */

import type { Command } from "../command.ts";
import { commandNamed } from "../commands.ts";
import { flagsOf, type FlagWord, NAMED_COMMANDS } from "./word_table.ts";

export type Shell = "bash" | "zsh" | "fish";
export const SHELLS: readonly Shell[] = ["bash", "zsh", "fish"];

export function completions(shell: Shell): string {
  switch (shell) {
    case "bash":
      return bash();
    case "zsh":
      return zsh();
    case "fish":
      return fish();
  }
}

/** Commands by the name that a script knows them by; "" is serving. */
const ALL: readonly (readonly [name: string, command: Command])[] = [
  ...["serve"].flatMap((name) => {
    const command = commandNamed(name);
    return command === null ? [] : [["", command] as const];
  }),
  ...NAMED_COMMANDS.map((command) => [command.name, command] as const),
];

/** Every flag takes these too. */
const GENERAL = ["--help"];

function flagList(command: Command): string {
  return [...flagsOf(command).map(({ flag }) => flag), ...GENERAL].join(" ");
}

/** What a shell does to find the operands of a command. */
function operandWords(
  command: Command,
): { readonly words: string; readonly live: string; readonly files: boolean } {
  const { operands, name } = command;
  const kind = operands?.kind;
  const words = name === "help"
    ? NAMED_COMMANDS.map((one) => one.name).join(" ")
    : operands?.choices?.join(" ") ?? "";
  return { words, live: kind === undefined || kind === "files" ? "" : kind, files: kind === "files" };
}

/** Flags with a value, those that are completed alike together. */
function valueCases(
  line: (names: readonly string[], flag: FlagWord) => string,
  named: (command: string, flag: string) => string,
): string[] {
  const groups = new Map<string, { readonly names: string[]; readonly flag: FlagWord }>();
  for (const [name, command] of ALL) {
    for (const flag of flagsOf(command)) {
      if (!flag.takesNext) continue;
      const key = `${flag.file} ${flag.choices.join(" ")}`;
      const group = groups.get(key) ?? { names: [], flag };
      groups.set(key, group);
      group.names.push(named(name, flag.flag));
      if (flag.short !== "") group.names.push(named(name, `-${flag.short}`));
    }
  }
  return [...groups.values()].map(({ names, flag }) => line(names, flag));
}

function bash(): string {
  const values = valueCases(
    (names, { choices, file }) =>
      `    ${names.map((name) => `"${name}"`).join(" | ")})\n` +
      (choices.length > 0 ? `      list="${choices.join(" ")}"\n` : "") + (file ? "      files=1\n" : "") +
      "      ;;\n",
    (command, flag) => `${command} ${flag}`,
  );
  const commands = ALL.map(([name, command]) => {
    const { words, live, files } = operandWords(command);
    return `    "${name}")\n      flags="${flagList(command)}"\n` +
      (words === "" ? "" : `      operands="${words}"\n`) +
      (live === ""
        ? ""
        : `      operands=$("\${words[0]}" status --names ${live} --timeout 1s 2>/dev/null)\n`) +
      (files ? "      files=1\n" : "") + "      ;;\n";
  });
  const names = NAMED_COMMANDS.map(({ name }) => name).join(" ");
  return `# Completions of sluice for bash, written by "sluice completions bash".

_sluice() {
  local line=\${COMP_LINE:0:COMP_POINT}
  local cur=\${line##*[[:space:]]}
  local commands="${names}"
  local command="" flags="" operands="" list="" files="" prev="" before="" word
  local -a words
  read -r -a words <<<"\${line%"$cur"}"
  for word in "\${words[@]:1}"; do
    # After -- the words are another command's: files are the best guess.
    if [[ $word == -- ]]; then
      compopt -o default 2>/dev/null
      COMPREPLY=()
      return
    fi
    if [[ -z $command && " $commands " == *" $word "* && $prev != --* ]]; then
      command=$word
    fi
    prev=$word
  done
  if [[ $cur == --*=* ]]; then
    prev=\${cur%%=*}
    before="$prev="
    cur=\${cur#*=}
  fi
  case "$command $prev" in
${values.join("")}    *)
      prev=""
      ;;
  esac
  if [[ -z $prev ]]; then
    case $command in
${commands.join("")}    esac
    if [[ $cur == -* ]]; then
      list=$flags
      files=""
    else
      list=$operands
      [[ -z $command ]] && list=$commands
    fi
  fi
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -W "$list" -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
  fi
  # Bash replaces only what follows the last of these characters.
  local typed="$before$cur"
  if [[ $typed == *[:=]* ]]; then
    local cut=\${typed%"\${typed##*[:=]}"}
    cut=\${cut#"$before"}
    COMPREPLY=("\${COMPREPLY[@]#"$cut"}")
  fi
}

complete -F _sluice sluice
`;
}

function zsh(): string {
  const values = valueCases(
    (names, { choices, file }) => {
      const what = choices.length > 0 ? `compadd -- ${choices.join(" ")}` : file ? "" : "_message value";
      const lines = [...(what === "" ? [] : [`      ${what}`]), ...(file ? ["      _files"] : [])];
      return `    ${names.map((name) => quoted(name)).join("|")})\n${
        lines.join("\n")
      }\n      return\n      ;;\n`;
    },
    (command, flag) => `${command} ${flag}`,
  );
  const commands = ALL.map(([name, command]) => {
    const { words, live, files } = operandWords(command);
    const flags = flagsOf(command).map(({ flag, help }) => quoted(`${flag}:${help}`));
    const lines = [
      `      flags=(${[...flags, quoted("--help:print help")].join(" ")})`,
      ...(words === "" ? [] : [`      operands=(${words})`]),
      ...(live === ""
        ? []
        : [`      operands=(\${(f)"$($words[1] status --names ${live} --timeout 1s 2>/dev/null)"})`]),
      ...(files ? ["      files=1"] : []),
    ];
    return `    ${quoted(name)})\n${lines.join("\n")}\n      ;;\n`;
  });
  const names = NAMED_COMMANDS.map(({ name, summary }) => quoted(`${name}:${summary}`)).join("\n    ");
  return `#compdef sluice
# Completions of sluice for zsh, written by "sluice completions zsh".

_sluice() {
  local command="" previous="" files="" word i
  local -a known flags operands
  known=(
    ${names}
  )
  for (( i = 2; i < CURRENT; i++ )); do
    word=$words[i]
    # After -- the words are another command's.
    if [[ $word == -- ]]; then
      shift i words
      (( CURRENT -= i ))
      _normal -p sluice
      return
    fi
    if [[ -z $command && -n \${(M)known:#$word:*} && $previous != --* ]]; then
      command=$word
    fi
    previous=$word
  done
  if [[ $words[CURRENT] == --*=* ]]; then
    previous=\${words[CURRENT]%%=*}
    compset -P 1 '*='
  fi
  case "$command $previous" in
${values.join("")}  esac
  case $command in
${commands.join("")}  esac
  if [[ $words[CURRENT] == --*=* ]]; then
    return 1
  elif [[ $words[CURRENT] == -* ]]; then
    _describe flag flags
  elif [[ -z $command ]]; then
    _describe command known
  else
    compadd -a operands
    [[ -n $files ]] && _files
  fi
}

if [[ $funcstack[1] == _sluice ]]; then
  _sluice "$@"
else
  compdef _sluice sluice
fi
`;
}

const FISH_FUNCTIONS = `# Completions of sluice for fish, written by "sluice completions fish".

# Whether the words before the cursor are those of this command.
function __sluice_command_is
  set -l command serve
  set -l previous ""
  for word in (commandline -opc)[2..-1]
    if test "$word" = --
      return 1
    end
    if test $command = serve; and not string match -q -- "--*" "$previous"; and contains -- "$word" COMMANDS
      set command $word
    end
    set previous $word
  end
  test $command = $argv[1]
end

# After -- the words are another command's.
function __sluice_rest
  set -l words (commandline -opc)
  set -l at (contains -i -- -- $words); or return
  set -e words[1..$at]
  set -l line (string escape -- $words) (commandline -ct)
  complete -C "$line"
end

complete -c sluice -f
complete -c sluice -n 'contains -- -- (commandline -opc)' -a '(__sluice_rest)'`;

function fish(): string {
  const words = NAMED_COMMANDS.map(({ name }) => name).join(" ");
  const lines = [FISH_FUNCTIONS.replace("COMMANDS", words)];
  const none = "__sluice_command_is serve";
  for (const { name, summary } of NAMED_COMMANDS) {
    lines.push(`complete -c sluice -n ${quoted(none)} -a ${name} -d ${quoted(summary)}`);
  }
  for (const [name, command] of ALL) {
    const when = quoted(`__sluice_command_is ${name === "" ? "serve" : name}`);
    for (const { flag, short, takesNext, help, choices, file } of flagsOf(command)) {
      const letter = short === "" ? "" : ` -s ${short}`;
      const words = choices.length === 0 ? "" : ` -a ${quoted(choices.join(" "))}`;
      const takes = !takesNext ? "" : file ? " -r -F" : " -x";
      lines.push(
        `complete -c sluice -n ${when} -l ${flag.slice(2)}${letter}${takes}${words} -d ${quoted(help)}`,
      );
    }
    const { words, live, files } = operandWords(command);
    if (words !== "") lines.push(`complete -c sluice -n ${when} -a ${quoted(words)}`);
    if (live !== "") {
      lines.push(
        `complete -c sluice -n ${when} -a '(sluice status --names ${live} --timeout 1s 2>/dev/null)'`,
      );
    }
    if (files) lines.push(`complete -c sluice -n ${when} -F`);
  }
  return lines.join("\n") + "\n";
}

/** In single quotes, for shells of all three kinds. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "’")}'`;
}
