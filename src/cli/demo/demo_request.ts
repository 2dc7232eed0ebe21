/** One request to the backend of the demo: what counts is how long its body is. */

import type { DownstreamStream, DownstreamStreamEvents } from "../../http/downstream_stream.ts";
import { expectsContinue } from "../../http/expect.ts";
import type { Fault } from "../../http/fault.ts";
import { NO_FORWARDED_FIELDS } from "../../http/forwarded_fields.ts";
import type { Head } from "../../http/head.ts";

/** @param bodyBytes of the request, which has come whole; null = it cannot be understood */
export type DemoAnswer = (bodyBytes: number | null) => void;

export class DemoRequest implements DownstreamStreamEvents {
  readonly #client: DownstreamStream;
  readonly #answer: DemoAnswer;
  #bytes = 0;
  readonly leastRate = 0;

  constructor(client: DownstreamStream, answer: DemoAnswer) {
    this.#client = client;
    this.#answer = answer;
  }

  /** Reads the request to its end, then asks for the answer. */
  receive(head: Head): void {
    const client = this.#client;
    client.events = this;
    if (client.requestDone) {
      this.#answer(0);
      return;
    }
    if (expectsContinue(head)) client.sendInterim(100, "Continue", NO_FORWARDED_FIELDS);
    client.expectBody();
  }

  downstreamBody(_bytes: Uint8Array, from: number, to: number): void {
    this.#bytes += to - from;
  }

  downstreamEnd(): void {
    this.#answer(this.#bytes);
  }

  downstreamFault(fault: Fault): void {
    if (hasLeft(fault)) this.#client.abort();
    else this.#answer(null);
  }

  downstreamTimedOut(): void {
    this.#client.abort();
  }

  downstreamWritable(): void {}

  downstreamEnded(): void {}

  downstreamGone(): void {}
}

/** The client has ended in the middle of its request. */
export function hasLeft({ code }: Fault): boolean {
  return code === "incomplete_message";
}
