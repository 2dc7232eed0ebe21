/** A response of a script's own: checked once, ready to be sent. */

import { NO_FIELDS } from "../http/field_section.ts";
import type { FieldSection } from "../http/field_section.ts";
import { fieldSection } from "../http/own_fields.ts";
import { statusPhrase } from "../http/status_phrase.ts";
import { type Line, linesOf, shown } from "./field_values.ts";
import { ScriptError } from "./script_error.ts";
import type { Body, ByteSource, HttpResponse, ResponseLike } from "./script_types.ts";

/** What gives a body piece by piece. */
export type Pieces = ByteSource | AsyncIterable<unknown> | Iterable<unknown>;

const UTF8 = new TextEncoder();
const NO_BYTES = new Uint8Array(0);
const TEXT = ["Content-Type", "text/plain; charset=utf-8"] as const;
/** Statuses whose responses have no body (RFC 9110 §15.3.5, §15.4.5). */
const BODILESS = [204, 304];

export class OwnAnswer {
  readonly status: number;
  readonly phrase: string;
  /** Without Date and framing. */
  readonly fields: FieldSection;
  /** All of the body, or null when it comes piece by piece. */
  readonly bytes: Uint8Array | null;
  readonly pieces: Pieces | null;
  /** Bytes that the pieces have, as the script says; null = it does not say. */
  readonly announced: number | null;
  /** Sent after the pieces. */
  readonly trailers: FieldSection | null;

  private constructor(
    status: number,
    lines: readonly Line[],
    body: Body | undefined,
    trailers: readonly Line[],
  ) {
    const said = lines.filter(([name]) => name.toLowerCase() === "content-length");
    const rest = lines.filter(([name]) => name.toLowerCase() !== "content-length");
    const bytes = bytesOf(body);
    const typed = rest.some(([name]) => name.toLowerCase() === "content-type");
    const fields = typeof body === "string" && body !== "" && !typed ? [...rest, TEXT] : rest;
    this.status = status;
    this.phrase = statusPhrase(status);
    this.fields = fields.length === 0 ? NO_FIELDS : fieldSection(...fields);
    this.bytes = bytes;
    // The cast: `bytesOf` has refused everything else.
    this.pieces = bytes === null ? body as Pieces : null;
    this.announced = announcedLength(said, bytes);
    this.trailers = trailers.length === 0 ? null : fieldSection(...trailers);
    if (BODILESS.includes(status) && (bytes === null || bytes.length > 0)) {
      throw new ScriptError(`status: a ${status} has no body`);
    }
    if (this.trailers !== null && bytes !== null) {
      throw new ScriptError("trailers: they follow a body that comes piece by piece");
    }
  }

  /** @throws ScriptError */
  static of(answer: HttpResponse): OwnAnswer {
    const { code, status = code ?? 200, headers, body, trailers } = answer;
    checkStatus(status);
    return new OwnAnswer(
      status,
      linesOf(headers, "answer", ["content-length"]),
      body,
      linesOf(trailers, "trailers"),
    );
  }

  /** Of a platform's Response. @throws ScriptError */
  static ofResponse({ status, headers, body }: ResponseLike): OwnAnswer {
    checkStatus(status);
    return new OwnAnswer(status, linesOf(headers, "answer", ["content-length"]), body, []);
  }
}

/** @throws ScriptError */
function checkStatus(status: unknown): asserts status is number {
  if (!Number.isInteger(status) || (status as number) < 200 || (status as number) > 599) {
    throw new ScriptError(`status: ${shown(status)}: 200 to 599 are statuses of responses`);
  }
}

/** @returns null when it comes piece by piece. @throws ScriptError */
function bytesOf(body: unknown): Uint8Array | null {
  if (body === undefined || body === null || body === "") return NO_BYTES;
  if (typeof body === "string") return UTF8.encode(body);
  if (body instanceof Uint8Array) return body;
  if (typeof body === "object") {
    if ("getReader" in body || Symbol.asyncIterator in body || Symbol.iterator in body) return null;
  }
  throw new ScriptError(
    `body: ${shown(body)} is no text, no Uint8Array, no stream and no iterable of them`,
  );
}

/** A Content-Length is framing, so it counts only if it is right. @throws ScriptError */
function announcedLength(said: readonly Line[], bytes: Uint8Array | null): number | null {
  const [first, ...others] = said;
  if (first === undefined) return null;
  const [name, value] = first;
  if (others.length > 0 || !/^\d{1,15}$/.test(value)) {
    throw new ScriptError(`headers: ${name}: ${shown(value)} is no length`);
  }
  const length = Number(value);
  if (bytes !== null && length !== bytes.length) {
    throw new ScriptError(`headers: ${name} says ${length}, the body has ${bytes.length} bytes`);
  }
  return length;
}
