/** What the request target of a forward proxy asks for (RFC 9112 §3.2.2, §3.2.3; RFC 9110 §9.3.6). */

import { QUESTION, SLASH } from "../bytes/character.ts";
import { cutPort, type HostFault, readHost, readPort } from "./destination_host.ts";

export interface ForwardTarget {
  readonly kind: "target";
  /** Null for CONNECT: a tunnel has none. */
  readonly scheme: "http" | "https" | null;
  /** What rules and keys go by: see `DestinationHost.key`. */
  readonly host: string;
  readonly hostIsLiteral: boolean;
  /** 1 to 65535; the default of the scheme when none is given. */
  readonly port: number;
  /**
   * The value of Host: the authority as received (RFC 9112 §3.2: identical to that of the target URI), so with the case, the
   * final dot and the default port that it had. Only a colon without a port is left out: some servers do not expect it,
   * and it means the same (RFC 3986 §6.2.3).
   */
  readonly authority: string;
  /**
   * What an origin server is sent: path and query byte for byte (RFC 9110 §7.7), "/" before a lone query or for nothing,
   * "*" for OPTIONS of a whole server (RFC 9112 §3.2.4). A further proxy is sent the absolute form as received instead.
   * "" for CONNECT.
   */
  readonly target: string;
  /** Equal for targets that the same connections may be used for. */
  readonly destination: string;
}

/**
 * - `origin_form`, `asterisk_form`: about this server itself; a caller that has something of the kind answers it before
 * - `not_absolute`: nothing that names a host
 * - `scheme`: a scheme that is not spoken here
 * - `https`: an https URI in absolute form, where that is not allowed
 * - `user_information`, `fragment`, `host`, `port`: this part
 * - `character`: one that no target may hold
 */
export type TargetRefusalReason =
  | "origin_form"
  | "asterisk_form"
  | "not_absolute"
  | "scheme"
  | "https"
  | "user_information"
  | "fragment"
  | "host"
  | "port"
  | "character";

export interface TargetRefusal {
  readonly kind: "refusal";
  readonly reason: TargetRefusalReason;
  readonly status: 400 | 501;
  /** At most 60 printable characters of ASCII, without bytes of the peer: for the reason phrase. */
  readonly words: string;
  /** A sentence in plain words, without bytes of the peer: safe to show and to log. */
  readonly detail: string;
}

function refusal(
  reason: TargetRefusalReason,
  words: string,
  detail: string,
  status: 400 | 501 = 400,
): TargetRefusal {
  return Object.freeze({ kind: "refusal", reason, status, words, detail });
}

/** One constant per distinct reason, so that a refusal costs no allocation and compares with `===`. */
export const TARGET_REFUSALS = Object.freeze({
  originForm: refusal(
    "origin_form",
    "this is a forward proxy",
    "This is a forward proxy: the request target must be a whole URL, like http://host/path.",
  ),
  asteriskForm: refusal(
    "asterisk_form",
    "the target * goes with OPTIONS only",
    "The request target * goes with OPTIONS only.",
  ),
  notAbsolute: refusal(
    "not_absolute",
    "the target is not a URL",
    "The request target is not a URL that begins with http://.",
  ),
  scheme: refusal(
    "scheme",
    "only http:// and CONNECT are spoken",
    "Only http:// URLs and CONNECT are spoken here.",
    501,
  ),
  webSocket: refusal(
    "scheme",
    "use CONNECT, or http:// with Upgrade",
    "A ws:// URL is no request target: use CONNECT, or http:// with an Upgrade field.",
    501,
  ),
  https: refusal(
    "https",
    "use CONNECT for https",
    "An https:// URL is not fetched in the client's name: use CONNECT.",
    501,
  ),
  userInformation: refusal(
    "user_information",
    "no user name in a URL",
    "The request target holds a user name or a password, which a URL must not (RFC 9110 section 4.2.4).",
  ),
  fragment: refusal("fragment", "no fragment in a target", "The request target holds a fragment."),
  character: refusal(
    "character",
    "a character that no target may hold",
    "The request target holds a character that is not allowed.",
  ),
  noHost: refusal("host", "the target names no host", "The request target names no host."),
  hostCharacter: refusal(
    "host",
    "a character that no host name may hold",
    "The host holds a character that is not allowed; other alphabets are written in the xn-- form.",
  ),
  hostLabel: refusal(
    "host",
    "a part of the host name is empty or too long",
    "Each part of a host name has 1 to 63 characters.",
  ),
  hostLength: refusal("host", "the host name is too long", "A host name has at most 253 characters."),
  hostNumber: refusal(
    "host",
    "an IPv4 address is four decimal numbers",
    "The host is a number, but not an IPv4 address of four decimal numbers without leading zeros.",
  ),
  hostIpv6: refusal(
    "host",
    "not an IPv6 address in brackets",
    "The host is not an IPv6 address in brackets.",
  ),
  hostZone: refusal(
    "host",
    "an address must not name an interface",
    "The IPv6 address names an interface, which means something on one machine only.",
  ),
  port: refusal("port", "not a port from 1 to 65535", "The port is not a number from 1 to 65535."),
  noPort: refusal("port", "CONNECT needs a port", "CONNECT needs a host and a port."),
});

const HOST_REFUSALS: Readonly<Record<HostFault, TargetRefusal>> = {
  empty: TARGET_REFUSALS.noHost,
  character: TARGET_REFUSALS.hostCharacter,
  label: TARGET_REFUSALS.hostLabel,
  length: TARGET_REFUSALS.hostLength,
  number: TARGET_REFUSALS.hostNumber,
  ipv6: TARGET_REFUSALS.hostIpv6,
  zone: TARGET_REFUSALS.hostZone,
};

/** Schemes that clients know and that are not spoken here: 501 instead of 400. */
const OTHER_SCHEMES: ReadonlySet<string> = new Set([
  "about",
  "blob",
  "data",
  "file",
  "ftp",
  "ftps",
  "gopher",
  "javascript",
  "mailto",
  "sftp",
  "urn",
  "wais",
]);

const SCHEME = /^([a-zA-Z][a-zA-Z0-9+.-]*):/;

/** Whatever is no visible ASCII, and the backslash, which is a slash to some recipients only. */
const FORBIDDEN = /[^\x21-\x7e]|\\/;

const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/**
 * Reads the target of a request on the listener of a forward proxy.
 *
 * @param target as received
 * @param takesHttps whether https:// URLs are taken in absolute form
 * @returns what is asked for, or why it is refused; never throws. Linear in the length.
 */
export function readForwardTarget(
  method: string,
  target: string,
  takesHttps: boolean,
): ForwardTarget | TargetRefusal {
  if (target === "" || FORBIDDEN.test(target)) return TARGET_REFUSALS.character;
  if (target.includes("#")) return TARGET_REFUSALS.fragment;
  if (method === "CONNECT") return tunnelTarget(target);
  if (target.startsWith("/")) return TARGET_REFUSALS.originForm;
  if (target === "*") {
    return method === "OPTIONS" ? TARGET_REFUSALS.originForm : TARGET_REFUSALS.asteriskForm;
  }
  const scheme = target.startsWith("http://") ? "http" : SCHEME.exec(target)?.[1]?.toLowerCase();
  if (scheme === undefined) return TARGET_REFUSALS.notAbsolute;
  if (scheme === "ws" || scheme === "wss") return TARGET_REFUSALS.webSocket;
  if (scheme !== "http" && scheme !== "https") {
    // "localhost:3000" reads as a scheme as well.
    return OTHER_SCHEMES.has(scheme) ? TARGET_REFUSALS.scheme : TARGET_REFUSALS.notAbsolute;
  }
  if (!target.startsWith("://", scheme.length)) return TARGET_REFUSALS.notAbsolute;
  if (scheme === "https" && !takesHttps) return TARGET_REFUSALS.https;
  const from = scheme.length + 3;
  let to = from;
  while (to < target.length && target.charCodeAt(to) !== SLASH && target.charCodeAt(to) !== QUESTION) to++;
  const rest = target.slice(to);
  const path = rest === "" && method === "OPTIONS" ? "*" : rest.startsWith("/") ? rest : "/" + rest;
  return readAuthority(target.slice(from, to), DEFAULT_PORTS[scheme], scheme, path);
}

/** What else could be asked for there. Null when that has to be read on its own. @param path begins with "/" */
export function withPath(known: ForwardTarget, path: string): ForwardTarget | null {
  if (FORBIDDEN.test(path) || path.includes("#")) return null;
  const { kind, scheme, host, hostIsLiteral, port, authority, destination } = known;
  return { kind, scheme, host, hostIsLiteral, port, authority, target: path, destination };
}

function tunnelTarget(target: string): ForwardTarget | TargetRefusal {
  // A URL, or a path: neither is host:port, and to say that its port is wrong would not help.
  if (/[/?]/.test(target)) return TARGET_REFUSALS.noPort;
  return readAuthority(target, null, null, "");
}

/** @param defaultPort null when a port must be given. @param target see `ForwardTarget` */
function readAuthority(
  text: string,
  defaultPort: number | null,
  scheme: ForwardTarget["scheme"],
  target: string,
): ForwardTarget | TargetRefusal {
  if (text.includes("@")) return TARGET_REFUSALS.userInformation;
  const cut = cutPort(text);
  const host = readHost(cut.host);
  if (typeof host === "string") return HOST_REFUSALS[host];
  const isGiven = cut.port !== null && cut.port !== "";
  const port = isGiven ? readPort(cut.port ?? "") : defaultPort;
  if (port === null) return isGiven ? TARGET_REFUSALS.port : TARGET_REFUSALS.noPort;
  return {
    kind: "target",
    scheme,
    host: host.key,
    hostIsLiteral: host.isLiteral,
    port,
    authority: isGiven ? text : cut.host,
    target,
    destination: `${scheme === "https" ? "https://" : ""}${host.key}:${port}`,
  };
}
