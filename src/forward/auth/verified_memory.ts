/**
 * What has been found out about field values, so that an expensive hash is not worked out for every request. The values are
 * kept under HMAC-SHA-256 with a key that this process has made up: a dump of the memory shows no password and nothing
 * that could be tried out elsewhere.
 */

import type { Digests } from "../../../runtime/contract/contract.ts";
import { joined, utf8 } from "./secret_bytes.ts";

/** Key of one field value; see `ValueKeys`. */
export type ValueKey = string & { readonly kind: "key of a field value" };

/** Makes keys of field values. */
export class ValueKeys {
  readonly #secret = crypto.getRandomValues(new Uint8Array(32));
  readonly #digests: Digests;

  constructor(digests: Digests) {
    this.#digests = digests;
  }

  keyOf(value: string): ValueKey {
    return String.fromCharCode(...this.#hmac("value", value)) as ValueKey;
  }

  /** A number from 0 to 1 (excluded) that only this process can know, the same for the same name. */
  chanceOf(name: string): number {
    const [a = 0, b = 0, c = 0] = this.#hmac("name", name);
    return ((a * 256 + b) * 256 + c) / 2 ** 24;
  }

  #hmac(use: string, text: string): Uint8Array {
    return this.#digests.hmacSha256(this.#secret, joined([utf8(use), new Uint8Array(1), utf8(text)]));
  }
}

/** Answers by key, for some time, the newest `capacity` of them. */
export class VerifiedMemory<T> {
  readonly #entries = new Map<ValueKey, { readonly answer: T; readonly until: number }>();
  readonly #lifetimeMs: number;
  readonly #capacity: number;

  constructor(lifetimeMs: number, capacity: number) {
    this.#lifetimeMs = lifetimeMs;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: ValueKey, nowMs: number): T | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (nowMs < entry.until) return entry.answer;
    this.#entries.delete(key);
    return null;
  }

  set(key: ValueKey, answer: T, nowMs: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { answer, until: nowMs + this.#lifetimeMs });
    if (this.#entries.size <= this.#capacity) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}
