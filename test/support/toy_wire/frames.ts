/**
 * The frames of a wire that carries many streams on one connection: number of the stream (4 octets), kind (1), length of
 * the payload (4), payload. Nothing speaks it but tests.
 */

import type { Pair } from "../streams/pairs.ts";

export const Kind = {
  /** Begins a message; of a response also an interim one. Payload: a `ToyHead`. */
  head: 1,
  /** Bytes of a body, or raw ones after a switch. */
  data: 2,
  /** No data comes any more. Payload: trailer fields, or null. */
  end: 3,
  /** The stream is over. Payload: one octet, a `ResetCode`. */
  reset: 4,
  /** So many more bytes may be sent on the stream. Payload: 4 octets. */
  window: 5,
  /** Ends the request and its answer: raw bytes follow. Payload: a `ToyHead`. */
  switch: 6,
  /** No further stream is wanted on the connection. */
  last: 7,
} as const;

export type FrameKind = (typeof Kind)[keyof typeof Kind];

export const ResetCode = { cut: 1, unanswered: 2, aborted: 3 } as const;

/** Bytes that may be sent on a stream before the first window frame. */
export const WINDOW_BYTES = 32 * 1024;
/** Longest payload. */
const MOST_PAYLOAD_BYTES = 1 << 20;
const HEADER_BYTES = 9;

export interface ToyHead {
  /** "" in a response. */
  readonly method: string;
  readonly target: string;
  readonly authority: string | null;
  /** 0 in a request. */
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Pair[];
  readonly length: number;
  readonly upgrade: string;
  /** Of a response: the connection says that it stays. */
  readonly keeps: boolean;
}

export interface Frame {
  readonly stream: number;
  readonly kind: number;
  readonly payload: Uint8Array;
}

export function encodeFrame(stream: number, kind: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, stream);
  view.setUint8(4, kind);
  view.setUint32(5, payload.length);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

export function encodeNumber(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

export function decodeNumber(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** @returns undefined when it is none */
export function decodeJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** Takes bytes in any pieces, gives whole frames. */
export class FrameReader {
  #bytes = new Uint8Array(0);

  feed(bytes: Uint8Array): void {
    const both = new Uint8Array(this.#bytes.length + bytes.length);
    both.set(this.#bytes);
    both.set(bytes, this.#bytes.length);
    this.#bytes = both;
  }

  /** The next one, null when it has not come yet, "broken" when none can follow. */
  next(): Frame | null | "broken" {
    const bytes = this.#bytes;
    if (bytes.length < HEADER_BYTES) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const length = view.getUint32(5);
    const kind = view.getUint8(4);
    if (length > MOST_PAYLOAD_BYTES || kind < 1 || kind > 7) return "broken";
    if (bytes.length < HEADER_BYTES + length) return null;
    this.#bytes = bytes.subarray(HEADER_BYTES + length);
    return { stream: view.getUint32(0), kind, payload: bytes.slice(HEADER_BYTES, HEADER_BYTES + length) };
  }
}
