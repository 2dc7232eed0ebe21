/**
 * One CONNECT through the proxy (RFC 9110 §9.3.6): the destination is dialled, and bytes go both ways once it is there.
 *
 * Phases: `dialling` → `tunnel` → `done`. A failure is always answered, and the client's connection ends with the answer:
 * what was sent early was meant for the destination, and must not be taken for a request.
 *
 * Where it goes by way of a parent, or waits for its destination, it is a `ConnectByParent`, which says why that is another one.
 */

import type { Address, CloseReason, Dial, SocketError } from "../../runtime/contract/contract.ts";
import type { ByteConnector, BytesEnd } from "../client/byte_connector.ts";
import type { ByteStream } from "../http/byte_stream.ts";
import type { DownstreamStream, DownstreamStreamEvents } from "../http/downstream_stream.ts";
import type { Fault } from "../http/fault.ts";
import { type FieldSection, NO_FIELDS } from "../http/field_section.ts";
import { ownFields } from "../http/forwarded_fields.ts";
import type { Head } from "../http/head.ts";
import type { Counted } from "../upstream/counters.ts";
import type { EndedExchange } from "./ended_exchange.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import { dialReason, tunnelDetail, tunnelReason, waitWords } from "./failure_reason.ts";
import { sendFailure } from "./local_reply.ts";
import { type ConnectCount, openTunnel } from "./open_tunnel.ts";
import { type ReasonCode, REASONS } from "./reason.ts";
import type { Tunnel, TunnelEnd, TunnelOwner } from "./tunnel.ts";

/** How tunnels are opened; times in milliseconds. */
export interface ConnectSettings {
  readonly connector: ByteConnector;
  /** For the look-up and the dial together. */
  readonly connectTimeoutMs: number;
  readonly tunnelIdleTimeoutMs: number;
  /** Added to the answer that the tunnel is there. */
  readonly fields: FieldSection;
  /** The reason phrase of a failure. */
  phrase(status: number, reason: ReasonCode, detail: string): string;
}

export class ConnectExchange implements DownstreamStreamEvents, BytesEnd, EndedExchange, TunnelOwner {
  readonly #context: ExchangeContext;
  readonly #settings: ConnectSettings;
  #dial: Dial | null = null;
  #tunnel: Tunnel | null = null;
  /** Null before it is begun. */
  #count: ConnectCount | null = null;
  readonly source: Counted;
  readonly route: Counted;
  readonly client: DownstreamStream;
  readonly head: Head;
  /** The user of the proxy; "" = not known. */
  user = "";
  status = 0;
  reason: ReasonCode | "" = "";
  detail = "";
  /** IP literal that was dialled; "" = not known. */
  #address = "";
  attempts = 0;
  readonly offeredBefore: number;
  readonly beganAt: number;
  readonly #headAt: number;
  connectMs = 0;
  endedAt = 0;

  /** @param source where it goes, and the rule by which it does: for logs and counters */
  constructor(
    context: ExchangeContext,
    settings: ConnectSettings,
    client: DownstreamStream,
    head: Head,
    source: Counted,
    route: Counted,
  ) {
    this.#context = context;
    this.#settings = settings;
    this.client = client;
    this.head = head;
    this.source = source;
    this.route = route;
    this.offeredBefore = client.offeredBytes;
    this.beganAt = client.requestBeganAt;
    this.#headAt = context.turn.now;
  }

  begin(address: Address, count: ConnectCount): void {
    this.#count = count;
    const { connector, connectTimeoutMs } = this.#settings;
    this.client.events = this;
    this.attempts = 1;
    this.#dial = connector.connect(address, connectTimeoutMs, this);
  }

  /** BytesEnd. */
  opened(bytes: ByteStream, address: string): void {
    const { client } = this;
    const { turn } = this.#context;
    this.#dial = null;
    this.connectMs = turn.now - this.#headAt;
    this.#address = address;
    this.status = 200;
    const { tunnelIdleTimeoutMs, fields } = this.#settings;
    openTunnel(this.#context, {
      client: client.acceptTunnel(ownFields(fields)),
      upstream: bytes,
      endpoint: null,
      idleMs: tunnelIdleTimeoutMs,
      isWebsocket: false,
    }, this);
  }

  /** TunnelOwner. */
  tunnelBegun(tunnel: Tunnel): void {
    this.#tunnel = tunnel;
  }

  /** TunnelOwner. */
  tunnelEnded(_tunnel: Tunnel, how: TunnelEnd): void {
    this.#done(tunnelReason(how), tunnelDetail(how));
  }

  /** BytesEnd. */
  failed({ code, detail }: SocketError): void {
    this.#dial = null;
    this.fail(dialReason(code), detail, waitWords(code, detail));
  }

  /**
   * Answers with a failure. Also before `begin`.
   *
   * @param shown words that the client may see
   */
  fail(code: ReasonCode, detail: string, shown: string): void {
    const { client } = this;
    const { status } = REASONS[code];
    const { forward, date } = this.#context;
    client.events = null;
    this.status = status;
    sendFailure(client, {
      reason: code,
      status,
      phrase: this.#settings.phrase(status, code, shown),
      brief: true,
      via: forward.via,
      detail: shown,
      date: date(),
      bodiless: false,
      fields: NO_FIELDS,
      close: true,
    });
    this.#done(code, detail);
  }

  #done(code: ReasonCode | "", detail: string): void {
    this.reason = code;
    this.detail = detail;
    this.endedAt = this.#context.turn.now;
    this.#count?.connectOver();
    this.#context.exchangeDone(this);
  }

  // The client while the destination is dialled

  get leastRate(): number {
    return 0;
  }

  downstreamBody(): void {}

  downstreamEnd(): void {}

  downstreamWritable(): void {}

  downstreamFault({ detail }: Fault): void {
    this.#giveUp("client_gone", detail);
  }

  /** It sends nothing more, which is passed on once the tunnel is there: half-closes are the destination's to judge. */
  downstreamEnded(): void {}

  downstreamGone({ code, detail }: CloseReason): void {
    this.#dial?.cancel();
    this.#dial = null;
    if (code === "aborted") this.#done("shutting_down", "");
    else this.#done("client_gone", detail);
  }

  downstreamTimedOut(): void {
    this.#giveUp("client_timeout", "");
  }

  #giveUp(code: ReasonCode, detail: string): void {
    this.#dial?.cancel();
    this.#dial = null;
    this.client.events = null;
    this.#done(code, detail);
    this.client.abort();
  }

  // EndedExchange

  get requestBodyBytes(): number {
    return this.#tunnel === null ? 0 : this.#tunnel.clientBytes;
  }

  get responseBodyBytes(): number {
    return this.#tunnel === null ? 0 : this.#tunnel.upstreamBytes;
  }

  get upgraded(): boolean {
    return this.#tunnel !== null;
  }

  /** Host and port, and the address that was dialled. */
  get endpointName(): string {
    const { target } = this.head;
    return this.#address === "" ? target : `${target} (${this.#address})`;
  }

  get headMs(): number {
    return this.#headAt - this.beganAt;
  }

  // What others have. No fields: they would be a third of what a tunnel that rests keeps of its request.

  get retry(): null {
    return null;
  }

  get answeredBy(): null {
    return null;
  }

  get resubmissions(): number {
    return 0;
  }

  get credential(): string {
    return "";
  }

  get offeredCredential(): string {
    return "";
  }

  get reusedConnection(): boolean {
    return false;
  }

  get pinned(): boolean {
    return false;
  }

  get bodyMs(): number {
    return 0;
  }

  get waitMs(): number {
    return 0;
  }

  get heldMs(): number {
    return 0;
  }

  get firstByteMs(): number {
    return 0;
  }
}
