/**
 * A layer: what one source says about options, parsed. Layers lie over each other (flag over environment
 * over file over default), and the topmost that knows an option gives its value.
 */

import { ENV_PREFIX, flagName } from "./option.ts";
import {
  OPTION_BY_ENV,
  OPTION_BY_FLAG,
  OPTION_PATHS,
  optionAt,
  type OptionPath,
  type OptionValues,
  UPSTREAM_OPTION_PATHS,
  type UpstreamOptionValues,
} from "./options.ts";
import { DEFAULT_ORIGIN, type Origin, type Problem, problemAt, problemsOf } from "../values/problem.ts";
import { serviceVariables } from "./service_variables.ts";
import { quoteIfOdd } from "../values/shown.ts";
import { suggest } from "../values/suggest.ts";

/** A value that was given, and where. */
export interface Given {
  readonly value: unknown;
  readonly origin: Origin;
}

export type Layer = Map<OptionPath, Given>;

/** Values of flags by name without dashes (`queue-size`), in the order given. */
export type Flags = Readonly<Record<string, readonly string[]>>;

export function readFlags(flags: Flags, problems: Problem[]): Layer {
  const layer: Layer = new Map();
  for (const [name, values] of Object.entries(flags)) {
    const flag = `--${name}`;
    const path = OPTION_BY_FLAG.get(flag);
    const origin: Origin = { source: "flag", name: quoteIfOdd(flag), line: null };
    if (path === undefined) {
      problems.push(problemAt(origin, "", "unknown flag", suggest(flag, OPTION_BY_FLAG.keys())));
      continue;
    }
    if (optionAt(path).type.many) {
      take(layer, path, path, values.join(","), origin, problems);
    } else if (values.length > 1) {
      problems.push(problemAt(origin, path, `given ${values.length} times: give it once`));
    } else {
      take(layer, path, path, values[0] ?? "", origin, problems);
    }
  }
  return layer;
}

/**
 * Reads every variable that begins with `SLUICE_`, but for those that describe a Service of Kubernetes or a link
 * of Docker. An empty one counts as not set.
 */
export function readEnv(env: Readonly<Record<string, string | undefined>>, problems: Problem[]): Layer {
  const layer: Layer = new Map();
  const foreign = serviceVariables(env, ENV_PREFIX);
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || value === undefined || value === "" || foreign.has(name)) continue;
    const path = OPTION_BY_ENV.get(name);
    const origin: Origin = { source: "env", name: quoteIfOdd(name), line: null };
    if (path === undefined) {
      problems.push(problemAt(origin, "", "unknown variable", suggest(name, OPTION_BY_ENV.keys())));
    } else {
      take(layer, path, path, value, origin, problems);
    }
  }
  return layer;
}

/** Parses one value into a layer. `place` is where the value stands in the file, else the option's path. */
export function take(
  layer: Layer,
  path: OptionPath,
  place: string,
  raw: unknown,
  origin: Origin,
  problems: Problem[],
): void {
  if (layer.has(path)) {
    const other = layer.get(path)?.origin.name ?? "";
    problems.push(problemAt(origin, place, `sets the same as ${other}: keep one of the two`));
    return;
  }
  const parsed = optionAt(path).type.parse(raw);
  if (parsed.ok) {
    layer.set(path, { value: parsed.value, origin });
  } else {
    problems.push(...problemsOf(origin, place, parsed.faults));
  }
}

export interface Resolved {
  readonly values: OptionValues;
  originOf(path: OptionPath): Origin;
}

/** The value of every option: of the first layer that has it, else the default. */
export function resolve(layers: readonly Layer[]): Resolved {
  const values: Partial<Record<OptionPath, unknown>> = {};
  const origins = new Map<OptionPath, Origin>();
  for (const path of OPTION_PATHS) {
    const given = layers.find((layer) => layer.has(path))?.get(path);
    values[path] = given === undefined ? defaultOf(path) : given.value;
    if (given !== undefined) origins.set(path, given.origin);
  }
  // Every value has gone through the type of its option, which is where `OptionValues` has its types from.
  return { values: values as OptionValues, originOf: (path) => origins.get(path) ?? DEFAULT_ORIGIN };
}

/** The values of one upstream: its own where it has them, else those of the top level. */
export function resolveUpstream(own: Layer, top: UpstreamOptionValues): UpstreamOptionValues {
  const values: Partial<Record<OptionPath, unknown>> = {};
  for (const path of UPSTREAM_OPTION_PATHS) {
    const given = own.get(path);
    values[path] = given === undefined ? top[path] : given.value;
  }
  return values as UpstreamOptionValues;
}

/** Whether a value is what it would be if it had not been given: "has no effect" is not worth saying of it. */
export function isUsual(path: OptionPath, value: unknown): boolean {
  const { print } = optionAt(path).type;
  const usual = defaultOf(path);
  return value === null || usual === null ? value === usual : String(print(value)) === String(print(usual));
}

const DEFAULTS = new Map<OptionPath, unknown>();

function defaultOf(path: OptionPath): unknown {
  if (!DEFAULTS.has(path)) {
    const option = optionAt(path);
    const parsed = option.default === null ? null : option.type.parse(option.default);
    if (parsed?.ok === false) throw new Error(`the default of ${flagName(path)} is not valid`);
    DEFAULTS.set(path, parsed === null ? null : parsed.value);
  }
  return DEFAULTS.get(path);
}
