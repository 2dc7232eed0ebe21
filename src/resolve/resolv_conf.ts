/** resolv.conf(5): which name servers there are, and how they are asked. Lines that mean nothing to us are passed over. */

import { canonicalIp } from "../bytes/ip_address.ts";

export interface NameServer {
  readonly host: string;
  readonly port: number;
}

export interface ResolvConf {
  /** Never empty. */
  readonly servers: readonly NameServer[];
  /** Domains that are put behind names, lower case, without dots at either end. */
  readonly search: readonly string[];
  /** Names with at least this number of dots are asked for as they are before the domains are tried. */
  readonly ndots: number;
  /** How long a server has for an answer. */
  readonly timeoutMs: number;
  /** How often all servers are asked. */
  readonly attempts: number;
  /** Begin with another server each time. */
  readonly rotate: boolean;
  /** `options use-vc`: ask over TCP at once. */
  readonly tcp: boolean;
}

const PORT = 53;
/** As the resolver of glibc has them (resolv.h). */
const MOST_SERVERS = 3;
const MOST_NDOTS = 15;
const MOST_TIMEOUT_SECONDS = 30;
const MOST_ATTEMPTS = 5;
/** glibc had 6 until 2.26, and has no limit since. */
const MOST_DOMAINS = 32;
/** Without a file, or without servers in it, one on this machine is asked. */
const DEFAULT_SERVERS: readonly NameServer[] = [{ host: "127.0.0.1", port: PORT }];

/** @param text "" where there is no file */
export function parseResolvConf(text: string): ResolvConf {
  const servers: NameServer[] = [];
  let search: readonly string[] = [];
  const options = { ndots: 1, timeout: 5, attempts: 2, rotate: false, tcp: false };
  for (const line of text.split("\n")) {
    const [keyword = "", ...words] = line.replace(/[#;].*$/, "").trim().split(/\s+/);
    if (keyword === "nameserver") {
      const server = parseServer(words[0] ?? "");
      if (server !== null && servers.length < MOST_SERVERS) servers.push(server);
    } else if (keyword === "domain") search = domains(words.slice(0, 1));
    else if (keyword === "search") search = domains(words);
    else if (keyword === "options") { for (const word of words) readOption(word, options); }
  }
  return {
    servers: servers.length === 0 ? DEFAULT_SERVERS : servers,
    search,
    ndots: options.ndots,
    timeoutMs: options.timeout * 1000,
    attempts: options.attempts,
    rotate: options.rotate,
    tcp: options.tcp,
  };
}

/** The names to be asked for, in this order, for one that was written. `name` is in lower case. */
export function candidates(name: string, { search, ndots }: ResolvConf): readonly string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const dots = name.split(".").length - 1;
  const longer = search.map((domain) => `${name}.${domain}`);
  return dots >= ndots ? [name, ...longer] : [...longer, name];
}

/** An address, or as on OpenBSD one in brackets with a port. */
function parseServer(word: string): NameServer | null {
  const match = /^\[(.*)\]:(\d{1,5})$/.exec(word);
  const text = match?.[1] ?? word;
  const zone = text.indexOf("%");
  const host = canonicalIp(zone < 0 ? text : text.slice(0, zone));
  const port = match === null ? PORT : Number(match[2]);
  if (host === null || port === 0 || port > 65_535) return null;
  return { host: zone < 0 ? host : host + text.slice(zone), port };
}

function domains(words: readonly string[]): readonly string[] {
  return words.map((word) => word.toLowerCase().replace(/^\.+|\.+$/g, "")).filter((word) => word !== "")
    .slice(0, MOST_DOMAINS);
}

function readOption(
  word: string,
  options: { ndots: number; timeout: number; attempts: number; rotate: boolean; tcp: boolean },
): void {
  if (word === "rotate") options.rotate = true;
  if (word === "use-vc") options.tcp = true;
  const match = /^(ndots|timeout|attempts):(\d{1,9})$/.exec(word);
  if (match === null) return;
  const value = Number(match[2]);
  if (match[1] === "ndots") options.ndots = Math.min(value, MOST_NDOTS);
  else if (match[1] === "timeout") options.timeout = Math.max(1, Math.min(value, MOST_TIMEOUT_SECONDS));
  else options.attempts = Math.max(1, Math.min(value, MOST_ATTEMPTS));
}
