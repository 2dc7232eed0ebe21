/**
 * An endpoint's answer that is not passed on at once, because the request may be tried again: 502, 503 or 504 on the list
 * of `retry.on`. The last complete one is the answer if nothing better comes.
 */

import type { BodyLength } from "../http/body_length.ts";
import type { Head } from "../http/head.ts";
import { StoredReply } from "./stored_reply.ts";

/** Bodies are kept up to this size. */
export const MOST_KEPT_BYTES = 64 * 1024;

export class ProvisionalResponse {
  /** One that is being received. */
  #collecting: StoredReply | null = null;
  /** The last complete one. */
  #complete: StoredReply | null = null;

  get collecting(): boolean {
    return this.#collecting !== null;
  }

  get complete(): boolean {
    return this.#complete !== null;
  }

  begin(head: Head, body: BodyLength): void {
    this.#collecting = new StoredReply(head, body);
  }

  /** @returns the answer so far, when it is too large to be kept: it is forgotten here; null while it is kept */
  append(bytes: Uint8Array, from: number, to: number): StoredReply | null {
    const collecting = this.#collecting;
    if (collecting === null) return null;
    collecting.append(bytes, from, to);
    if (collecting.length <= MOST_KEPT_BYTES) return null;
    this.#collecting = this.#complete = null;
    return collecting;
  }

  /** It has been received to its end. @returns it */
  end(): StoredReply {
    // The cast: the caller has seen `collecting`.
    const reply = this.#collecting as StoredReply;
    this.#collecting = null;
    this.#complete = reply;
    return reply;
  }

  /** The best there is, which is not kept here any more; null when there is none. */
  take(): StoredReply | null {
    const reply = this.#complete;
    this.#complete = null;
    return reply;
  }
}
