/**
 * The fields of a request as they go upstream: what the client sent less what concerns the hop, plus
 * what tells the endpoint where the request came from.
 */

import type { DownstreamConnection, ForwardedLines } from "../conn/downstream_connection.ts";
import { ConnectionOption, connectionOptions, namedOptions } from "../http1/connection_options.ts";
import { keptFields } from "../http1/encode.ts";
import { Field } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import { expectsContinue } from "../http1/request_rules.ts";

/** Fields of the hop, and those we write ourselves (RFC 9110 §7.6.1). */
const HOP_MASK = (1 << Field.connection) | (1 << Field.contentLength) | (1 << Field.transferEncoding) |
  (1 << Field.keepAlive) | (1 << Field.proxyConnection) | (1 << Field.te) | (1 << Field.trailer) |
  (1 << Field.upgrade) | (1 << Field.expect) | (1 << Field.neverForwarded) | (1 << Field.proxyAuthorization);

/** Where a request came from, as a stranger claims it. */
const ORIGIN_MASK = (1 << Field.forwarded) | (1 << Field.xForwardedFor) | (1 << Field.xForwardedProto) |
  (1 << Field.xForwardedHost) | (1 << Field.xForwardedOther);

/** Of those, what is written anew even for a trusted peer, because our own knowledge is added. */
const EXTENDED_MASK = (1 << Field.forwarded) | (1 << Field.xForwardedFor);

const UNDERSCORED_MASK = 1 << Field.underscored;

export interface ForwardSettings {
  /** Our name in Via. */
  readonly via: string;
  /** Leave out request fields with "_" in their names. */
  readonly dropUnderscored: boolean;
}

/** Which Host endpoints are sent: the client's, their own, or always the same. */
export type HostHeader = { readonly kind: "pass" } | { readonly kind: "endpoint" } | {
  readonly kind: "fixed";
  readonly value: string;
};

/** Field lines in two parts: the client's own, and those that are the same for a connection's requests. */
export interface RequestFields {
  readonly own: string;
  readonly added: string;
}

/** The request line: the client's own bytes where they are what we would write. */
export function requestLine(head: Head, target: string): string {
  if (head.minor === 1 && head.target === target) return head.startLine;
  return head.method + " " + target + " HTTP/1.1\r\n";
}

/**
 * The value of Host to send; null = the client's own line goes on in its place.
 *
 * @param target what is sent in the request line
 * @param clientHost host the client asked for, "" when it named none
 * @param endpointHost what the endpoint calls itself
 */
export function hostToSend(
  setting: HostHeader,
  head: Head,
  target: string,
  clientHost: string,
  endpointHost: string,
): string | null {
  if (setting.kind === "fixed") return setting.value;
  if (setting.kind === "endpoint" || clientHost === "") return endpointHost;
  return head.target === target && head.has(Field.host) ? null : clientHost;
}

/**
 * Builds the field lines.
 *
 * @param host value of Host to send; null = leave the client's in its place
 * @param clientHost host the client asked for, "" when it named none
 * @param upgrade value for Upgrade, "" = none is asked for
 */
export function requestFields(
  head: Head,
  client: DownstreamConnection,
  settings: ForwardSettings,
  host: string | null,
  clientHost: string,
  upgrade: string,
): RequestFields {
  let mask = HOP_MASK;
  if (settings.dropUnderscored) mask |= UNDERSCORED_MASK;
  mask |= client.trusted ? EXTENDED_MASK : ORIGIN_MASK;
  let first = "";
  if (host !== null) {
    mask |= 1 << Field.host;
    first = "Host: " + host + "\r\n";
  }
  let last = "";
  let names: ReadonlySet<string> | null = null;
  if ((head.known & RARE_MASK) !== 0) {
    if (head.has(Field.connection)) {
      const options = connectionOptions(head);
      if ((options & ConnectionOption.other) !== 0) names = namedOptions(head);
    }
    if (acceptsTrailers(head)) {
      last += upgrade === "" ? "TE: trailers\r\nConnection: TE\r\n" : "TE: trailers\r\n";
    }
    // Without content it must not be asked for (RFC 9110 §10.1.1), whatever the client did.
    if (head.has(Field.expect) && head.bodyBytes !== 0 && expectsContinue(head)) {
      last += "Expect: 100-continue\r\n";
    }
    if (head.has(Field.trailer)) last += keptTrailerField(head);
    if (upgrade !== "") {
      last += last.includes("TE: ") ? "Connection: Upgrade, TE\r\n" : "Connection: Upgrade\r\n";
      last += "Upgrade: " + upgrade + "\r\n";
    }
    if (head.has(Field.maxForwards) && (head.method === "OPTIONS" || head.method === "TRACE")) {
      mask |= 1 << Field.maxForwards;
      last += "Max-Forwards: " + (Number(head.valueOf(Field.maxForwards)) - 1) + "\r\n";
    }
  }
  const kept = keptFields(head, mask, names);
  const added = forwardedLines(head, client, settings, clientHost);
  return { own: first === "" ? kept : first + kept, added: last === "" ? added : added + last };
}

const RARE_MASK = (1 << Field.connection) | (1 << Field.te) | (1 << Field.expect) | (1 << Field.trailer) |
  (1 << Field.upgrade) | (1 << Field.maxForwards);

/** Whether the client said `TE: trailers` and named TE in Connection (RFC 9110 §10.1.4). */
export function acceptsTrailers(head: Head): boolean {
  if (!head.has(Field.te)) return false;
  return /(?:^|,)[ \t]*trailers[ \t]*(?:$|[,;])/i.test(head.joined(Field.te) ?? "");
}

function keptTrailerField(head: Head): string {
  return "Trailer: " + (head.joined(Field.trailer) ?? "") + "\r\n";
}

/** Via, X-Forwarded-For/-Proto/-Host and Forwarded; cached on the connection while nothing changes. */
function forwardedLines(
  head: Head,
  client: DownstreamConnection,
  settings: ForwardSettings,
  clientHost: string,
): string {
  if (client.trusted && (head.known & ORIGIN_MASK) !== 0) {
    return forwardedByTrusted(head, client, settings, clientHost);
  }
  const cacheKey = head.minor === 1 ? clientHost : "1.0 " + clientHost;
  const { forwarded } = client;
  if (forwarded !== null && forwarded.key === cacheKey && forwarded.settings === settings) {
    return forwarded.text;
  }
  const { secure, remoteAddress } = client;
  if (
    last.settings !== settings || last.key !== cacheKey || lastAddress !== remoteAddress ||
    lastSecure !== secure
  ) {
    const text = untrustedLines(head, secure ? "https" : "http", remoteAddress, settings, clientHost);
    last = { settings, key: cacheKey, text };
    lastAddress = remoteAddress;
    lastSecure = secure;
  }
  client.forwarded = last;
  return last.text;
}

// Clients open several connections at a time: those share the text made last.
let last: ForwardedLines = { settings: {}, key: "", text: "" };
let lastAddress = "";
let lastSecure = false;

function untrustedLines(
  head: Head,
  proto: string,
  address: string,
  settings: ForwardSettings,
  clientHost: string,
): string {
  return "Via: 1." + head.minor + " " + settings.via + "\r\n" +
    "X-Forwarded-For: " + (address === "" ? "unknown" : address) + "\r\n" +
    "X-Forwarded-Proto: " + proto + "\r\n" +
    (clientHost === "" ? "" : "X-Forwarded-Host: " + clientHost + "\r\n") +
    "Forwarded: " + forwardedElement(address, clientHost, proto) + "\r\n";
}

/** A trusted peer's account is kept and continued. */
function forwardedByTrusted(
  head: Head,
  client: DownstreamConnection,
  settings: ForwardSettings,
  clientHost: string,
): string {
  const proto = client.secure ? "https" : "http";
  const address = client.remoteAddress;
  const before = head.joined(Field.xForwardedFor);
  const forwarded = head.joined(Field.forwarded);
  const element = forwardedElement(address, clientHost, proto);
  return "Via: 1." + head.minor + " " + settings.via + "\r\n" +
    "X-Forwarded-For: " + (before === null || before === "" ? "" : before + ", ") +
    (address === "" ? "unknown" : address) + "\r\n" +
    (head.has(Field.xForwardedProto) ? "" : "X-Forwarded-Proto: " + proto + "\r\n") +
    (head.has(Field.xForwardedHost) || clientHost === "" ? "" : "X-Forwarded-Host: " + clientHost + "\r\n") +
    "Forwarded: " + (forwarded === null || forwarded === "" ? "" : forwarded + ", ") + element + "\r\n";
}

/** One element of Forwarded (RFC 7239 §4): IPv6 in brackets and quotes, a host with a port in quotes. */
function forwardedElement(address: string, host: string, proto: string): string {
  const node = address === "" ? "unknown" : address.includes(":") ? '"[' + address + ']"' : address;
  const named = host === "" ? "" : ";host=" + (/^[A-Za-z0-9._-]+$/.test(host) ? host : '"' + host + '"');
  return "for=" + node + named + ";proto=" + proto;
}
