/**
 * What one exchange has to do with connections that its client has authenticated on (pins.ts): which one it goes on,
 * and what of the origin's answer may reach the client so that it can go on with a handshake. Exchanges that have
 * nothing to do with any have no such object.
 */

import type { Turn } from "../time/turn.ts";
import type { BodyLength } from "../http/body_length.ts";
import {
  answersChallenge,
  authenticatesConnection,
  connectionChallenge,
  withoutConnectionChallenges,
} from "../http/connection_auth.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import type { Head } from "../http/head.ts";
import type { UpstreamPeer, UpstreamStream } from "../http/upstream_stream.ts";
import { Pins, type PinUser } from "../upstream/pins.ts";
import type { StreamSource } from "../upstream/stream_source.ts";

/** Why a request is left unanswered whose session is gone. */
export const SESSION_OVER = "the connection that the client was authenticated on has ended";

/** What is changed of an answer. */
export interface PinnedAnswer {
  readonly fields: ForwardedFields;
  /** The client's connection ends with it. */
  readonly close: boolean;
}

export class PinUse {
  readonly #client: DownstreamStream;
  readonly #upstream: StreamSource;
  readonly #turn: Turn;
  /** Null while the client has none. */
  #pins: Pins | null;
  /** The client's own connection, which the request must go on and does not have yet; null = another one, or none. */
  waitsFor: UpstreamPeer | null;
  /** Its connection is pinned, or will be before a byte is sent. */
  pinned: boolean;
  /** The exchange, while it waits. */
  #user: PinUser | null = null;

  private constructor(client: DownstreamStream, upstream: StreamSource, turn: Turn, pinned: boolean) {
    this.#client = client;
    this.#upstream = upstream;
    this.#turn = turn;
    this.#pins = Pins.of(client.peer);
    this.waitsFor = this.#pins === null ? null : this.#pins.find(upstream);
    this.pinned = pinned || this.waitsFor !== null;
  }

  /**
   * Looks where a request has to go.
   *
   * @param byProxy its Proxy-Authorization is sent on as well
   * @returns null = anywhere; "lost" = nowhere: its client believes in a session that has ended
   */
  static of(
    client: DownstreamStream,
    upstream: StreamSource,
    turn: Turn,
    head: Head,
    byProxy = false,
  ): PinUse | "lost" | null {
    const pins = Pins.of(client.peer);
    if (pins?.hasLost(upstream) === true) return "lost";
    const authenticates = authenticatesConnection(head, byProxy);
    if (authenticates && pins?.challengedElsewhere(upstream) === true && answersChallenge(head, byProxy)) {
      return "lost";
    }
    if (!authenticates && (pins === null || pins.find(upstream) === null)) return null;
    return new PinUse(client, upstream, turn, authenticates);
  }

  /** For an exchange whose answer may turn out to be part of a handshake. */
  static ofAnswer(client: DownstreamStream, upstream: StreamSource, turn: Turn): PinUse {
    return new PinUse(client, upstream, turn, false);
  }

  /** It waits for a slot, or for the end of another request on the connection. */
  waits(user: PinUser): void {
    if (this.waitsFor === null) return;
    this.#user = user;
    this.#pins?.awaited(this.waitsFor, user);
  }

  /** It waits no more, and has not got what it waited for. */
  leaves(): void {
    const { waitsFor } = this;
    this.waitsFor = null;
    if (waitsFor !== null && this.#user !== null) this.#pins?.forsaken(waitsFor, this.#user);
  }

  /** The request is about to be sent: from the first byte on no other client may use the connection. */
  sends(connection: UpstreamPeer): void {
    if (connection === this.waitsFor) {
      this.waitsFor = null;
      this.#pins?.take(connection, this.#user);
    } else {
      this.#setAside(connection);
    }
  }

  #setAside(connection: UpstreamPeer): void {
    this.pinned = true;
    this.#pins ??= Pins.make(this.#client.peer, this.#turn);
    this.#pins.pin(connection, this.#upstream);
  }

  /** Whether a failed attempt was on a connection on which the client is known, or may be. */
  boundTo({ requestSeen, peer }: UpstreamStream): boolean {
    return this.pinned && (requestSeen || peer.uses > 1);
  }

  /**
   * Sees to a final answer before its head is passed on. A token pins the connection, whatever we have seen before.
   * An answer in the middle of a handshake keeps the client's connection open, also while we would rather end it; if
   * it cannot stay open the client does not get the challenge: its next step makes sense on this connection only.
   *
   * @param fields those that are passed on
   * @param body of the response
   * @param close the client's connection has to end with it in any case
   */
  answers(
    stream: UpstreamStream,
    head: Head,
    fields: ForwardedFields,
    body: BodyLength,
    close: boolean,
  ): PinnedAnswer {
    const client = this.#client;
    const challenge = connectionChallenge(head);
    if (challenge === "token") this.#setAside(stream.peer);
    const ends = close || (this.pinned && !stream.responsePersists);
    const stays = !ends && client.staysOpenAfter(body);
    const asks = head.status === 401 || head.status === 407;
    const handshake = asks && stays && challenge === "token";
    if (this.pinned) this.#pins?.answered(stream.peer, handshake);
    if (handshake) client.peer.keepForHandshake();
    // A mere offer can be taken on another connection, but not by who opens one for each request.
    const useless = asks && !stays &&
      (challenge === "token" || (challenge === "offered" && client.peer.isPerRequest));
    return { fields: useless ? withoutConnectionChallenges(fields) : fields, close: ends };
  }

  /** The exchange on a pinned connection is complete, and the connection is kept for its client. */
  rests(connection: UpstreamPeer): void {
    this.#pins?.rest(connection);
  }

  /** The connection is a tunnel now, or nothing was sent on it. */
  forget(connection: UpstreamPeer): void {
    this.#pins?.forget(connection);
  }

  /** The connection ends, and the client's with it. */
  ends(connection: UpstreamPeer): void {
    this.#pins?.forget(connection);
    this.#client.peer.endAfterAnswer();
  }
}
