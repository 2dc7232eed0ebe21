/**
 * A proxy under test: the real thing from configuration text to sockets, listening on port 0 of the
 * loopback, with everything it reports collected.
 */

import type { Address, Runtime, SocketError, System } from "../../runtime/contract/contract.ts";
import { buildSnapshot, type SnapshotObserver } from "../../src/process/worker/snapshot.ts";
import { loadConfig } from "../../src/config/load_config.ts";
import { formatProblem } from "../../src/config/values/problem.ts";
import type { EndedExchange } from "../../src/exchange/ended_exchange.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import type { GatewayObserver } from "../../src/gateway/snapshot.ts";
import type { Script } from "../../src/script/script.ts";
import { NO_FAULTS, type ScriptFaults } from "../../src/script/script_faults.ts";
import type { LocalAnswer } from "../../src/script/script_host.ts";
import type { ScriptSet } from "../../src/script/script_set.ts";
import { allDestinations } from "../../src/gateway/forward/forward_snapshot.ts";
import type { Tunnel } from "../../src/exchange/tunnel.ts";
import { namedRuntime } from "../../src/resolve/named_runtime.ts";
import type { Endpoint } from "../../src/upstream/endpoint.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import { adapterFactory } from "./adapter.ts";
import { MemorySystem } from "./memory_system.ts";
import { within } from "./watchdog.ts";

/** What is told of a request that has ended. */
export interface Ended {
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
  readonly attempts: number;
  readonly endpoint: string;
  /** Who asked, as far as that is known. */
  readonly user: string;
  readonly reused: boolean;
  readonly waitMs: number;
  readonly heldMs: number;
  readonly upgraded: boolean;
  readonly requestBodyBytes: number;
  readonly responseBodyBytes: number;
  /** Answered without an upstream. */
  readonly local: boolean;
}

export interface TestProxyOptions {
  /** Default: the adapter of the runtime that runs the test. */
  readonly runtime?: Runtime;
  /** Files the configuration names; default: an empty file system. */
  readonly system?: System;
  /** Default: port 0 of 127.0.0.1. */
  readonly listen?: Address;
  /** Clients may ask for any destination there; the configuration has `forward`. */
  readonly forward?: boolean;
  /** Asked before the routes. */
  readonly script?: Script;
  readonly faults?: ScriptFaults;
}

/** Handler errors of all proxies of this process: any is a bug, `TestProxy.stop` throws them. */
const handlerErrors: unknown[] = [];

export class TestProxy implements SnapshotObserver, GatewayObserver {
  readonly runtime: Runtime;
  gateway!: Gateway; // set by `start`
  upstreams: readonly Upstream[] = [];
  port = 0;
  readonly ended: Ended[] = [];
  readonly events: string[] = [];
  #waiting: (() => void)[] = [];
  #numbers = 0;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /** @param yaml configuration; `listen` may be left out */
  static async start(yaml: string, options: TestProxyOptions = {}): Promise<TestProxy> {
    const loaded = loadConfig({ flags: {}, env: {}, file: { path: "test.yaml", text: yaml } });
    if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join("\n"));
    const system = options.system ?? new MemorySystem();
    const platform = options.runtime ??
      (await adapterFactory())({ onHandlerError: (error) => handlerErrors.push(error) });
    const runtime = namedRuntime(platform, system);
    const proxy = new TestProxy(runtime);
    const { script, faults = NO_FAULTS } = options;
    const scripts: ScriptSet | null = script === undefined
      ? null
      : { global: script, faults, of: () => script };
    const built = await buildSnapshot(
      runtime,
      system,
      loaded.config,
      proxy,
      undefined,
      undefined,
      null,
      [],
      undefined,
      scripts,
    );
    proxy.upstreams = built.upstreams;
    proxy.gateway = new Gateway(runtime, built.snapshot, proxy);
    const { address } = await proxy.gateway.bind({
      address: options.listen ?? { kind: "tcp", host: "127.0.0.1", port: 0 },
      backlog: 511,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 5000,
    }, options.forward);
    proxy.port = address.kind === "tcp" ? address.port : 0;
    return proxy;
  }

  /** The upstream of this name; "default" when the configuration says `to`. */
  upstream(name = "default"): Upstream {
    const found = this.upstreams.find((upstream) => upstream.name === name);
    if (found === undefined) throw new Error(`no upstream ${name}`);
    return found;
  }

  /** Resolves when `condition` holds; it is looked at whenever something is reported, and every few ms. */
  async until(what: string, condition: () => boolean): Promise<void> {
    await within(
      (async () => {
        while (!condition()) {
          await new Promise<void>((resolve) => {
            this.#waiting.push(resolve);
            setTimeout(resolve, 5);
          });
        }
      })(),
      what,
    );
  }

  /** The request that ended `index`-th, counted from 0. */
  async endedAt(index: number): Promise<Ended> {
    await this.until(`request ${index} to end`, () => this.ended.length > index);
    return this.ended[index] as Ended;
  }

  /** Ends everything now. @throws the first exception a handler threw */
  async stop(): Promise<void> {
    await this.gateway.drain(0);
    for (const upstream of this.upstreams) upstream.stop();
    for (const destinations of allDestinations(this.gateway.snapshot.forward)) destinations.stop();
    const error = handlerErrors.shift();
    if (error !== undefined) throw error;
  }

  // Observers

  takeNumber(): number {
    return ++this.#numbers;
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  exchangeDone(exchange: EndedExchange): void {
    this.ended.push({
      method: exchange.head.method,
      target: exchange.head.target,
      status: exchange.status,
      reason: exchange.reason,
      detail: exchange.detail,
      attempts: exchange.attempts,
      endpoint: exchange.endpointName,
      user: exchange.user,
      reused: exchange.reusedConnection,
      waitMs: exchange.waitMs,
      heldMs: exchange.heldMs,
      upgraded: exchange.upgraded,
      requestBodyBytes: exchange.requestBodyBytes,
      responseBodyBytes: exchange.responseBodyBytes,
      local: false,
    });
    this.#tell();
  }

  answeredLocally(answer: LocalAnswer): void {
    this.ended.push({
      method: answer.head?.method ?? "",
      target: answer.head?.target ?? "",
      status: answer.status,
      reason: answer.reason,
      detail: answer.detail,
      attempts: 0,
      endpoint: "",
      user: "",
      reused: false,
      waitMs: 0,
      heldMs: 0,
      upgraded: false,
      requestBodyBytes: 0,
      responseBodyBytes: 0,
      local: true,
    });
    this.#tell();
  }

  tunnelOpened(tunnel: Tunnel): void {
    this.gateway.tunnelOpened(tunnel);
    this.#tell();
  }

  tunnelClosed(tunnel: Tunnel): void {
    this.gateway.tunnelClosed(tunnel);
    this.#tell();
  }

  endpointDown(_upstream: Upstream, endpoint: Endpoint, error: SocketError): void {
    this.events.push(`down ${endpoint.name} ${error.code}`);
    this.#tell();
  }

  endpointUp(_upstream: Upstream, endpoint: Endpoint): void {
    this.events.push(`up ${endpoint.name}`);
    this.#tell();
  }

  acceptFailed(_address: Address, error: SocketError): void {
    this.events.push(`accept failed ${error.code}`);
    this.#tell();
  }
}
