/** What an exchange notes while it goes on, to be told once it has ended. */

import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { Head } from "../http/head.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { Counted } from "../upstream/counters.ts";
import type { Attempt } from "./attempt.ts";
import type { EndedExchange, LogFields } from "./ended_exchange.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import type { ExchangeSettings } from "./exchange_settings.ts";
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
  protected upload: Upload | null = null;
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
  abstract readonly attempts: number;
  endedAt = 0;

  constructor(
    context: ExchangeContext,
    settings: ExchangeSettings,
    retry: RetryPolicy,
    client: DownstreamStream,
    head: Head,
    route: Counted,
  ) {
    this.context = context;
    this.settings = settings;
    this.retry = retry;
    this.client = client;
    this.head = head;
    this.route = route;
    this.beganAt = client.requestBeganAt;
    this.headAt = context.turn.now;
    this.offeredBefore = client.offeredBytes;
  }

  /** The endpoint's time is up: the request goes elsewhere if that is allowed, else ends so that the client sees it. */
  abstract endpointWithdrawn(): void;
  /** We end. @returns whether it waited, and has been answered that it waits for nothing */
  abstract refuseHeld(): boolean;

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
