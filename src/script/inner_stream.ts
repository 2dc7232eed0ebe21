/**
 * A request of a script's own as a client's stream, without a client: its body is there from the start, its answer is
 * gathered, and nobody else's connection depends on it.
 */

import type {
  DownstreamCompanion,
  DownstreamPeer,
  DownstreamStream,
  DownstreamStreamEvents,
  ForwardedFrom,
} from "../http/downstream_stream.ts";
import { ByteBuffer } from "../bytes/byte_buffer.ts";
import { type BodyLength, NO_BODY } from "../http/body_length.ts";
import type { ByteStream } from "../http/byte_stream.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";

/** Told how it ends; once. */
export interface InnerOwner {
  /** All of the answer is here. */
  innerAnswered(status: number, fields: ForwardedFields, body: ByteBuffer): void;
  /** There is none, or not all of it. */
  innerFailed(words: string): void;
  /** Calls `act` in a turn of its own, soon. */
  later(act: () => void): void;
}

export class InnerStream implements DownstreamStream {
  events: DownstreamStreamEvents | null = null;
  readonly peer: DownstreamPeer;
  readonly requestBeganAt: number;
  readonly #owner: InnerOwner;
  readonly #body: Uint8Array | null;
  readonly #limit: number;
  readonly #answer = new ByteBuffer();
  requestDone: boolean;
  responseBegun = false;
  offeredBytes = 0;
  #status = 0;
  #fields: ForwardedFields | null = null;
  #over = false;

  /**
   * @param body null = there is none
   * @param limit bytes of the answer's body at most
   * @param now monotonic milliseconds
   */
  constructor(owner: InnerOwner, address: string, body: Uint8Array | null, limit: number, now: number) {
    this.#owner = owner;
    this.#body = body;
    this.#limit = limit;
    this.requestDone = body === null || body.length === 0;
    this.requestBeganAt = now;
    this.peer = new InnerPeer(this, address);
  }

  /** Its exchange has begun: the body comes. */
  deliver(): void {
    const body = this.#body;
    if (body === null || this.requestDone) return;
    this.requestDone = true;
    this.events?.downstreamBody(body, 0, body.length, 0);
    this.events?.downstreamEnd(null);
  }

  /** Nobody wants the answer any more. */
  cancel(words: string): void {
    if (this.#over) return;
    const { events } = this;
    this.#fail(words);
    events?.downstreamGone({ code: "finished", detail: words });
  }

  /** Connections that it has authenticated on are nobody's from now on. */
  #end(): void {
    this.#over = true;
    this.events = null;
    const { peer } = this;
    const { companion } = peer;
    peer.companion = null;
    companion?.clientDone();
  }

  #fail(words: string): void {
    if (this.#over) return;
    this.#end();
    this.#answer.clear();
    this.#owner.innerFailed(words);
  }

  get requestBody(): BodyLength {
    return this.#body === null ? NO_BODY : this.#body.length;
  }

  get responseSized(): boolean {
    return this.responseBegun;
  }

  get hasLeft(): boolean {
    return this.#over;
  }

  get carriesTrailers(): boolean {
    return false;
  }

  get backlogBytes(): number {
    return 0;
  }

  askedUpgrade(): string {
    return "";
  }

  expectBody(): void {}
  /** The body is here already: whoever takes it takes all of it. */
  pauseBody(): void {}
  resumeBody(): void {}
  sendInterim(): void {}

  sendHead(status: number, _reason: string, fields: ForwardedFields): void {
    if (this.#over) return;
    this.responseBegun = true;
    this.#status = status;
    this.#fields = fields;
  }

  sendBody(bytes: Uint8Array, from: number, to: number): void {
    if (this.#over) return;
    this.offeredBytes += to - from;
    if (this.#answer.length + (to - from) > this.#limit) {
      const { events } = this;
      const words = `the answer has more than ${this.#limit} bytes`;
      this.#fail(words);
      // Not within the call of whoever sends: the exchange would end under its own feet.
      this.#owner.later(() => events?.downstreamGone({ code: "finished", detail: words }));
      return;
    }
    this.#answer.append(bytes, from, to);
  }

  sendEnd(): void {
    if (this.#over) return;
    this.#end();
    const fields = this.#fields;
    if (fields !== null) this.#owner.innerAnswered(this.#status, fields, this.#answer);
  }

  switchProtocols(): ByteStream {
    throw new Error("nobody has asked for another protocol");
  }

  acceptTunnel(): ByteStream {
    throw new Error("nobody has asked for a tunnel");
  }

  staysOpenAfter(): boolean {
    return false;
  }

  abortResponse(): void {
    this.#fail("the answer ended before it was complete");
  }

  endUnanswered(): void {
    this.#fail("the connection ended without an answer");
  }

  abort(): void {
    this.#fail("there was no answer");
  }
}

/** Its connection, which there is none of. */
class InnerPeer implements DownstreamPeer {
  readonly #stream: InnerStream;
  readonly remoteAddress: string;
  readonly remotePort = 0;
  readonly secure = false;
  readonly isPerRequest = false;
  trusted = false;
  forwarded: ForwardedFrom | null = null;
  companion: DownstreamCompanion | null = null;

  constructor(stream: InnerStream, address: string) {
    this.#stream = stream;
    this.remoteAddress = address;
  }

  get owedAnswers(): number {
    return this.#stream.events === null ? 0 : 1;
  }

  forEachStream(visit: (stream: DownstreamStream) => void): void {
    if (this.#stream.events !== null) visit(this.#stream);
  }

  keepForHandshake(): void {}
  endAfterAnswer(): void {}

  refuseConnection(): DownstreamStream {
    return this.#stream;
  }

  drain(): void {}

  abort(): void {
    this.#stream.cancel("Sluice is stopping");
  }
}
