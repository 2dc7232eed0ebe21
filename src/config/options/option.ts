/** One row of the option table, and the names that follow from its path. */

import type { ValueType } from "../values/value_type.ts";

/** Headings of `--help` and of the reference, in this order. */
export const GROUPS = [
  "Basics",
  "Holding and queueing",
  "Choosing and retrying",
  "Connections to endpoints",
  "Connections from clients",
  "Forward proxy",
  "Scripts",
  "Limits",
  "Command",
  "Logs",
  "Process",
  "Admin listener",
] as const;

export type Group = typeof GROUPS[number];

/**
 * Where an option may stand: `process` and `server` options at the top level of the file; `upstream` options
 * there too, as the default of every upstream, and inside one upstream.
 */
export type Scope = "process" | "server" | "upstream";

export interface Option<T> {
  readonly group: Group;
  readonly scope: Scope;
  readonly type: ValueType<T>;
  /** As a user would write it; null = not set, and then the value is null. */
  readonly default: string | null;
  /** A shorter path at which the value may stand too: `access_log: json` for `access_log.format`. */
  readonly alias?: string;
  /** What the flag means when it stands without a value; it needs one unless this is given. */
  readonly bare?: string;
  /** Not an option of the file. */
  readonly outsideFile?: true;
  /** One line for `--help`, at most 60 characters, no full stop. */
  readonly help: string;
  /** Sentences for the reference. */
  readonly doc: string;
  readonly example: string;
}

/** Paths to options; a path is the option's name in YAML with dots between the levels. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** The type of an option's value. */
export type ValueOf<O> = O extends { readonly type: ValueType<infer T>; readonly default: infer D }
  ? (D extends null ? T | null : T)
  : never;

/** `queue.size` → `--queue-size`. */
export function flagName(path: string): string {
  return "--" + path.replace(/[._]/g, "-");
}

/** What the name of every option begins with in the environment. */
export const ENV_PREFIX = "SLUICE_";

/** `queue.size` → `SLUICE_QUEUE_SIZE`. */
export function envName(path: string): string {
  return ENV_PREFIX + path.replace(/\./g, "_").toUpperCase();
}
