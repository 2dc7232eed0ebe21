/**
 * The fields of a request as they go upstream: what the client sent less what concerns the hop, plus
 * what tells the endpoint where the request came from.
 */

import type { BodyLength } from "../http/body_length.ts";
import { NO_BODY } from "../http/body_length.ts";
import type { DownstreamPeer, ForwardedFrom } from "../http/downstream_stream.ts";
import { expectsContinue } from "../http/expect.ts";
import { Field, maskOf } from "../http/field.ts";
import type { FieldSection } from "../http/field_section.ts";
import { type Head, HTTP_1_0, HTTP_1_1, type HttpVersion, versionText } from "../http/head.ts";
import { fieldSection } from "../http/own_fields.ts";

/** Fields of the hop, and those we write ourselves (RFC 9110 §7.6.1). */
const HOP_MASK = maskOf(
  Field.connection,
  Field.contentLength,
  Field.transferEncoding,
  Field.keepAlive,
  Field.proxyConnection,
  Field.te,
  Field.trailer,
  Field.upgrade,
  Field.expect,
  Field.neverForwarded,
  Field.proxyAuthorization,
);

/** Where a request came from, as a stranger claims it. */
const ORIGIN_MASK = maskOf(
  Field.forwarded,
  Field.xForwardedFor,
  Field.xForwardedProto,
  Field.xForwardedHost,
  Field.xForwardedOther,
);

/** Of those, what is written anew even for a trusted peer, because our own knowledge is added. */
const EXTENDED_MASK = maskOf(Field.forwarded, Field.xForwardedFor);

const UNDERSCORED_MASK = maskOf(Field.underscored);
export const HOST_MASK = maskOf(Field.host);
export const MAX_FORWARDS_MASK = maskOf(Field.maxForwards);

export interface ForwardSettings {
  /** Our name in Via. */
  readonly via: string;
  /** Leave out request fields with "_" in their names. */
  readonly dropUnderscored: boolean;
  /**
   * For clients that go out instead of requests that come in (RFC 9110 §3.7, proxy): what they say of where a request
   * comes from is passed on and nothing is added, responses have Via, and only we ask for Proxy-Authorization.
   */
  readonly outbound: boolean;
  /** Of these settings only. */
  readonly last: LastForwarded;
}

/** The fields made last: clients open several connections at a time, and those share them. */
export class LastForwarded {
  /** Via of responses; null before the first one. */
  via: FieldSection | null = null;
  viaVersion: HttpVersion = HTTP_1_1;
  from: ForwardedFrom | null = null;
  address = "";
  secure = false;
}

/** Which Host endpoints are sent: the client's, their own, or always the same. */
export type HostHeader = { readonly kind: "pass" } | { readonly kind: "endpoint" } | {
  readonly kind: "fixed";
  readonly value: string;
};

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

/** What is not passed on of any request. */
export function dropMaskOf(client: DownstreamPeer, { dropUnderscored, outbound }: ForwardSettings): number {
  const mask = outbound ? HOP_MASK : HOP_MASK | (client.trusted ? EXTENDED_MASK : ORIGIN_MASK);
  return dropUnderscored ? mask | UNDERSCORED_MASK : mask;
}

const RARE_MASK = maskOf(Field.te, Field.expect, Field.trailer, Field.maxForwards);

/** Whether `rareFields` may have something to say. */
export function isRare(head: Head): boolean {
  return (head.known & RARE_MASK) !== 0;
}

/** Fields that few requests have, as we write them. */
export function rareFields(head: Head, body: BodyLength): (readonly [string, string])[] {
  const fields: (readonly [string, string])[] = [];
  // Without content it must not be asked for (RFC 9110 §10.1.1), whatever the client did.
  if (head.has(Field.expect) && body !== NO_BODY && body !== 0 && expectsContinue(head)) {
    fields.push(["Expect", "100-continue"]);
  }
  if (head.has(Field.trailer)) fields.push(["Trailer", head.joined(Field.trailer) ?? ""]);
  if (countsHops(head)) fields.push(["Max-Forwards", String(Number(head.valueOf(Field.maxForwards)) - 1)]);
  return fields;
}

/** The request counts its hops. */
export function countsHops(head: Head): boolean {
  return head.has(Field.maxForwards) && (head.method === "OPTIONS" || head.method === "TRACE");
}

/** Via, X-Forwarded-For/-Proto/-Host and Forwarded; cached on the connection while nothing changes. */
export function forwardedFrom(
  head: Head,
  client: DownstreamPeer,
  settings: ForwardSettings,
  clientHost: string,
): FieldSection {
  const { forwarded } = client;
  if (
    forwarded !== null && forwarded.key === clientHost && forwarded.settings === settings &&
    !client.trusted &&
    head.version !== HTTP_1_0
  ) return forwarded.fields;
  return newlyForwardedFrom(head, client, settings, clientHost);
}

function newlyForwardedFrom(
  head: Head,
  client: DownstreamPeer,
  settings: ForwardSettings,
  clientHost: string,
): FieldSection {
  if (client.trusted && !settings.outbound && (head.known & ORIGIN_MASK) !== 0) {
    return forwardedByTrusted(head, client, settings, clientHost);
  }
  const cacheKey = head.version === HTTP_1_0 ? "1.0 " + clientHost : clientHost;
  const { forwarded } = client;
  if (forwarded !== null && forwarded.key === cacheKey && forwarded.settings === settings) {
    return forwarded.fields;
  }
  const { secure, remoteAddress } = client;
  const { last } = settings;
  let { from } = last;
  if (from === null || from.key !== cacheKey || last.address !== remoteAddress || last.secure !== secure) {
    const fields = untrustedFields(head, secure ? "https" : "http", remoteAddress, settings, clientHost);
    from = { settings, key: cacheKey, fields };
    last.from = from;
    last.address = remoteAddress;
    last.secure = secure;
  }
  client.forwarded = from;
  return from.fields;
}

function untrustedFields(
  head: Head,
  proto: string,
  address: string,
  settings: ForwardSettings,
  clientHost: string,
): FieldSection {
  const via = ["Via", versionText(head.version) + " " + settings.via] as const;
  if (settings.outbound) return fieldSection(via);
  return fieldSection(
    via,
    ["X-Forwarded-For", address === "" ? "unknown" : address],
    ["X-Forwarded-Proto", proto],
    ...(clientHost === "" ? [] : [["X-Forwarded-Host", clientHost] as const]),
    ["Forwarded", forwardedElement(address, clientHost, proto)],
  );
}

/** A trusted peer's account is kept and continued. */
function forwardedByTrusted(
  head: Head,
  client: DownstreamPeer,
  settings: ForwardSettings,
  clientHost: string,
): FieldSection {
  const proto = client.secure ? "https" : "http";
  const address = client.remoteAddress;
  const before = head.joined(Field.xForwardedFor);
  const forwarded = head.joined(Field.forwarded);
  const element = forwardedElement(address, clientHost, proto);
  const hops = before === null || before === "" ? "" : before + ", ";
  const named = head.has(Field.xForwardedHost) || clientHost === "";
  return fieldSection(
    ["Via", versionText(head.version) + " " + settings.via],
    ["X-Forwarded-For", hops + (address === "" ? "unknown" : address)],
    ...(head.has(Field.xForwardedProto) ? [] : [["X-Forwarded-Proto", proto] as const]),
    ...(named ? [] : [["X-Forwarded-Host", clientHost] as const]),
    ["Forwarded", (forwarded === null || forwarded === "" ? "" : forwarded + ", ") + element],
  );
}

/** One element of Forwarded (RFC 7239 §4): IPv6 in brackets and quotes, a host with a port in quotes. */
function forwardedElement(address: string, host: string, proto: string): string {
  const node = address === "" ? "unknown" : address.includes(":") ? '"[' + address + ']"' : address;
  const named = host === "" ? "" : ";host=" + (/^[A-Za-z0-9._-]+$/.test(host) ? host : '"' + host + '"');
  return "for=" + node + named + ";proto=" + proto;
}
