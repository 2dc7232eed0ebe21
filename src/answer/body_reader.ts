/**
 * The body of a request in a handler's hands: read whole, or piece by piece, and whatever has been read and is still whole
 * goes on with the request if it is forwarded after all.
 */

import { ByteBuffer } from "../bytes/byte_buffer.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { Head } from "../http/head.ts";
import { ScriptError } from "./script_error.ts";

/** Pieces that nobody has taken yet; the client is paused beyond that. */
const MOST_UNREAD_BYTES = 64 * 1024;

/** The body, or the client, ended before the handler had what it waited for. */
export class BodyLost extends ScriptError {
  override name = "BodyLost";
}

/** The body has more bytes than are wanted. */
export class BodyTooLong extends ScriptError {}

export class BodyReader {
  readonly #client: DownstreamStream;
  readonly #defaultLimit: number;
  readonly #wanted: () => void;
  /** What has come and was not given away piece by piece. */
  readonly kept = new ByteBuffer();
  trailers: Head | null = null;
  /** Its end has come. */
  ended = false;
  #lost: BodyLost | null = null;
  #begun = false;
  /** It is given away piece by piece: it cannot be forwarded. */
  #pieces = false;
  #limit = 0;
  #waiting: PromiseWithResolvers<void> | null = null;
  #whole: Promise<Uint8Array> | null = null;

  /** @param client paused; it stays so until somebody asks. @param defaultLimit bytes. @param wanted called before the first of it is waited for */
  constructor(client: DownstreamStream, defaultLimit: number, wanted: () => void) {
    this.#client = client;
    this.#wanted = wanted;
    this.#defaultLimit = defaultLimit;
    this.ended = client.requestDone;
  }

  /** Some of it has been given away, and is not here any more. */
  get givenAway(): boolean {
    return this.#pieces;
  }

  // For handlers

  bytes(limit: number = this.#defaultLimit): Promise<Uint8Array> {
    if (this.#pieces) {
      return Promise.reject(new ScriptError("the body is being read piece by piece: bytes() comes too late"));
    }
    if (this.#whole !== null && limit <= this.#limit) return this.#whole;
    this.#limit = limit;
    this.#whole = this.#readWhole(limit);
    return this.#whole;
  }

  async #readWhole(limit: number): Promise<Uint8Array> {
    const tooLong = () => new BodyTooLong(`the body has more than ${limit} bytes`);
    if (this.#client.requestBody > limit) throw tooLong();
    while (!this.ended) {
      if (this.kept.length > limit) throw tooLong();
      await this.#more();
    }
    const { bytes, from, to, length } = this.kept;
    if (length > limit) throw tooLong();
    // A copy: the handler may change it, and what is forwarded must not change.
    return bytes.slice(from, to);
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    if (this.#pieces) throw new ScriptError("the body has been read before");
    this.#pieces = true;
    for (;;) {
      if (this.kept.length > 0) {
        const { bytes, from, to } = this.kept;
        const piece = bytes.slice(from, to);
        this.kept.clear();
        yield piece;
      } else if (this.ended) {
        return;
      } else {
        await this.#more();
      }
    }
  }

  /** Resolves when more of it has come, or its end. */
  #more(): Promise<void> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    this.#waiting ??= Promise.withResolvers();
    const client = this.#client;
    if (!this.#begun) {
      this.#begun = true;
      this.#wanted();
    }
    const { promise } = this.#waiting;
    // May deliver inside the call.
    client.resumeBody();
    return promise;
  }

  // From the client

  came(bytes: Uint8Array, from: number, to: number): void {
    this.kept.append(bytes, from, to);
    if (this.#pieces) {
      this.#settle();
      if (this.kept.length > MOST_UNREAD_BYTES) this.#client.pauseBody();
    } else if (this.#waiting === null || this.kept.length > this.#limit) {
      // Nobody wants it, or not so much of it.
      this.#client.pauseBody();
      this.#settle();
    }
  }

  end(trailers: Head | null): void {
    this.trailers = trailers;
    this.ended = true;
    this.#settle();
  }

  /** No more of it comes. */
  lose(why: string): void {
    if (this.ended || this.#lost !== null) return;
    this.#lost = new BodyLost(why);
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(this.#lost);
  }

  #settle(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve();
  }
}
