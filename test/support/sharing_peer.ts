/**
 * Connections that carry several streams, without a wire: each stands on a connection of the lab, which carries no
 * request. What ends the connection below ends all streams; what ends one stream ends no other.
 */

import assert from "node:assert/strict";
import type { ConnectEnd, ConnectOptions, Connector } from "../../src/client/connector.ts";
import type { ReuseKey } from "../../src/client/reuse_key.ts";
import type { ByteStream } from "../../src/http/byte_stream.ts";
import type {
  PinHolder,
  UpstreamPeer,
  UpstreamPeerOwner,
  UpstreamStream,
} from "../../src/http/upstream_stream.ts";

export class SharingPeer implements UpstreamPeer, UpstreamPeerOwner {
  readonly #below: UpstreamPeer;
  owner: UpstreamPeerOwner;
  /** Most streams at a time. May change. */
  limit: number;
  readonly streams = new Set<SharedStream>();
  retired = false;
  /** The connection below has ended. */
  ended = false;
  uses = 0;
  pinnedTo: PinHolder | null = null;
  connectMs = 0;
  endpointAnswers = 0;
  readonly keepAliveHintMs = 0;

  constructor(below: UpstreamPeer, limit: number) {
    this.#below = below;
    this.owner = below.owner;
    this.limit = limit;
    below.owner = this;
  }

  get remoteAddress(): string {
    return this.#below.remoteAddress;
  }

  get openedAt(): number {
    return this.#below.openedAt;
  }

  get idleSince(): number {
    return this.#below.idleSince;
  }

  get deadlineAt(): number {
    return this.#below.deadlineAt;
  }

  get freeStreams(): number {
    return this.ended || this.retired ? 0 : Math.max(0, this.limit - this.streams.size);
  }

  openStream(): UpstreamStream {
    assert.ok(this.freeStreams > 0, "a stream is free");
    assert.equal(this.pinnedTo, null, "it is nobody's own");
    if (this.streams.size === 0) this.#below.restUntil(Infinity);
    const stream = new SharedStream(this);
    this.streams.add(stream);
    this.uses++;
    return stream;
  }

  rest(now: number, deadline: number): void {
    assert.equal(this.streams.size, 0, "no stream is open on one that rests");
    assert.ok(!this.ended && !this.retired, "one that rests is open");
    this.#below.rest(now, deadline);
  }

  restUntil(deadline: number): void {
    this.#below.restUntil(deadline);
  }

  retire(): void {
    if (this.retired || this.ended) return;
    this.retired = true;
    if (this.streams.size === 0) this.#end();
  }

  drop(): void {
    this.ended = true;
    this.#below.drop();
  }

  #end(): void {
    this.ended = true;
    this.#below.retire();
  }

  /** A stream has ended. */
  over(stream: SharedStream): void {
    if (!this.streams.delete(stream) || this.ended || this.streams.size > 0) return;
    if (this.retired) this.#end();
  }

  /** UpstreamPeerOwner of the connection below. */
  idleLost(_below: UpstreamPeer, idleMs: number): void {
    const rested = this.streams.size === 0 && !this.ended;
    this.ended = true;
    if (rested) this.owner.idleLost(this, idleMs);
  }
}

/** A stream that carries nothing: those who test who gets one need no more. */
export class SharedStream implements UpstreamStream {
  readonly peer: SharingPeer;
  readonly reused: boolean;
  readonly requestSeen = true;
  readonly requestDone = true;
  readonly anyResponse = false;
  readonly responseBegun = false;
  readonly responsePersists = true;
  readonly keepAlivePromised = false;
  readonly sentAt = 0;
  readonly backlogBytes = 0;

  constructor(peer: SharingPeer) {
    this.peer = peer;
    this.reused = peer.uses > 0;
  }

  get mayServeAgain(): boolean {
    return !this.peer.ended;
  }

  sendRequest(): void {}
  expectContinue(): void {}
  sendBody(): void {}
  sendEnd(): void {}
  pauseBody(): void {}
  resumeBody(): void {}

  switchProtocols(): ByteStream {
    throw new Error("nothing is sent on it");
  }

  /** The response comes to its end, unless its connection has ended. @returns whether it does */
  completes(): boolean {
    if (!this.mayServeAgain) return false;
    this.peer.over(this);
    return true;
  }

  discard(): void {
    this.peer.over(this);
  }
}

export class SharingConnector implements Connector {
  readonly #below: Connector;
  readonly #limit: () => number;
  readonly opened: SharingPeer[] = [];

  /** @param limit streams of the next connection, at most */
  constructor(below: Connector, limit: () => number) {
    this.#below = below;
    this.#limit = limit;
  }

  get turn() {
    return this.#below.turn;
  }

  connect(key: ReuseKey, options: ConnectOptions, end: ConnectEnd): void {
    this.#below.connect(key, options, {
      opened: (below) => {
        const peer = new SharingPeer(below, this.#limit());
        this.opened.push(peer);
        end.opened(peer);
      },
      failed: (error) => end.failed(error),
    });
  }
}
