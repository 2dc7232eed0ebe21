/** One stream of a connection, as either end has it: what may be sent, and what has come and is not wanted yet. */

import type { CloseReason } from "../../../runtime/contract/contract.ts";
import type { Pair } from "../streams/pairs.ts";
import {
  decodeJson,
  decodeNumber,
  encodeJson,
  encodeNumber,
  type Frame,
  type FrameKind,
  Kind,
  type ToyHead,
  WINDOW_BYTES,
} from "./frames.ts";

/** What the other end does. */
export interface ChannelEvents {
  /** @param switched raw bytes follow */
  head(head: ToyHead, switched: boolean): void;
  data(bytes: Uint8Array): void;
  ended(trailers: readonly Pair[] | null): void;
  /** What has come cannot be understood. */
  garbled(): void;
  /** The other end takes more: so many bytes have not been taken. */
  moved(backlogBytes: number): void;
  /** The stream is over. @param code of the other end's reset; 0 = its connection is gone */
  gone(code: number, reason: CloseReason): void;
}

/** The connection that carries it. */
export interface ChannelLink {
  send(stream: number, kind: FrameKind, payload: Uint8Array): void;
  /** The channel is over. */
  over(channel: Channel): void;
}

const RESET: CloseReason = { code: "reset", detail: "the peer has reset the stream" };

export class Channel {
  readonly id: number;
  readonly #link: ChannelLink;
  events: ChannelEvents;
  /** Bytes that the other end has room for. */
  #credit = WINDOW_BYTES;
  /** Handed over and not sent. */
  #waiting: Uint8Array[] = [];
  backlogBytes = 0;
  /** What ends our side when all has been sent; undefined = it goes on. */
  #lastWords: Uint8Array | undefined;
  /** Our side was ended, and that was sent. */
  #ended = false;
  isOver = false;
  #paused = false;
  #delivering = false;
  readonly #arrived: Frame[] = [];

  constructor(id: number, link: ChannelLink, events: ChannelEvents) {
    this.id = id;
    this.#link = link;
    this.events = events;
  }

  // Sending

  head(head: ToyHead, kind: FrameKind = Kind.head): void {
    this.#send(kind, encodeJson(head));
  }

  data(bytes: Uint8Array, from: number, to: number): void {
    if (this.isOver || this.#lastWords !== undefined || to <= from) return;
    this.#waiting.push(bytes.slice(from, to));
    this.backlogBytes += to - from;
    this.#flush();
  }

  end(trailers: readonly Pair[] | null): void {
    if (this.isOver || this.#lastWords !== undefined) return;
    this.#lastWords = encodeJson(trailers);
    this.#flush();
  }

  /** A frame that is none, in its place. */
  garble(): void {
    this.#send(Kind.head, new Uint8Array([0x21]));
  }

  /** All that was handed over is with the other end. */
  get endSent(): boolean {
    return this.#ended;
  }

  #flush(): void {
    for (let [first] = this.#waiting; first !== undefined && this.#credit > 0; [first] = this.#waiting) {
      const part = first.subarray(0, Math.min(first.length, this.#credit));
      if (part.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(part.length);
      this.#credit -= part.length;
      this.backlogBytes -= part.length;
      this.#send(Kind.data, part);
    }
    if (this.#waiting.length > 0 || this.#lastWords === undefined || this.#ended) return;
    this.#ended = true;
    this.#send(Kind.end, this.#lastWords);
  }

  #send(kind: FrameKind, payload: Uint8Array): void {
    if (!this.isOver) this.#link.send(this.id, kind, payload);
  }

  /** Ends both directions now. */
  reset(code: number): void {
    this.#send(Kind.reset, new Uint8Array([code]));
    this.close();
  }

  /** Nothing is sent or told any more. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#waiting = [];
    this.backlogBytes = 0;
    this.#link.over(this);
  }

  // Receiving

  received(frame: Frame): void {
    if (frame.kind === Kind.window) {
      this.#credit += decodeNumber(frame.payload);
      this.#flush();
      this.events.moved(this.backlogBytes);
    } else if (frame.kind === Kind.reset) {
      this.close();
      this.events.gone(frame.payload[0] ?? 0, RESET);
    } else if (frame.kind !== Kind.data && decodeJson(frame.payload) === undefined) {
      this.events.garbled();
    } else {
      this.#arrived.push(frame);
      this.deliver();
    }
  }

  /** The connection is gone. */
  lost(reason: CloseReason): void {
    if (this.isOver) return;
    this.close();
    this.events.gone(0, reason);
  }

  /** Nothing is delivered, so that the other end is not told to send more. */
  pause(): void {
    this.#paused = true;
  }

  /** What has come is delivered at the next `deliver`, or when more comes. */
  unpause(): void {
    this.#paused = false;
  }

  deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    while (!this.#paused && !this.isOver) {
      const frame = this.#arrived.shift();
      if (frame === undefined) break;
      this.#tell(frame);
    }
    this.#delivering = false;
  }

  #tell({ kind, payload }: Frame): void {
    if (kind === Kind.data) {
      this.#send(Kind.window, encodeNumber(payload.length));
      this.events.data(payload);
    } else if (kind === Kind.end) {
      // The cast: whoever sends a frame of this kind puts that into it.
      this.events.ended(decodeJson(payload) as readonly Pair[] | null);
    } else {
      this.events.head(decodeJson(payload) as ToyHead, kind === Kind.switch);
    }
  }
}
