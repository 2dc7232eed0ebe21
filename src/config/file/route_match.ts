/** What a route matches: hosts and path prefixes. */

import { Router } from "../../gateway/router.ts";
import { normalizedPath } from "../../http/target.ts";
import { isHost } from "../values/address.ts";
import { formatIpv6, parseIpv6 } from "../../bytes/ip_address.ts";
import { asMap } from "../values/mapping.ts";
import { quoteIfOdd, shown } from "../values/shown.ts";
import { suggest } from "../values/suggest.ts";
import { type Fault, fault, listItems, mustBe, type Parsed, success } from "../values/value_type.ts";

/** One host and path prefix; null is any host, "/" any path. */
export interface Match {
  readonly host: string | null;
  /** As `normalizedPath` writes it. */
  readonly path: string;
}

const KEYS = ["host", "path"];
/** Of a path with its escapes. Far more than any path needs, and less than `max_target` can be. */
const MAX_PATH_CHARS = 2048;

/** Parses `match`. Lists of hosts and paths give all their combinations. Never throws. */
export function parseMatch(raw: unknown): Parsed<readonly Match[]> {
  const map = asMap(raw);
  if (map === null) return fault(`must be a mapping with host and path, got ${shown(raw)}`);
  const faults: Fault[] = [];
  let hosts: readonly (string | null)[] = [null];
  let paths: readonly string[] = ["/"];
  for (const [key, value] of map) {
    if (key === "host") {
      hosts = each(value, ".host", parseHost, faults);
    } else if (key === "path") {
      paths = each(value, ".path", parsePath, faults);
    } else {
      const message = "unknown key: match has host and path";
      faults.push({ at: `.${quoteIfOdd(key)}`, message, suggestion: suggest(key, KEYS) });
    }
  }
  if (faults.length > 0) return { ok: false, faults };
  return success(hosts.flatMap((host) => paths.map((path) => ({ host, path }))));
}

function each<T>(
  raw: unknown,
  at: string,
  parse: (raw: unknown) => Parsed<T>,
  faults: Fault[],
): readonly T[] {
  const items = Array.isArray(raw) ? listItems(raw) ?? [] : [raw];
  if (items.length === 0) faults.push({ at, message: "must not be an empty list", suggestion: null });
  const values: T[] = [];
  for (const [index, item] of items.entries()) {
    const parsed = parse(item);
    if (parsed.ok) {
      values.push(parsed.value);
    } else {
      const place = Array.isArray(raw) ? `${at}[${index}]` : at;
      faults.push(...parsed.faults.map((found) => ({ ...found, at: place + found.at })));
    }
  }
  return values;
}

function parseHost(raw: unknown): Parsed<string> {
  const accepts = "a host name like example.com or *.example.com, without a port";
  if (typeof raw !== "string" || raw === "") return mustBe(accepts, raw);
  if (raw === "*") return fault("matches any host: leave host out instead");
  const lower = raw.toLowerCase().replace(/(?<=[^.])\.$/, "");
  if (lower.startsWith("[") && isHost(lower)) {
    return success(`[${formatIpv6(parseIpv6(lower.slice(1, -1)) ?? [])}]`);
  }
  if (parseIpv6(lower) !== null) return mustBe(accepts, raw, `[${lower}]`);
  const name = lower.startsWith("*.") ? lower.slice(2) : lower;
  if (isHost(name) && !name.includes(":")) return success(lower);
  const bare = lower.replace(/^https?:\/\//, "").replace(/[:/].*$/, "");
  return mustBe(accepts, raw, bare !== name && isHost(bare) ? bare : null);
}

/** The path as requests have it once they are normalised: `/café` and `/caf%c3%A9` are `/caf%C3%A9`. */
function parsePath(raw: unknown): Parsed<string> {
  const accepts = "a path like /api/ that begins with a slash";
  if (typeof raw !== "string" || raw === "") return mustBe(accepts, raw);
  if (!raw.startsWith("/")) return mustBe(accepts, raw, /^[\w./-]+$/.test(raw) ? `/${raw}` : null);
  if (raw.endsWith("*")) {
    return fault(
      `needs no *: a path matches all that begin with it, got ${shown(raw)}`,
      raw.replace(/\*+$/, ""),
    );
  }
  if (/[?#]/.test(raw)) {
    return fault(`must not have a query or fragment, got ${shown(raw)}`, raw.replace(/[?#].*$/s, ""));
  }
  if (/[\p{Cc} ]/u.test(raw)) {
    const escaped = /\p{Cc}/u.test(raw) ? null : raw.replaceAll(" ", "%20");
    return fault(`must not have spaces or control characters, got ${shown(raw)}`, escaped);
  }
  const encoded = utf8Escapes(raw);
  if (encoded === null || /%(?![0-9A-Fa-f]{2})/.test(encoded)) {
    return fault(`must have two hexadecimal digits after each %, got ${shown(raw)}`);
  }
  if (encoded.length > MAX_PATH_CHARS) return fault(`must not be longer than ${MAX_PATH_CHARS} characters`);
  if (/\/\/|\/(?:\.|%2e){1,2}(?:\/|$)/i.test(encoded)) {
    return fault(`can never match: it has an empty, . or .. segment, got ${shown(raw)}`);
  }
  // A request is refused when its path can be read as one of another route.
  const differently = `which servers read differently, got ${shown(raw)}`;
  if (/;|%3b/i.test(encoded)) return fault(`must not have parameters (;), ${differently}`);
  if (raw.includes("\\")) return fault(`must not have backslashes, ${differently}`);
  const normal = normalizedPath(encoded);
  if (normal === null) {
    return fault(`must not have escapes of slashes, backslashes or control characters, ${differently}`);
  }
  const only = { host: null, path: normal };
  if (new Router([only]).route("", normal) !== only) {
    return fault(`must not have escapes of ?, of # or of further escapes, ${differently}`);
  }
  return success(normal);
}

/** Characters beyond ASCII as the escapes of their UTF-8; null when one has none (half of a pair). */
function utf8Escapes(text: string): string | null {
  try {
    return text.replace(/[\u{80}-\u{10ffff}]+/gu, encodeURIComponent);
  } catch {
    return null;
  }
}
