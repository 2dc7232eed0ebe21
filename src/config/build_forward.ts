/** The options of the forward proxy in the shape of `Config`. */

import { buildUpstream } from "./build.ts";
import type {
  EndpointConfig,
  ForwardConfig,
  HttpParentConfig,
  ParentConfig,
  ThroughConfig,
  UpstreamConfig,
} from "./values/config.ts";
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
    tokensFile: values["forward.tokens"],
    maxTunnels: values["forward.max_tunnels"] ??
      Math.max(1, Math.floor(values.max_connections * TUNNEL_SHARE)),
    parents: values["forward.parents"],
    noParent: values["forward.no_parent"],
    credentials: values["forward.credentials"],
    byParent: buildParents(values),
    // A destination that is misspelt must not keep its client waiting, and no command of ours is one.
    direct: buildUpstream(DIRECT, [], { ...values, hold: 0, command: null, credential: null }),
  };
}

function buildParents(values: OptionValues): UpstreamConfig {
  const parents = values["forward.parents"];
  const endpoints = parents.filter((parent) => parent.kind === "http").map(parentEndpoint);
  return {
    // A tunnel may stay for hours: limits of requests at a time are not for those.
    ...buildUpstream(PARENTS, endpoints, {
      ...values,
      command: null,
      credential: null,
      max_in_flight: 0,
      each_address: false,
    }),
    policy: "first_up",
    hostHeader: { kind: "pass" },
    tls: {
      verify: values["upstream_tls.verify"],
      caFile: values["upstream_tls.ca"],
      serverName: null,
      certFile: values["upstream_tls.cert"],
      keyFile: values["upstream_tls.key"],
    },
  };
}

function parentEndpoint(parent: HttpParentConfig): EndpointConfig {
  const { name, address, scheme, user, password, credential } = parent;
  const authorization = user === null ? "" : `Basic ${base64(`${user}:${password ?? ""}`)}`;
  return { name, address, scheme, weight: 1, proxy: { authorization, credential } };
}

/** Of its UTF-8 (RFC 7617 §2.1). */
function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
}

/**
 * The parents as an upstream, which all requests share; null when there are none, or when some of them are not HTTP proxies:
 * connections are for one destination each then.
 */
export function sharedParents(forward: ForwardConfig | null): UpstreamConfig | null {
  if (forward === null || forward.parents.length === 0) return null;
  return forward.parents.every(isHttp) ? forward.byParent : null;
}

function isHttp({ kind }: ParentConfig): boolean {
  return kind === "http";
}

/** @param through nothing but the proxy is asked for, so a command is no backend */
export function buildThrough(values: OptionValues, through: boolean): ThroughConfig | null {
  if (!through || values.command === null) return null;
  return { command: values.command, folder: values["child.folder"] };
}
