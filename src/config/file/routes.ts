/** The `routes` of the file: which requests go to which upstream, or are answered here. */

import type { EndpointConfig, RespondConfig } from "../values/config.ts";
import { readFileOptions } from "./file_options.ts";
import type { Layer } from "../options/layer.ts";
import { RETRY_OPTION_PATHS } from "../options/options.ts";
import { asMap, type Mapping } from "../values/mapping.ts";
import { type Origin, type Problem, problemAt, problemsOf } from "../values/problem.ts";
import { parseRespond } from "./respond.ts";
import { type Match, parseMatch } from "./route_match.ts";
import { quoteIfOdd, shown } from "../values/shown.ts";
import { endpoints } from "../values/special_types.ts";
import { suggest } from "../values/suggest.ts";
import { isUpstreamName } from "./upstreams.ts";
import { type Parsed, path } from "../values/value_type.ts";
import { type Document, originIn } from "./document.ts";

export type RouteTarget =
  | { readonly kind: "name"; readonly name: string }
  /** Addresses instead of a name: an upstream of their own. */
  | { readonly kind: "endpoints"; readonly endpoints: readonly EndpointConfig[] }
  | { readonly kind: "respond"; readonly respond: RespondConfig }
  /** As it is written. */
  | { readonly kind: "handle"; readonly file: string };

/** A route as the file has it; one of its matches gives one route of the configuration. */
export interface RouteDraft {
  readonly matches: readonly Match[];
  readonly target: RouteTarget;
  /** Only `retry.*`; empty = as the upstream has it. */
  readonly retry: Layer;
  /** As it is written; null = none. */
  readonly script: string | null;
  readonly place: string;
  readonly origin: Origin;
  /** Where its target is given, and its script. */
  readonly targetOrigin: Origin;
  readonly scriptOrigin: Origin;
}

export interface RoutesResult {
  readonly drafts: readonly RouteDraft[];
  /** Names that routes with other problems refer to, so that these upstreams do not count as unused. */
  readonly mentioned: ReadonlySet<string>;
  /** False when the file has no `routes` at all. */
  readonly given: boolean;
}

/** What a route can lead to; one of them. */
const TARGETS = ["to", "respond", "handle"] as const;
const KEYS = ["match", ...TARGETS, "script", "retry"];
const ENDPOINTS = endpoints();
const FILE = path();

/**
 * @param names upstreams that exist
 */
export function readRoutes(file: Document, names: readonly string[], problems: Problem[]): RoutesResult {
  const drafts: RouteDraft[] = [];
  const mentioned = new Set<string>();
  const raw = file.root.get("routes");
  if (raw === undefined) return { drafts, mentioned, given: false };
  if (!Array.isArray(raw) || raw.length === 0) {
    const message = `must be a list of routes, like [{to: app}], got ${
      Array.isArray(raw) ? "an empty one" : shown(raw)
    }`;
    problems.push(problemAt(originIn(file, "routes"), "routes", message));
    return { drafts, mentioned, given: true };
  }
  for (const [index, value] of raw.entries()) {
    const place = `routes[${index}]`;
    const map = asMap(value);
    if (map === null) {
      const message = `must be a mapping with match and to (or respond, or handle), got ${shown(value)}`;
      problems.push(problemAt(originIn(file, place), place, message));
      continue;
    }
    const draft = readRoute(file, map, place, names, mentioned, problems);
    if (draft !== null) drafts.push(draft);
  }
  return { drafts, mentioned, given: true };
}

function readRoute(
  file: Document,
  map: Mapping,
  place: string,
  names: readonly string[],
  mentioned: Set<string>,
  problems: Problem[],
): RouteDraft | null {
  const origin = originIn(file, place);
  for (const key of map.keys()) {
    if (!KEYS.includes(key)) {
      const inner = `${place}.${quoteIfOdd(key)}`;
      const message = `unknown key: a route has ${KEYS.join(", ")}`;
      problems.push(problemAt(originIn(file, inner), inner, message, suggest(key, KEYS)));
    }
  }
  const matches = map.has("match")
    ? accept(file, `${place}.match`, parseMatch(map.get("match")), problems)
    : [{ host: null, path: "/" }];
  const target = readTarget(file, map, place, names, mentioned, problems);
  const retry = readRetry(file, map, place, problems);
  if ((target?.kind === "respond" || target?.kind === "handle") && map.has("retry")) {
    const message = `has no effect with ${target.kind}: remove it`;
    problems.push(problemAt(originIn(file, `${place}.retry`), `${place}.retry`, message));
  }
  const script = map.has("script") ? readPath(file, `${place}.script`, map.get("script"), problems) : null;
  if (matches === null || target === null) return null;
  const key = target.kind === "respond" || target.kind === "handle" ? target.kind : "to";
  return {
    matches,
    target,
    retry,
    script,
    place,
    origin,
    targetOrigin: originIn(file, `${place}.${key}`),
    scriptOrigin: originIn(file, `${place}.script`),
  };
}

function readTarget(
  file: Document,
  map: Mapping,
  place: string,
  names: readonly string[],
  mentioned: Set<string>,
  problems: Problem[],
): RouteTarget | null {
  const given = TARGETS.filter((key) => map.has(key));
  if (given.length !== 1) {
    const message = given.length > 1
      ? `has ${given.length === 2 ? "both " : ""}${given.join(" and ")}: keep one`
      : "has none of to, respond and handle: add one";
    problems.push(problemAt(originIn(file, place), place, message));
  }
  if (map.has("handle")) {
    const handler = readPath(file, `${place}.handle`, map.get("handle"), problems);
    return handler === null || given.length > 1 ? null : { kind: "handle", file: handler };
  }
  if (map.has("respond")) {
    const respond = accept(file, `${place}.respond`, parseRespond(map.get("respond")), problems);
    return respond === null || map.has("to") ? null : { kind: "respond", respond };
  }
  if (!map.has("to")) return null;
  const to = map.get("to");
  if (typeof to !== "string" || !isUpstreamName(to)) {
    const list = accept(file, `${place}.to`, ENDPOINTS.parse(to), problems);
    return list === null ? null : { kind: "endpoints", endpoints: list };
  }
  mentioned.add(to);
  if (names.includes(to)) return { kind: "name", name: to };
  const message = names.length === 0
    ? `no upstream is named ${to}: add it under upstreams, or give an address with a port`
    : `no upstream is named ${to}: there is ${names.slice(0, 8).join(", ")}`;
  problems.push(problemAt(originIn(file, `${place}.to`), `${place}.to`, message, suggest(to, names)));
  return null;
}

function readPath(file: Document, place: string, raw: unknown, problems: Problem[]): string | null {
  return accept(file, place, FILE.parse(raw), problems);
}

function readRetry(file: Document, map: Mapping, place: string, problems: Problem[]): Layer {
  if (!map.has("retry")) return new Map();
  const only = new Map([["retry", map.get("retry")]]);
  return readFileOptions(
    file,
    only,
    place,
    { options: RETRY_OPTION_PATHS, keys: [], noun: "a route" },
    problems,
  );
}

/** Also of several documents: what two routes match would always go to the first. */
export function reportDuplicates(drafts: readonly RouteDraft[], problems: Problem[]): void {
  const first = new Map<string, string>();
  for (const draft of drafts) {
    for (const match of draft.matches) {
      const name = routeName(match);
      // `/api` and `/api/` begin the same paths.
      const key = name.replace(/\/$/, "");
      const other = first.get(key);
      if (other === undefined) {
        first.set(key, draft.place);
      } else {
        const message = `matches the same as ${other} (${name}): remove one of the two`;
        problems.push(problemAt(draft.origin, draft.place, message));
      }
    }
  }
}

/** `example.com/api/`, or `/` for all. */
export function routeName(match: Match): string {
  return (match.host ?? "") + match.path;
}

function accept<T>(file: Document, place: string, parsed: Parsed<T>, problems: Problem[]): T | null {
  if (parsed.ok) return parsed.value;
  for (const problem of problemsOf(originIn(file, place), place, parsed.faults)) {
    problems.push({ ...problem, line: file.lineOf(problem.path) });
  }
  return null;
}
