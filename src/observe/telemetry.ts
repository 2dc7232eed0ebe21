/**
 * Hears everything that happens and passes it on: to the access log, to the counters, and, when something
 * failed, to standard error.
 */

import type {
  Address,
  FlushPatience,
  Runtime,
  SocketError,
  System,
} from "../../runtime/contract/contract.ts";
import type { LogConfig } from "../config/values/config.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { EndedExchange } from "../exchange/ended_exchange.ts";
import { type ExchangeRecord, newExchangeRecord } from "../exchange/exchange_record.ts";
import { reason } from "../exchange/reason.ts";
import type { Tunnel } from "../exchange/tunnel.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { LocalAnswer } from "../script/script_host.ts";
import { Field } from "../http/field.ts";
import { type Head, versionText } from "../http/head.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { ObservedUpstream } from "../upstream/upstream_observer.ts";
import { AccessLog } from "./access_log.ts";
import { hostToTell, targetToTell } from "./escape.ts";
import { ExchangeCounters } from "./exchange_counters.ts";
import { FailureRing } from "./failure_ring.ts";
import { type Level, Logger } from "./logger.ts";

/** Text waiting for a log's target beyond which lines are dropped and counted. */
const MOST_BUFFERED_BYTES = 8 * 1024 * 1024;
/** Failed requests that are remembered. */
const RECENT_FAILURES = 50;

/** Hears what happens as well, while it is open. */
export interface EventSink {
  readonly open: boolean;
  endpointDown(upstream: ObservedUpstream, endpoint: Endpoint, error: SocketError): void;
  endpointUp(upstream: ObservedUpstream, endpoint: Endpoint, downMs: number): void;
  held(upstream: ObservedUpstream, waiting: number): void;
  released(upstream: ObservedUpstream, heldMs: number): void;
  /** A request has failed. The record is lent for the call. */
  failed(record: ExchangeRecord): void;
}

/** Is told of each exchange that has ended, in full. The record is lent for the call. */
export interface ExchangeSink {
  record(record: ExchangeRecord): void;
}

export interface TelemetryOptions {
  readonly events?: EventSink;
  readonly exchanges?: ExchangeSink;
  /** Other processes write to the same logs. */
  readonly shared?: boolean;
  /** Exchanges are numbered from here on. */
  readonly firstId?: number;
  /** Default: one of its own, on standard error. */
  readonly logger?: Logger;
  /** An endpoint was found down. */
  readonly onDown?: (upstream: ObservedUpstream, endpoint: Endpoint, error: SocketError) => void;
}

/** @throws SystemError */
export async function openLogger(
  runtime: Runtime,
  system: System,
  config: LogConfig,
  shared = false,
): Promise<Logger> {
  return new Logger(await system.openSink(2, MOST_BUFFERED_BYTES, shared), runtime.clock, {
    level: config.logLevel,
    format: config.logFormat,
  });
}

export class Telemetry {
  readonly counters = new ExchangeCounters();
  readonly failures = new FailureRing(RECENT_FAILURES);
  readonly #runtime: Runtime;
  readonly #accessLog: AccessLog | null;
  readonly #logger: Logger;
  /** One record serves all exchanges: its readers read it at once. */
  readonly #record: ExchangeRecord = newExchangeRecord();
  readonly #onDown: TelemetryOptions["onDown"];
  readonly #events: EventSink | null;
  readonly #exchangeSink: ExchangeSink | null;
  /** The record of an exchange that went well has no reader. */
  readonly #countsOnly: boolean;
  #gateway: Gateway | null = null;
  #exchanges: number;

  constructor(
    runtime: Runtime,
    accessLog: AccessLog | null,
    logger: Logger,
    options: TelemetryOptions = {},
  ) {
    this.#runtime = runtime;
    this.#accessLog = accessLog;
    this.#logger = logger;
    this.#exchanges = (options.firstId ?? 1) - 1;
    this.#onDown = options.onDown;
    this.#events = options.events ?? null;
    this.#exchangeSink = options.exchanges ?? null;
    this.#countsOnly = accessLog === null && this.#exchangeSink === null;
  }

  /** @throws SystemError when a log file cannot be opened */
  static async open(
    runtime: Runtime,
    system: System,
    config: LogConfig,
    options: TelemetryOptions = {},
  ): Promise<Telemetry> {
    const { shared = false } = options;
    const logger = options.logger ?? await openLogger(runtime, system, config, shared);
    const { format, to } = config.accessLog;
    if (format === "off") return new Telemetry(runtime, null, logger, options);
    const target = to === "stdout" ? 1 : to === "stderr" ? 2 : to;
    const sink = await system.openSink(target, MOST_BUFFERED_BYTES, shared);
    const lost = (pieces: number, cause: string) =>
      logger.warn("access_log", `parts of it are lost, ${pieces} so far: ${cause}`);
    return new Telemetry(runtime, new AccessLog(sink, runtime.clock, format, lost), logger, options);
  }

  get wantsPorts(): boolean {
    return this.#accessLog !== null;
  }

  /** The gateway whose tunnels are to be counted. */
  watch(gateway: Gateway): void {
    this.#gateway = gateway;
  }

  /** Lines on standard error. */
  get logger(): Logger {
    return this.#logger;
  }

  log(level: Level, message: string): void {
    this.#logger.log(level, "sluice", message);
  }

  /**
   * Opens log files anew. Resolves when all lines so far are in the old ones.
   *
   * @returns null, or why a file cannot be opened: the old one is written on then, and the failure has been logged
   */
  async reopen(): Promise<string | null> {
    try {
      await this.#accessLog?.reopen();
      return null;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#logger.error("access_log", `cannot be opened anew: ${why}`);
      return `access_log.to: cannot be opened anew: ${why}`;
    }
  }

  /** Writes out what is left. @returns false when lines of the access log are lost */
  async close(patience?: FlushPatience): Promise<boolean> {
    const all = await this.#accessLog?.flush(patience) ?? true;
    await this.#logger.flush(patience);
    return all;
  }

  // Exchanges

  takeNumber(): number {
    return ++this.#exchanges;
  }

  exchangeDone(exchange: EndedExchange): void {
    const record = this.#record;
    const upstream = exchange.source;
    record.id = exchange.id || ++this.#exchanges;
    record.status = exchange.status;
    record.reason = exchange.reason;
    record.upstream = upstream.name;
    record.attempts = exchange.attempts;
    record.resubmissions = exchange.resubmissions;
    record.requestBodyBytes = exchange.requestBodyBytes;
    record.responseBodyBytes = exchange.responseBodyBytes;
    record.heldMs = exchange.heldMs;
    record.upgraded = exchange.upgraded;
    record.headMs = exchange.headMs;
    record.bodyMs = exchange.bodyMs;
    record.waitMs = exchange.waitMs;
    record.firstByteMs = exchange.firstByteMs;
    record.totalMs = exchange.endedAt - exchange.beganAt;
    this.counters.record(record, exchange.route, upstream, exchange.answeredBy);
    if (this.#countsOnly && exchange.reason === "") return;
    record.endpoint = exchange.endpointName;
    record.user = exchange.user;
    record.logFields = exchange.logFields ?? null;
    record.credential = exchange.credential;
    record.route = exchange.route.name;
    record.detail = exchange.detail;
    record.reusedConnection = exchange.reusedConnection;
    record.connectMs = exchange.connectMs;
    record.bytesIn = exchange.head.bytes + exchange.requestBodyBytes;
    record.bytesOut = exchange.client.offeredBytes - exchange.offeredBefore;
    this.#finish(exchange.client, exchange.head);
  }

  answeredLocally(answer: LocalAnswer): void {
    const { client, head } = answer;
    const record = this.#record;
    record.id = answer.id || ++this.#exchanges;
    record.status = answer.status;
    record.reason = answer.reason;
    record.upstream = "";
    record.attempts = 0;
    record.resubmissions = 0;
    record.requestBodyBytes = 0;
    record.responseBodyBytes = 0;
    record.heldMs = 0;
    record.waitMs = 0;
    record.upgraded = false;
    record.totalMs = head === null ? 0 : this.#runtime.clock.now() - client.requestBeganAt;
    this.counters.record(record, answer.route, null, null);
    if (this.#countsOnly && answer.reason === "") return;
    record.endpoint = "";
    record.user = "";
    record.logFields = answer.logFields ?? null;
    record.credential = "";
    record.route = answer.route?.name ?? "";
    record.detail = answer.detail;
    record.reusedConnection = false;
    record.headMs = record.totalMs;
    record.bodyMs = 0;
    record.connectMs = 0;
    record.firstByteMs = 0;
    record.bytesIn = head === null ? 0 : head.bytes;
    record.bytesOut = client.offeredBytes - answer.offeredBefore;
    this.#finish(client, head);
  }

  /** Fills in what comes from the client and its head, and hands the record on. */
  #finish(client: DownstreamStream, head: Head | null): void {
    const record = this.#record;
    record.startedAtWallMs = this.#runtime.clock.wall() - record.totalMs;
    const { peer } = client;
    record.clientAddress = peer.remoteAddress;
    record.clientPort = peer.remotePort;
    record.tls = peer.secure;
    record.scheme = peer.secure ? "https" : "http";
    record.method = head?.method ?? "";
    record.target = targetToTell(head?.target ?? "");
    record.host = hostToTell(head?.host ?? "");
    record.protocol = head === null ? "1.1" : versionText(head.version);
    record.requestHeadBytes = head === null ? 0 : head.bytes;
    const log = this.#accessLog;
    const agent = log !== null && head !== null && log.wantsAgent(head.section);
    record.userAgent = agent ? head.valueOf(Field.userAgent) ?? "" : "";
    record.referer = agent ? head.valueOf(Field.referer) ?? "" : "";
    record.section = head?.section ?? null;
    if (record.reason !== "") {
      this.failures.add(record);
      if (this.#events?.open === true) this.#events.failed(record);
      this.#logFailure(record);
    }
    log?.record(record);
    this.#exchangeSink?.record(record);
  }

  #logFailure(record: ExchangeRecord): void {
    if (record.reason === "") return;
    const { level, sentence } = reason(record.reason);
    if (!this.#logger.enabled(level)) return;
    this.#logger.log(level, record.reason, sentence, {
      status: record.status,
      method: record.method,
      target: record.target,
      ...(record.upstream === "" ? {} : { upstream: record.upstream }),
      ...(record.endpoint === "" ? {} : { endpoint: record.endpoint }),
      attempts: record.attempts,
      held_ms: Math.round(record.heldMs),
      client: record.clientAddress,
      ...(record.detail === "" ? {} : { detail: record.detail }),
    });
  }

  tunnelOpened(tunnel: Tunnel): void {
    this.#gateway?.tunnelOpened(tunnel);
  }

  tunnelClosed(tunnel: Tunnel): void {
    this.#gateway?.tunnelClosed(tunnel);
  }

  // Endpoints and listeners

  endpointDown(upstream: ObservedUpstream, endpoint: Endpoint, error: SocketError): void {
    this.#onDown?.(upstream, endpoint, error);
    if (this.#events?.open === true) this.#events.endpointDown(upstream, endpoint, error);
    this.#logger.warn("endpoint_down", `${endpoint.name} is down: ${error.code}`, {
      upstream: upstream.name,
      endpoint: endpoint.name,
      waiting: upstream.waiting,
      detail: error.detail,
    });
  }

  held(upstream: ObservedUpstream, waiting: number): void {
    if (this.#events?.open === true) this.#events.held(upstream, waiting);
  }

  released(upstream: ObservedUpstream, heldMs: number): void {
    if (this.#events?.open === true) this.#events.released(upstream, heldMs);
  }

  endpointUp(upstream: ObservedUpstream, endpoint: Endpoint, downMs: number): void {
    if (this.#events?.open === true) this.#events.endpointUp(upstream, endpoint, downMs);
    this.#logger.info("endpoint_up", `${endpoint.name} is up after ${Math.round(downMs)} ms`, {
      upstream: upstream.name,
      endpoint: endpoint.name,
      waiting: upstream.waiting,
    });
  }

  acceptFailed(address: Address, error: SocketError): void {
    const where = address.kind === "tcp" ? `${address.host}:${address.port}` : address.path;
    const level = error.code === "resource_exhausted" ? "error" : "debug";
    this.#logger.log(level, "accept_failed", `${where}: ${error.code}`, { detail: error.detail });
  }
}
