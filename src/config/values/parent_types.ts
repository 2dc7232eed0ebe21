/** Value types of parent proxies: their URLs, and what is reached without them. */

import { NoProxy } from "../../forward/no_proxy.ts";
import { endpointAddress } from "./address.ts";
import type { ParentConfig } from "./config.ts";
import { credentialName } from "./credential_types.ts";
import { asMap } from "./mapping.ts";
import { quoteIfOdd, shown } from "./shown.ts";
import { suggest } from "./suggest.ts";
import { fault, listItems, mustBe, type Parsed, success, unique, type ValueType } from "./value_type.ts";

const ACCEPTS =
  "URLs like http://proxy:3128, https://user:password@proxy:3129 or socks5h://127.0.0.1:1080, or direct";
const KEYS = ["url", "credential"];
const CREDENTIAL = credentialName();
const SOCKS_PORT = 1080;
/** Of a user's name and of a password each, in bytes (RFC 1929 §2). */
const MAX_SOCKS_BYTES = 255;
const ADDRESS = endpointAddress();

/** Parent proxies, in the order in which they are asked. None twice. */
export function parents(): ValueType<readonly ParentConfig[]> {
  return {
    name: "proxies",
    accepts: ACCEPTS,
    many: true,
    parse(raw) {
      const items = listItems(raw);
      if (items === null) return mustBe(ACCEPTS, raw);
      return unique(items, Array.isArray(raw), parent, (value) => value.name);
    },
    print: (values) => values.map(printParent),
  };
}

/** As it was written, without the credentials. */
function printParent(parent: ParentConfig): string {
  if (parent.kind === "direct") return parent.name;
  const url = parent.name.includes("://") ? parent.name : `http://${parent.name}`;
  const shownUrl = parent.user === null ? url : url.replace("://", "://***@");
  return parent.kind !== "http" || parent.credential === null
    ? shownUrl
    : `${shownUrl} credential=${parent.credential}`;
}

/** A URL, a URL with `credential=NAME` behind it, or a mapping of the same. */
function parent(raw: unknown): Parsed<ParentConfig> {
  const map = asMap(raw) ?? wordsOf(raw);
  if (map === null) return parentUrl(raw);
  for (const key of map.keys()) {
    if (KEYS.includes(key)) continue;
    return fault(`unknown key: a parent has ${KEYS.join(", ")}`, suggest(key, KEYS), `.${quoteIfOdd(key)}`);
  }
  const url = parentUrl(map.get("url"));
  if (!url.ok || !map.has("credential")) return url;
  const name = CREDENTIAL.parse(map.get("credential"));
  if (!name.ok) return { ok: false, faults: name.faults.map((found) => ({ ...found, at: ".credential" })) };
  const { value } = url;
  if (value.kind !== "http") {
    return fault("has a credential, which only http:// and https:// proxies can be sent");
  }
  if (value.user !== null) return fault("has a credential beside the user in its URL: keep one of the two");
  return success({ ...value, credential: name.value });
}

function wordsOf(raw: unknown): ReadonlyMap<string, unknown> | null {
  const [, url, name] = typeof raw === "string" ? /^(\S+)[ \t]+credential=(\S*)$/.exec(raw.trim()) ?? [] : [];
  return url === undefined || name === undefined ? null : new Map([["url", url], ["credential", name]]);
}

function parentUrl(raw: unknown): Parsed<ParentConfig> {
  if (raw === "direct") return success({ kind: "direct", name: "direct" });
  if (typeof raw !== "string" || raw === "") return mustBe(ACCEPTS, raw);
  const match = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:([^/?#]*)@)?([^/?#@]*)\/?$/i.exec(raw);
  if (match === null) return mustBe(ACCEPTS, raw);
  const [, scheme = "http", userinfo, place = ""] = match;
  const lower = scheme.toLowerCase();
  const isSocks = lower === "socks5" || lower === "socks5h";
  if (!isSocks && lower !== "http" && lower !== "https") {
    const meant = lower === "socks" ? `socks5h://${place}` : null;
    return fault(`has an unknown scheme: must be http, https, socks5 or socks5h, got ${shown(raw)}`, meant);
  }
  const credentials = readUserinfo(userinfo);
  if (credentials === null) {
    return fault(
      `must have a user and a password without control characters, odd ones as %XX, got ${shown(raw)}`,
    );
  }
  if (isSocks) return socksParent(lower === "socks5", place, credentials, raw);
  if (place === "auto") return mustBe(ACCEPTS, raw);
  const parsed = ADDRESS.parse(`${lower}://${place}`);
  if (!parsed.ok) return parsed;
  const { user } = credentials;
  if (user?.includes(":") === true) return fault(`must not have a colon in the user's name (RFC 7617 §2)`);
  return success({ kind: "http", ...parsed.value, ...credentials, credential: null });
}

function socksParent(
  resolves: boolean,
  place: string,
  credentials: Credentials,
  raw: unknown,
): Parsed<ParentConfig> {
  const hasPort = /:\d*$/.test(place.replace(/^\[.*\]/, ""));
  const parsed = ADDRESS.parse(hasPort ? place : `${place}:${SOCKS_PORT}`);
  if (!parsed.ok) return parsed;
  const { address, name } = parsed.value;
  const tooLong = [credentials.user, credentials.password].some((text) =>
    text !== null && (text === "" || new TextEncoder().encode(text).length > MAX_SOCKS_BYTES)
  );
  if (tooLong) {
    return fault(
      `must have a user and a password of 1 to ${MAX_SOCKS_BYTES} bytes each, got ${quoteIfOdd(String(raw))}`,
    );
  }
  const scheme = resolves ? "socks5" : "socks5h";
  return success({ kind: "socks", address, name: `${scheme}://${name}`, resolves, ...credentials });
}

interface Credentials {
  readonly user: string | null;
  readonly password: string | null;
}

/** Null when it is none. */
function readUserinfo(text: string | undefined): Credentials | null {
  if (text === undefined) return { user: null, password: null };
  const colon = text.indexOf(":");
  try {
    const user = decodeURIComponent(colon < 0 ? text : text.slice(0, colon));
    const password = colon < 0 ? "" : decodeURIComponent(text.slice(colon + 1));
    // deno-lint-ignore no-control-regex -- control characters are what must not be in it
    return user === "" || /[\x00-\x1f\x7f]/.test(user + password) ? null : { user, password };
  } catch {
    return null;
  }
}

/** Destinations that are reached without a proxy, in the syntax of the environment variable `no_proxy`. */
export function noProxy(): ValueType<string> {
  const accepts = "names, .suffixes, IP addresses or CIDR blocks, each with or without :port, or *";
  return {
    name: "destinations",
    accepts,
    many: true,
    parse(raw) {
      const items = typeof raw === "string" ? [raw] : listItems(raw);
      if (items === null || !items.every((item) => typeof item === "string")) return mustBe(accepts, raw);
      const text = items.join(",").split(/[\s,]+/).filter((word) => word !== "").join(",");
      const [odd] = new NoProxy(text).ignored;
      return odd === undefined ? success(text) : fault(`must be ${accepts}, got ${quoteIfOdd(odd)}`);
    },
    print: (value) => value,
  };
}
