/** What is told of an exchange once it has ended: to the access log, the counters and whoever watches. */

import type { ClientConnection } from "../conn/client_connection.ts";
import type { Head } from "../http1/head.ts";
import type { Tallied } from "../upstream/tally.ts";
import type { ExchangeContext, ExchangeSettings } from "./exchange_settings.ts";
import type { ReasonCode } from "./reason.ts";
import type { RetryPolicy } from "./retry.ts";
import type { WaitTime } from "./wait_time.ts";

/** Times are milliseconds, those of day on the monotonic clock. */
export abstract class ExchangeAccount {
  readonly context: ExchangeContext;
  readonly settings: ExchangeSettings;
  readonly retry: RetryPolicy;
  readonly client: ClientConnection;
  readonly head: Head;
  /** For logs and counters. */
  readonly route: Tallied;
  /** Status sent to the client, 0 while none was. */
  status = 0;
  reason: ReasonCode | "" = "";
  detail = "";
  attempts = 0;
  endpointName = "";
  reusedConnection = false;
  responseBodyBytes = 0;
  /** The first byte of the request, and the last of its head. */
  readonly beganAt: number;
  protected readonly headAt: number;
  /** Bytes that the client's connection had received and been given before this request. */
  readonly receivedBefore: number;
  readonly offeredBefore: number;
  /** Null when it has not waited. */
  protected wait: WaitTime | null = null;
  readonly headMs: number;
  connectMs = 0;
  firstByteMs = 0;
  endedAt = 0;

  constructor(
    context: ExchangeContext,
    settings: ExchangeSettings,
    retry: RetryPolicy,
    client: ClientConnection,
    head: Head,
    route: Tallied,
  ) {
    this.context = context;
    this.settings = settings;
    this.retry = retry;
    this.client = client;
    this.head = head;
    this.route = route;
    this.beganAt = client.requestBeganAt;
    this.headAt = context.turn.now;
    this.headMs = this.headAt - this.beganAt;
    this.receivedBefore = client.receivedBytes;
    this.offeredBefore = client.offeredBytes;
  }

  /** Held and queued. */
  get waitMs(): number {
    return this.wait === null ? 0 : this.wait.totalMs;
  }

  /** The part of it during which nobody could be served. */
  get heldMs(): number {
    return this.wait === null ? 0 : this.wait.heldMs;
  }
}
