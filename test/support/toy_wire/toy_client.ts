/** A client's connection with many streams at a time: the client's end. */

import type { Socket } from "../../../runtime/contract/contract.ts";
import { type BodyLength, NO_BODY } from "../../../src/http/body_length.ts";
import type { DownstreamPeer } from "../../../src/http/downstream_stream.ts";
import { bytesOf, type Pair, textOf } from "../streams/pairs.ts";
import {
  type Answer,
  type ClientConnection,
  type ClientEnd,
  noAnswer,
  type RawEnd,
  type StreamEnd,
} from "../streams/wire.ts";
import { Channel, type ChannelEvents } from "./channel.ts";
import { ResetCode, type ToyHead } from "./frames.ts";
import { ToyLink } from "./toy_link.ts";
import { ToyRaw } from "./toy_raw.ts";
import type { ToyServer } from "./toy_server.ts";
import type { ToyWire } from "./toy_wire.ts";

export class ToyClient extends ToyLink implements ClientConnection {
  readonly wire: ToyWire;
  /** The proxy's end. */
  server!: ToyServer; // set by the wire as soon as there is one
  state: "open" | "last" | "closed" = "open";
  readonly #unasked: ToyClientEnd;
  #requests = 0;

  constructor(wire: ToyWire, socket: Socket) {
    super(wire.turn, socket);
    this.wire = wire;
    this.#unasked = new ToyClientEnd(this, 0, NO_BODY);
    this.add(this.#unasked.channel);
  }

  get peer(): DownstreamPeer {
    return this.server;
  }

  get unasked(): Answer | null {
    return this.#unasked.answer.status === 0 ? null : this.#unasked.answer;
  }

  request(method: string, target: string, fields: readonly Pair[], length: BodyLength): ClientEnd {
    const end = new ToyClientEnd(this, ++this.#requests, length);
    this.add(end.channel);
    const upgrade = "";
    this.wire.take(() =>
      end.channel.head({
        method,
        target,
        authority: null,
        status: 0,
        reason: "",
        fields,
        length,
        upgrade,
        keeps: true,
      })
    );
    return end;
  }

  /** A stream that begins with what cannot be understood. */
  badRequest(): ClientEnd {
    const end = new ToyClientEnd(this, ++this.#requests, NO_BODY);
    this.add(end.channel);
    end.garble();
    return end;
  }

  finish(): void {
    this.wire.take(() => this.socket.finish());
  }

  reset(): void {
    this.wire.take(() => this.abort());
  }

  protected override accept(): Channel | null {
    return null;
  }

  protected override lastStream(): void {
    if (this.state === "open") this.state = "last";
  }

  protected override peerEnded(): void {
    this.close();
  }

  protected override channelOver(): void {}

  protected override gone(): void {
    this.state = "closed";
  }
}

export class ToyClientEnd implements ClientEnd, ChannelEvents {
  readonly #client: ToyClient;
  readonly channel: Channel;
  readonly answer: Answer = noAnswer();
  readonly raw: RawEnd;
  readonly #raw: ToyRaw;
  #requestDone: boolean;

  constructor(client: ToyClient, id: number, length: BodyLength) {
    this.#client = client;
    this.channel = new Channel(id, client, this);
    this.raw = this.#raw = new ToyRaw(client.wire, this.channel);
    this.#requestDone = length === NO_BODY || length === 0;
  }

  get held(): boolean {
    return this.channel.backlogBytes > 0;
  }

  body(text: string): void {
    const bytes = bytesOf(text);
    this.#client.wire.take(() => this.channel.data(bytes, 0, bytes.length));
  }

  end(trailers?: readonly Pair[]): void {
    this.#client.wire.take(() => {
      this.#requestDone = true;
      this.channel.end(trailers ?? null);
    });
  }

  reset(): void {
    this.#client.wire.take(() => {
      this.channel.reset(ResetCode.aborted);
      this.#over("aborted");
    });
  }

  garble(): void {
    this.#client.wire.take(() => this.channel.garble());
  }

  timeOut(what: "read" | "write", slow = false): void {
    const { wire, server } = this.#client;
    wire.take(() => server.stream(this.channel.id)?.late(what, slow));
  }

  stopReading(): void {
    this.channel.pause();
  }

  readOn(): void {
    this.channel.unpause();
    this.#client.wire.take(() => this.channel.deliver());
  }

  #over(end: StreamEnd): void {
    if (this.answer.end === "") this.answer.end = end;
  }

  head({ status, fields, length }: ToyHead, switched: boolean): void {
    const { answer } = this;
    if (!switched && status < 200) {
      answer.interims.push(status);
      return;
    }
    answer.status = status;
    answer.fields = fields;
    answer.length = length;
    if (switched) this.channel.events = this.#raw;
  }

  data(bytes: Uint8Array): void {
    this.answer.body += textOf(bytes);
  }

  ended(trailers: readonly Pair[] | null): void {
    this.answer.trailers = trailers;
    this.#over("complete");
    // What is left of the request is not wanted any more.
    if (this.#requestDone && this.channel.backlogBytes > 0) this.#requestDone = false;
    this.channel.close();
  }

  garbled(): void {}

  moved(): void {}

  gone(code: number): void {
    if (code === ResetCode.cut) this.#over("cut");
    else this.#over(code === ResetCode.unanswered ? "unanswered" : "aborted");
  }
}
