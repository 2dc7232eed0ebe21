/**
 * Destinations that are reached without a proxy, in the syntax of the environment variable `no_proxy`: what curl (7.86
 * and later) and Go agree on.
 */

import { inBlock, type IpBlock, ipBytes, parseBlock } from "../bytes/ip_address.ts";
import { cutPort, readHost, readPort } from "./destination_host.ts";

/** What is reached without a proxy. With all of it empty: everything. */
export interface NoProxyEntry {
  /** The name itself; "" when only names below it are meant. */
  readonly name: string;
  /** What names below it end with, dot included; "" for addresses. */
  readonly suffix: string;
  readonly block: IpBlock | null;
  readonly port: number | null;
}

const EVERYTHING: NoProxyEntry = { name: "", suffix: "", block: null, port: null };

/**
 * A list separated by commas or spaces. `*` is everything; a name is itself and all below it; with `.` or `*.` in front
 * only what is below it; an IP address or a CIDR block is itself, and never looked up; each but `*` may have `:port`
 * (an IPv6 one is in brackets then). Case and a final dot do not matter.
 */
export class NoProxy {
  readonly #entries: readonly NoProxyEntry[];
  readonly #isEverything: boolean;
  /** What could not be understood, and is left out. */
  readonly ignored: readonly string[];

  constructor(text: string) {
    const words = text.split(/[\s,]+/).filter((word) => word !== "");
    const ignored: string[] = [];
    this.#isEverything = words.includes("*");
    this.#entries = words.filter((word) => word !== "*").flatMap((word) => {
      const entry = readEntry(word);
      if (entry === null) ignored.push(word);
      return entry ?? [];
    });
    this.ignored = ignored;
  }

  /** All of it. */
  get entries(): readonly NoProxyEntry[] {
    return this.#isEverything ? [EVERYTHING] : this.#entries;
  }

  /** @param host a key, see `DestinationHost` */
  has(host: string, port: number): boolean {
    if (this.#isEverything) return true;
    const bytes = ipBytes(host);
    return this.#entries.some((entry) => {
      if (entry.port !== null && entry.port !== port) return false;
      if (bytes !== null) return entry.block !== null && inBlock(bytes, entry.block);
      return entry.block === null && (host === entry.name || host.endsWith(entry.suffix));
    });
  }
}

function readEntry(word: string): NoProxyEntry | null {
  const whole = parseBlock(word);
  if (whole !== null) return { name: "", suffix: "", block: whole, port: null };
  const cut = cutPort(word);
  const port = cut.port === null ? null : readPort(cut.port);
  if (cut.port !== null && port === null) return null;
  const isBracketed = cut.host.startsWith("[") && cut.host.endsWith("]");
  const block = parseBlock(isBracketed ? cut.host.slice(1, -1) : cut.host);
  if (block !== null) return { name: "", suffix: "", block, port };
  const isBelowOnly = cut.host.startsWith(".") || cut.host.startsWith("*.");
  const host = readHost(isBelowOnly ? cut.host.slice(cut.host.indexOf(".") + 1) : cut.host);
  if (typeof host === "string" || host.isLiteral) return null;
  return { name: isBelowOnly ? "" : host.key, suffix: `.${host.key}`, block: null, port };
}
