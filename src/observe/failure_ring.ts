/** The newest failed requests, for status and the status page. */

import type { ExchangeRecord } from "../exchange/exchange_record.ts";
import type { ReasonCode } from "../exchange/reason.ts";

/** A failed request. Text from the wire is cut to `MOST_CHARACTERS`, and untrusted all the same. */
export interface FailureNote {
  /** Wall-clock milliseconds since 1970 of its end. */
  readonly at: number;
  readonly reason: ReasonCode;
  /** Status sent; 0 = none. */
  readonly status: number;
  readonly method: string;
  readonly target: string;
  readonly upstream: string;
  readonly endpoint: string;
  readonly detail: string;
}

const MOST_CHARACTERS = 200;

export class FailureRing {
  readonly #size: number;
  readonly #notes: FailureNote[] = [];
  #next = 0;

  /** @param size how many are kept, > 0 */
  constructor(size: number) {
    this.#size = size;
  }

  /** Nothing when `record` did not fail. */
  add(record: ExchangeRecord): void {
    const { reason } = record;
    if (reason === "") return;
    this.#notes[this.#next] = {
      at: record.startedAtWallMs + record.totalMs,
      reason,
      status: record.status,
      method: cut(record.method),
      target: cut(record.target),
      upstream: record.upstream,
      endpoint: record.endpoint,
      detail: cut(record.detail),
    };
    this.#next = (this.#next + 1) % this.#size;
  }

  /** Newest first. */
  list(): FailureNote[] {
    const from = this.#notes.length < this.#size ? 0 : this.#next;
    return [...this.#notes.slice(from), ...this.#notes.slice(0, from)].reverse();
  }
}

function cut(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : text.slice(0, MOST_CHARACTERS - 1) + "…";
}
