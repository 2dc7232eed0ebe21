/**
 * The effective configuration as YAML that `loadConfig` reads back as the same configuration, each value with
 * a comment that says where it came from.
 */

import type { Config, CredentialConfig, EndpointConfig, RetryConfig, RouteConfig } from "./values/config.ts";
import type { Loaded } from "./load.ts";
import { OPTION_PATHS, optionAt, type OptionPath, UPSTREAM_OPTION_PATHS } from "./options/options.ts";
import { formatOrigin } from "./values/problem.ts";
import { LEFT_OUT } from "./values/parent_types.ts";
import { printDuration } from "./values/quantity.ts";
import { quoted } from "./values/shown.ts";
import { folderOf } from "./build_scripts.ts";
import { sharedParents } from "./build_forward.ts";
import { isUpstreamName } from "./file/upstreams.ts";

/** Lines, each with its end. */
export function printYaml(loaded: Loaded): string {
  const { config, values, origins } = loaded;
  const comment = (path: string) => {
    const origin = origins.get(path);
    return origin === undefined ? "" : `  # ${formatOrigin(origin)}`;
  };
  const lines: string[] = [];
  const top = OPTION_PATHS.filter((path) => path !== "to" && optionAt(path).outsideFile !== true);
  printOptions(top, (path) => values[path], comment, "", lines);
  const named = config.upstreams.filter((upstream) =>
    isUpstreamName(upstream.name) && !sharedParents(config.forward).includes(upstream)
  );
  if (named.length > 0) lines.push("upstreams:");
  for (const upstream of named) {
    const prefix = `upstreams.${upstream.name}.`;
    const own = UPSTREAM_OPTION_PATHS.filter((path) => origins.has(prefix + path));
    const endpoints = upstream.endpoints.map(printEndpoint).join(", ");
    lines.push(`  ${upstream.name}:`);
    lines.push(`    endpoints: [${endpoints}]${comment(`${prefix}endpoints`)}`);
    const ownValues: Readonly<Partial<Record<OptionPath, unknown>>> =
      loaded.upstreamValues.get(upstream.name) ?? {};
    printOptions(own, (path) => ownValues[path], (path) => comment(prefix + path), "    ", lines);
  }
  lines.push(...printCredentials(config.credentials));
  if (config.routes.length > 0) lines.push("routes:");
  const folder = folderOf([...origins.values()].find(({ source }) => source === "file")?.name ?? "");
  for (const route of config.routes) lines.push(...printRoute(route, config, folder));
  return lines.map((line) => line + "\n").join("");
}

function printOptions(
  paths: readonly OptionPath[],
  valueOf: (path: OptionPath) => unknown,
  comment: (path: string) => string,
  indent: string,
  lines: string[],
): void {
  let group = "";
  for (const path of paths) {
    const value = valueOf(path);
    const option = optionAt(path);
    if (value === null && option.default === null) continue;
    // There are listeners of the forward proxy only.
    if (path === "listen" && Array.isArray(value) && value.length === 0) continue;
    const dot = path.indexOf(".");
    const head = dot < 0 ? "" : path.slice(0, dot);
    if (head !== "" && head !== group) lines.push(`${indent}${head}:`);
    group = head;
    const inner = head === "" ? indent : indent + "  ";
    const text = printValue(option.type.print(value));
    const secret = text.includes(`://${LEFT_OUT}@`) ? `; fill in ${LEFT_OUT}, which is secret` : "";
    lines.push(`${inner}${path.slice(dot + 1)}: ${text}${comment(path)}${secret}`);
  }
}

/** @param folder that paths are relative to */
function printRoute(route: RouteConfig, config: Config, folder: string): string[] {
  const match = [
    ...(route.host === null ? [] : [`host: ${scalar(route.host)}`]),
    ...(route.path === "/" ? [] : [`path: ${scalar(route.path)}`]),
  ];
  const lines = match.length === 0 ? [] : [`match: {${match.join(", ")}}`];
  const { script, target } = route;
  const written = (path: string) => scalar(path.startsWith(folder) ? path.slice(folder.length) : path);
  if (script !== null) lines.push(`script: ${written(script)}`);
  if (target.kind === "respond") {
    const { status, body, headers } = target.respond;
    const byName = new Map<string, string[]>();
    for (const [name, value] of headers) byName.set(name, [...byName.get(name) ?? [], value]);
    const fields = [...byName].map(([name, list]) => `${scalar(name)}: ${printValue(list)}`).join(", ");
    lines.push(`respond: {status: ${status}, body: ${scalar(body)}, headers: {${fields}}}`);
  } else if (target.kind === "handle") {
    lines.push(`handle: ${written(target.file)}`);
  } else {
    lines.push(`to: ${printTarget(target.upstream, config)}`);
    if (target.retry !== null) lines.push(`retry: ${printRetry(target.retry)}`);
  }
  return lines.map((line, index) => (index === 0 ? "  - " : "    ") + line);
}

/** Where secrets are, never what they are. */
function printCredentials(credentials: readonly CredentialConfig[]): string[] {
  if (credentials.length === 0) return [];
  return [
    "credentials:",
    ...credentials.flatMap(({ name, ...entry }) => [`  ${name}:`, ...printCredential(entry)]),
  ];
}

function printCredential(entry: Omit<CredentialConfig, "name">): string[] {
  const { schemes, user, domain, service, helper, cleartext, secret } = entry;
  const lines = [`scheme: ${printValue(schemes)}`];
  for (const [key, value] of [["user", user], ["domain", domain], ["service", service]] as const) {
    if (value !== "") lines.push(`${key}: ${scalar(value)}`);
  }
  if (secret.kind === "file") lines.push(`${secret.what}_file: ${scalar(secret.path)}`);
  if (secret.kind === "env") lines.push(`password_env: ${scalar(secret.variable)}`);
  if (secret.kind === "command") {
    lines.push(
      `token_command: ${printValue(secret.command)}`,
      `token_cache: ${printDuration(secret.cacheMs)}`,
    );
  }
  if (helper !== null) lines.push(`helper: ${printValue(helper)}`);
  if (cleartext) lines.push("cleartext: true");
  return lines.map((line) => `    ${line}`);
}

function printTarget(name: string, config: Config): string {
  if (isUpstreamName(name)) return name;
  const upstream = config.upstreams.find((candidate) => candidate.name === name);
  return `[${(upstream?.endpoints ?? []).map(printEndpoint).join(", ")}]`;
}

function printEndpoint(endpoint: EndpointConfig): string {
  const address = scalar(endpoint.name);
  return endpoint.weight === 1 ? address : `{address: ${address}, weight: ${endpoint.weight}}`;
}

function printRetry(retry: RetryConfig): string {
  const off = retry.tries === 1 && retry.on.length === 0;
  const mode = off ? "off" : retry.unanswered ? "unanswered" : "idempotent";
  const on = off ? "" : `, on: [${retry.on.join(", ")}]`;
  return `{mode: ${mode}${on}, methods: ${printValue(retry.methods)}, tries: ${retry.tries}, ` +
    `unanswered_tries: ${retry.unansweredTries}}`;
}

function printValue(value: string | readonly string[]): string {
  return typeof value === "string" ? scalar(value) : `[${value.map(scalar).join(", ")}]`;
}

/** Plain where no YAML reader could mistake it, else in double quotes. */
function scalar(text: string): string {
  return /^[A-Za-z0-9_/.](?:[A-Za-z0-9_/.:*-]*[A-Za-z0-9_/.*-])?$/.test(text) ? text : quoted(text);
}
