/** A connection to an endpoint that carries many streams at a time: the proxy's end. */

import type { CloseReason, Socket } from "../../../runtime/contract/contract.ts";
import { type BodyLength, NO_BODY } from "../../../src/http/body_length.ts";
import type { ByteStream } from "../../../src/http/byte_stream.ts";
import { FAULTS } from "../../../src/http/fault.ts";
import type { ForwardedFields } from "../../../src/http/forwarded_fields.ts";
import type { ForwardedRequest } from "../../../src/http/forwarded_request.ts";
import type {
  PinHolder,
  UpstreamPeer,
  UpstreamPeerOwner,
  UpstreamStream,
  UpstreamStreamEvents,
  UpstreamTimeouts,
} from "../../../src/http/upstream_stream.ts";
import { LOW_WATER_BYTES } from "../../../src/http/water_marks.ts";
import { Timed } from "../../../src/time/deadline_queue.ts";
import type { Turn } from "../../../src/time/turn.ts";
import { type Pair, responseHead, sentPairs, trailerSection } from "../streams/pairs.ts";
import { StreamRules } from "../streams/stream_rules.ts";
import { Channel, type ChannelEvents } from "./channel.ts";
import { ResetCode, type ToyHead } from "./frames.ts";
import { ToyBytes } from "./toy_bytes.ts";
import { ToyLink } from "./toy_link.ts";

/** Streams at a time. */
export const MOST_STREAMS = 20;

export class ToyUpstreamPeer extends ToyLink implements UpstreamPeer {
  owner: UpstreamPeerOwner;
  readonly violations: string[];
  readonly openedAt: number;
  idleSince: number;
  uses = 0;
  readonly keepAliveHintMs = 0;
  pinnedTo: PinHolder | null = null;
  connectMs = 0;
  endpointAnswers = 0;
  /** Has rested since it was opened. */
  rested = false;
  /** Rests in a pool. */
  #resting = false;
  #ended = false;
  readonly #streams = new Map<number, ToyUpstream>();

  constructor(turn: Turn, socket: Socket, owner: UpstreamPeerOwner, violations: string[]) {
    super(turn, socket);
    this.owner = owner;
    this.violations = violations;
    this.openedAt = turn.now;
    this.idleSince = this.openedAt;
  }

  get remoteAddress(): string {
    return this.socket.remoteAddress;
  }

  /** Further streams may be opened on it, if not just now. */
  get isFit(): boolean {
    return !this.#ended;
  }

  get freeStreams(): number {
    return this.#ended ? 0 : MOST_STREAMS - this.openChannels;
  }

  openStream(): UpstreamStream {
    if (this.freeStreams === 0) this.violations.push("no stream is free");
    this.#resting = false;
    this.turn.deadlines.set(this, Infinity);
    const stream = new ToyUpstream(this, this.lastId + 1);
    this.#streams.set(stream.channel.id, stream);
    this.add(stream.channel);
    return stream;
  }

  stream(id: number): ToyUpstream | undefined {
    return this.#streams.get(id);
  }

  protected override accept(): Channel | null {
    return null;
  }

  protected override channelOver(): void {
    for (const [id, { channel }] of this.#streams) if (channel.isOver) this.#streams.delete(id);
    if (this.#ended && this.openChannels === 0) this.close();
  }

  protected override lastStream(): void {
    this.#end();
  }

  /** No further stream is opened. */
  #end(): void {
    this.#ended = true;
    if (this.#resting) this.#lose();
  }

  /** Nothing comes any more. */
  protected override peerEnded(): void {
    const rested = this.#resting;
    this.#end();
    if (!rested) this.abort();
  }

  #lose(): void {
    this.#resting = false;
    this.close();
    this.owner.idleLost(this, this.turn.now - this.idleSince);
  }

  protected override gone(_reason: CloseReason): void {
    this.#end();
  }

  rest(now: number, deadline: number): void {
    if (this.#ended) this.violations.push("a connection rests that has ended");
    this.rested = true;
    this.#resting = true;
    this.idleSince = now;
    this.restUntil(deadline);
  }

  restUntil(deadline: number): void {
    this.turn.deadlines.set(this, deadline);
  }

  override expired(): void {
    this.turn.begin();
    this.retire();
    this.owner.idleLost(this, -1);
    this.turn.end();
  }

  retire(): void {
    this.#ended = true;
    this.#resting = false;
    this.turn.deadlines.remove(this);
    if (this.openChannels === 0) this.close();
  }

  drop(): void {
    this.#ended = true;
    this.#resting = false;
    for (const channel of [...this.channels.values()]) channel.close();
    this.abort();
  }
}

export class ToyUpstream extends Timed implements UpstreamStream, ChannelEvents {
  readonly peer: ToyUpstreamPeer;
  readonly #rules: StreamRules;
  readonly channel: Channel;
  readonly reused: boolean;
  requestSeen = false;
  requestDone = false;
  anyResponse = false;
  responseBegun = false;
  responsePersists = false;
  keepAlivePromised = false;
  sentAt = 0;
  #events: UpstreamStreamEvents | null = null;
  #timeouts: UpstreamTimeouts = { firstByteTimeoutMs: 0, bodyIdleTimeoutMs: 0 };
  #upgrade = "";
  #length: BodyLength = NO_BODY;
  #received = 0;
  #responseDone = false;
  #paused = false;
  #awaits100 = false;
  #switched = false;

  constructor(peer: ToyUpstreamPeer, id: number) {
    super();
    this.peer = peer;
    this.reused = peer.rested;
    this.#rules = new StreamRules(`stream ${id} to an endpoint`, peer.violations);
    this.channel = new Channel(id, peer, this);
  }

  get backlogBytes(): number {
    return this.channel.backlogBytes;
  }

  get mayServeAgain(): boolean {
    return this.#responseDone && this.responsePersists && this.requestDone && this.backlogBytes === 0 &&
      this.peer.isFit;
  }

  // What the proxy does

  sendRequest(request: ForwardedRequest, events: UpstreamStreamEvents, timeouts: UpstreamTimeouts): void {
    this.#rules.call("sendRequest", !this.requestSeen);
    const { head: { method }, target, authority, fields, body, upgrade } = request;
    this.#events = events;
    this.#timeouts = timeouts;
    this.#upgrade = upgrade;
    this.peer.uses++;
    this.requestSeen = true;
    this.channel.head({
      method,
      target,
      authority,
      status: 0,
      reason: "",
      fields: sentPairs(fields),
      length: body,
      upgrade,
      keeps: true,
    });
    // With a switch in view the stream stays open.
    this.requestDone = body === NO_BODY || body === 0;
    this.sentAt = this.peer.turn.now;
    this.#watch();
  }

  expectContinue(): void {
    this.#rules.call("expectContinue", !this.requestDone);
    this.#awaits100 = true;
    this.#watch();
  }

  sendBody(bytes: Uint8Array, from: number, to: number): void {
    this.#rules.call("sendBody", !this.requestDone);
    this.channel.data(bytes, from, to);
    this.sentAt = this.peer.turn.now;
    this.#watch();
  }

  sendEnd(trailers: ForwardedFields | null): void {
    this.#rules.call("sendEnd", !this.requestDone);
    this.requestDone = true;
    this.channel.end(trailers === null ? null : sentPairs(trailers));
    this.sentAt = this.peer.turn.now;
    this.#watch();
  }

  pauseBody(): void {
    this.#rules.call("pauseBody", true);
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
    this.peer.later(() => this.channel.deliver());
  }

  switchProtocols(): ByteStream {
    this.#over("switchProtocols");
    this.#switched = true;
    return new ToyBytes(this.channel, this.peer);
  }

  discard(_complete: boolean): void {
    // At the end of a tunnel nothing is left to be discarded.
    if (this.#switched) return;
    this.#over("discard");
    if (this.channel.isOver) return;
    if (this.requestDone && this.#responseDone) this.channel.close();
    else this.channel.reset(ResetCode.aborted);
  }

  #over(what: string): void {
    this.#rules.end(what, true);
    this.#events = null;
    this.peer.turn.deadlines.remove(this);
  }

  // Deadlines

  #watch(): void {
    const { firstByteTimeoutMs, bodyIdleTimeoutMs } = this.#timeouts;
    let ms = Infinity;
    if (this.backlogBytes > 0) ms = bodyIdleTimeoutMs;
    else if (this.responseBegun) ms = this.#paused ? Infinity : bodyIdleTimeoutMs;
    else if (this.requestDone || this.#awaits100) ms = firstByteTimeoutMs;
    const { turn } = this.peer;
    turn.deadlines.set(this, this.#rules.ended || this.#responseDone ? Infinity : turn.now + ms);
  }

  override expired(): void {
    this.peer.turn.begin();
    this.late(this.backlogBytes > 0 ? "write" : this.responseBegun ? "read" : "head");
    this.peer.turn.end();
  }

  late(what: "head" | "read" | "write"): void {
    this.#events?.upstreamTimedOut(what);
  }

  // What the endpoint does

  head({ status, reason, fields, length, keeps }: ToyHead, switched: boolean): void {
    if (this.responseBegun) {
      this.garbled();
      return;
    }
    this.anyResponse = true;
    const head = responseHead(status, reason, fields);
    if (switched) {
      this.responseBegun = true;
      this.#watch();
      const asAsked = this.#upgrade !== "" && this.#upgrade === head.find("upgrade")?.toLowerCase();
      this.#events?.upstreamSwitched(head, asAsked);
    } else if (status < 200) {
      if (status === 100) this.#awaits100 = false;
      this.#watch();
      this.#events?.upstreamInterim(head);
    } else {
      this.responseBegun = true;
      this.responsePersists = keeps;
      this.#length = length;
      this.#watch();
      this.#events?.upstreamHead(head, length);
    }
  }

  data(bytes: Uint8Array): void {
    this.#received += bytes.length;
    if (!this.responseBegun || (this.#length !== -1 && this.#received > this.#length)) {
      this.garbled();
      return;
    }
    this.#watch();
    this.#events?.upstreamBody(bytes, 0, bytes.length, 0);
  }

  ended(trailers: readonly Pair[] | null): void {
    if (!this.responseBegun || this.#received < this.#length) {
      this.garbled();
      return;
    }
    this.#responseDone = true;
    this.#watch();
    this.#events?.upstreamEnd(trailers === null ? null : trailerSection(trailers));
    if (this.requestDone) this.channel.close();
  }

  garbled(): void {
    this.anyResponse = true;
    const events = this.#events;
    this.#events = null;
    events?.upstreamFault(FAULTS.statusLine);
  }

  moved(backlogBytes: number): void {
    this.#watch();
    if (backlogBytes <= LOW_WATER_BYTES) this.#events?.upstreamWritable();
  }

  gone(_code: number, reason: CloseReason): void {
    const events = this.#events;
    this.#events = null;
    this.peer.turn.deadlines.remove(this);
    events?.upstreamGone(reason);
  }
}
