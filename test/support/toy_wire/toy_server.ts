/** A client's connection with many streams at a time: the proxy's end. */

import type { CloseReason, Socket } from "../../../runtime/contract/contract.ts";
import { type BodyLength, NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import type { ByteStream } from "../../../src/http/byte_stream.ts";
import type {
  DownstreamCompanion,
  DownstreamPeer,
  DownstreamStream,
  DownstreamStreamEvents,
  ForwardedFrom,
  RequestHandler,
} from "../../../src/http/downstream_stream.ts";
import { FAULTS } from "../../../src/http/fault.ts";
import { Field } from "../../../src/http/field.ts";
import type { ForwardedFields } from "../../../src/http/forwarded_fields.ts";
import type { Head } from "../../../src/http/head.ts";
import { LOW_WATER_BYTES } from "../../../src/http/water_marks.ts";
import { Timed } from "../../../src/time/deadline_queue.ts";
import type { Turn } from "../../../src/time/turn.ts";
import { type Pair, requestHead, sentPairs, trailerSection } from "../streams/pairs.ts";
import { StreamRules } from "../streams/stream_rules.ts";
import type { WireOptions } from "../streams/wire.ts";
import { Channel, type ChannelEvents } from "./channel.ts";
import { type FrameKind, Kind, ResetCode, type ToyHead } from "./frames.ts";
import { ToyBytes } from "./toy_bytes.ts";
import { ToyLink } from "./toy_link.ts";

const NOTHING = new Uint8Array(0);

export interface ToySettings extends WireOptions {
  readonly violations: string[];
}

export class ToyServer extends ToyLink implements DownstreamPeer {
  readonly settings: ToySettings;
  readonly #handler: RequestHandler;
  readonly #streams = new Map<number, ToyDownstream>();
  /** No further stream is taken. */
  #last = false;
  clientEnded = false;
  readonly secure = false;
  readonly isPerRequest = false;
  trusted = false;
  forwarded: ForwardedFrom | null = null;
  companion: DownstreamCompanion | null = null;

  constructor(turn: Turn, socket: Socket, settings: ToySettings, handler: RequestHandler) {
    super(turn, socket);
    this.settings = settings;
    this.#handler = handler;
  }

  get remoteAddress(): string {
    return this.socket.remoteAddress;
  }

  get remotePort(): number {
    return this.socket.remotePort;
  }

  get owedAnswers(): number {
    return [...this.#streams.values()].filter(({ channel, switched }) => !channel.isOver && !switched).length;
  }

  get takesMore(): boolean {
    return !this.#last;
  }

  stream(id: number): ToyDownstream | undefined {
    return this.#streams.get(id);
  }

  forEachStream(visit: (stream: DownstreamStream) => void): void {
    for (const stream of [...this.#streams.values()]) if (stream.events !== null) visit(stream);
  }

  // Streams

  protected override accept(id: number): Channel | null {
    if (this.#last) return null;
    return this.#open(id).channel;
  }

  #open(id: number): ToyDownstream {
    const stream = new ToyDownstream(this, id);
    this.#streams.set(id, stream);
    this.add(stream.channel);
    return stream;
  }

  /** A head has come. */
  request(stream: ToyDownstream, head: Head): void {
    this.#handler.request(stream, head);
  }

  /** A first frame that is no head. */
  refused(stream: ToyDownstream): void {
    this.#handler.refused(stream, FAULTS.noColon, null);
  }

  protected override channelOver(): void {
    for (const [id, { channel }] of this.#streams) if (channel.isOver) this.#streams.delete(id);
    if (this.#last || this.clientEnded) this.later(() => this.#closeWhenDone());
  }

  #closeWhenDone(): void {
    if (this.openChannels === 0 && (this.#last || this.clientEnded)) this.close();
  }

  protected override lastStream(): void {}

  protected override peerEnded(): void {
    this.clientEnded = true;
    for (const stream of [...this.#streams.values()]) stream.clientEnded();
    this.#closeWhenDone();
  }

  protected override gone(_reason: CloseReason): void {
    const { companion } = this;
    this.companion = null;
    companion?.clientDone();
    this.#handler.connectionClosed(this);
  }

  // DownstreamPeer

  keepForHandshake(): void {}

  endAfterAnswer(): void {
    if (this.#last) return;
    this.#last = true;
    this.send(0, Kind.last, NOTHING);
  }

  refuseConnection(): DownstreamStream {
    const stream = this.#open(0);
    this.endAfterAnswer();
    return stream;
  }

  drain(now: number, gapMs: number): void {
    this.endAfterAnswer();
    if (this.openChannels === 0) this.turn.deadlines.set(this, now + gapMs);
  }

  override expired(): void {
    this.turn.begin();
    this.#closeWhenDone();
    this.turn.end();
  }
}

export class ToyDownstream extends Timed implements DownstreamStream, ChannelEvents {
  readonly #server: ToyServer;
  readonly #rules: StreamRules;
  readonly channel: Channel;
  events: DownstreamStreamEvents | null = null;
  requestBody: BodyLength = NO_BODY;
  requestDone = false;
  readonly requestBeganAt: number;
  responseBegun = false;
  responseSized = false;
  offeredBytes = 0;
  readonly carriesTrailers = true;
  switched = false;
  #received = 0;
  #headSeen = false;
  #paused = false;
  #bodyExpected = false;

  constructor(server: ToyServer, id: number) {
    super();
    this.#server = server;
    this.#rules = new StreamRules(`client's stream ${id}`, server.settings.violations);
    this.channel = new Channel(id, server, this);
    this.requestBeganAt = server.turn.now;
  }

  get peer(): DownstreamPeer {
    return this.#server;
  }

  get hasLeft(): boolean {
    return this.#server.clientEnded && !this.#server.settings.servesHalfClosed;
  }

  get backlogBytes(): number {
    return this.channel.backlogBytes;
  }

  // What the client does

  head(head: ToyHead): void {
    if (this.#headSeen) {
      this.garbled();
      return;
    }
    this.#headSeen = true;
    const { length, method, target, fields } = head;
    this.requestBody = length;
    this.requestDone = length === NO_BODY || length === 0;
    this.#server.request(this, requestHead(method, target, fields));
  }

  data(bytes: Uint8Array): void {
    this.#received += bytes.length;
    if (this.requestDone || (this.requestBody >= 0 && this.#received > this.requestBody)) {
      this.garbled();
      return;
    }
    this.#bodyExpected = true;
    this.#watch();
    this.events?.downstreamBody(bytes, 0, bytes.length, 0);
  }

  ended(trailers: readonly Pair[] | null): void {
    if (this.requestDone || (this.requestBody >= 0 && this.#received < this.requestBody)) {
      this.garbled();
      return;
    }
    this.requestDone = true;
    this.#watch();
    this.events?.downstreamEnd(trailers === null ? null : trailerSection(trailers));
  }

  garbled(): void {
    if (!this.#headSeen) {
      this.#headSeen = true;
      this.#server.refused(this);
    } else this.events?.downstreamFault(FAULTS.chunkSize);
  }

  moved(backlogBytes: number): void {
    this.#watch();
    if (backlogBytes <= LOW_WATER_BYTES) this.events?.downstreamWritable();
  }

  gone(_code: number, reason: CloseReason): void {
    this.#over("gone");
    const { events } = this;
    this.events = null;
    events?.downstreamGone(reason);
  }

  /** Nothing comes from the client any more, on whatever stream. */
  clientEnded(): void {
    if (this.switched) this.channel.events.ended(null);
    else if (this.requestDone || this.#paused) this.events?.downstreamEnded();
    else this.events?.downstreamFault(FAULTS.incomplete);
  }

  // Deadlines

  #watch(): void {
    const { turn, settings } = this.#server;
    const reads = this.#bodyExpected && !this.requestDone && !this.#paused;
    const watched = !this.#rules.ended && (this.backlogBytes > 0 || reads);
    turn.deadlines.set(this, watched ? turn.now + settings.bodyIdleTimeoutMs : Infinity);
  }

  override expired(): void {
    this.#server.turn.begin();
    if (this.#rules.ended) this.channel.reset(ResetCode.aborted);
    else this.late(this.backlogBytes > 0 ? "write" : "read", false);
    this.#server.turn.end();
  }

  late(what: "read" | "write", slow: boolean): void {
    this.events?.downstreamTimedOut(what, slow);
  }

  // What the proxy does

  askedUpgrade(head: Head, allowed: readonly string[]): string {
    const asked = head.joined(Field.upgrade)?.toLowerCase() ?? "";
    return allowed.includes(asked) ? asked : "";
  }

  expectBody(): void {
    this.#rules.call("expectBody", true);
    this.#bodyExpected = true;
    this.#watch();
  }

  pauseBody(): void {
    this.#rules.call("pauseBody", true);
    if (this.requestDone) return;
    this.#paused = true;
    this.channel.pause();
    this.#watch();
  }

  resumeBody(): void {
    this.#rules.call("resumeBody", true);
    if (!this.#paused) return;
    this.#paused = false;
    this.channel.unpause();
    this.#watch();
    this.channel.deliver();
  }

  sendInterim(status: number, reason: string, fields: ForwardedFields): void {
    this.#rules.call("sendInterim", !this.responseBegun);
    this.#sendHead(status, reason, sentPairs(fields), NO_BODY);
  }

  sendHead(status: number, reason: string, fields: ForwardedFields, body: BodyLength, close: boolean): void {
    this.#rules.call("sendHead", !this.responseBegun);
    this.responseBegun = true;
    this.responseSized = body !== UNKNOWN_LENGTH;
    this.#sendHead(status, reason, sentPairs(fields), body);
    if (close) this.#server.endAfterAnswer();
  }

  #sendHead(
    status: number,
    reason: string,
    fields: readonly Pair[],
    length: BodyLength,
    kind: FrameKind = Kind.head,
  ): void {
    this.offeredBytes++;
    this.channel.head(
      { method: "", target: "", authority: null, status, reason, fields, length, upgrade: "", keeps: true },
      kind,
    );
  }

  sendBody(bytes: Uint8Array, from: number, to: number): void {
    this.#rules.call("sendBody", this.responseBegun);
    this.offeredBytes += to - from;
    this.channel.data(bytes, from, to);
    if (this.backlogBytes > 0) this.#watch();
  }

  sendEnd(trailers: ForwardedFields | null): void {
    this.#over("sendEnd");
    this.events = null;
    this.channel.end(trailers === null ? null : sentPairs(trailers));
    this.#finish();
  }

  /** The stream is over for the proxy; what is left to be sent goes out at the client's pace. */
  #finish(): void {
    const { channel } = this;
    const { turn, settings } = this.#server;
    const left = () => {
      turn.deadlines.set(this, channel.endSent ? Infinity : turn.now + settings.bodyIdleTimeoutMs);
      if (channel.endSent) channel.close();
    };
    const gone = () => turn.deadlines.remove(this);
    channel.unpause();
    channel.events = { head() {}, data() {}, ended() {}, garbled() {}, moved: left, gone };
    left();
  }

  switchProtocols(reason: string, fields: ForwardedFields, protocol: string): ByteStream {
    this.#over("switchProtocols");
    this.events = null;
    this.switched = true;
    this.#sendHead(101, reason, [...sentPairs(fields), ["Upgrade", protocol]], NO_BODY, Kind.switch);
    return new ToyBytes(this.channel, this.#server);
  }

  acceptTunnel(fields: ForwardedFields): ByteStream {
    this.#over("acceptTunnel");
    this.events = null;
    this.switched = true;
    this.#sendHead(200, "", sentPairs(fields), NO_BODY, Kind.switch);
    return new ToyBytes(this.channel, this.#server);
  }

  staysOpenAfter(): boolean {
    return this.#server.takesMore;
  }

  abortResponse(): void {
    this.#reset("abortResponse", ResetCode.cut);
  }

  endUnanswered(): void {
    this.#reset("endUnanswered", ResetCode.unanswered);
  }

  abort(): void {
    this.#reset("abort", ResetCode.aborted);
  }

  #reset(what: string, code: number): void {
    this.#over(what);
    this.events = null;
    this.channel.reset(code);
  }

  #over(what: string): void {
    this.#rules.end(what, true);
    this.#server.turn.deadlines.remove(this);
  }
}
