/**
 * Where a forward proxy connects to. Asked twice: about the name before it is looked up, so that no name server hears
 * of a name that is refused anyway, and about each address before it is dialled, because the owner of a name decides
 * which address it has.
 *
 * In this order:
 *
 * 1. **Own listeners** are never a destination.
 * 2. **Ports.** Tunnels go to `connectPorts` only, where those are given; everything else to all ports but those of
 *    `bad_ports.ts`. An entry of `allow` with a port opens that port for what it matches.
 * 3. **deny beats allow, unless what is allowed is a part of what is denied**: `deny .example.com, allow www.example.com`
 *    lets the one host through, `allow .example.com, deny www.example.com` all but the one. Equal entries: denied. An
 *    allowed name is no part of a denied block of addresses.
 * 4. **Classes of addresses** that are denied from the start: metadata and special; on a listener that others than this
 *    machine can reach also loopback and link-local. A class, a block of that class or a single host (not a suffix, not
 *    `*`) in `allow` lifts that.
 * 5. **With `allow`, what is not in it is denied**; `*` there lets the rest through.
 */

import { ipBytes } from "../bytes/ip_address.ts";
import { type AddressClass, classOfBytes, judgedBytes } from "./address_class.ts";
import { BAD_PORTS } from "./bad_ports.ts";
import { DestinationList } from "./destination_list.ts";
import { type Candidate, type DestinationRule, nestingOf } from "./destination_rule.ts";
import type { OwnListeners } from "./own_listeners.ts";

export interface DestinationLists {
  readonly allow: readonly DestinationRule[];
  readonly deny: readonly DestinationRule[];
}

export interface DestinationPolicyOptions {
  readonly lists: DestinationLists;
  /** Users with lists of their own, which stand instead of `lists`. */
  readonly userLists: ReadonlyMap<string, DestinationLists>;
  /** Ports that tunnels may go to; null = all but the bad ones. */
  readonly connectPorts: ReadonlySet<number> | null;
  /** Whether only programs of this machine reach the listener. */
  readonly onLoopback: boolean;
  readonly own: OwnListeners;
}

export interface Destination {
  /** A key, see `DestinationHost`. */
  readonly host: string;
  readonly port: number;
  /** Whether it is asked for by CONNECT. */
  readonly isTunnel: boolean;
  /** The user; null = not known. */
  readonly user: string | null;
}

export interface Permission {
  readonly allowed: true;
  /** The entry of `allow` that matches, as it was written; null when none was needed. */
  readonly rule: string | null;
  /**
   * False when only an address can tell: it is an entry about addresses that would allow the host, or open the port.
   * A caller that leaves the look-up to another proxy takes that for a refusal.
   */
  readonly decided: boolean;
}

export interface Denial {
  readonly allowed: false;
  /** For logs: `deny .example.com`, `class metadata`, `port`, `connect_ports`, `not in allow`, `own listener`. */
  readonly rule: string;
  readonly status: 403 | 508;
  /** The error of Proxy-Status (RFC 9209 §2.3). */
  readonly error: "http_request_denied" | "destination_ip_prohibited" | "proxy_loop_detected";
  /** At most 60 printable characters of ASCII, without bytes of the client or of the configuration. */
  readonly words: string;
}

export type Verdict = Permission | Denial;

const ALWAYS_DENIED: readonly AddressClass[] = ["metadata", "special"];
const DENIED_TO_OTHERS: readonly AddressClass[] = [...ALWAYS_DENIED, "loopback", "link-local"];

const PERMITTED: Permission = Object.freeze({ allowed: true, rule: null, decided: true });
const UNDECIDED: Permission = Object.freeze({ allowed: true, rule: null, decided: false });

interface IndexedLists {
  readonly allow: DestinationList;
  readonly deny: DestinationList;
}

/** Entries of `deny` that nobody has written, by their classes. */
type DefaultDenials = ReadonlyMap<AddressClass, DestinationRule>;

export class DestinationPolicy {
  readonly #own: OwnListeners;
  readonly #connectPorts: ReadonlySet<number> | null;
  readonly #lists: IndexedLists;
  readonly #userLists: ReadonlyMap<string, IndexedLists>;
  readonly #defaults: DefaultDenials;

  constructor(options: DestinationPolicyOptions) {
    this.#own = options.own;
    this.#connectPorts = options.connectPorts;
    this.#lists = indexed(options.lists);
    this.#userLists = new Map([...options.userLists].map(([user, lists]) => [user, indexed(lists)]));
    const classes = options.onLoopback ? ALWAYS_DENIED : DENIED_TO_OTHERS;
    this.#defaults = new Map(
      classes.map((name) => [name, { text: name, pattern: { kind: "class", name }, port: null }]),
    );
  }

  /**
   * Judges what is known before a look-up: port and name, and the address of a host that is one. Costs what
   * `DestinationList.matching` does.
   */
  judgeName(destination: Destination): Verdict {
    const { host, port } = destination;
    const lists = this.#listsOf(destination);
    const bytes = judgedBytes(host);
    if (bytes !== null && this.#own.has(host, port)) return ownListener();
    const candidate: Candidate = { name: bytes === null ? host : null, bytes, port };
    const byPort = this.#judgePort(destination, lists, candidate);
    if (!byPort.allowed) return byPort;
    if (bytes !== null) {
      return judgeLists(lists, this.#defaults, candidate, host, "destination_ip_prohibited");
    }
    const verdict = judgeLists(lists, this.#defaults, candidate, null, "http_request_denied");
    return verdict.allowed && !byPort.decided ? { ...verdict, decided: false } : verdict;
  }

  /**
   * Judges one address that the host has, after `judgeName` has let the host pass. What is not an IP literal is denied.
   *
   * @param address without brackets; a zone is left out
   */
  judgeAddress(address: string, destination: Destination): Verdict {
    const bytes = judgedBytes(address);
    if (bytes === null) return denied("no address", "destination_ip_prohibited", "not an IP address");
    const { host, port } = destination;
    if (this.#own.has(address, port)) return ownListener();
    const name = judgedBytes(host) === null ? host : null;
    const lists = this.#listsOf(destination);
    const candidate: Candidate = { name, bytes, port };
    const byPort = this.#judgePort(destination, lists, candidate);
    if (!byPort.allowed) return byPort;
    return judgeLists(lists, this.#defaults, candidate, address, "destination_ip_prohibited");
  }

  #listsOf({ user }: Destination): IndexedLists {
    return user === null ? this.#lists : this.#userLists.get(user) ?? this.#lists;
  }

  #judgePort(destination: Destination, { allow }: IndexedLists, candidate: Candidate): Verdict {
    const { port, isTunnel } = destination;
    const connectPorts = isTunnel ? this.#connectPorts : null;
    if (connectPorts !== null ? connectPorts.has(port) : !BAD_PORTS.has(port)) return PERMITTED;
    if (allow.matching(candidate).some(opensPort)) return PERMITTED;
    if (allow.matchingLater(candidate).some(opensPort)) return UNDECIDED;
    const rule = connectPorts !== null ? "connect_ports" : "port";
    return denied(rule, "http_request_denied", `port ${port} not allowed`);
  }
}

function indexed({ allow, deny }: DestinationLists): IndexedLists {
  return { allow: new DestinationList(allow), deny: new DestinationList(deny) };
}

function opensPort(entry: DestinationRule): boolean {
  return entry.port !== null;
}

/**
 * @param written the address as it was given, which may stand for another one: entries of `deny` count for both, so that
 *   `deny 2002::/16` means what it says. Null = it is a name
 */
function judgeLists(
  { allow, deny }: IndexedLists,
  defaults: DefaultDenials,
  candidate: Candidate,
  written: string | null,
  error: Denial["error"],
): Verdict {
  const allowing = allow.matching(candidate);
  let denying = deny.matching(candidate);
  if (written !== null && deny.size > 0) {
    denying = [...denying, ...deny.matching({ ...candidate, bytes: ipBytes(written) })];
  }
  for (const entry of denying) {
    if (allowing.some((allowed) => nestingOf(allowed, entry) === "inside")) continue;
    return denied(`deny ${entry.text}`, error, deniedWords(entry));
  }
  const byDefault = candidate.bytes === null ? undefined : defaults.get(classOfBytes(candidate.bytes));
  if (byDefault !== undefined && !allowing.some((allowed) => nestingOf(allowed, byDefault) !== "outside")) {
    return denied(`class ${byDefault.text}`, error, deniedWords(byDefault));
  }
  const [first] = allowing;
  if (first !== undefined) return { allowed: true, rule: first.text, decided: true };
  if (allow.size === 0) return PERMITTED;
  if (allow.matchingLater(candidate).length > 0) return UNDECIDED;
  return denied("not in allow", error, "this host is not in the list of allowed ones");
}

function deniedWords({ pattern }: DestinationRule): string {
  if (pattern.kind === "class") return `${pattern.name} addresses are not allowed`;
  return pattern.kind === "block" ? "this address is denied" : "this host is denied";
}

function denied(rule: string, error: Denial["error"], words: string): Denial {
  return { allowed: false, rule, status: 403, error, words };
}

function ownListener(): Denial {
  return {
    allowed: false,
    rule: "own listener",
    status: 508,
    error: "proxy_loop_detected",
    words: "this is the proxy itself",
  };
}
