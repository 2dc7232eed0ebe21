/** A client's stream and the context of its exchange, seen through somebody who stands in front of both. */

import type { ExchangeContext } from "../exchange/exchange_context.ts";
import type { EndedExchange } from "../exchange/ended_exchange.ts";
import type { ReasonCode } from "../exchange/reason.ts";
import type { Tunnel } from "../exchange/tunnel.ts";
import type { BodyLength } from "../http/body_length.ts";
import type { ByteStream } from "../http/byte_stream.ts";
import type { DownstreamPeer, DownstreamStream, DownstreamStreamEvents } from "../http/downstream_stream.ts";
import type { FieldSection } from "../http/field_section.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import type { Head } from "../http/head.ts";
import { statusPhrase } from "../http/status_phrase.ts";
import { Timed } from "../time/deadline_queue.ts";
import type { Turn } from "../time/turn.ts";

/** Whoever extends it changes what it stands for; everything else is the client's. */
export abstract class DelegatingStream extends Timed implements DownstreamStream, ExchangeContext {
  /** The client's side. */
  readonly client: DownstreamStream;
  protected readonly base: ExchangeContext;
  /** The exchange's side. */
  events: DownstreamStreamEvents | null = null;

  readonly date: () => FieldSection;

  constructor(client: DownstreamStream, base: ExchangeContext) {
    super();
    this.client = client;
    this.base = base;
    this.date = base.date;
  }

  // ExchangeContext

  get forward(): ExchangeContext["forward"] {
    return this.base.forward;
  }

  get maxBodyBytes(): number {
    return this.base.maxBodyBytes;
  }

  get upgrades(): readonly string[] {
    return this.base.upgrades;
  }

  get turn(): Turn {
    return this.base.turn;
  }

  phrase(status: number, reason: ReasonCode, detail: string): string {
    return this.base.phrase?.(status, reason, detail) ?? statusPhrase(status);
  }

  later(ms: number, fire: () => void): void {
    this.base.later(ms, fire);
  }

  abstract failing(reason: ReasonCode, status: number, shown: string, sent: boolean): void;
  abstract exchangeDone(exchange: EndedExchange): void;

  tunnelOpened(tunnel: Tunnel): void {
    this.base.tunnelOpened(tunnel);
  }

  tunnelClosed(tunnel: Tunnel): void {
    this.base.tunnelClosed(tunnel);
  }

  // DownstreamStream

  get peer(): DownstreamPeer {
    return this.client.peer;
  }

  get requestBody(): BodyLength {
    return this.client.requestBody;
  }

  get requestDone(): boolean {
    return this.client.requestDone;
  }

  get requestBeganAt(): number {
    return this.client.requestBeganAt;
  }

  get responseBegun(): boolean {
    return this.client.responseBegun;
  }

  get responseSized(): boolean {
    return this.client.responseSized;
  }

  get hasLeft(): boolean {
    return this.client.hasLeft;
  }

  get carriesTrailers(): boolean {
    return this.client.carriesTrailers;
  }

  get backlogBytes(): number {
    return this.client.backlogBytes;
  }

  get offeredBytes(): number {
    return this.client.offeredBytes;
  }

  askedUpgrade(head: Head, allowed: readonly string[]): string {
    return this.client.askedUpgrade(head, allowed);
  }

  expectBody(): void {
    this.client.expectBody();
  }

  abstract pauseBody(): void;
  abstract resumeBody(): void;

  sendInterim(status: number, reason: string, fields: ForwardedFields): void {
    this.client.sendInterim(status, reason, fields);
  }

  abstract sendHead(
    status: number,
    reason: string,
    fields: ForwardedFields,
    body: BodyLength,
    close: boolean,
  ): void;
  abstract sendBody(bytes: Uint8Array, from: number, to: number, room?: number): void;
  abstract sendEnd(trailers: ForwardedFields | null): void;
  abstract switchProtocols(reason: string, fields: ForwardedFields, protocol: string): ByteStream;

  acceptTunnel(fields: ForwardedFields): ByteStream {
    this.client.events = null;
    return this.client.acceptTunnel(fields);
  }

  staysOpenAfter(body: BodyLength): boolean {
    return this.client.staysOpenAfter(body);
  }

  abstract abortResponse(): void;
  abstract endUnanswered(): void;
  abstract abort(): void;
}
