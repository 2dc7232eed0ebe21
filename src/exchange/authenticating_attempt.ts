/**
 * An attempt that answers challenges with credentials of ours (login.ts): the challenge is received to its end, and the request
 * sent again on the same connection, so that the exchange sees one attempt. Where it takes another connection, the exchange is
 * told to ask for one.
 *
 * While a token is being made the connection rests, and the slot stays taken.
 */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import type { NextSending } from "../credentials/hop_login.ts";
import type { BodyLength } from "../http/body_length.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { Fault } from "../http/fault.ts";
import { type FieldSection, NO_FIELDS } from "../http/field_section.ts";
import type { Head } from "../http/head.ts";
import { joinedSections } from "../http/own_fields.ts";
import type { UpstreamPeerOwner, UpstreamStream } from "../http/upstream_stream.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import type { Login } from "./login.ts";
import type { OutgoingRequest } from "./outgoing_request.ts";
import type { PinUse } from "./pin_use.ts";
import { MOST_KEPT_BYTES } from "./provisional_response.ts";
import { StoredReply } from "./stored_reply.ts";
import type { Upload } from "./upload.ts";

/** Longest rest of a connection while a token is being made, milliseconds. Who makes it gives up before. */
const TOKEN_MS = 60_000;

export interface LoginOwner extends AttemptOwner {
  readonly client: DownstreamStream;
  /** Null when there is no body. */
  readonly upload: Upload | null;
  attempts: number;
  /** For the log. */
  detail: string;
  /** It may be sent again if a connection closes without an answer. */
  readonly repeatable: boolean;
  /** The request is to be sent again on another connection: the attempt has come to nothing else. */
  attemptUnauthenticated(): void;
}

export class AuthenticatingAttempt extends Attempt implements UpstreamPeerOwner {
  readonly #owner: LoginOwner;
  readonly #login: Login;
  #request: OutgoingRequest | null = null;
  /** What the request is sent with besides. */
  #plain: FieldSection = NO_FIELDS;
  /** The challenge that is being received, and how the request goes on after it. */
  #reply: StoredReply | null = null;
  #next: NextSending | null = null;
  #resting = false;

  constructor(
    owner: LoginOwner,
    login: Login,
    stream: UpstreamStream,
    endpoint: Endpoint,
    isRetry: boolean,
  ) {
    super(owner, stream, endpoint, isRetry);
    this.#owner = owner;
    this.#login = login;
  }

  override send(request: OutgoingRequest): void {
    this.#request = request;
    this.#plain = request.added;
    this.#sendWithFields(request);
  }

  #sendWithFields(request: OutgoingRequest): void {
    const { head: { method }, ownTarget, target } = request;
    request.added = joinedSections(
      this.#plain,
      this.#login.fields(this.stream.peer, method, ownTarget, target),
    );
    super.send(request);
    // It is the secret's, not the request's.
    request.added = this.#plain;
  }

  override upstreamHead(head: Head, body: BodyLength): void {
    if (!this.open) return;
    this.answered();
    const { client, upload } = this.#owner;
    const mayRepeat = upload === null || upload.kept.replayable;
    const small = body <= MOST_KEPT_BYTES;
    const persists = client.requestDone && this.stream.responsePersists && small;
    const next = this.#login.answered(head, persists, mayRepeat);
    if (next === null || (next.ready !== null && !small)) {
      this.#owner.attemptAnswered(head, body);
    } else if (!small || !client.requestDone) {
      this.#elsewhere();
    } else {
      this.#next = next;
      this.#reply = new StoredReply(head, body);
    }
  }

  override upstreamBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    const reply = this.#reply;
    if (!this.open || reply === null) {
      super.upstreamBody(bytes, from, to, room);
      return;
    }
    reply.append(bytes, from, to);
    if (reply.length <= MOST_KEPT_BYTES) return;
    // To read it to its end would cost more than a connection.
    if (this.#next?.sameConnection === false && this.#next.ready === null) this.#elsewhere();
    else this.#relay(reply);
  }

  override upstreamEnd(trailers: Head | null): void {
    const reply = this.#reply;
    if (!this.open || reply === null) {
      super.upstreamEnd(trailers);
      return;
    }
    // The cast: a challenge is kept only for that.
    const { ready } = this.#next as NextSending;
    if (ready === null) {
      this.#again();
      return;
    }
    this.#rest();
    const { turn } = this.#owner.context;
    void ready.then((made) => {
      turn.begin();
      if (this.open && made) this.#again();
      else if (this.open) {
        this.#relay(reply);
        if (this.open) super.upstreamEnd(null);
      }
      turn.end();
    });
  }

  override upstreamSwitched(head: Head, asAsked: boolean): void {
    if (this.open) this.#login.answered(head, false, false);
    super.upstreamSwitched(head, asAsked);
  }

  override upstreamFault(fault: Fault): void {
    if (!this.open || this.#reply === null) super.upstreamFault(fault);
    else this.#elsewhere();
  }

  override upstreamGone(reason: CloseReason): void {
    if (!this.open || this.#reply === null) super.upstreamGone(reason);
    else this.#elsewhere();
  }

  override upstreamTimedOut(what: "head" | "read" | "write"): void {
    if (!this.open || this.#reply === null) super.upstreamTimedOut(what);
    else this.#elsewhere();
  }

  /** The challenge is the answer after all. */
  #relay(reply: StoredReply): void {
    this.#reply = this.#next = null;
    this.#login.gaveUp(reply.head);
    this.#owner.detail = this.#login.fault;
    this.#owner.attemptAnswered(reply.head, reply.bodyLength);
    if (this.open && reply.length > 0) this.#owner.attemptBody(reply.bytes, 0, reply.length, 0);
  }

  #rest(): void {
    const { stream: { mayServeAgain, peer } } = this;
    if (!mayServeAgain) return;
    const { now } = this.#owner.context.turn;
    peer.owner = this;
    peer.rest(now, now + TOKEN_MS);
    this.#resting = true;
  }

  /** UpstreamPeerOwner: it has ended while a token was being made. */
  idleLost(): void {
    this.#resting = false;
    this.stream.peer.owner = this.endpoint;
  }

  #again(): void {
    const { sameConnection } = this.#next as NextSending;
    const { upload, repeatable } = this.#owner;
    // What must not be sent twice goes on a used connection only where those are known to be kept.
    const fits = sameConnection || repeatable || this.endpoint.keepsAlive;
    if (fits && !this.#resting) this.#rest();
    if (!fits || !this.#resting || upload?.kept.replayable === false) {
      this.#elsewhere();
      return;
    }
    const { peer } = this.stream;
    peer.owner = this.endpoint;
    this.#resting = false;
    this.#reply = this.#next = null;
    this.#login.resubmissions++;
    this.#owner.attempts++;
    this.stream = peer.openStream();
    this.servedBefore = true;
    this.responseSeen = false;
    // The cast: it has been sent before.
    this.#sendWithFields(this.#request as OutgoingRequest);
    upload?.sendKept(this.stream);
  }

  #elsewhere(): void {
    this.#reply = this.#next = null;
    this.#login.resubmissions++;
    this.#owner.attemptUnauthenticated();
  }

  override end(complete: boolean, pin: PinUse | null): void {
    if (this.#resting) this.stream.peer.owner = this.endpoint;
    super.end(complete && !this.#login.keepsConnection, pin);
  }
}
