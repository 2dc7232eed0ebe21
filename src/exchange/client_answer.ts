/** What the client of one exchange is answered: the endpoint's response, a failure of ours, or an end that it can see. */

import { type BodyLength, UNKNOWN_LENGTH } from "../http/body_length.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import { NO_FIELDS } from "../http/field_section.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import type { Head } from "../http/head.ts";
import { acceptsTrailers, forwardedTrailers } from "../http/trailers.ts";
import type { UpstreamStream } from "../http/upstream_stream.ts";
import { HIGH_WATER_BYTES } from "../http/water_marks.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import { interimFields, responseFields } from "./forward_response.ts";
import { sendFailure } from "./local_reply.ts";
import type { PinUse } from "./pin_use.ts";
import type { ReasonCode } from "./reason.ts";

export class ClientAnswer {
  readonly #client: DownstreamStream;
  readonly #head: Head;
  readonly #context: ExchangeContext;
  /** Status sent to the client, 0 while none was. */
  status = 0;
  bodyBytes = 0;

  /** @param head of the request */
  constructor(client: DownstreamStream, head: Head, context: ExchangeContext) {
    this.#client = client;
    this.#head = head;
    this.#context = context;
  }

  /** Passes an interim response on. @returns whether the client takes what it gets, or the endpoint should pause */
  interim(head: Head): boolean {
    this.#client.sendInterim(head.status, head.reason, interimFields(head));
    return this.#takesMore;
  }

  /**
   * Passes on the head of a final response.
   *
   * @param pin null when it has nothing to do with connections that the client has authenticated on
   * @param stream that it came on; null when it was kept
   */
  begin(head: Head, body: BodyLength, pin: PinUse | null, stream: UpstreamStream | null): void {
    const client = this.#client;
    this.status = head.status;
    const trailers = body === UNKNOWN_LENGTH && client.carriesTrailers && acceptsTrailers(this.#head);
    let fields: ForwardedFields = responseFields(head, body, this.#context.date, trailers);
    let close = false;
    if (pin !== null && stream !== null) {
      ({ fields, close } = pin.answers(stream, head, fields, body, close));
    }
    client.sendHead(head.status, head.reason, fields, body, close);
  }

  /** @returns whether the client takes what it gets, or the endpoint should pause */
  body(bytes: Uint8Array, from: number, to: number, room: number): boolean {
    this.bodyBytes += to - from;
    this.#client.sendBody(bytes, from, to, room);
    return this.#takesMore;
  }

  get #takesMore(): boolean {
    return this.#client.backlogBytes <= HIGH_WATER_BYTES;
  }

  end(trailers: Head | null): void {
    this.#client.sendEnd(
      trailers !== null && acceptsTrailers(this.#head) ? forwardedTrailers(trailers) : null,
    );
  }

  /** @param shown words that the client may see */
  fail(reason: ReasonCode, status: number, shown: string): void {
    this.status = status;
    this.#client.events = null;
    sendFailure(this.#client, {
      reason,
      status,
      via: this.#context.forward.via,
      detail: shown,
      date: this.#context.date(),
      bodiless: this.#head.method === "HEAD",
      fields: NO_FIELDS,
      close: false,
    });
  }
}
