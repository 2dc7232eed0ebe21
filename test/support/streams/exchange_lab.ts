/** Exchanges between the far ends of a wire: nothing here knows which wire it is. */

import assert from "node:assert/strict";
import type { Runtime } from "../../../runtime/contract/contract.ts";
import type { EndedExchange } from "../../../src/exchange/ended_exchange.ts";
import { Exchange } from "../../../src/exchange/exchange.ts";
import { LastForwarded } from "../../../src/exchange/forward_request.ts";
import type { ExchangeContext } from "../../../src/exchange/exchange_context.ts";
import type { ExchangeSettings } from "../../../src/exchange/exchange_settings.ts";
import type { ReasonCode } from "../../../src/exchange/reason.ts";
import type { RetryPolicy } from "../../../src/exchange/retry.ts";
import type { Tunnel } from "../../../src/exchange/tunnel.ts";
import { type BodyLength, NO_BODY } from "../../../src/http/body_length.ts";
import type {
  DownstreamPeer,
  DownstreamStream,
  RequestHandler,
} from "../../../src/http/downstream_stream.ts";
import type { Head } from "../../../src/http/head.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { fieldSection } from "../../../src/http/own_fields.ts";
import { RoundRobin } from "../../../src/upstream/balance/round_robin.ts";
import type { EndpointSettings } from "../../../src/upstream/endpoint_settings.ts";
import { Upstream } from "../../../src/upstream/upstream.ts";
import type { UpstreamSettings } from "../../../src/upstream/upstream_settings.ts";
import type { Pair } from "./pairs.ts";
import type { ClientConnection, ClientEnd, EndpointEnd, OpenWire, Wire } from "./wire.ts";

export interface ExchangeLabOptions {
  readonly endpoints?: number;
  readonly maxInFlight?: number;
  readonly poolSize?: number;
  readonly upstream?: Partial<UpstreamSettings>;
  readonly exchange?: Partial<Omit<ExchangeSettings, "upstream">>;
  readonly retry?: Partial<RetryPolicy>;
  readonly maxBodyBytes?: number;
  readonly servesHalfClosed?: boolean;
  /** Default: nothing on the wire is up to chance. */
  readonly seed?: number;
}

/** What was told of an exchange that has ended. */
export interface Ended {
  readonly target: string;
  readonly status: number;
  readonly reason: ReasonCode | "";
  readonly detail: string;
  readonly attempts: number;
  readonly requestBodyBytes: number;
  readonly responseBodyBytes: number;
  readonly upgraded: boolean;
  readonly pinned: boolean;
}

export const HOST: Pair = ["Host", "a.test"];
/** Of both sides, in milliseconds. */
export const BODY_IDLE_MS = 10_000;
export const FIRST_BYTE_MS = 20_000;
export const TUNNEL_IDLE_MS = 60_000;
/** Longer than it takes until anything that is under way has timed out. */
const LONG_MS = 200_000;

export class ExchangeLab implements RequestHandler {
  readonly wire: OpenWire;
  readonly upstream: Upstream;
  readonly settings: ExchangeSettings;
  readonly retry: RetryPolicy;
  readonly context: ExchangeContext;
  /** In the order of their ends. */
  readonly ended: Ended[] = [];
  readonly tunnels = new Set<Tunnel>();
  /** By order of arrival. */
  readonly exchanges: Exchange[] = [];

  constructor(wire: Wire, options: ExchangeLabOptions = {}) {
    this.wire = wire.open({
      seed: options.seed ?? null,
      bodyIdleTimeoutMs: BODY_IDLE_MS,
      servesHalfClosed: options.servesHalfClosed === true,
    });
    const { clock, turn, connector } = this.wire;
    // The cast: endpoints with addresses need nothing else of a platform.
    const runtime = { clock } as unknown as Runtime;
    this.upstream = new Upstream(runtime, connector, {
      name: "lab",
      policy: (endpoints) => new RoundRobin(endpoints),
      holdMs: 30_000,
      holdIntervalMs: null,
      queueSize: 1000,
      queueBytes: 1 << 20,
      queueTimeoutMs: 30_000,
      connectTimeoutMs: 5000,
      limits: DEFAULT_LIMITS,
      endpoints: Array.from({ length: options.endpoints ?? 1 }, (_, i) => endpointSettings(i, options)),
      ...options.upstream,
    }, { endpointDown() {}, endpointUp() {} });
    this.settings = {
      upstream: this.upstream,
      requestBufferBytes: 64 * 1024,
      slotsLimited: (options.maxInFlight ?? 0) > 0,
      firstByteTimeoutMs: FIRST_BYTE_MS,
      bodyIdleTimeoutMs: BODY_IDLE_MS,
      tunnelIdleTimeoutMs: TUNNEL_IDLE_MS,
      bodyRate: 0,
      hostHeader: { kind: "pass" },
      ...options.exchange,
    };
    this.retry = {
      on: ["reset", "timeout"],
      methods: ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"],
      tries: 0,
      unansweredTries: 3,
      unanswered: false,
      ...options.retry,
    };
    const date = fieldSection(["Date", "today"]);
    this.context = {
      forward: { via: "sluice", dropUnderscored: false, outbound: false, last: new LastForwarded() },
      maxBodyBytes: options.maxBodyBytes ?? 0,
      upgrades: ["websocket", "chat"],
      turn,
      date: () => date,
      later: (ms, fire) => {
        clock.setTimer(ms, () => {
          turn.begin();
          fire();
          turn.end();
        }, true);
      },
      exchangeDone: (exchange) => this.#ended(exchange),
      tunnelOpened: (tunnel) => this.tunnels.add(tunnel),
      tunnelClosed: (tunnel) => this.tunnels.delete(tunnel),
    };
  }

  #ended(exchange: EndedExchange): void {
    const { head, status, reason, detail, attempts } = exchange;
    const { requestBodyBytes, responseBodyBytes, upgraded, pinned } = exchange;
    this.ended.push({
      target: head.target,
      status,
      reason,
      detail,
      attempts,
      requestBodyBytes,
      responseBodyBytes,
      upgraded,
      pinned,
    });
  }

  // RequestHandler

  request(stream: DownstreamStream, head: Head): void {
    const { context, settings, retry } = this;
    const route = { name: "route", counters: null };
    const exchange = new Exchange(context, settings, retry, stream, head, head.target, head.host, route);
    this.exchanges.push(exchange);
    exchange.begin();
  }

  refused(): void {
    assert.fail("no test here sends a head that is refused");
  }

  connectionClosed(_peer: DownstreamPeer): void {}

  // Far ends

  connect(): ClientConnection {
    return this.wire.connect(this);
  }

  /** A request on a connection of its own, as far as its head. */
  ask(
    method = "GET",
    length: BodyLength = NO_BODY,
    fields: readonly Pair[] = [],
    target = "/",
  ): ClientEnd {
    return this.connect().request(method, target, [HOST, ...fields], length);
  }

  /** The request that an endpoint has got, the first one or the one at `index`. */
  got(index = 0): EndpointEnd {
    const request = this.wire.requests.at(index);
    assert.ok(request !== undefined, `request ${index} has reached an endpoint`);
    return request;
  }

  /** The one exchange that has ended. */
  get only(): Ended {
    assert.equal(this.ended.length, 1, "one exchange has ended, once");
    return this.ended[0] as Ended;
  }

  /** Its status and reason. */
  outcome(): readonly [status: number, reason: string] {
    const { status, reason } = this.only;
    return [status, reason];
  }

  /** The time of all endpoints is up: what goes through them on `connection` is ended, as the gateway does it. */
  withdraw({ peer }: ClientConnection): void {
    this.wire.take(() =>
      peer.forEachStream(({ events }) => {
        if (events instanceof Exchange && events.endpointInUse !== null) events.endpointWithdrawn();
      })
    );
  }

  phase(index = 0): string {
    const exchange = this.exchanges.at(index);
    assert.ok(exchange !== undefined);
    return exchange.phase;
  }

  advance(ms: number): void {
    this.wire.advance(ms);
  }

  /** Everything is over, every exchange has told so once, and nothing is counted that is not there. */
  assertQuiet(): void {
    const { upstream, wire } = this;
    assert.deepEqual(wire.violations, []);
    assert.equal(this.ended.length, this.exchanges.length, "each exchange has told its end once");
    for (const { phase } of this.exchanges) assert.equal(phase, "done");
    assert.equal(upstream.waiting, 0, "nobody waits");
    assert.equal(upstream.inFlight, 0, "nothing is in flight");
    assert.equal(upstream.bufferedBytes, 0, "nothing is buffered");
    assert.equal(upstream.copiedBytes, 0, "no copy is kept");
    assert.equal(this.tunnels.size, 0, "no tunnel is open");
    for (const endpoint of upstream.endpoints) {
      assert.equal(endpoint.busy, 0, `${endpoint.name} is not busy`);
      assert.equal(endpoint.pinned - endpoint.pinnedIdle, 0, `${endpoint.name}: no pin is in use`);
    }
  }

  /** The same after all deadlines have passed, with nothing left open. */
  assertQuietAtLast(): void {
    this.advance(LONG_MS);
    this.assertQuiet();
    assert.deepEqual(this.wire.fates().filter((fate) => fate === "open"), [], "no connection is left");
  }
}

function endpointSettings(index: number, options: ExchangeLabOptions): EndpointSettings {
  return {
    name: `e${index}`,
    key: {
      scheme: "http",
      address: { kind: "tcp", host: "127.0.0.1", port: 3000 + index },
      tls: null,
      proxyChain: [],
      credentials: "",
    },
    hostField: `e${index}.test`,
    weight: 1,
    maxInFlight: options.maxInFlight ?? 0,
    pool: { size: options.poolSize ?? 16, idleTimeoutMs: 60_000, maxAgeMs: 0 },
  };
}
