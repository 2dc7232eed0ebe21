/** A response of a handler's own: checked once, ready to be sent. */

import { NO_FIELDS } from "../http/field_section.ts";
import type { FieldSection } from "../http/field_section.ts";
import { fieldSection } from "../http/own_fields.ts";
import { statusPhrase } from "../http/status_phrase.ts";
import { checkName, type Line, linesOf, shown } from "./field_values.ts";
import { type KnownHead, KnownHeads } from "./known_heads.ts";
import { ScriptError } from "./script_error.ts";
import type { Body, ByteSource, FieldInit, HttpResponse, ResponseLike } from "./answer_types.ts";

/** What gives a body piece by piece. */
export type Pieces = ByteSource | AsyncIterable<unknown> | Iterable<unknown>;

const UTF8 = new TextEncoder();
const NO_BYTES = new Uint8Array(0);
const NO_LINES: readonly Line[] = [];
const KNOWN = new KnownHeads();
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
  /** Bytes that the pieces have, as the handler says; null = it does not say. */
  readonly announced: number | null;
  /** Sent after the pieces. */
  readonly trailers: FieldSection | null;

  private constructor(
    status: number,
    headers: FieldInit | undefined,
    body: Body | undefined,
    trailers: readonly Line[],
  ) {
    const bytes = bytesOf(body);
    const { fields, length } = headOf(headers, typeof body === "string" && body !== "");
    this.status = status;
    this.phrase = statusPhrase(status);
    this.fields = fields;
    this.bytes = bytes;
    // The cast: `bytesOf` has refused everything else.
    this.pieces = bytes === null ? body as Pieces : null;
    this.announced = announcedLength(length, bytes);
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
      headers,
      body,
      trailers === undefined ? NO_LINES : linesOf(trailers),
    );
  }

  /** Of a platform's Response. @throws ScriptError */
  static ofResponse(response: ResponseLike): OwnAnswer {
    const { status, body } = response;
    checkStatus(status);
    return new OwnAnswer(status, fieldsOf(response), body, NO_LINES);
  }
}

/** What stands in a response about the hop that it has come by. */
const OF_THE_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
];
/** What the platform's `fetch` has undone. */
const OF_THE_CODING = ["content-encoding", "content-length"];

/** `return fetch(…)` is a proxy of a kind: of another server's response what concerned that connection stays behind. */
function fieldsOf({ headers, url }: ResponseLike): FieldInit {
  const left = typeof url === "string" && url !== "" ? [...OF_THE_HOP, ...OF_THE_CODING] : OF_THE_HOP;
  const all = [...headers];
  return all.some(([name]) => left.includes(name.toLowerCase()))
    ? all.filter(([name]) => !left.includes(name.toLowerCase()))
    : headers;
}

/**
 * @param isText a Content-Type is added where there is none
 * @throws ScriptError
 */
function headOf(headers: FieldInit | undefined, isText: boolean): KnownHead {
  const key = KNOWN.keyOf(headers, isText);
  const known = key === "" ? undefined : KNOWN.get(key);
  if (known !== undefined) return known;
  const lines = linesOf(headers, checkName, ["content-length"]);
  const said = lines.filter(([name]) => name.toLowerCase() === "content-length");
  const rest = lines.filter(([name]) => name.toLowerCase() !== "content-length");
  const typed = rest.some(([name]) => name.toLowerCase() === "content-type");
  const fields = isText && !typed ? [...rest, TEXT] : rest;
  const [first, ...others] = said;
  if (others.length > 0) {
    throw new ScriptError("headers: Content-Length stands there twice, which is no length");
  }
  const head = {
    fields: fields.length === 0 ? NO_FIELDS : fieldSection(...fields),
    length: first === undefined ? null : first[1],
  };
  if (key !== "") KNOWN.keep(key, head);
  return head;
}

/** @throws ScriptError */
function checkStatus(status: unknown): asserts status is number {
  if (!Number.isInteger(status) || (status as number) < 200 || (status as number) > 599) {
    throw new ScriptError(`status: ${shown(status)}: 200 to 599 are statuses of responses`);
  }
}

/** Handlers say the same again and again. */
let lastText = "";
let lastBytes = NO_BYTES;
const LONGEST_KEPT = 4096;

function encoded(text: string): Uint8Array {
  if (text.length > LONGEST_KEPT) return UTF8.encode(text);
  if (text !== lastText) {
    lastText = text;
    lastBytes = UTF8.encode(text);
  }
  return lastBytes;
}

/** @returns null when it comes piece by piece. @throws ScriptError */
function bytesOf(body: unknown): Uint8Array | null {
  if (body === undefined || body === null || body === "") return NO_BYTES;
  if (typeof body === "string") return encoded(body);
  if (body instanceof Uint8Array) return body;
  if (typeof body === "object") {
    if ("getReader" in body || Symbol.asyncIterator in body || Symbol.iterator in body) return null;
  }
  throw new ScriptError(
    `body: ${shown(body)} is no text, no Uint8Array, no stream and no iterable of them`,
  );
}

/** A Content-Length is framing, so it counts only if it is right. @throws ScriptError */
function announcedLength(said: string | null, bytes: Uint8Array | null): number | null {
  if (said === null) return null;
  if (!/^\d{1,15}$/.test(said)) throw new ScriptError(`headers: Content-Length: ${shown(said)} is no length`);
  const length = Number(said);
  if (bytes !== null && length !== bytes.length) {
    throw new ScriptError(`headers: Content-Length says ${length}, the body has ${bytes.length} bytes`);
  }
  return length;
}
