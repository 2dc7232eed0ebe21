/** The `upstreams` of the file: a mapping of names to endpoints with their own options. */

import type { EndpointConfig } from "../values/config.ts";
import { join, readFileOptions } from "./file_options.ts";
import type { Layer } from "../options/layer.ts";
import { UPSTREAM_OPTION_PATHS } from "../options/options.ts";
import { asMap } from "../values/mapping.ts";
import { type Origin, type Problem, problemAt, problemsOf } from "../values/problem.ts";
import { quoteIfOdd, shown } from "../values/shown.ts";
import { endpoints } from "../values/special_types.ts";
import { type Document, originIn } from "./document.ts";

/** An upstream as the file has it, before the defaults of the top level. */
export interface UpstreamDraft {
  /** A wrong name, which has been reported, is quoted here: it goes into further messages. */
  readonly name: string;
  /** Null when they are missing or wrong; the problem has been reported. */
  readonly endpoints: readonly EndpointConfig[] | null;
  readonly endpointsOrigin: Origin;
  readonly options: Layer;
  readonly origin: Origin;
}

/** A letter first, so that a name is never taken for an address. */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const ENDPOINTS = endpoints();

export function isUpstreamName(text: string): boolean {
  return NAME.test(text);
}

/** All upstreams, also those with problems, so that routes to them are not reported as well. */
export function readUpstreams(file: Document, problems: Problem[]): ReadonlyMap<string, UpstreamDraft> {
  const drafts = new Map<string, UpstreamDraft>();
  const raw = file.root.get("upstreams");
  if (raw === undefined) return drafts;
  const origin = originIn(file, "upstreams");
  const map = asMap(raw);
  if (map === null || map.size === 0) {
    const message = `must be a mapping of names to upstreams, like {app: {endpoints: [3000]}}, got ${
      map === null ? shown(raw) : "an empty one"
    }`;
    problems.push(problemAt(origin, "upstreams", message));
    return drafts;
  }
  for (const [name, value] of map) {
    const place = join("upstreams", name);
    if (!isUpstreamName(name)) {
      const message = "must be a name of letters, digits, - and _ that begins with a letter";
      problems.push(problemAt(originIn(file, place), place, message));
    }
    drafts.set(name, readUpstream(file, quoteIfOdd(name), place, value, problems));
  }
  return drafts;
}

function readUpstream(
  file: Document,
  name: string,
  place: string,
  raw: unknown,
  problems: Problem[],
): UpstreamDraft {
  const origin = originIn(file, place);
  const map = asMap(raw);
  // `app: 3000` and `app: [3000, 3001]` are short for `app: {endpoints: …}`.
  const rawEndpoints = map === null ? raw : map.get("endpoints");
  const endpointsPlace = map === null ? place : `${place}.endpoints`;
  const endpointsOrigin = originIn(file, endpointsPlace);
  const options = map === null ? new Map() : readFileOptions(file, map, place, {
    options: UPSTREAM_OPTION_PATHS,
    keys: ["endpoints"],
    noun: "an upstream",
  }, problems);
  const parsed = rawEndpoints === undefined ? null : ENDPOINTS.parse(rawEndpoints);
  if (parsed === null) {
    problems.push(problemAt(origin, place, "has no endpoints: add endpoints: [ADDRESS, ...]"));
  } else if (!parsed.ok) {
    for (const problem of problemsOf(endpointsOrigin, endpointsPlace, parsed.faults)) {
      problems.push({ ...problem, line: file.lineOf(problem.path) });
    }
  }
  const list = parsed?.ok === true ? parsed.value : null;
  return { name, endpoints: list, endpointsOrigin, options, origin };
}
