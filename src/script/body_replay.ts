/**
 * The body of a request that goes on after a script has had it: what was read of it comes first, then the rest; or another
 * body in its place.
 */

import type { BodyReader } from "../answer/body_reader.ts";
import type { ByteBuffer } from "../bytes/byte_buffer.ts";
import { type BodyLength, UNKNOWN_LENGTH } from "../http/body_length.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { Head } from "../http/head.ts";

const NO_BYTES = new Uint8Array(0);

/** Who gets it. */
export interface BodyReceiver {
  passBody(bytes: Uint8Array, from: number, to: number, room: number): void;
  passEnd(trailers: Head | null): void;
}

export class BodyReplay {
  readonly #client: DownstreamStream;
  readonly #replaced: Uint8Array | null;
  #bytes: Uint8Array = NO_BYTES;
  #from = 0;
  #to = 0;
  #ends: boolean;
  readonly #trailers: Head | null;
  #delivered = false;
  /** Whoever receives it has asked for a pause. */
  #paused = false;

  /**
   * @param reader of what has been read so far; null = nothing
   * @param replaced sent instead of what the client sends, which is read off
   */
  constructor(client: DownstreamStream, reader: BodyReader | null, replaced: Uint8Array | null) {
    this.#client = client;
    this.#replaced = replaced;
    if (replaced !== null) {
      this.#bytes = replaced;
      this.#to = replaced.length;
    } else if (reader !== null) {
      ({ bytes: this.#bytes, from: this.#from, to: this.#to } = reader.kept);
    }
    this.#ends = replaced !== null || (reader === null ? client.requestDone : reader.ended);
    this.#trailers = replaced === null && reader !== null ? reader.trailers : null;
  }

  get requestBody(): BodyLength {
    if (this.#replaced !== null) return this.#replaced.length;
    const { requestBody } = this.#client;
    // Of one that turned out to be empty nobody is told the end.
    return requestBody === UNKNOWN_LENGTH && this.#isEmpty ? 0 : requestBody;
  }

  get #isEmpty(): boolean {
    return this.#ends && this.#from === this.#to && this.#trailers === null;
  }

  /** Its receiver has had all of it. */
  get requestDone(): boolean {
    if (!this.#delivered) return this.#isEmpty;
    return this.#ends || this.#client.requestDone;
  }

  /** Whoever was to receive it has failed: what it has not had. @returns the trailers that follow */
  giveBack(kept: ByteBuffer): Head | null {
    if (this.#delivered || this.ignoresClient) return null;
    this.#delivered = true;
    kept.append(this.#bytes, this.#from, this.#to);
    return this.#trailers;
  }

  /** What the client sends is no part of it. */
  get ignoresClient(): boolean {
    return this.#replaced !== null;
  }

  pause(): void {
    this.#paused = true;
    if (this.#delivered && !this.ignoresClient) this.#client.pauseBody();
  }

  /** May deliver inside the call. */
  resume(receiver: BodyReceiver): void {
    this.#paused = false;
    this.deliver(receiver);
  }

  /** Gives its receiver what is here, unless that is paused; the rest comes from the client. */
  deliver(receiver: BodyReceiver): void {
    if (!this.#delivered) {
      if (this.#paused) return;
      const wasDone = this.requestDone;
      this.#delivered = true;
      const bytes = this.#bytes;
      this.#bytes = NO_BYTES;
      if (this.#to > this.#from) receiver.passBody(bytes, this.#from, this.#to, 0);
      // Its receiver may be gone now, and told so.
      if (this.#ends && !wasDone) receiver.passEnd(this.#trailers);
    }
    if (!this.#paused || this.ignoresClient) this.#client.resumeBody();
  }
}
