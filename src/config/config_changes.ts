/** What is different between two configurations, in lines for people. */

import { printListen } from "./values/address.ts";
import type { Config, EndpointConfig, ListenConfig, RouteConfig } from "./values/config.ts";
import type { Loaded } from "./load.ts";
import {
  isUpstreamOption,
  OPTION_PATHS,
  optionAt,
  type OptionPath,
  UPSTREAM_OPTION_PATHS,
} from "./options/options.ts";
import { quoted } from "./values/shown.ts";

export interface ConfigChanges {
  readonly changes: readonly string[];
  /** What only counts at a start. */
  readonly ignored: readonly string[];
}

/** Options that other lines tell of. */
const TOLD_ELSEWHERE: readonly OptionPath[] = ["listen", "forward.listen", "to", "config"];

/**
 * @param before what serves now, and the configuration that it was made of (a swap may have changed endpoints)
 * @param after what is to serve
 */
export function configChanges(
  before: { readonly config: Config; readonly loaded: Loaded },
  after: { readonly config: Config; readonly loaded: Loaded },
): ConfigChanges {
  const changes: string[] = [];
  const ignored: string[] = [];
  changes.push(...listenChanges(before.config.listen, after.config.listen));
  for (const path of OPTION_PATHS) {
    if (TOLD_ELSEWHERE.includes(path) || isUpstreamOption(path)) continue;
    const line = optionChange(path, before.loaded.values[path], after.loaded.values[path]);
    if (line === null) continue;
    if (optionAt(path).scope === "process") ignored.push(`${line} needs a restart`);
    else changes.push(line);
  }
  if (!sameValue(before.config.credentials, after.config.credentials)) changes.push("credentials: changed");
  changes.push(...upstreamChanges(before, after), ...routeChanges(before.config.routes, after.config.routes));
  return { changes, ignored };
}

/** Whether two values of a configuration are the same. */
export function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function optionChange(path: OptionPath, before: unknown, after: unknown): string | null {
  if (sameValue(before, after)) return null;
  return `${path}: ${printed(path, before)} -> ${printed(path, after)}`;
}

function printed(path: OptionPath, value: unknown): string {
  if (value === null || value === undefined) return "none";
  const text = optionAt(path).type.print(value);
  if (typeof text === "string") return text === "" || /\s/.test(text) ? quoted(text) : text;
  return `[${text.join(", ")}]`;
}

function listenChanges(before: readonly ListenConfig[], after: readonly ListenConfig[]): string[] {
  const [old, now] = [before.map(printListen), after.map(printListen)];
  return [
    ...now.filter((name) => !old.includes(name)).map((name) => `listen: + ${name}`),
    ...old.filter((name) => !now.includes(name)).map((name) => `listen: - ${name}`),
  ];
}

function upstreamChanges(
  before: { readonly config: Config; readonly loaded: Loaded },
  after: { readonly config: Config; readonly loaded: Loaded },
): string[] {
  const lines: string[] = [];
  for (const upstream of after.config.upstreams) {
    const { name } = upstream;
    const old = before.config.upstreams.find((each) => each.name === name);
    if (old === undefined) {
      lines.push(`upstream ${name}: + ${names(upstream.endpoints)}`);
      continue;
    }
    if (!sameValue(old.endpoints, upstream.endpoints)) {
      lines.push(`upstream ${name}: endpoints ${names(old.endpoints)} -> ${names(upstream.endpoints)}`);
    }
    const [oldValues, values] = [
      before.loaded.upstreamValues.get(name),
      after.loaded.upstreamValues.get(name),
    ];
    for (const path of UPSTREAM_OPTION_PATHS) {
      const line = optionChange(path, oldValues?.[path], values?.[path]);
      if (line !== null) lines.push(`upstream ${name}: ${line}`);
    }
  }
  for (const { name } of before.config.upstreams) {
    if (!after.config.upstreams.some((each) => each.name === name)) lines.push(`upstream ${name}: -`);
  }
  return lines;
}

function names(endpoints: readonly EndpointConfig[]): string {
  return endpoints.map(({ name, weight }) => weight === 1 ? name : `${name} (weight ${weight})`).join(", ");
}

function routeChanges(before: readonly RouteConfig[], after: readonly RouteConfig[]): string[] {
  const lines: string[] = [];
  for (const route of after) {
    const old = before.find(({ name }) => name === route.name);
    if (old === undefined) lines.push(`route ${route.name}: +`);
    else if (!sameValue(withoutRetry(old), withoutRetry(route))) lines.push(`route ${route.name}: changed`);
    else if (!sameValue(old, route)) lines.push(`route ${route.name}: retry changed`);
  }
  for (const { name } of before) {
    if (!after.some((each) => each.name === name)) lines.push(`route ${name}: -`);
  }
  return lines;
}

function withoutRetry(route: RouteConfig): unknown {
  return route.target.kind === "upstream" ? { ...route, target: { ...route.target, retry: null } } : route;
}
