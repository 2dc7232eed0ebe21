/** The words of a command line, as completions and the manual need them: commands, their flags, the values. */

import { flagName } from "../../config/options/option.ts";
import { OPTION_PATHS, optionAt, type OptionPath, shortPath } from "../../config/options/options.ts";
import type { Command } from "../command.ts";
import { COMMANDS } from "../commands.ts";
import { placeholder } from "./help.ts";

/** Words in the names of types that stand for many values. */
const KINDS: ReadonlySet<string> = new Set(["path", "duration", "size", "count"]);

/** One flag of one command. */
export interface FlagWord {
  /** `--queue-size`. */
  readonly flag: string;
  /** `H` for `-H`; "" = none. */
  readonly short: string;
  /** Placeholder of its value, in brackets when it may be left out; "" when it takes none. */
  readonly value: string;
  /** The next word is its value. */
  readonly takesNext: boolean;
  readonly help: string;
  readonly choices: readonly string[];
  /** Its value is the name of a file. */
  readonly file: boolean;
}

/** Every flag that a command takes. */
export function flagsOf(command: Command): readonly FlagWord[] {
  const own: FlagWord[] = command.flags.map(({ name, value, help, choices, short }) => ({
    flag: `--${name}`,
    short: short ?? "",
    value: value ?? "",
    takesNext: value !== null,
    help,
    choices: choices ?? [],
    file: name === "control",
  }));
  if (!command.configured) return own;
  return [
    ...own,
    ...OPTION_PATHS.flatMap(optionWords).filter(({ flag }) => !own.some((one) => one.flag === flag)),
  ];
}

/** The flags of serving, which are the options of the configuration. */
export function optionWords(path: OptionPath): readonly FlagWord[] {
  const { type, help, default: preset, bare } = optionAt(path);
  const flag = flagName(shortPath(path));
  const choices = / \| /.test(type.name)
    ? type.name.split(" | ").filter((word) => /^[a-z0-9_]+$/.test(word) && !KINDS.has(word))
    : [];
  const file = type.name.split(" | ").includes("path");
  const word = {
    short: "",
    value: placeholder(path).trim(),
    // What may be left out is nothing that a shell could complete.
    takesNext: placeholder(path) !== "" && bare === undefined,
    help,
    choices,
    file,
  };
  const positive: FlagWord = { flag, ...word };
  if (type.name !== "boolean" || preset !== "true") return [positive];
  return [positive, { flag: flag.replace("--", "--no-"), ...word }];
}

/** Commands in the order of the help; serving, which has no word of its own, is left out. */
export const NAMED_COMMANDS: readonly Command[] = COMMANDS.filter(({ name }) => name !== "serve");
