/** An endpoint's answer that is kept while the request is tried elsewhere, in case nothing better comes. */

import type { BodyLength } from "../http/body_length.ts";
import type { Head } from "../http/head.ts";
import { RequestBody } from "./request_body.ts";

export class StoredReply {
  readonly head: Head;
  readonly bodyLength: BodyLength;
  readonly #body = new RequestBody(Infinity, -1);

  constructor(head: Head, bodyLength: BodyLength) {
    this.head = head;
    this.bodyLength = bodyLength;
  }

  get bytes(): Uint8Array {
    return this.#body.bytes;
  }

  get length(): number {
    return this.#body.length;
  }

  append(bytes: Uint8Array, from: number, to: number): void {
    this.#body.append(bytes, from, to);
  }
}
