/** Sends an answer of a handler's own, piece by piece where it comes so, no faster than the client takes it. */

import type { Turn } from "../time/turn.ts";
import { NO_BODY, UNKNOWN_LENGTH } from "../http/body_length.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import { Field, maskOf } from "../http/field.ts";
import { type FieldSection, NO_FIELDS } from "../http/field_section.ts";
import { type ForwardedFields, ownFields } from "../http/forwarded_fields.ts";
import { fieldSection, joinedSections } from "../http/own_fields.ts";
import { HIGH_WATER_BYTES } from "../http/water_marks.ts";
import type { OwnAnswer, Pieces } from "./own_answer.ts";
import { ScriptError } from "./script_error.ts";

const UTF8 = new TextEncoder();

/** Statuses whose responses have no body (RFC 9110 §15.3.5, §15.4.5). */
export function hasNoBody(status: number): boolean {
  return status === 204 || status === 304;
}

/**
 * Sends an answer that is there as a whole, and ends the stream.
 *
 * @param isHead the request was HEAD: the body is left out
 * @param close no further request is taken on the connection
 */
export function sendWhole(
  client: DownstreamStream,
  answer: OwnAnswer,
  date: FieldSection,
  isHead: boolean,
  close: boolean,
): void {
  const { status, phrase, fields } = answer;
  // The cast: the caller has looked.
  const bytes = answer.bytes as Uint8Array;
  if (hasNoBody(status)) {
    client.sendHead(status, phrase, dated(date, fields), NO_BODY, close);
  } else if (isHead) {
    const described = fieldSection(["Content-Length", String(answer.announced ?? bytes.length)]);
    client.sendHead(status, phrase, dated(date, joinedSections(fields, described)), NO_BODY, close);
  } else {
    client.sendHead(status, phrase, dated(date, fields), bytes.length, close);
    if (bytes.length > 0) client.sendBody(bytes, 0, bytes.length);
  }
  client.sendEnd(null);
}

const DATE = maskOf(Field.date);

/** A Date of the handler's own is the answer's (RFC 9110 §6.6.1). */
function dated(date: FieldSection, fields: FieldSection): ForwardedFields {
  return ownFields((fields.known & DATE) === 0 ? date : NO_FIELDS, fields);
}

/** Told what becomes of an answer that comes piece by piece. */
export interface AnswerOwner {
  readonly client: DownstreamStream;
  readonly turn: Turn;
  /** The answer is complete, or the request was HEAD: the stream has ended. */
  answerSent(): void;
  /** The pieces have ended with an error, or too early; the stream is still open. */
  answerFailed(error: unknown): void;
}

/** An answer on its way. The client's events are the owner's, who passes on those that concern it. */
export class AnswerWriter {
  readonly #owner: AnswerOwner;
  readonly #answer: OwnAnswer;
  readonly #source: PieceSource;
  #over = false;
  /** The client takes no more for now. */
  #waits = false;
  /** Bytes of the body so far. */
  sentBytes = 0;

  constructor(owner: AnswerOwner, answer: OwnAnswer) {
    this.#owner = owner;
    this.#answer = answer;
    // The cast: the caller has looked.
    this.#source = sourceOf(answer.pieces as Pieces);
  }

  /** Within a turn. */
  begin(date: FieldSection, isHead: boolean, close: boolean): void {
    const { client } = this.#owner;
    const { status, phrase, fields, announced } = this.#answer;
    if (isHead || hasNoBody(status)) {
      const described = announced === null || hasNoBody(status)
        ? fields
        : joinedSections(fields, fieldSection(["Content-Length", String(announced)]));
      client.sendHead(status, phrase, dated(date, described), NO_BODY, close);
      client.sendEnd(null);
      this.stop();
      this.#owner.answerSent();
      return;
    }
    client.sendHead(status, phrase, dated(date, fields), announced ?? UNKNOWN_LENGTH, close);
    // Another script may have given another answer.
    if (!this.#over) this.#ask();
  }

  /** The client takes more. */
  writable(): void {
    if (!this.#waits || this.#over) return;
    this.#waits = false;
    this.#ask();
  }

  /** Nothing more is sent: whoever gives the pieces is told. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#source.cancel();
  }

  #ask(): void {
    this.#source.next().then(
      ({ done, value }) => this.#came(done === true, value),
      (error: unknown) => this.#fails(error),
    );
  }

  #came(done: boolean, value: unknown): void {
    if (this.#over) return;
    const { turn, client } = this.#owner;
    const { announced } = this.#answer;
    let bytes: Uint8Array | null = null;
    if (!done) {
      bytes = typeof value === "string" ? UTF8.encode(value) : value instanceof Uint8Array ? value : null;
      if (bytes === null) {
        this.#fails(new ScriptError("body: a piece is no text and no Uint8Array"));
        return;
      }
    }
    const length = this.sentBytes + (bytes === null ? 0 : bytes.length);
    if (announced !== null && (done ? length !== announced : length > announced)) {
      this.#fails(
        new ScriptError(
          `body: it was to have ${announced} bytes, and has ${done ? "" : "at least "}${length}`,
        ),
      );
      return;
    }
    turn.begin();
    if (bytes !== null) {
      // A piece of nothing would be the end of a chunked body to some writers.
      if (bytes.length > 0) client.sendBody(bytes, 0, bytes.length);
      this.sentBytes = length;
      if (client.backlogBytes > HIGH_WATER_BYTES) this.#waits = true;
      else this.#ask();
    } else {
      this.#over = true;
      const { trailers } = this.#answer;
      client.sendEnd(trailers === null || !client.carriesTrailers ? null : ownFields(trailers));
      this.#owner.answerSent();
    }
    turn.end();
  }

  #fails(error: unknown): void {
    if (this.#over) return;
    this.stop();
    const { turn } = this.#owner;
    turn.begin();
    this.#owner.answerFailed(error);
    turn.end();
  }
}

interface Piece {
  readonly done?: boolean | undefined;
  readonly value?: unknown;
}

/** Where pieces come from, one at a time. */
interface PieceSource {
  next(): Promise<Piece>;
  /** Nobody wants any more of them. */
  cancel(): void;
}

function sourceOf(pieces: Pieces): PieceSource {
  if ("getReader" in pieces) {
    let reader: ReturnType<typeof pieces.getReader> | null = null;
    return {
      next: async () => await (reader ??= pieces.getReader()).read(),
      cancel: () => void (reader ?? attempt(() => pieces.getReader()))?.cancel().catch(() => {}),
    };
  }
  let iterator: AsyncIterator<unknown> | Iterator<unknown> | null = null;
  const begin = () =>
    Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
  return {
    next: async () => await (iterator ??= begin()).next(),
    cancel: () => {
      // Of a generator that is in the middle of something the end comes when that is over.
      void (async () => await iterator?.return?.())().catch(() => {});
    },
  };
}

function attempt<T>(what: () => T): T | null {
  try {
    return what();
  } catch {
    return null;
  }
}
