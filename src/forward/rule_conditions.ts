/** For which requests a rule of the forward proxy is: its destination, who asks, and from where. */

import { inBlock, type IpBlock, parseBlock } from "../bytes/ip_address.ts";
import { judgedBytes } from "./address_class.ts";
import { type DestinationPattern, matchesRule, parseDestinationRule } from "./destination_rule.ts";

/** As the configuration has them. An empty list, or null, asks for nothing. */
export interface RuleConditions {
  /** Names: exact, `.suffix`, or `*`. With `cidrs`: one of the two has to fit. */
  readonly hosts: readonly string[];
  /** Blocks of addresses. */
  readonly cidrs: readonly string[];
  /** The addresses of a name count as well, not only those that are asked for as such. */
  readonly resolve: boolean;
  /** Ranges, both ends included. */
  readonly ports: readonly (readonly [first: number, last: number])[] | null;
  readonly users: readonly string[];
  /** Blocks of addresses that a client connects from. */
  readonly clients: readonly string[];
}

/** What is looked at. */
export interface AskedDestination {
  /** A key, see `DestinationHost`. */
  readonly host: string;
  readonly port: number;
  /** "" = not known. */
  readonly user: string;
  /** IP literal that the client connects from, "" for Unix sockets. */
  readonly client: string;
}

/**
 * - `yes`, `no`
 * - `look_up`: only the addresses of the name can tell
 */
export type RuleMatch = "yes" | "no" | "look_up";

export class RuleMatcher {
  readonly #hosts: readonly DestinationPattern[];
  readonly #blocks: readonly IpBlock[];
  readonly #resolve: boolean;
  readonly #ports: RuleConditions["ports"];
  readonly #users: ReadonlySet<string>;
  readonly #clients: readonly IpBlock[];

  /** @throws Error when a text is none: without it the rule would be for more than was meant */
  constructor({ hosts, cidrs, resolve, ports, users, clients }: RuleConditions) {
    this.#hosts = hosts.map(patternOf);
    this.#blocks = blocks(cidrs);
    this.#resolve = resolve;
    this.#ports = ports;
    this.#users = new Set(users);
    this.#clients = blocks(clients);
  }

  /**
   * @param addresses that the name has, IP literals; null = it has not been looked up. Not looked at where the host is one
   */
  match({ host, port, user, client }: AskedDestination, addresses: readonly string[] | null): RuleMatch {
    if (this.#ports !== null && !this.#ports.some(([first, last]) => port >= first && port <= last)) {
      return "no";
    }
    if (this.#users.size > 0 && !this.#users.has(user)) return "no";
    if (this.#clients.length > 0 && !isIn(client, this.#clients)) return "no";
    if (this.#hosts.length === 0 && this.#blocks.length === 0) return "yes";
    const bytes = judgedBytes(host);
    const candidate = { name: bytes === null ? host : null, bytes, port };
    if (this.#hosts.some((pattern) => matchesRule({ text: "", pattern, port: null }, candidate))) {
      return "yes";
    }
    if (bytes !== null) return isIn(host, this.#blocks) ? "yes" : "no";
    if (!this.#resolve || this.#blocks.length === 0) return "no";
    if (addresses === null) return "look_up";
    return addresses.some((address) => isIn(address, this.#blocks)) ? "yes" : "no";
  }
}

function patternOf(text: string): DestinationPattern {
  const result = parseDestinationRule(text);
  if (result.kind === "fault") throw new Error(`${text}: ${result.message}`);
  return result.rule.pattern;
}

function blocks(texts: readonly string[]): readonly IpBlock[] {
  return texts.map((text) => {
    const block = parseBlock(text);
    if (block === null) throw new Error(`${text} is no block of addresses`);
    return block;
  });
}

/** An IPv4 address counts however it is written in IPv6. */
function isIn(address: string, all: readonly IpBlock[]): boolean {
  const bytes = judgedBytes(address);
  return bytes !== null && all.some((block) => inBlock(bytes, block));
}

/** The first of `rules` that is for a request. `look_up` when the addresses of its name decide; null when none is. */
export function firstMatch<R extends { readonly matcher: RuleMatcher }>(
  rules: readonly R[],
  asked: AskedDestination,
  addresses: readonly string[] | null,
): R | "look_up" | null {
  for (const rule of rules) {
    const match = rule.matcher.match(asked, addresses);
    if (match === "yes") return rule;
    if (match === "look_up") return "look_up";
  }
  return null;
}
