/** Answers that Sluice gives itself: fixed ones from the configuration, and failures with their reason. */

import { encodeLatin1 } from "../bytes/latin1.ts";
import { NO_BODY } from "../http/body_length.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import { type FieldSection, NO_FIELDS } from "../http/field_section.ts";
import { ownFields } from "../http/forwarded_fields.ts";
import { fieldSection, joinedSections } from "../http/own_fields.ts";
import { type ReasonCode, REASONS } from "./reason.ts";
import { statusPhrase } from "../http/status_phrase.ts";

/** Seconds after which a client is invited to try again. */
const RETRY_AFTER_S = "1";

/** What a failure's answer needs to know. */
export interface FailureReply {
  readonly reason: ReasonCode;
  /** Status to send; usually the reason's own. */
  readonly status: number;
  /** Reason phrase, where it says more than the status: many clients show nothing else of an answer to CONNECT. */
  readonly phrase?: string;
  /** The body is the status and the phrase: what a client of CONNECT shows of it, if anything, is the first line. */
  readonly brief?: boolean;
  /** Our name, for Proxy-Status. */
  readonly via: string;
  /** Words for `details` of Proxy-Status, safe to show; "" for none. */
  readonly detail: string;
  /** The Date field. */
  readonly date: FieldSection;
  /** The request was HEAD: no body. */
  readonly bodiless: boolean;
  readonly fields: FieldSection;
  readonly close: boolean;
}

/** Answers with a failure: the status, one sentence, and the machine-readable reason (RFC 9209). */
export function sendFailure(client: DownstreamStream, reply: FailureReply): void {
  const { status, bodiless, close } = reply;
  const { fields, body } = failureParts(reply);
  sendText(client, status, reply.phrase ?? statusPhrase(status), fields, body, bodiless, close);
}

/** The same as bytes, for a client that has no connection of ours; the connection is closed after it. */
export function failureMessage(reply: FailureReply): Uint8Array {
  const { status } = reply;
  const { fields, body } = failureParts(reply);
  const text =
    `HTTP/1.1 ${status} ${statusPhrase(status)}\r\n${fields.text}Content-Length: ${body.length}\r\n` +
    `Connection: close\r\n\r\n${body}`;
  const bytes = new Uint8Array(text.length);
  encodeLatin1(text, bytes, 0);
  return bytes;
}

function failureParts(reply: FailureReply): { readonly fields: FieldSection; readonly body: string } {
  const { reason, status } = reply;
  const meaning = REASONS[reason];
  const body = reply.brief === true
    ? status + " " + (reply.phrase ?? statusPhrase(status)) + "\n"
    : status + " " + statusPhrase(status) + "\n" + meaning.sentence + "\n" +
      (reply.detail === "" ? "" : reply.detail + "\n") + "reason: " + reason + "\n";
  const fields = fieldSection(
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Cache-Control", "no-store"],
    ["Proxy-Status", proxyStatus(reply.via, reason, reply.detail)],
    ...(meaning.retryAfter ? [["Retry-After", RETRY_AFTER_S] as const] : []),
  );
  return { fields: joinedSections(joinedSections(reply.date, fields), reply.fields), body };
}

/** Sends a small text body. `body` is Latin-1 or UTF-8 bytes as Latin-1. */
export function sendText(
  client: DownstreamStream,
  status: number,
  phrase: string,
  fields: FieldSection,
  body: string,
  bodiless: boolean,
  close: boolean,
  moreFields: FieldSection = NO_FIELDS,
): void {
  if (status === 204 || status === 304) {
    client.sendHead(status, phrase, ownFields(fields, moreFields), NO_BODY, close);
  } else if (bodiless) {
    const described = fieldSection(["Content-Length", String(body.length)]);
    client.sendHead(status, phrase, ownFields(fields, joinedSections(moreFields, described)), NO_BODY, close);
  } else {
    client.sendHead(status, phrase, ownFields(fields, moreFields), body.length, close);
    const bytes = new Uint8Array(body.length);
    encodeLatin1(body, bytes, 0);
    client.sendBody(bytes, 0, bytes.length);
  }
  client.sendEnd(null);
}

/**
 * Value of Proxy-Status (RFC 9209 §2): our name, the error type, and details as a string (RFC 8941
 * §3.3.3: printable ASCII, quote and backslash escaped).
 */
export function proxyStatus(via: string, reason: ReasonCode, detail: string): string {
  const name = /^[A-Za-z*][A-Za-z0-9:/!#$%&'*+.^_`|~-]*$/.test(via) ? via : '"' + escaped(via) + '"';
  return name + "; error=" + reason + (detail === "" ? "" : '; details="' + escaped(detail) + '"');
}

function escaped(text: string): string {
  return text.slice(0, 200).replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "\\$&");
}
