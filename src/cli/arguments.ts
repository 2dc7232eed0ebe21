/**
 * Reads the command line. `cac` finds the command and collects the flags; this file is strict where cac is
 * not: cac turns values that look like numbers into numbers (`08` into 8), takes `--no-` as a negation of
 * anything, lets some unknown flags pass, and stops at the first problem.
 */

import { type CAC, cac } from "cac";
import { joinWords } from "../config/values/command_words.ts";
import { OPTION_BY_FLAG, optionAt } from "../config/options/options.ts";
import { quoteIfOdd } from "../config/values/shown.ts";
import { suggest } from "../config/values/suggest.ts";
import type { Command, CommandName } from "./command.ts";
import { commandNamed, COMMANDS } from "./commands.ts";

export interface Arguments {
  readonly command: CommandName;
  /** Flags of the configuration, by name without dashes, as given; unknown ones are problems instead. */
  readonly flags: Readonly<Record<string, readonly string[]>>;
  /** Flags of the command; "true" for those without a value, the last value of those given several times. */
  readonly own: ReadonlyMap<string, string>;
  /** All values of a flag of the command. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  /** Words after the command. */
  readonly operands: readonly string[];
  /** Words after `--`, for commands that have a use for them; null when there was none. */
  readonly rest: readonly string[] | null;
  /** `--help` was given. */
  readonly help: boolean;
  /** What is wrong with the command line, one line each. */
  readonly problems: readonly string[];
}

/**
 * Goes before every value on the way through cac, which then sees no numbers and no empty values
 * (`--to==3000` is the flag `to` with the value `=3000`).
 */
const MARK = "=";

type Arity = "value" | "boolean" | "none";

export function parseArguments(argv: readonly string[]): Arguments {
  const problems: string[] = [];
  const prepared = prepare(argv, problems);
  const parser = parserOf(prepared);
  const { options } = parser.parse(["", "", ...prepared.argv], { run: false });
  let command = commandNamed(parser.matchedCommandName ?? "serve") ?? COMMANDS[0];
  if (command === undefined) throw new Error("there are no commands");
  const keepsRest = command.operands?.rest === true;
  // The demo has a backend of its own.
  const runsRest = command.configured && command.name !== "demo";
  const strayWords = keepsRest || runsRest ? [] : prepared.rest ?? [];
  const operands = [...parser.args, ...prepared.operands, ...strayWords];
  if (command.name === "serve" && operands[0] === "serve") operands.shift();
  if (prepared.version && command.name === "serve") command = commandNamed("version") ?? command;

  const flags: Record<string, readonly string[]> = {};
  const own = new Map<string, string>();
  const lists = new Map<string, readonly string[]>();
  for (const name of prepared.names) {
    const values = collected(options, name);
    const flag = command.flags.find((candidate) => candidate.name === name);
    if (flag !== undefined) {
      const once = flag.many === undefined && values.length > 1;
      if (once) problems.push(`--${name}: given ${values.length} times: give it once`);
      if (flag.value === null && values[0] === "false") continue;
      own.set(name, values[values.length - 1] ?? "");
      lists.set(name, values);
    } else if (command.configured && OPTION_BY_FLAG.has(`--${name}`)) {
      flags[name] = values;
    } else {
      problems.push(
        `--${name}: not a flag of ${command.name === "serve" ? "serving" : `"sluice ${command.name}"`}`,
      );
    }
  }
  if (runsRest && prepared.rest !== null) {
    const twice = Object.hasOwn(flags, "command");
    if (twice) problems.push("--command: given, and a command after --: keep one of the two");
    else if (prepared.rest.length === 0) problems.push("--: no command follows");
    else flags["command"] = [joinWords(prepared.rest)];
  }
  if (!prepared.help) checkOperands(command, operands, problems);
  const rest = keepsRest ? prepared.rest : null;
  return { command: command.name, flags, own, lists, operands, rest, help: prepared.help, problems };
}

interface Prepared {
  /** Only known flags, each as `--name==value`, and operands. */
  readonly argv: readonly string[];
  readonly names: ReadonlySet<string>;
  /** Words that must not go through cac: they only look like flags. */
  readonly operands: readonly string[];
  /** Words after `--`; null when there was none. */
  readonly rest: readonly string[] | null;
  readonly help: boolean;
  readonly version: boolean;
}

function prepare(argv: readonly string[], problems: string[]): Prepared {
  const out: string[] = [];
  const names = new Set<string>();
  let help = false;
  let version = false;
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  const operands: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (!word.startsWith("-")) {
      out.push(word);
      continue;
    }
    if (word === "-" || /^-\d/.test(word)) {
      // cac would take them for flags and lose them.
      operands.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const flag = equals < 0 ? word : word.slice(0, equals);
    const next = words[index + 1];
    const nextIsValue = next !== undefined && !next.startsWith("--");
    if (flag === "--help" || flag === "-h") {
      help = true;
    } else if (flag === "--version" || flag === "-v") {
      version = true;
    } else {
      const long = LONG_FLAGS.get(flag) ?? flag;
      const negated = long.startsWith("--no-") && arityOf(`--${long.slice(5)}`) === "boolean";
      const name = negated ? long.slice(5) : long.slice(2);
      const arity = long.startsWith("--") ? arityOf(`--${name}`) : null;
      if (arity === null) {
        problems.push(unknownFlag(flag));
        // Probably its value: one complaint is enough.
        if (equals < 0 && nextIsValue && commandNamed(next) === null) index++;
        continue;
      }
      let value = equals < 0 ? null : word.slice(equals + 1);
      const bare = bareValue(`--${name}`);
      if (value === null && bare !== null) {
        const follows = next !== undefined && !next.startsWith("-") && commandNamed(next) === null;
        value = follows ? next : bare;
        if (follows) index++;
      }
      if (value === null && arity === "value") {
        if (!nextIsValue) {
          problems.push(`${flag}: needs a value`);
          continue;
        }
        value = next;
        index++;
      }
      if (value === null && arity === "boolean" && !negated && (next === "true" || next === "false")) {
        value = next;
        index++;
      }
      if (value !== null && (arity === "none" || negated)) {
        problems.push(`${flag}: takes no value`);
        continue;
      }
      names.add(name);
      out.push(`--${name}=${MARK}${value ?? String(!negated)}`);
    }
  }
  return { argv: out, names, operands, rest: end < 0 ? null : argv.slice(end + 1), help, version };
}

/** Flags of one letter, and what they stand for. */
const LONG_FLAGS: ReadonlyMap<string, string> = new Map(
  COMMANDS.flatMap(({ flags }) =>
    flags.flatMap(({ name, short }) => short === undefined ? [] : [[`-${short}`, `--${name}`]])
  ),
);

function arityOf(flag: string): Arity | null {
  const path = OPTION_BY_FLAG.get(flag);
  if (path !== undefined) return optionAt(path).type.name === "boolean" ? "boolean" : "value";
  for (const command of COMMANDS) {
    const own = command.flags.find(({ name }) => `--${name}` === flag);
    if (own !== undefined) return own.value === null ? "none" : "value";
  }
  return null;
}

/** What a flag means that stands alone; null where it must not. */
function bareValue(flag: string): string | null {
  const path = OPTION_BY_FLAG.get(flag);
  return path === undefined ? null : optionAt(path).bare ?? null;
}

function unknownFlag(flag: string): string {
  const known = [
    ...OPTION_BY_FLAG.keys(),
    ...COMMANDS.flatMap(({ flags }) => flags.map(({ name }) => `--${name}`)),
  ];
  const word = flag.startsWith("--") ? flag : `-${flag}`;
  const meant = suggest(word.replace(/[._]/g, "-"), [...known, "--help", "--version"]);
  return `${quoteIfOdd(flag)}: unknown flag${meant === null ? "" : `; did you mean ${meant}?`}`;
}

/**
 * A parser of the commands that may be meant, with the flags that were given. Which flag belongs to which command is
 * checked, and said, later. cac parses all words anew for each command, and looks at each flag it knows meanwhile.
 */
function parserOf({ argv, names }: Prepared): CAC {
  const parser = cac("sluice");
  for (const name of names) parser.option(`--${name} <value>`, "");
  for (const { name, summary } of COMMANDS) {
    if (name === "serve") parser.command("[...words]", summary);
    else if (argv.includes(name)) parser.command(`${name} [...words]`, summary);
  }
  return parser;
}

/** Values of a flag in cac's result, which has one value bare, several as a list, and camel-cased names. */
function collected(options: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const key = name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const value = options[key];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((one) => String(one).slice(MARK.length));
}

function checkOperands(command: Command, operands: readonly string[], problems: string[]): void {
  const { least, most } = command.operands ?? { least: 0, most: 0 };
  const [first = ""] = operands;
  if (operands.length < least) {
    problems.push(`sluice ${command.name}: needs ${command.operands?.names ?? "an argument"}`);
  } else if (operands.length <= most) {
    if (command.name === "help" && operands.length > 0 && commandNamed(first) === null) {
      problems.push(unknownCommand(first));
    }
  } else {
    const extra = operands[most] ?? "";
    problems.push(
      command.name === "serve" ? unknownCommand(extra) : `unexpected argument: ${quoteIfOdd(extra)}`,
    );
  }
}

function unknownCommand(word: string): string {
  const address = /^:?\d+$|^[\w.-]+:\d+$|:\/\//.test(word);
  const meant = address ? `--to ${word}` : suggest(word, COMMANDS.map(({ name }) => name));
  return `unknown command: ${quoteIfOdd(word)}${
    meant === null ? "" : `; did you mean ${quoteIfOdd(meant)}?`
  }`;
}
