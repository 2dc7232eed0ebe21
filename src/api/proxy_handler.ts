/** `proxy(4000)`: a handler that sends requests to an upstream of its own, which it brings along. */

import { valueDocument } from "../config/file/value_document.ts";
import { loadDocuments } from "../config/load.ts";
import { formatProblem } from "../config/values/problem.ts";
import { to } from "../script/decision.ts";
import type { RequestHandler } from "../script/script_types.ts";
import { ConfigError } from "./api_error.ts";
import type { EndpointInit, UpstreamInit } from "./api_types.ts";

/** An upstream that no options name: the gate makes it when it first meets it. */
export interface CarriedUpstream {
  readonly name: string;
  readonly init: UpstreamInit;
}

/** By name. */
export type CarriedUpstreams = ReadonlyMap<string, CarriedUpstream>;

/** By handler and by decision. */
const carried = new WeakMap<object, CarriedUpstream>();
let made = 0;

/**
 * @param how options of the upstream, as the file has them
 * @throws ConfigError
 */
export function proxy(
  endpoints: string | number | readonly EndpointInit[],
  how: Readonly<Record<string, unknown>> = {},
): RequestHandler {
  const init: UpstreamInit = Object.freeze({ ...how, endpoints });
  const problems = problemsOf(init);
  if (problems.length > 0) throw new ConfigError(problems);
  made++;
  const upstream: CarriedUpstream = Object.freeze({ name: `proxy-${made}`, init });
  const decision = to(upstream.name);
  const handler: RequestHandler = () => decision;
  carried.set(decision, upstream);
  carried.set(handler, upstream);
  return Object.freeze(handler);
}

/** What a handler or a decision of `proxy` carries; undefined for anything else. */
export function carriedBy(value: unknown): CarriedUpstream | undefined {
  return (typeof value === "object" && value !== null) || typeof value === "function"
    ? carried.get(value)
    : undefined;
}

/** A line each, with its place in what `proxy` was given. */
function problemsOf(init: UpstreamInit): readonly string[] {
  const place = "upstreams.proxy";
  const root = new Map(Object.entries({ upstreams: { proxy: init } }));
  const loaded = loadDocuments({ flags: {}, env: {}, documents: [valueDocument("", root)] });
  if (loaded.ok) return [];
  return loaded.problems.map((problem) => {
    const path = problem.path.startsWith(place) ? `proxy${problem.path.slice(place.length)}` : problem.path;
    return formatProblem({ ...problem, path });
  });
}
