/** The texts of `--help`, out of the command table and the option table. */

import { flagName, GROUPS } from "../../config/options/option.ts";
import { OPTION_PATHS, optionAt, type OptionPath, shortPath } from "../../config/options/options.ts";
import type { Command } from "../command.ts";
import { COMMANDS } from "../commands.ts";
import { EXIT, EXIT_MEANINGS } from "../../process/shared/exit_code.ts";
import { versionText } from "../../serve/version.ts";

/** Width of the column with names. */
const COLUMN = 36;

/** Help of the program as a whole. */
export function generalHelp(): string {
  return [
    `sluice ${versionText()}: a reverse proxy that holds requests while a backend is down`,
    "",
    "Usage:",
    "  sluice --to 3000                serve on :8080, send everything to 127.0.0.1:3000",
    "  sluice --to auto -- node app.js start the backend as well, on a free port",
    "  sluice --config sluice.yaml     serve what the file says",
    "  sluice COMMAND [options]",
    "",
    "Commands:",
    ...COMMANDS.filter(({ name }) => name !== "serve").map(({ name, summary }) => row(name, summary)),
    "",
    ...optionHelp(),
    "",
    "Every option can also be set in the environment (SLUICE_QUEUE_SIZE for --queue-size) and in the",
    "file (queue: {size: ...}); a flag wins over the environment, the environment over the file.",
    "An ADDRESS is 3000, :3000, host:3000, http://host, https://host or unix:/path.",
    "",
    "Exit codes:",
    ...EXIT_MEANINGS.map(([code, meaning]) => row(String(code), meaning)),
    "",
  ].join("\n");
}

/** Help of one command. */
export function commandHelp(command: Command): string {
  if (command.name === "serve" || command.name === "help") return generalHelp();
  return [
    `sluice ${command.usage}`,
    "",
    ...wrap(commandDoc(command), 100),
    "",
    ...(command.flags.length === 0 ? [] : [
      "Flags:",
      ...command.flags.map((flag) =>
        row(
          `${flag.short === undefined ? "" : `-${flag.short}, `}--${flag.name}` +
            (flag.value === null ? "" : ` ${flag.value}`),
          flag.help,
        )
      ),
      "",
    ]),
    ...(command.verb === true
      ? [
        "Exit codes:",
        ...EXIT_MEANINGS.filter(([code]) => code !== EXIT.bind)
          .map(([code, meaning]) => row(String(code), meaning)),
        "",
      ]
      : []),
    ...(command.configured ? ['All options of "sluice --help" may be given as well.', ""] : []),
  ].join("\n");
}

/** All that is said of a command: its line of the list first, which the rest goes on from. */
export function commandDoc({ summary, doc }: Command): string {
  return `${sentence(summary)} ${doc}`;
}

/** The same for an option; a line that only names the values says nothing new. */
export function optionDoc(path: OptionPath): string {
  const { help, doc, type } = optionAt(path);
  const [first = ""] = help.split(/[ ,]/);
  return type.name.split(" | ").includes(first) ? doc : `${sentence(help)} ${doc}`;
}

function sentence(line: string): string {
  return `${line.slice(0, 1).toUpperCase()}${line.slice(1)}.`;
}

function optionHelp(): string[] {
  return GROUPS.flatMap((group, index) => [
    ...(index === 0 ? [] : [""]),
    `${group}:`,
    ...OPTION_PATHS.filter((path) => optionAt(path).group === group).map(optionRow),
  ]);
}

function optionRow(path: OptionPath): string {
  const option = optionAt(path);
  const shown = option.default === null || option.default === "" ? "" : `  (default ${option.default})`;
  const many = path === "retry.methods" ? "" : shown;
  const flag = flagName(shortPath(path));
  const name = option.default === "true" ? flag.replace("--", "--[no-]") : flag;
  return row(name + placeholder(path), option.help + many);
}

/** ` DURATION`, ` [DURATION]` where it may be left out; nothing for flags that have no value. */
export function placeholder(path: OptionPath): string {
  const { type, bare } = optionAt(path);
  if (type.name === "boolean") return "";
  const word = type.many
    ? type.name.replace(/^(?:addresses|list|CIDR blocks|destinations|ports)$/, (name) => MANY[name] ?? name)
    : type.name;
  const value = /[|]/.test(word) ? "VALUE" : word.replaceAll(" ", "_").toUpperCase();
  return bare === undefined ? ` ${value}` : ` [${value}]`;
}

const MANY: Readonly<Record<string, string>> = {
  "addresses": "ADDRESS,...",
  "list": "NAME,...",
  "CIDR blocks": "CIDR,...",
  "destinations": "HOST,...",
  "ports": "PORT,...",
};

function row(name: string, text: string): string {
  return name.length + 2 < COLUMN
    ? `  ${name.padEnd(COLUMN - 2)}${text}`
    : `  ${name}\n${" ".repeat(COLUMN)}${text}`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return line === "" ? lines : [...lines, line];
}
