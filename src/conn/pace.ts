/**
 * Whether a client is fast enough: in every span of time so many bytes must have moved. A span ends early when they
 * have, and the next one begins; time in which nothing is expected of the client belongs to none.
 */

import type { Socket } from "../../runtime/contract/contract.ts";

export type Way = "read" | "write";

/** What a pace is taken of. */
interface Paced {
  readonly socket: Socket;
  readonly receivedBytes: number;
  /** Bytes that the socket has taken. */
  readonly acceptedBytes: number;
}

/** Bytes that came from the client, or that it has. */
export function movedBytes(way: Way, { socket, receivedBytes, acceptedBytes }: Paced): number {
  if (way === "read") return receivedBytes;
  // What the kernel has taken says little: it may hold megabytes.
  const acked = socket.ackedBytes?.() ?? -1;
  return acked < 0 ? acceptedBytes : acked;
}

export class Pace {
  /** Null between spans. */
  #way: Way | null = null;
  #began = 0;
  #before = 0;

  /**
   * Goes on with the span, or begins one.
   *
   * @param moved monotonic count of bytes that came from the client ("read") or that it has taken ("write")
   * @param least bytes that must move within `spanMs`
   * @returns when the span ends; in the past when it has ended with fewer
   */
  endOfSpan(way: Way, now: number, moved: number, least: number, spanMs: number): number {
    if (this.#way !== way || moved - this.#before >= least) {
      this.#way = way;
      this.#began = now;
      this.#before = moved;
    }
    return this.#began + spanMs;
  }

  /** Bytes have moved since the span began. */
  movedBefore(moved: number): boolean {
    return this.#way !== null && moved > this.#before;
  }

  /** Nothing is expected any more. */
  stop(): void {
    this.#way = null;
  }
}
