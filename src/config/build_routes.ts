/** The routes of the configuration, and the upstreams that only a route names, by their addresses. */

import { folderOf, pathWithin } from "./build_scripts.ts";
import { buildRetry, buildUpstream } from "./build.ts";
import type { EndpointConfig, RetryConfig, RouteConfig, UpstreamConfig } from "./values/config.ts";
import { type Resolved, resolveUpstream } from "./options/layer.ts";
import type { UpstreamOptionValues } from "./options/options.ts";
import { type Problem, problemAt } from "./values/problem.ts";
import type { Match } from "./file/route_match.ts";
import { type RouteDraft, routeName, type RoutesResult } from "./file/routes.ts";
import type { UpstreamDraft } from "./file/upstreams.ts";

/** The upstream that `to` makes. */
export const DEFAULT_UPSTREAM = "default";

const ANY: Match = { host: null, path: "/" };

/** What has been read and built before the routes. */
export interface RouteContext {
  readonly routes: RoutesResult;
  readonly drafts: ReadonlyMap<string, UpstreamDraft>;
  /** By name; upstreams without a name are added here. */
  readonly upstreams: Map<string, UpstreamConfig>;
  /** The option values of the named ones. */
  readonly valuesOf: ReadonlyMap<string, UpstreamOptionValues>;
  readonly top: Resolved;
}

/** The routes of the file, then those that follow from `to` or from there being one upstream only. */
export function buildRoutes(context: RouteContext, problems: Problem[]): readonly RouteConfig[] {
  const { routes, drafts, top } = context;
  const built = routes.drafts.flatMap((draft) => {
    const target = targetOf(draft, context);
    const script = draft.script === null ? null : pathWithin(folderOf(draft.origin.name), draft.script);
    return draft.matches.map((match): RouteConfig => ({ ...match, target, script, name: routeName(match) }));
  });
  if (top.values.to !== null) {
    const other = routes.drafts.find((draft) => draft.matches.some(isAny));
    if (other !== undefined) {
      const message = `sends on all requests, and so does ${other.place} of the file: remove one of the two`;
      problems.push(problemAt(top.originOf("to"), "to", message));
    }
    return [...built, routeToAll(DEFAULT_UPSTREAM)];
  }
  if (routes.given) return built;
  const [only, another] = drafts.values();
  if (only === undefined) return built;
  if (another !== undefined) {
    // A script names upstreams itself.
    if (top.values["script.file"] !== null) return built;
    const message =
      `is missing with several upstreams: say which gets what, like routes: [{to: ${only.name}}]`;
    problems.push(problemAt({ ...only.origin, line: null }, "routes", message));
  }
  return [routeToAll(only.name)];
}

function isAny(match: Match): boolean {
  return match.host === ANY.host && match.path === ANY.path;
}

function routeToAll(upstream: string): RouteConfig {
  return { ...ANY, target: { kind: "upstream", upstream, retry: null }, script: null, name: routeName(ANY) };
}

function targetOf(draft: RouteDraft, context: RouteContext): RouteConfig["target"] {
  const { target } = draft;
  if (target.kind === "respond") return target;
  if (target.kind === "handle") {
    return { kind: "handle", file: pathWithin(folderOf(draft.origin.name), target.file) };
  }
  if (target.kind === "name") {
    const values = context.valuesOf.get(target.name) ?? context.top.values;
    return { kind: "upstream", upstream: target.name, retry: retryOf(draft, values) };
  }
  const { values } = context.top;
  const name = anonymousName(target.endpoints);
  if (!context.upstreams.has(name)) {
    context.upstreams.set(name, buildUpstream(name, target.endpoints, values));
  }
  return { kind: "upstream", upstream: name, retry: retryOf(draft, values) };
}

/** What the route says itself, over what its upstream has; null when it says nothing. */
function retryOf(draft: RouteDraft, values: UpstreamOptionValues): RetryConfig | null {
  return draft.retry.size === 0 ? null : buildRetry(resolveUpstream(draft.retry, values));
}

/** Routes to the same addresses share one upstream, with its queue and its connections. */
function anonymousName(endpoints: readonly EndpointConfig[]): string {
  return endpoints.map(({ name, weight }) => weight === 1 ? name : `${name}*${weight}`).join(",");
}
