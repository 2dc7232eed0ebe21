/** A command: how it is called, and what only it understands. */

/** Commands that ask a running Sluice. */
export type VerbName =
  | "status"
  | "watch"
  | "top"
  | "pause"
  | "resume"
  | "with-pause"
  | "drain"
  | "undrain"
  | "swap"
  | "wait"
  | "reload"
  | "restart"
  | "upgrade"
  | "stop"
  | "reopen"
  | "explain";

export type CommandName =
  | "serve"
  | "check"
  | "config"
  | "explain"
  | "version"
  | "demo"
  | "types"
  | "test"
  | "completions"
  | "man"
  | "help"
  | VerbName;

/** A flag that is not an option of the configuration. */
export interface CommandFlag {
  readonly name: string;
  /** Placeholder of its value; null when it has none. */
  readonly value: string | null;
  readonly help: string;
  /** May be given several times. */
  readonly many?: true;
  /** A letter that does the same: `H` for `-H`. */
  readonly short?: string;
  /** What the value may be, for completions. */
  readonly choices?: readonly string[];
}

/** Words that are not flags. */
export interface Operands {
  /** As the usage shows them. */
  readonly names: string;
  readonly least: number;
  readonly most: number;
  /** What they may be, for completions. */
  readonly choices?: readonly string[];
  /** They are names that the running Sluice knows, or files. */
  readonly kind?: "upstreams" | "endpoints" | "files";
  /** `--` and words after it belong to the command as they are. */
  readonly rest?: true;
}

export interface Command {
  readonly name: CommandName;
  /** How it is called, after `sluice`. */
  readonly usage: string;
  /** One line. */
  readonly summary: string;
  /** Sentences for its help and the reference. */
  readonly doc: string;
  /** It reads the configuration and so takes its flags. */
  readonly configured: boolean;
  readonly flags: readonly CommandFlag[];
  /** None unless given. */
  readonly operands?: Operands;
  /** It asks a running Sluice. */
  readonly verb?: true;
}

export const JSON_FLAG: CommandFlag = { name: "json", value: null, help: "print JSON" };
