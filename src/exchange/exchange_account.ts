/** What an exchange notes while it goes on, to be told once it has ended. */

import type { DownstreamStream } from "../http/downstream_stream.ts";
import { Field } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import type { UpstreamStream } from "../http/upstream_stream.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { Counted } from "../upstream/counters.ts";
import { Attempt } from "./attempt.ts";
import { AuthenticatingAttempt, type LoginOwner } from "./authenticating_attempt.ts";
import type { EndedExchange, LogFields } from "./ended_exchange.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import type { ExchangeSettings } from "./exchange_settings.ts";
import { Login } from "./login.ts";
import type { PinUse } from "./pin_use.ts";
import type { ReasonCode } from "./reason.ts";
import type { RetryPolicy } from "./retry.ts";
import type { StreamWait } from "./stream_wait.ts";
import type { Tunnel } from "./tunnel.ts";
import type { Upload } from "./upload.ts";

/** Times are milliseconds, those of day on the monotonic clock. */
export abstract class ExchangeAccount implements EndedExchange {
  readonly context: ExchangeContext;
  readonly settings: ExchangeSettings;
  readonly retry: RetryPolicy;
  readonly client: DownstreamStream;
  readonly head: Head;
  /** The head that goes to endpoints: the same, unless a script has changed it. */
  protected readonly sent: Head;
  /** For logs and counters. */
  readonly route: Counted;
  id = 0;
  logFields: LogFields | null = null;
  /** The user of the proxy; "" = not known. */
  user = "";
  /** Status sent to the client, 0 while none was. */
  status = 0;
  responseBodyBytes = 0;
  reason: ReasonCode | "" = "";
  detail = "";
  /** Null when the request came without a body, or complete with an empty one. */
  upload: Upload | null = null;
  /** While it is under way. */
  protected attempt: Attempt | null = null;
  /** The last one, under way or not. */
  protected lastAttempt: Attempt | null = null;
  /** Null unless its client has authenticated on a connection, or does so now. */
  protected pin: PinUse | null = null;
  protected tunnel: Tunnel | null = null;
  /** The first byte of the request, and the last of its head. */
  readonly beganAt: number;
  protected readonly headAt: number;
  /** `offeredBytes` of the client before this request. */
  readonly offeredBefore: number;
  /** Null while its requests have found streams at once. */
  protected wait: StreamWait | null = null;
  /** Null = no credential of ours has to do with it. */
  protected readonly login: Login | null;
  attempts = 0;
  endedAt = 0;
  #comes = false;

  constructor(
    context: ExchangeContext,
    settings: ExchangeSettings,
    retry: RetryPolicy,
    client: DownstreamStream,
    head: Head,
    route: Counted,
    sent = head,
  ) {
    this.context = context;
    this.settings = settings;
    this.retry = retry;
    this.client = client;
    this.head = head;
    this.sent = sent;
    this.route = route;
    this.beganAt = client.requestBeganAt;
    this.headAt = context.turn.now;
    this.offeredBefore = client.offeredBytes;
    this.login = Login.of(settings.credentials, sent);
  }

  /** The endpoint's time is up: the request goes elsewhere if that is allowed, else ends so that the client sees it. */
  abstract endpointWithdrawn(): void;
  /** We end. @returns whether it waited, and has been answered that it waits for nothing */
  abstract refuseHeld(): boolean;

  /** Its place in the waiting room, made if there is none. */
  abstract waiter(): StreamWait;

  /** It will ask the upstream, which has to be there then, whatever a reload makes of it meanwhile. */
  protected comes(): void {
    if (this.#comes) return;
    this.#comes = true;
    this.settings.upstream.coming++;
  }

  /** It has asked, or never will. */
  protected came(): void {
    if (!this.#comes) return;
    this.#comes = false;
    this.settings.upstream.coming--;
  }

  /** It may be sent again if a connection closes without an answer. */
  get repeatable(): boolean {
    const { retry, sent } = this;
    return retry.unanswered || retry.methods.includes(sent.method) || sent.has(Field.idempotencyKey);
  }

  /**
   * Secrets are here, and parents that have rejected us are the last that are asked.
   *
   * @param goOn called later if not
   */
  protected mayAsk(login: Login, goOn: () => void): boolean {
    const { settings: { upstream: { endpoints } }, context: { turn } } = this;
    const pending = login.prepare(endpoints);
    if (pending === null) {
      this.#avoid(login.rejecting(endpoints));
      return true;
    }
    this.comes();
    void pending.then(() => {
      turn.begin();
      this.#avoid(login.rejecting(endpoints));
      goOn();
      this.came();
      turn.end();
    });
    return false;
  }

  #avoid(rejecting: readonly Endpoint[]): void {
    if (rejecting.length === 0) return;
    const wait = this.waiter();
    for (const endpoint of rejecting) wait.avoid(endpoint);
    if (wait.choosy) wait.wantsFresh = true;
  }

  /**
   * Connections to the endpoint may be authenticated with credentials of ours. Whether the stream is on one that the request must
   * not use, because it brings an Authorization of its own, say: then it is given back, and a new one will do only.
   */
  protected declines({ peer }: UpstreamStream, endpoint: Endpoint): boolean {
    if (peer.uses === 0 || peer.pinnedTo !== null) return false;
    if (this.login?.covers(endpoint, this.pin !== null) === true) return false;
    const wait = this.waiter();
    wait.over(this.context.turn.now);
    wait.admitted = wait.wantsFresh = true;
    this.settings.upstream.release(peer, endpoint, "pool", wait.isRetry);
    return true;
  }

  /** The next attempt. @param owner this one */
  protected attemptOn(
    stream: UpstreamStream,
    endpoint: Endpoint,
    owner: LoginOwner,
    isRetry: boolean,
  ): Attempt {
    const { login } = this;
    const attempt = login === null
      ? new Attempt(owner, stream, endpoint, isRetry)
      : new AuthenticatingAttempt(owner, login, stream, endpoint, isRetry);
    this.attempt = this.lastAttempt = attempt;
    this.attempts++;
    return attempt;
  }

  /** Attempts, without the sendings that answered a challenge. */
  protected get tries(): number {
    return this.attempts - this.resubmissions;
  }

  /** Why the request cannot be sent on this stream, in words; "" = it can. */
  protected faultOn({ peer }: UpstreamStream, endpoint: Endpoint): string {
    return this.login === null ? "" : this.login.goesTo(peer, endpoint, this.pin !== null);
  }

  /** Sendings that answered a challenge: they are no retries. */
  get resubmissions(): number {
    return this.login === null ? 0 : this.login.resubmissions;
  }

  /** Credentials of ours that it was sent with; "" = none. */
  get credential(): string {
    return this.login === null ? "" : this.login.names;
  }

  get offeredCredential(): string {
    return this.login === null ? "" : this.login.offered;
  }

  /** TunnelOwner. */
  tunnelBegun(tunnel: Tunnel): void {
    this.tunnel = tunnel;
  }

  /** Bytes of the request body received so far, or what a tunnel got from the client. */
  get requestBodyBytes(): number {
    if (this.tunnel !== null) return this.tunnel.clientBytes;
    return this.upload === null ? 0 : this.upload.receivedBytes;
  }

  get source(): Counted {
    return this.settings.upstream;
  }

  get headMs(): number {
    return this.headAt - this.beganAt;
  }

  /** What it took to read a body that was needed whole. */
  get bodyMs(): number {
    return this.upload === null ? 0 : this.upload.readMs;
  }

  get endpointName(): string {
    return this.lastAttempt === null ? "" : this.lastAttempt.endpoint.name;
  }

  get reusedConnection(): boolean {
    return this.lastAttempt !== null && this.lastAttempt.servedBefore;
  }

  get connectMs(): number {
    return this.lastAttempt === null ? 0 : this.lastAttempt.connectMs;
  }

  get firstByteMs(): number {
    return this.lastAttempt === null ? 0 : this.lastAttempt.firstByteMs;
  }

  /** The endpoint that has begun to answer; null when none has. */
  get answeredBy(): Endpoint | null {
    return this.lastAttempt?.responseSeen === true ? this.lastAttempt.endpoint : null;
  }

  /** The endpoint whose connection is in use; null while there is none. */
  get endpointInUse(): Endpoint | null {
    return this.attempt === null ? null : this.attempt.endpoint;
  }

  get upgraded(): boolean {
    return this.tunnel !== null;
  }

  /** Its connection is or was its client's own: see pins.ts. */
  get pinned(): boolean {
    return this.pin !== null && this.pin.pinned;
  }

  /** Held and queued. */
  get waitMs(): number {
    return this.wait === null || this.wait.time === null ? 0 : this.wait.time.totalMs;
  }

  /** The part of it during which no request could be served. */
  get heldMs(): number {
    return this.wait === null || this.wait.time === null ? 0 : this.wait.time.heldMs;
  }
}
