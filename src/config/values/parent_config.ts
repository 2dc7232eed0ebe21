/** The part of the configuration that is about a parent proxy by itself, and what a rule that leads to some asks for. */

import type { Address } from "../../../runtime/contract/contract.ts";

/** How a request is given to one of several parents. `order`: the first that can be reached. */
export type ParentBalance =
  | "order"
  | "round_robin"
  | "least_conn"
  | "random"
  | "source_hash"
  | "user_hash"
  | "host_hash";

/** What a rule asks for; an empty list, or null, is nothing. See `RuleConditions`. */
export interface RuleConditionsConfig {
  /** Names: exact, `.suffix`, `*.suffix`, or `*`. */
  readonly hosts: readonly string[];
  /** Canonical. */
  readonly cidrs: readonly string[];
  /** Names are looked up for `cidrs`. */
  readonly resolve: boolean;
  readonly ports: readonly (readonly [first: number, last: number])[] | null;
  readonly users: readonly string[];
  /** Canonical CIDR blocks. */
  readonly clients: readonly string[];
}

/** A proxy that is asked instead of the destination, or (`direct`) the destination itself. */
export type ParentConfig =
  | { readonly kind: "direct"; readonly name: "direct" }
  | ProxyParentConfig;

export type ProxyParentConfig = HttpParentConfig | SocksParentConfig;

export interface SocksParentConfig extends ParentOptions {
  readonly kind: "socks";
  /** `socks5://host:port` or `socks5h://host:port`. */
  readonly name: string;
  readonly address: Address;
  /** Names are looked up here, not by the proxy. */
  readonly resolves: boolean;
  readonly user: string | null;
  readonly password: string | null;
}

/** What is said of a parent beside its URL. */
export interface ParentOptions {
  /** Share of requests relative to the others, where they are shared by weight. */
  readonly weight: number;
  /** It asks the clients themselves who they are: their Proxy-Authorization goes on to it, and its 407 comes back. */
  readonly passesLogin: boolean;
  /** Holds the password, in its first line; null = `password` is it. */
  readonly passwordFile: string | null;
  /** The proxy by way of which it is reached, which has none itself; null = directly. */
  readonly via: ProxyParentConfig | null;
}

export interface HttpParentConfig extends ParentOptions {
  readonly kind: "http";
  /** As an endpoint is called. */
  readonly name: string;
  readonly address: Address;
  readonly scheme: "http" | "https";
  /** Null = it wants none; `*` = the name of the client's user. */
  readonly user: string | null;
  readonly password: string | null;
  /** Name of an entry of `credentials`; null = none. */
  readonly credential: string | null;
}
