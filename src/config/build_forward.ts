/** The options of the forward proxy in the shape of `Config`. */

import { buildUpstream } from "./build.ts";
import type {
  AnyPolicyName,
  EndpointConfig,
  ForwardConfig,
  ForwardRuleConfig,
  HttpParentConfig,
  ParentBalance,
  ParentConfig,
  ParentsConfig,
  ProxyParentConfig,
  ThroughConfig,
  UpstreamConfig,
} from "./values/config.ts";
import { ANY_USER } from "./values/parent_types.ts";
import type { OptionValues } from "./options/options.ts";

/** `forward.max_tunnels: auto`, of `max_connections`: tunnels often stay for hours, and requests need some room. */
const TUNNEL_SHARE = 3 / 4;

/** Name of the destinations of a forward proxy in logs and counters. */
const DIRECT = "forward";

/** Name of the parents in logs, counters and status. */
export const PARENTS = "parents";

export function buildForward(values: OptionValues): ForwardConfig | null {
  if (values["forward.listen"] === null) return null;
  return {
    allow: values["forward.allow"],
    deny: values["forward.deny"],
    ports: values["forward.ports"],
    clients: values["forward.clients"],
    usersFile: values["forward.users"],
    digestFile: values["forward.digest_file"],
    tokensFile: values["forward.tokens"],
    maxTunnels: values["forward.max_tunnels"] ??
      Math.max(1, Math.floor(values.max_connections * TUNNEL_SHARE)),
    https: values["forward.https"],
    pacHost: values["forward.pac_host"],
    rules: values["forward.rules"],
    byRule: values["forward.rules"].flatMap((rule) => ruleParents(values, rule)),
    noParent: values["forward.no_parent"],
    byDefault: defaultParents(values),
    holdDirect: values["forward.hold_direct"],
    credentials: values["forward.credentials"],
    // A destination that is misspelt must not keep its client waiting, and no command of ours is one.
    direct: buildUpstream(DIRECT, [], { ...values, hold: 0, command: null, credential: null }),
  };
}

function defaultParents(values: OptionValues): ParentsConfig | null {
  const parents = values["forward.parents"];
  if (parents.length === 0) return null;
  return buildParents(values, PARENTS, parents, values["forward.balance"], null);
}

function ruleParents(values: OptionValues, { name, action, holdMs }: ForwardRuleConfig): ParentsConfig[] {
  if (action.kind !== "parents") return [];
  return [buildParents(values, ruleUpstream(name), action.parents, action.balance, holdMs)];
}

/** What the parents of a rule are called where upstreams are told of. No upstream of the user's has such a name. */
export function ruleUpstream(rule: string): string {
  return `${PARENTS}/${rule}`;
}

/** Whether an upstream of that name is made of the parents of a rule, or of `forward.parents`. */
export function isOfParents(name: string): boolean {
  return name === PARENTS || name.startsWith(`${PARENTS}/`);
}

function buildParents(
  values: OptionValues,
  name: string,
  parents: readonly ParentConfig[],
  balance: ParentBalance,
  holdMs: number | null,
): ParentsConfig {
  const endpoints = parents.filter((parent) => parent.kind === "http").map(parentEndpoint);
  // Nobody wants to wait for a name that is misspelt; who has put the destination itself in the list, asks it last.
  const usualMs = parents.some(({ kind }) => kind === "direct") ? 0 : values.hold;
  const built = buildUpstream(name, endpoints, {
    ...values,
    hold: holdMs ?? usualMs,
    command: null,
    // A tunnel may stay for hours: limits of requests at a time are not for those.
    credential: null,
    max_in_flight: 0,
    each_address: false,
  });
  const upstream: UpstreamConfig = {
    ...built,
    policy: POLICIES[balance],
    hostHeader: { kind: "pass" },
    tls: {
      verify: values["upstream_tls.verify"],
      caFile: values["upstream_tls.ca"],
      serverName: null,
      certFile: values["upstream_tls.cert"],
      keyFile: values["upstream_tls.key"],
    },
  };
  return { parents, balance, upstream };
}

const POLICIES = {
  order: "first_up",
  round_robin: "round_robin",
  least_conn: "least_conn",
  random: "random",
  source_hash: "hash",
  user_hash: "hash",
  host_hash: "hash",
} as const satisfies Record<ParentBalance, AnyPolicyName>;

function parentEndpoint(parent: HttpParentConfig): EndpointConfig {
  const { name, address, scheme, weight } = parent;
  return { name, address, scheme, weight, proxy: proxyLogin(parent) };
}

/** How a parent learns who asks. */
function proxyLogin(parent: HttpParentConfig): EndpointConfig["proxy"] & object {
  const { user, password, passesLogin, via, credential } = parent;
  const way = via === null ? { credential } : { credential, via };
  if (user === ANY_USER) return { authorization: "", userPassword: password ?? "", ...way };
  return { authorization: basicLogin(parent), ...(passesLogin ? { passesLogin } : {}), ...way };
}

/** The value of Proxy-Authorization for a proxy with a user of its own; "" where it has none. */
export function basicLogin({ user, password }: Pick<HttpParentConfig, "user" | "password">): string {
  return user === null ? "" : `Basic ${base64(`${user}:${password ?? ""}`)}`;
}

/** The same parents, each with the password that `passwordOf` finds; null = the one that it has. */
export function withPasswords(
  config: ParentsConfig,
  passwordOf: (parent: ProxyParentConfig) => string | null,
): ParentsConfig {
  const known = <P extends ProxyParentConfig>(parent: P): P => {
    const { via } = parent;
    return {
      ...parent,
      password: passwordOf(parent) ?? parent.password,
      via: via === null ? null : known(via),
    };
  };
  const parents = config.parents.map((parent) => parent.kind === "direct" ? parent : known(parent));
  const endpoints = parents.filter((parent) => parent.kind === "http").map(parentEndpoint);
  return { ...config, parents, upstream: { ...config.upstream, endpoints } };
}

/** Of its UTF-8 (RFC 7617 §2.1). */
function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
}

/** All lists of parents that there are. */
export function allParents({ byRule, byDefault }: ForwardConfig): readonly ParentsConfig[] {
  return byDefault === null ? byRule : [...byRule, byDefault];
}

/**
 * Whether requests for all destinations share the connections to these parents: an upstream as others are. They do not where some
 * of them are not HTTP proxies: connections are for one destination each then.
 */
export function areShared({ parents }: ParentsConfig): boolean {
  return parents.every(isHttp);
}

/** The upstreams that parents are. */
export function sharedParents(forward: ForwardConfig | null): readonly UpstreamConfig[] {
  return forward === null ? [] : allParents(forward).filter(areShared).map(({ upstream }) => upstream);
}

function isHttp({ kind }: ParentConfig): boolean {
  return kind === "http";
}

/** @param through nothing but the proxy is asked for, so a command is no backend */
export function buildThrough(values: OptionValues, through: boolean): ThroughConfig | null {
  if (!through || values.command === null) return null;
  return { command: values.command, folder: values["child.folder"] };
}
