/** What the client of an exchange is answered: the endpoint's response, or a failure of ours. */

import { type BodyLength, UNKNOWN_LENGTH } from "../http/body_length.ts";
import { connectionChallenge, withoutConnectionChallenges } from "../http/connection_auth.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import { NO_FIELDS } from "../http/field_section.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import type { Head } from "../http/head.ts";
import { fieldSection, joinedSections } from "../http/own_fields.ts";
import { acceptsTrailers, forwardedTrailers } from "../http/trailers.ts";
import type { UpstreamStream } from "../http/upstream_stream.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import { responseFields } from "./forward_response.ts";
import { sendFailure } from "./local_reply.ts";
import type { PinUse } from "./pin_use.ts";
import { withChallenges } from "./proxy_login.ts";
import type { ReasonCode } from "./reason.ts";

/**
 * Clients do not authenticate connections through a proxy that does not say that it keeps each for its client
 * (RFC 4559 §6). It is about this hop, so Connection names it.
 */
const PROXY_SUPPORT = fieldSection(
  ["Proxy-Support", "Session-Based-Authentication"],
  ["Connection", "Proxy-Support"],
);

/** Passes on the head of a final response that neither asks who the client is nor came from a proxy. @param request its head */
export function passAnswer(
  client: DownstreamStream,
  request: Head,
  context: ExchangeContext,
  head: Head,
  body: BodyLength,
): void {
  client.sendHead(head.status, head.reason, passedFields(client, request, context, head, body), body, false);
}

function passedFields(
  client: DownstreamStream,
  request: Head,
  { date, forward }: ExchangeContext,
  head: Head,
  body: BodyLength,
): ForwardedFields {
  const trailers = body === UNKNOWN_LENGTH && client.carriesTrailers && acceptsTrailers(request);
  return responseFields(head, body, date, trailers, forward);
}

/**
 * Passes on the head of any final response.
 *
 * @param request its head
 * @param pin null when it has nothing to do with connections that the client has authenticated on
 * @param stream that the response came on; null when it was kept
 * @param loginPassed it comes from a proxy that asks the client itself who it is
 * @param ours the request was sent with a credential of ours: a token that is asked with is none of the client's business
 */
export function beginAnswer(
  client: DownstreamStream,
  request: Head,
  context: ExchangeContext,
  head: Head,
  body: BodyLength,
  pin: PinUse | null,
  stream: UpstreamStream | null,
  loginPassed = false,
  ours = false,
): void {
  const { forward } = context;
  const usual = passedFields(client, request, context, head, body);
  const fields = loginPassed ? withChallenges(usual) : usual;
  const challenges = head.status === 401 && forward.outbound && connectionChallenge(head) !== "none";
  if (ours && isAsking(head) && connectionChallenge(head) === "token") {
    client.sendHead(head.status, head.reason, withoutConnectionChallenges(fields), body, false);
  } else if (pin === null && !challenges) {
    client.sendHead(head.status, head.reason, fields, body, false);
  } else {
    const told = challenges ? { ...fields, added: joinedSections(fields.added, PROXY_SUPPORT) } : fields;
    beginPinned(client, head, told, body, pin, stream);
  }
}

function isAsking({ status }: Head): boolean {
  return status === 401 || status === 407;
}

/** The same, with what a pin changes of it. @param passed fields that would be passed on else */
function beginPinned(
  client: DownstreamStream,
  head: Head,
  passed: ForwardedFields,
  body: BodyLength,
  pin: PinUse | null,
  stream: UpstreamStream | null,
): void {
  let fields = passed;
  let close = false;
  if (pin !== null && stream !== null) {
    ({ fields, close } = pin.answers(stream, head, fields, body, close));
  }
  client.sendHead(head.status, head.reason, fields, body, close);
}

/** The response is complete. @param request its head */
export function endAnswer(client: DownstreamStream, request: Head, trailers: Head | null): void {
  client.sendEnd(trailers !== null && acceptsTrailers(request) ? forwardedTrailers(trailers) : null);
}

/**
 * Answers with a failure.
 *
 * @param request its head
 * @param shown words that the client may see
 * @param isTunnel it is the answer to a CONNECT, after which no further request is taken
 */
export function failAnswer(
  client: DownstreamStream,
  request: Head,
  context: ExchangeContext,
  reason: ReasonCode,
  status: number,
  shown: string,
  isTunnel = false,
): void {
  const phrase = context.phrase?.(status, reason, shown);
  sendFailure(client, {
    reason,
    status,
    ...(phrase === undefined ? {} : { phrase }),
    via: context.forward.via,
    detail: shown,
    date: context.date(),
    bodiless: request.method === "HEAD",
    fields: NO_FIELDS,
    close: isTunnel,
    brief: isTunnel,
  });
}
