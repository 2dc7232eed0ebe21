/** Value types of parent proxies: their URLs, and what is reached without them. */

import { NoProxy } from "../../forward/no_proxy.ts";
import { endpointAddress } from "./address.ts";
import type { ParentConfig, ParentOptions, ProxyParentConfig } from "./config.ts";
import { credentialName } from "./credential_types.ts";
import { quoteIfOdd, shown } from "./shown.ts";
import {
  count,
  type Fault,
  fault,
  listItems,
  mustBe,
  oneOf,
  type Parsed,
  path,
  success,
  unique,
  type ValueType,
} from "./value_type.ts";
import { asMap } from "./mapping.ts";
import { suggest } from "./suggest.ts";

const ACCEPTS =
  "URLs like http://proxy:3128, https://user:password@proxy:3129 or socks5h://127.0.0.1:1080, or direct";
const WEIGHT = count(1, 1000);
const LOGIN = oneOf("pass");
const PASSWORD_FILE = path();
const KEYS = ["url", "credential", "weight", "login", "password_file", "via", "via_password_file"] as const;
const CREDENTIAL = credentialName();
const SOCKS_PORT = 1080;
/** Of a user's name and of a password each, in bytes (RFC 1929 §2). */
const MAX_SOCKS_BYTES = 255;
const NO_SOCKS_PASSWORD = `must have a user and a password of 1 to ${MAX_SOCKS_BYTES} bytes each`;
const ADDRESS = endpointAddress();
/** Stands where credentials were when a configuration is printed. */
export const LEFT_OUT = "***";
const PLAIN: ParentOptions = { weight: 1, passesLogin: false, passwordFile: null, via: null };
/** Who has the user's name of the client. */
export const ANY_USER = "*";

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
  const { weight, passesLogin, passwordFile, via } = parent;
  return printUrl(parent) +
    (weight === 1 ? "" : ` weight=${weight}`) +
    (passesLogin ? " login=pass" : "") +
    (parent.kind !== "http" || parent.credential === null ? "" : ` credential=${parent.credential}`) +
    (passwordFile === null ? "" : ` password_file=${passwordFile}`) +
    (via === null ? "" : ` via=${printUrl(via)}`) +
    (via === null || via.passwordFile === null ? "" : ` via_password_file=${via.passwordFile}`);
}

function printUrl({ name, via, user, passwordFile }: ProxyParentConfig): string {
  const own = via === null ? name : name.slice(0, -` via ${via.name}`.length);
  const url = own.includes("://") ? own : `http://${own}`;
  if (user === null) return url;
  // A user alone is no secret, where the password is in a file.
  return url.replace("://", `://${passwordFile === null ? LEFT_OUT : encodeURIComponent(user)}@`);
}

/** A URL, a URL with words like `weight=2` behind it, or a mapping of the same. */
function parent(raw: unknown): Parsed<ParentConfig> {
  const map = asMap(raw) ?? (typeof raw === "string" ? wordsOf(raw) : null);
  if (map === null) return mustBe(ACCEPTS, raw);
  const faults: Fault[] = [];
  for (const key of map.keys()) {
    if (KEYS.some((known) => known === key)) continue;
    const message = `unknown key: a parent has ${KEYS.join(", ")}`;
    faults.push({ at: `.${quoteIfOdd(key)}`, message, suggestion: suggest(key, KEYS) });
  }
  const url = parentUrl(map.get("url"));
  if (!url.ok) faults.push(...url.faults);
  const read = <T>(key: typeof KEYS[number], type: ValueType<T>, usual: T): T => {
    const parsed = map.has(key) ? type.parse(map.get(key)) : success(usual);
    if (parsed.ok) return parsed.value;
    faults.push(...parsed.faults.map((found) => ({ ...found, at: `.${key}${found.at}` })));
    return usual;
  };
  const weight = read<number>("weight", WEIGHT, 1);
  const passesLogin = read<string>("login", LOGIN, "") !== "";
  const passwordFile = read<string | null>("password_file", PASSWORD_FILE, null);
  const credential = read<string | null>("credential", CREDENTIAL, null);
  const viaFile = read<string | null>("via_password_file", PASSWORD_FILE, null);
  const via = map.has("via") ? parentUrl(map.get("via")) : success(null);
  if (!via.ok) faults.push(...via.faults.map((found) => ({ ...found, at: `.via${found.at}` })));
  if (!url.ok || !via.ok || faults.length > 0) return { ok: false, faults };
  if (url.value.kind === "direct") {
    return map.size === 1 ? url : fault("must be direct and nothing else");
  }
  const first = via.value;
  if (first?.kind === "direct" || first?.user === ANY_USER || (first === null && viaFile !== null)) {
    return fault("must be the URL of a proxy, whose user is none of the clients'", null, ".via");
  }
  if (credential !== null && url.value.kind === "socks") {
    return fault("has a credential, which only http:// and https:// proxies can be sent");
  }
  if (credential !== null && (url.value.user !== null || passesLogin)) {
    const other = passesLogin ? "login=pass" : "the user in its URL";
    return fault(`has a credential beside ${other}: keep one of the two`);
  }
  const wrong = wrongOptions(url.value, passesLogin, passwordFile) ??
    (first === null ? null : wrongOptions(first, false, viaFile));
  if (wrong !== null) return fault(wrong);
  const proxy = url.value.kind === "http" ? { ...url.value, credential } : url.value;
  return success({
    ...proxy,
    // Another way to the same proxy is another parent.
    name: first === null ? url.value.name : `${url.value.name} via ${first.name}`,
    weight,
    passesLogin,
    passwordFile,
    via: first === null ? null : { ...first, passwordFile: viaFile },
  });
}

/** What does not go together; null when all does. */
function wrongOptions(
  { kind, user, password }: Exclude<ParentConfig, { kind: "direct" }>,
  passesLogin: boolean,
  passwordFile: string | null,
): string | null {
  if (passesLogin && kind === "socks") return "must be an HTTP proxy for login=pass";
  if (passesLogin && user !== null) {
    return "must have no user beside login=pass: the clients' own are passed on";
  }
  if (passwordFile === null) {
    return kind === "socks" && user !== null && password === "" ? NO_SOCKS_PASSWORD : null;
  }
  if (user === null) return "must have a user in its URL beside password_file, like http://user@proxy:3128";
  return password === "" ? null : "must have its password in the URL or in password_file, not in both";
}

/** `URL key=value …`; null when a word is none of those. */
function wordsOf(text: string): ReadonlyMap<string, unknown> | null {
  const [url = "", ...options] = text.trim().split(/[ \t]+/);
  const words = new Map<string, unknown>([["url", url]]);
  for (const option of options) {
    const equals = option.indexOf("=");
    if (equals <= 0 || words.has(option.slice(0, equals))) return null;
    words.set(option.slice(0, equals), option.slice(equals + 1));
  }
  return words;
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
  if (userinfo === LEFT_OUT) {
    return fault("was printed without its user and password: fill them in");
  }
  const credentials = readUserinfo(userinfo);
  if (credentials === null) {
    return fault(
      `must have a user and a password without control characters, odd ones as %XX, got ${shown(raw)}`,
    );
  }
  if (isSocks) return socksParent(lower === "socks5", place, credentials);
  if (place === "auto") return mustBe(ACCEPTS, raw);
  const parsed = ADDRESS.parse(`${lower}://${place}`);
  if (!parsed.ok) return parsed;
  const { user } = credentials;
  if (user?.includes(":") === true) return fault(`must not have a colon in the user's name (RFC 7617 §2)`);
  return success({ kind: "http", ...parsed.value, ...credentials, ...PLAIN, credential: null });
}

function socksParent(
  resolves: boolean,
  place: string,
  credentials: Credentials,
): Parsed<ParentConfig> {
  const hasPort = /:\d*$/.test(place.replace(/^\[.*\]/, ""));
  const parsed = ADDRESS.parse(hasPort ? place : `${place}:${SOCKS_PORT}`);
  if (!parsed.ok) return parsed;
  const { address, name } = parsed.value;
  const tooLong = [credentials.user, credentials.password].some((text) =>
    text !== null && new TextEncoder().encode(text).length > MAX_SOCKS_BYTES
  );
  if (tooLong) return fault(NO_SOCKS_PASSWORD);
  if (credentials.user === ANY_USER) {
    return fault("must be an HTTP proxy for the name of the client's user (*)");
  }
  const scheme = resolves ? "socks5" : "socks5h";
  return success({ kind: "socks", address, name: `${scheme}://${name}`, resolves, ...credentials, ...PLAIN });
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
