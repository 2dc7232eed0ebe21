/** Options out of one mapping of the YAML file: the top level, an upstream, or the `retry` of a route. */

import { flagName } from "../options/option.ts";
import { type Layer, take } from "../options/layer.ts";
import { OPTION_BY_FLAG, optionAt, type OptionPath } from "../options/options.ts";
import { asMap, type Mapping } from "../values/mapping.ts";
import { type Problem, problemAt } from "../values/problem.ts";
import { quoteIfOdd, shown } from "../values/shown.ts";
import { suggest } from "../values/suggest.ts";
import { type Document, originIn } from "./document.ts";

/** What may stand in a mapping. */
export interface Allowed {
  readonly options: readonly OptionPath[];
  /** Keys that are not options and that the caller reads itself. */
  readonly keys: readonly string[];
  /** What the mapping is, for messages: "an upstream". */
  readonly noun: string;
}

/**
 * Reads the options of `map`, which stands at `prefix` ("" or `upstreams.api`). Keys that mean nothing are
 * problems; a value that is malformed is one problem and then not set.
 */
export function readFileOptions(
  file: Document,
  map: Mapping,
  prefix: string,
  allowed: Allowed,
  problems: Problem[],
): Layer {
  const layer: Layer = new Map();
  const options = allowed.options.filter((path) => optionAt(path).outsideFile !== true);
  const groups = new Set(options.filter((path) => path.includes(".")).map((path) => headOf(path)));
  for (const [key, raw] of map) {
    const place = join(prefix, key);
    const origin = originIn(file, place);
    const option = options.find((path) => path === key || isShortKey(path, key));
    // A dot in a key is a misspelt mapping, not a second way to write it.
    if (option !== undefined && !key.includes(".")) {
      take(layer, option, place, raw, origin, problems);
    } else if (groups.has(key)) {
      readGroup(file, key, raw, place, options, layer, problems);
    } else if (!allowed.keys.includes(key)) {
      problems.push(unknownKey(origin, place, key, allowed, options, groups));
    }
  }
  return layer;
}

function readGroup(
  file: Document,
  key: string,
  raw: unknown,
  place: string,
  options: readonly OptionPath[],
  layer: Layer,
  problems: Problem[],
): void {
  const members = options.filter((path) => headOf(path) === key);
  const names = members.map((path) => path.slice(key.length + 1));
  const map = asMap(raw);
  if (map === null) {
    const short = members.find((path) => optionAt(path).alias === key);
    const plain = typeof raw === "string" ||
      (Array.isArray(raw) && short !== undefined && optionAt(short).type.many);
    if (short !== undefined && plain) {
      take(layer, short, place, raw, originIn(file, place), problems);
    } else {
      const message = `must be a mapping with ${names.join(", ")}, got ${shown(raw)}`;
      problems.push(problemAt(originIn(file, place), place, message));
    }
    return;
  }
  for (const [name, value] of map) {
    const inner = join(place, name);
    const origin = originIn(file, inner);
    const option = members.find((path) => path === `${key}.${name}`);
    if (option !== undefined) {
      take(layer, option, inner, value, origin, problems);
    } else {
      problems.push(
        problemAt(origin, inner, `unknown key: ${key} has ${names.join(", ")}`, suggest(name, names)),
      );
    }
  }
}

function unknownKey(
  origin: ReturnType<typeof originIn>,
  place: string,
  key: string,
  allowed: Allowed,
  options: readonly OptionPath[],
  groups: ReadonlySet<string>,
): Problem {
  const elsewhere = OPTION_BY_FLAG.get(flagName(key));
  if (elsewhere !== undefined && options.includes(elsewhere)) {
    const inner = elsewhere.slice(headOf(elsewhere).length + 1);
    return problemAt(origin, place, "unknown key", `${headOf(elsewhere)}: {${inner}: ...}`);
  }
  if (elsewhere !== undefined) {
    const fix = optionAt(elsewhere).outsideFile === true
      ? `give it as ${flagName(elsewhere)}`
      : "it belongs to the top level of the file";
    return problemAt(origin, place, `not an option of ${allowed.noun}: ${fix}`);
  }
  if (key === "endpoints") {
    return problemAt(
      origin,
      place,
      "belongs inside an upstream: write to, or upstreams: {NAME: {endpoints: ...}}",
      "to",
    );
  }
  const known = [...options.filter((path) => !path.includes(".")), ...groups, ...allowed.keys];
  return problemAt(origin, place, `unknown key in ${allowed.noun}`, suggest(key, known));
}

/** The alias of an option of a group may be no group. */
function isShortKey(path: OptionPath, key: string): boolean {
  return optionAt(path).alias === key && headOf(path) !== key;
}

function headOf(path: string): string {
  const dot = path.indexOf(".");
  return dot < 0 ? path : path.slice(0, dot);
}

/** `upstreams.api` and `hold` → `upstreams.api.hold`; odd keys are quoted. */
export function join(prefix: string, key: string): string {
  const shownKey = quoteIfOdd(key);
  return prefix === "" ? shownKey : `${prefix}.${shownKey}`;
}
