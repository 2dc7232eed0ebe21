/** A connection to an endpoint that carries many streams at a time: the endpoint's end. */

import type { Socket } from "../../../runtime/contract/contract.ts";
import { type BodyLength, NO_BODY } from "../../../src/http/body_length.ts";
import { statusPhrase } from "../../../src/http/status_phrase.ts";
import { bytesOf, type Pair, textOf } from "../streams/pairs.ts";
import type { EndpointEnd, RawEnd, ReceivedRequest } from "../streams/wire.ts";
import { Channel, type ChannelEvents } from "./channel.ts";
import { type FrameKind, Kind, ResetCode, type ToyHead } from "./frames.ts";
import { ToyLink } from "./toy_link.ts";
import { ToyRaw } from "./toy_raw.ts";
import type { ToyUpstreamPeer } from "./toy_upstream.ts";
import type { ToyWire } from "./toy_wire.ts";

export class ToyEndpoint extends ToyLink {
  readonly wire: ToyWire;
  readonly number: number;
  /** The proxy's end. */
  peer!: ToyUpstreamPeer; // set by the wire as soon as there is one

  constructor(wire: ToyWire, socket: Socket, number: number) {
    super(wire.turn, socket);
    this.wire = wire;
    this.number = number;
  }

  protected override accept(id: number): Channel | null {
    const end = new ToyEndpointEnd(this, id);
    this.add(end.channel);
    return end.channel;
  }

  protected override lastStream(): void {}

  protected override peerEnded(): void {
    this.close();
  }

  protected override channelOver(): void {}

  protected override gone(): void {}
}

class ToyEndpointEnd implements EndpointEnd, ChannelEvents {
  readonly #endpoint: ToyEndpoint;
  readonly channel: Channel;
  readonly raw: RawEnd;
  readonly #raw: ToyRaw;
  readonly request: ReceivedRequest = {
    method: "",
    target: "",
    authority: null,
    fields: [],
    length: NO_BODY,
    upgrade: "",
    body: "",
    trailers: null,
    end: "",
  };
  #answered = false;

  constructor(endpoint: ToyEndpoint, id: number) {
    this.#endpoint = endpoint;
    this.channel = new Channel(id, endpoint, this);
    this.raw = this.#raw = new ToyRaw(endpoint.wire, this.channel);
  }

  get connection(): number {
    return this.#endpoint.number;
  }

  get held(): boolean {
    return this.channel.backlogBytes > 0;
  }

  #take(happens: () => void): void {
    this.#endpoint.wire.take(happens);
  }

  interim(status: number, fields: readonly Pair[] = []): void {
    this.#head(status, statusPhrase(status), fields, NO_BODY, Kind.head);
  }

  head(first: number | ToyHead, fields: readonly Pair[] | boolean, length: BodyLength = NO_BODY): void {
    if (typeof first !== "number") this.#received(first);
    // The cast: a test gives fields.
    else this.#head(first, statusPhrase(first), fields as readonly Pair[], length, Kind.head);
  }

  #head(
    status: number,
    reason: string,
    fields: readonly Pair[],
    length: BodyLength,
    kind: FrameKind,
  ): void {
    this.#take(() =>
      this.channel.head({
        method: "",
        target: "",
        authority: null,
        status,
        reason,
        fields,
        length,
        upgrade: "",
        keeps: true,
      }, kind)
    );
  }

  body(text: string): void {
    const bytes = bytesOf(text);
    this.#take(() => this.channel.data(bytes, 0, bytes.length));
  }

  end(trailers?: readonly Pair[]): void {
    this.#take(() => {
      this.#answered = true;
      this.channel.end(trailers ?? null);
      this.#closeWhenDone();
    });
  }

  switchTo(protocol: string): void {
    const fields: Pair[] = protocol === "" ? [] : [["Upgrade", protocol]];
    this.channel.events = this.#raw;
    this.#head(101, "Switching Protocols", fields, NO_BODY, Kind.switch);
  }

  reset(): void {
    this.#take(() => this.channel.reset(ResetCode.aborted));
  }

  garble(): void {
    this.#take(() => this.channel.garble());
  }

  timeOut(what: "head" | "read" | "write"): void {
    const { peer } = this.#endpoint;
    this.#take(() => peer.stream(this.channel.id)?.late(what));
  }

  stopReading(): void {
    this.channel.pause();
  }

  readOn(): void {
    this.channel.unpause();
    this.#take(() => this.channel.deliver());
  }

  // What the proxy does

  #received({ method, target, authority, fields, length, upgrade }: ToyHead): void {
    Object.assign(this.request, { method, target, authority, fields, length, upgrade });
    if (length === NO_BODY || length === 0) this.request.end = "complete";
    this.#endpoint.wire.requests.push(this);
  }

  data(bytes: Uint8Array): void {
    this.request.body += textOf(bytes);
  }

  ended(trailers: readonly Pair[] | null): void {
    this.request.trailers = trailers;
    this.request.end = "complete";
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.#answered && this.channel.endSent && this.request.end === "complete") this.channel.close();
  }

  garbled(): void {}

  moved(): void {
    this.#closeWhenDone();
  }

  gone(): void {
    if (this.request.end === "") this.request.end = "cut";
  }
}
