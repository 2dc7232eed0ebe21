/** A gateway whose clients and endpoints speak the toy wire. */

import assert from "node:assert/strict";
import type { RetryPolicy } from "../../../src/exchange/retry.ts";
import type { Tunnel } from "../../../src/exchange/tunnel.ts";
import { Gateway } from "../../../src/gateway/gateway.ts";
import { Router } from "../../../src/gateway/router.ts";
import type { GatewayObserver, Snapshot } from "../../../src/gateway/snapshot.ts";
import type { LocalAnswer } from "../../../src/script/script_host.ts";
import type { Route } from "../../../src/gateway/route.ts";
import { TrustedPeers } from "../../../src/gateway/trusted_peers.ts";
import { fieldSection } from "../../../src/http/own_fields.ts";
import { FakeClock } from "../fake_clock.ts";
import { createMemoryRuntime, type MemoryRuntime } from "../memory_runtime.ts";
import { ExchangeLab, type ExchangeLabOptions } from "../streams/exchange_lab.ts";
import { ToyClient } from "./toy_client.ts";
import type { ToyServer } from "./toy_server.ts";
import { ToyWire } from "./toy_wire.ts";

export interface ToyGatewayOptions extends ExchangeLabOptions {
  readonly maxConnections?: number;
  readonly maxRefused?: number;
  readonly trusted?: readonly string[];
}

/** Status and reason of an answer that no endpoint gave. */
export type OwnAnswer = readonly [status: number, reason: string];

const ADDRESS = { kind: "tcp", host: "127.0.0.1", port: 80 } as const;

/** Everything of `a.test` leads to the endpoints, but `/fixed`, which has an answer of its own on every host. */
export class ToyGateway implements GatewayObserver {
  readonly runtime: MemoryRuntime;
  readonly lab: ExchangeLab;
  readonly gateway: Gateway;
  readonly own: OwnAnswer[] = [];
  readonly #wire: ToyWire;
  readonly #servers: ToyServer[] = [];

  private constructor(options: ToyGatewayOptions) {
    const clock = new FakeClock();
    this.runtime = createMemoryRuntime({ clock });
    const { network } = this.runtime;
    let wire: ToyWire | undefined;
    this.lab = new ExchangeLab({
      name: "behind a gateway",
      sharesConnections: true,
      open: (wanted) => wire = new ToyWire(wanted, clock, network),
    }, options);
    assert.ok(wire !== undefined);
    this.#wire = wire;
    this.gateway = new Gateway(this.runtime, this.#snapshot(options), this);
  }

  static async open(options: ToyGatewayOptions = {}): Promise<ToyGateway> {
    const opened = new ToyGateway(options);
    await opened.gateway.listen({
      address: ADDRESS,
      backlog: 511,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1000,
    });
    return opened;
  }

  #snapshot(options: ToyGatewayOptions): Snapshot {
    const { lab } = this;
    const fixed: Omit<Route, "host"> = {
      name: "fixed",
      path: "/fixed",
      counters: null,
      script: null,
      target: {
        kind: "respond",
        status: 200,
        phrase: "OK",
        fields: fieldSection(["Content-Type", "text/plain"]),
        body: "fixed",
      },
    };
    const routes: Route[] = [
      {
        name: "all",
        host: "a.test",
        path: "/",
        counters: null,
        script: null,
        target: upstreamTarget(lab, lab.retry),
      },
      { ...fixed, host: "a.test" },
      { ...fixed, host: null },
    ];
    return {
      router: new Router(routes),
      exchange: {
        ...lab.context,
        tunnelOpened: (tunnel: Tunnel) => this.gateway.tunnelOpened(tunnel),
        tunnelClosed: (tunnel: Tunnel) => this.gateway.tunnelClosed(tunnel),
      },
      open: (socket, handler) => {
        const server = this.#wire.serve(socket, handler);
        this.#servers.push(server);
        return server;
      },
      trusted: new TrustedPeers(options.trusted ?? []),
      rejectUnderscored: true,
      forward: null,
      scripts: null,
      upstreams: new Map(),
      scriptBodyBytes: 0,
      scriptMemoryBytes: 0,
      maxConnections: options.maxConnections ?? 100,
      maxRefused: options.maxRefused ?? 10,
    };
  }

  answeredLocally({ status, reason }: LocalAnswer): void {
    this.own.push([status, reason]);
  }

  acceptFailed(): void {}

  /** Opens a client's connection. */
  connect(): ToyClient {
    let client: ToyClient | undefined;
    this.runtime.dial({ address: ADDRESS, timeoutMs: 1000, tls: null }, {
      opened: (socket) => client = new ToyClient(this.#wire, socket),
      failed: ({ detail }) => assert.fail(detail),
    });
    this.runtime.network.run();
    const server = this.#servers.at(-1);
    assert.ok(client !== undefined && server !== undefined);
    client.server = server;
    return client;
  }

  advance(ms: number): void {
    this.lab.advance(ms);
  }

  /** Lets promises settle while time goes by. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      for (let turns = 0; turns < 5; turns++) await Promise.resolve();
      this.advance(50);
    }
  }

  /** Nothing is open, counted or owed any more. */
  assertQuiet(): void {
    const { upstream, wire } = this.lab;
    assert.deepEqual(wire.violations, []);
    assert.equal(upstream.inFlight + upstream.waiting, 0);
    assert.equal(upstream.bufferedBytes + upstream.copiedBytes, 0);
    assert.equal(this.gateway.tunnels, 0);
    assert.equal(new Set(this.lab.ended.map(({ target }) => target)).size, this.lab.ended.length);
    assert.deepEqual(this.runtime.network.misuses, []);
  }
}

function upstreamTarget({ settings }: ExchangeLab, retry: RetryPolicy): Route["target"] {
  return { kind: "upstream", settings, retry };
}
