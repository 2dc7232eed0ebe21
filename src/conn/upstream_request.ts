/** A request on its way to an endpoint: how it is written, and what a connection knows of it. */

import { type BodyLength, NO_BODY, UNKNOWN_LENGTH } from "../http/body_length.ts";
import type { FieldSection } from "../http/field_section.ts";
import type { ForwardedRequest } from "../http/forwarded_request.ts";
import { type Head, HTTP_1_1 } from "../http/head.ts";
import type { UpstreamTimeouts } from "../http/upstream_stream.ts";
import { hostText, requestLineText } from "../http/written_head.ts";
import { switchesAsAsked } from "../http1/upgrade.ts";

/** Of one request after the other on a connection. */
export class UpstreamRequest {
  method = "";
  body: BodyLength = NO_BODY;
  firstByteMs = 0;
  bodyIdleMs = 0;
  /** Bytes that the socket had taken before; Infinity while there is no request. */
  acceptedBefore = Infinity;
  /** The request, if it asks for a switch of protocols. */
  #switching: ForwardedRequest | null = null;
  interims = 0;
  /** Bytes have come since the request was begun. */
  anyResponse = false;
  /** A final response, or a switch, has begun. */
  responseBegun = false;
  /** The response allows another request. */
  persists = false;

  begin(request: ForwardedRequest, timeouts: UpstreamTimeouts, acceptedBefore: number): void {
    this.method = request.head.method;
    this.body = request.body;
    this.firstByteMs = timeouts.firstByteTimeoutMs;
    this.bodyIdleMs = timeouts.bodyIdleTimeoutMs;
    this.acceptedBefore = acceptedBefore;
    this.#switching = request.upgrade === "" ? null : request;
  }

  /** The connection rests: what is known of the request is forgotten. */
  over(): void {
    this.acceptedBefore = Infinity;
    this.#switching = null;
    this.interims = 0;
    this.anyResponse = false;
    this.responseBegun = false;
    this.persists = false;
  }

  /** A 101 switches to a protocol that was asked for. */
  isSwitched(response: Head): boolean {
    const request = this.#switching;
    return request !== null && switchesAsAsked(request.head, request.upgrade, response);
  }
}

/** The request is complete with its head. */
export function isBodiless(body: BodyLength): boolean {
  return body === NO_BODY || body === 0;
}

/** The client's own bytes where they are what we would write. */
export function requestLine({ head, target }: ForwardedRequest): string {
  if (head.version === HTTP_1_1 && head.target === target) return head.startLine;
  const { method, section: { memo } } = head;
  return memo === null ? requestLineText(method, target) : memo.written.requestLine(method, target);
}

/** Host in front of the other field lines that go on. @param from where these are from */
export function hostAnd({ memo }: FieldSection, authority: string, others: string): string {
  return memo === null ? hostText(authority) + others : memo.written.withHost(authority, others);
}

/** What this connection needs to know: connection options, and the framing. */
export function hopLines({ acceptsTrailers, upgrade, body }: ForwardedRequest): string {
  const framing = body === NO_BODY ? "" : framingLine(body);
  return acceptsTrailers || upgrade !== "" ? optionLines(acceptsTrailers, upgrade) + framing : framing;
}

function framingLine(body: BodyLength): string {
  return body === UNKNOWN_LENGTH ? "Transfer-Encoding: chunked\r\n" : "Content-Length: " + body + "\r\n";
}

function optionLines(acceptsTrailers: boolean, upgrade: string): string {
  const trailers = acceptsTrailers ? "TE: trailers\r\n" : "";
  if (upgrade === "") return trailers + "Connection: TE\r\n";
  const options = acceptsTrailers ? "Upgrade, TE" : "Upgrade";
  return trailers + "Connection: " + options + "\r\nUpgrade: " + upgrade + "\r\n";
}
