/**
 * The option table: the one place where an option is named. Flags, environment variables, YAML keys, their
 * defaults, ranges, help and reference all come from here.
 */

import { envName, flagName, type Group, GROUPS, type Option, type ValueOf } from "./option.ts";
import { ADMIN_OPTIONS } from "./admin.ts";
import { CHILD_OPTIONS, CHILD_PROCESS_OPTIONS } from "./backend.ts";
import { FORWARD_OPTIONS } from "./forward.ts";
import { SCRIPT_OPTIONS } from "./script.ts";
import { SERVER_OPTIONS } from "./server.ts";
import { UNIX_OPTIONS } from "./unix.ts";
import { UPSTREAM_OPTIONS as PLAIN_UPSTREAM_OPTIONS } from "./upstream.ts";

/** Those that each upstream may have of its own. */
const UPSTREAM_OPTIONS = { ...PLAIN_UPSTREAM_OPTIONS, ...CHILD_OPTIONS };

/** Path of an option → the option. */
export const OPTIONS = {
  ...UPSTREAM_OPTIONS,
  ...CHILD_PROCESS_OPTIONS,
  ...SERVER_OPTIONS,
  ...FORWARD_OPTIONS,
  ...SCRIPT_OPTIONS,
  ...UNIX_OPTIONS,
  ...ADMIN_OPTIONS,
};

export type OptionPath = keyof typeof OPTIONS;
export type UpstreamOptionPath = keyof typeof UPSTREAM_OPTIONS;

/** The value of every option, by path. */
export type OptionValues = { readonly [P in OptionPath]: ValueOf<typeof OPTIONS[P]> };
export type UpstreamOptionValues = { readonly [P in UpstreamOptionPath]: OptionValues[P] };

/** All paths: groups in the order of `GROUPS`, the options of a group in the order of the tables. */
export const OPTION_PATHS: readonly OptionPath[] = byGroup(Object.keys(OPTIONS) as OptionPath[]);

export const UPSTREAM_OPTION_PATHS: readonly UpstreamOptionPath[] = OPTION_PATHS.filter(isUpstreamOption);

/** The options that a route may set on its own. */
export const RETRY_OPTION_PATHS: readonly UpstreamOptionPath[] = UPSTREAM_OPTION_PATHS.filter((path) =>
  path.startsWith("retry.")
);

export function isUpstreamOption(path: OptionPath): path is UpstreamOptionPath {
  return Object.hasOwn(UPSTREAM_OPTIONS, path);
}

/** The option without its exact type, for code that treats all alike. */
export function optionAt(path: OptionPath): Option<unknown> {
  return OPTIONS[path];
}

/** The name people should use: the alias where there is one. */
export function shortPath(path: OptionPath): string {
  return optionAt(path).alias ?? path;
}

/** Flag name with dashes → option. Holds the long and the short name of options that have both. */
export const OPTION_BY_FLAG: ReadonlyMap<string, OptionPath> = namesOf(flagName);

/** Variable name → option. */
export const OPTION_BY_ENV: ReadonlyMap<string, OptionPath> = namesOf(envName);

function byGroup(paths: readonly OptionPath[]): readonly OptionPath[] {
  const groups = new Map<Group, OptionPath[]>();
  for (const group of GROUPS) groups.set(group, []);
  for (const path of paths) groups.get(OPTIONS[path].group)?.push(path);
  return [...groups.values()].flat();
}

function namesOf(name: (path: string) => string): ReadonlyMap<string, OptionPath> {
  const map = new Map<string, OptionPath>();
  const add = (spelling: string, path: OptionPath) => {
    if (map.has(spelling)) throw new Error(`two options are named ${spelling}`);
    map.set(spelling, path);
  };
  for (const path of OPTION_PATHS) {
    const short = shortPath(path);
    add(name(short), path);
    if (short !== path) add(name(path), path);
  }
  return map;
}
