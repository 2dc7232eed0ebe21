/** An answer that is not sent yet, since a script is asked about it. */

import { hasNoBody } from "../answer/answer_writer.ts";
import { ByteBuffer } from "../bytes/byte_buffer.ts";
import { type BodyLength, NO_BODY } from "../http/body_length.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import { Field, maskOf } from "../http/field.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import { statusPhrase } from "../http/status_phrase.ts";
import type { PassDecision } from "./decision.ts";

const LENGTH_MASK = maskOf(Field.contentLength);

export class HeldAnswer {
  status: number;
  phrase: string;
  fields: ForwardedFields;
  #body: BodyLength;
  readonly #close: boolean;
  /** Of its body, what has come meanwhile. */
  readonly #bytes = new ByteBuffer();
  ended = false;
  #trailers: ForwardedFields | null = null;

  constructor(status: number, phrase: string, fields: ForwardedFields, body: BodyLength, close: boolean) {
    this.status = status;
    this.phrase = phrase;
    this.fields = fields;
    this.#body = body;
    this.#close = close;
  }

  get length(): number {
    return this.#bytes.length;
  }

  append(bytes: Uint8Array, from: number, to: number): void {
    this.#bytes.append(bytes, from, to);
  }

  end(trailers: ForwardedFields | null): void {
    this.ended = true;
    this.#trailers = trailers;
  }

  /** @param isHead it answers a HEAD */
  change({ status, edits }: PassDecision, isHead: boolean): void {
    if (edits !== null) this.fields = edits.applyToForwarded(this.fields);
    if (status === null || status === this.status) return;
    // What described another body, or none, does not describe this one.
    if (hasNoBody(this.status) && !isHead && this.#body === NO_BODY) {
      this.#body = 0;
      this.fields = { ...this.fields, dropMask: this.fields.dropMask | LENGTH_MASK };
    }
    this.status = status;
    this.phrase = statusPhrase(status);
  }

  /** Sends what is here of it. */
  sendTo(client: DownstreamStream): void {
    client.sendHead(this.status, this.phrase, this.fields, this.#body, this.#close);
    const { bytes, from, to } = this.#bytes;
    if (to > from) client.sendBody(bytes, from, to);
    this.#bytes.clear();
    if (this.ended) client.sendEnd(this.#trailers);
  }
}
