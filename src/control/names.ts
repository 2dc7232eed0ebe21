/** Upstreams and endpoints by the names that users type; a wrong one is refused with those there are. */

import { endpointAddress } from "../config/values/address.ts";
import type { Config } from "../config/values/config.ts";
import type { EndpointName } from "../process/worker/messages.ts";
import type { Outcome, Refusal, RefusalCode } from "./plane.ts";

const ADDRESS = endpointAddress();

export function refuse(code: RefusalCode, message: string, problems: readonly string[] = []): Refusal {
  return problems.length === 0 ? { ok: false, code, message } : { ok: false, code, message, problems };
}

/** @param name null = all of them */
export function upstreamsNamed(
  config: Config,
  name: string | null,
): Outcome<{ readonly upstreams: readonly string[] }> {
  const all = config.upstreams.map((upstream) => upstream.name);
  if (name === null) return { ok: true, upstreams: all };
  return all.includes(name) ? { ok: true, upstreams: [name] } : unknownUpstream(all, name);
}

/** @param name null = the only one */
export function upstreamNamed(config: Config, name: string | null): Outcome<{ readonly upstream: string }> {
  const all = config.upstreams.map((upstream) => upstream.name);
  if (name !== null) return all.includes(name) ? { ok: true, upstream: name } : unknownUpstream(all, name);
  const [only, ...others] = all;
  if (only === undefined) return refuse("unknown_name", "There is no upstream.");
  if (others.length === 0) return { ok: true, upstream: only };
  return refuse("ambiguous_name", `Say which upstream: ${all.join(", ")}.`);
}

/**
 * @param endpoint as the configuration has it, or as it may be written: 3000 for 127.0.0.1:3000
 * @param upstream null = find it
 */
export function endpointNamed(
  config: Config,
  endpoint: string,
  upstream: string | null,
): Outcome<{ readonly found: EndpointName }> {
  const within = upstreamsNamed(config, upstream);
  if (!within.ok) return within;
  const parsed = ADDRESS.parse(endpoint);
  const names = [endpoint, ...parsed.ok ? [parsed.value.name] : []];
  const candidates = config.upstreams
    .filter(({ name }) => within.upstreams.includes(name))
    .flatMap(({ name, endpoints }) => endpoints.map((each) => ({ upstream: name, endpoint: each.name })));
  const found = candidates.filter((candidate) => names.includes(candidate.endpoint));
  const [first, ...others] = found;
  if (first === undefined) {
    const all = candidates.map((candidate) => candidate.endpoint).join(", ");
    return refuse("unknown_name", `There is no endpoint ${endpoint}; there are: ${all}.`);
  }
  if (others.length === 0) return { ok: true, found: first };
  const owners = found.map((candidate) => candidate.upstream).join(", ");
  return refuse("ambiguous_name", `${endpoint} is in several upstreams, say which: ${owners}.`);
}

function unknownUpstream(all: readonly string[], name: string): Refusal {
  const there = all.length === 0 ? "there is none" : `there are: ${all.join(", ")}`;
  return refuse("unknown_name", `There is no upstream ${name}; ${there}.`);
}
