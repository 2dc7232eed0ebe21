/** The proxy of a case: built from a configuration value, on the case's network, under observation. */

import type {
  Address,
  DialEvents,
  Runtime,
  Socket,
  SocketError,
} from "../../../runtime/contract/contract.ts";
import { buildSnapshot, type SnapshotObserver } from "../../../src/process/worker/snapshot.ts";
import type { Config } from "../../../src/config/values/config.ts";
import type { RequestHandler } from "../../../src/http/downstream_stream.ts";
import type { Connection } from "../../../src/conn/connection.ts";
import type { Turn } from "../../../src/time/turn.ts";
import type { EndedExchange } from "../../../src/exchange/ended_exchange.ts";
import type { Tunnel } from "../../../src/exchange/tunnel.ts";
import { Gateway } from "../../../src/gateway/gateway.ts";
import type { GatewayObserver } from "../../../src/gateway/snapshot.ts";
import type { Script } from "../../../src/script/script.ts";
import { NO_FAULTS } from "../../../src/script/script_faults.ts";
import type { ScriptSet } from "../../../src/script/script_set.ts";
import type { LocalAnswer } from "../../../src/script/script_host.ts";
import type { Endpoint } from "../../../src/upstream/endpoint.ts";
import type { Destinations } from "../../../src/upstream/destinations.ts";
import type { Upstream } from "../../../src/upstream/upstream.ts";
import { createMemoryRuntime, type MemoryNetwork } from "../../support/memory_runtime.ts";
import { MemorySystem } from "../../support/memory_system.ts";
import { Finding } from "./strict_reader.ts";

/**
 * Bytes that may wait for a peer that does not read: the mark at which the source is paused (64 KiB), one
 * chunk of the platform (64 KiB) and what is joined in one turn (128 KiB), with room for framing.
 */
const MOST_BACKLOG_BYTES = 320 * 1024;

export class FuzzedSluice implements SnapshotObserver, GatewayObserver {
  gateway!: Gateway; // set by `start`
  /** That of the routes, and those that a forward proxy makes on demand, forgotten ones included. */
  readonly upstreams = new Set<Upstream>();
  #destinations: Destinations | null = null;
  turn!: Turn; // set by `start`
  port = 0;
  readonly #trace: (who: string, what: string) => void;
  readonly #connections = new Set<Connection>();
  #begun = 0;
  readonly #done = new Set<EndedExchange>();
  #answers = 0;
  #tunnels = 0;

  constructor(trace: (who: string, what: string) => void) {
    this.#trace = trace;
  }

  static async start(
    network: MemoryNetwork,
    config: Config,
    trace: (who: string, what: string) => void,
    files: Readonly<Record<string, string>>,
    script: Script | null,
  ): Promise<FuzzedSluice> {
    const sluice = new FuzzedSluice(trace);
    const runtime = sluice.#watched(createMemoryRuntime({ network }));
    const scripts: ScriptSet | null = script === null
      ? null
      : { global: script, faults: NO_FAULTS, of: () => script };
    const { snapshot, upstreams } = await buildSnapshot(
      runtime,
      new MemorySystem({ files }),
      config,
      sluice,
      undefined,
      undefined,
      null,
      [],
      undefined,
      scripts,
    );
    for (const upstream of upstreams) sluice.upstreams.add(upstream);
    if (snapshot.forward !== null) sluice.#watchDestinations(snapshot.forward.destinations);
    sluice.turn = snapshot.exchange.turn;
    const { open } = snapshot;
    const counted = {
      ...snapshot,
      open: (socket: Socket, handler: RequestHandler) => open(socket, sluice.#counting(handler)),
    };
    sluice.gateway = new Gateway(runtime, counted, sluice);
    const { address } = await sluice.gateway.bind({
      address: { kind: "tcp", host: "127.0.0.1", port: 0 },
      backlog: 511,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 5000,
    }, config.forward !== null);
    sluice.port = address.kind === "tcp" ? address.port : 0;
    return sluice;
  }

  #watchDestinations(destinations: Destinations): void {
    this.#destinations = destinations;
    const make = destinations.make.bind(destinations);
    destinations.make = (...asked) => {
      const upstream = make(...asked);
      if (upstream !== null) this.upstreams.add(upstream);
      return upstream;
    };
  }

  /** The runtime, with every connection that is made through it noted. */
  #watched(inner: Runtime): Runtime {
    return {
      name: inner.name,
      version: inner.version,
      capabilities: inner.capabilities,
      clock: inner.clock,
      secure: (options, events) => inner.secure(options, events),
      openDatagrams: (options, heard) => inner.openDatagrams(options, heard),
      resolve: (host) => inner.resolve(host),
      releaseMemory: () => inner.releaseMemory(),
      discard: inner.discard,
      reserve: (options) => inner.reserve(options),
      listen: (options, events) =>
        inner.listen(options, {
          accepted: (socket) => {
            const connection = events.accepted(socket);
            this.#connections.add(connection as Connection);
            return connection;
          },
          acceptFailed: (error) => events.acceptFailed(error),
        }),
      dial: (options, events: DialEvents) =>
        inner.dial(options, {
          opened: (socket) => {
            const connection = events.opened(socket);
            this.#connections.add(connection as Connection);
            return connection;
          },
          failed: (error) => events.failed(error),
        }),
    };
  }

  /** The handler, with every request noted. */
  #counting(inner: RequestHandler): RequestHandler {
    return {
      request: (stream, head) => {
        this.#begun++;
        inner.request(stream, head);
      },
      refused: (stream, fault, head) => {
        this.#begun++;
        inner.refused(stream, fault, head);
      },
      connectionClosed: (peer) => inner.connectionClosed(peer),
    };
  }

  /** What must hold at any time. @throws Finding */
  check(): void {
    for (const upstream of this.upstreams) this.#checkUpstream(upstream);
    for (const connection of this.#connections) {
      if (connection.backlogBytes > MOST_BACKLOG_BYTES) {
        throw new Finding(`a backlog of ${connection.backlogBytes} bytes`);
      }
      if (connection.sendingEnded && connection.backlogBytes === 0) this.#connections.delete(connection);
    }
  }

  #checkUpstream(upstream: Upstream): void {
    let busy = 0;
    for (const { busy: served, dialing, pool, settings, name } of upstream.endpoints) {
      busy += served;
      const { maxInFlight } = settings;
      if (served < 0 || dialing < 0) throw new Finding(`${name}: ${served} busy, ${dialing} dialing`);
      if (maxInFlight > 0 && served + dialing > maxInFlight) {
        throw new Finding(`${name}: ${served} busy and ${dialing} dialing, ${maxInFlight} allowed`);
      }
      if (maxInFlight > 0 && served + dialing + pool.size > maxInFlight) {
        throw new Finding(
          `${name}: ${served} busy, ${dialing} dialing and ${pool.size} idle, ${maxInFlight} allowed`,
        );
      }
    }
    if (busy !== upstream.inFlight) throw new Finding(`${upstream.inFlight} in flight, ${busy} on endpoints`);
    if (upstream.waiting < 0 || upstream.bufferedBytes < 0 || upstream.copiedBytes < 0) {
      throw new Finding(`${upstream.waiting} waiting, ${upstream.bufferedBytes} bytes buffered`);
    }
  }

  /** What must hold when everybody has gone and all deadlines have passed. @throws Finding */
  checkEnd(): void {
    this.check();
    const { gateway, turn } = this;
    const all = [...this.upstreams];
    const sum = (count: (upstream: Upstream) => number) =>
      all.reduce((total, each) => total + count(each), 0);
    const left = {
      connections: gateway.connections,
      tunnels: this.#tunnels,
      inFlight: sum(({ inFlight }) => inFlight),
      waiting: sum(({ waiting }) => waiting),
      bufferedBytes: sum(({ bufferedBytes }) => bufferedBytes),
      copiedBytes: sum(({ copiedBytes }) => copiedBytes),
      scriptBytes: gateway.scriptHost.bodyBytes,
      busy: sum(({ endpoints }) => endpoints.reduce((total, { busy }) => total + busy, 0)),
      dialing: sum(({ endpoints }) => endpoints.reduce((total, { dialing }) => total + dialing, 0)),
      idle: sum(({ endpoints }) => endpoints.reduce((total, { pool }) => total + pool.size, 0)),
      destinations: this.#destinations?.size ?? 0,
      deadlines: turn.deadlines.size,
    };
    for (const [what, count] of Object.entries(left)) {
      if (count !== 0) throw new Finding(`at the end ${what} is ${count}: ${JSON.stringify(left)}`);
    }
    const begun = this.#begun;
    const reported = this.#done.size + this.#answers;
    if (begun !== reported) throw new Finding(`${begun} requests begun, ${reported} reported`);
  }

  // Observers

  exchangeDone(exchange: EndedExchange): void {
    if (this.#done.has(exchange)) throw new Finding(`${exchange.head.target} was reported twice`);
    this.#done.add(exchange);
    const { status, reason, detail, attempts } = exchange;
    this.#trace(
      "sluice",
      `ends ${exchange.head.method} ${
        exchange.head.find("x-id") ?? ""
      }: ${status} ${reason} ${detail} after ${attempts}`,
    );
    if (reason === "" && status === 0) throw new Finding("an exchange failed without a reason");
  }

  answeredLocally({ status, reason, detail }: LocalAnswer): void {
    this.#trace("sluice", `answers ${status} ${reason} ${detail}`);
    if (reason === "") throw new Finding(`a local answer without a reason: ${status}`);
    // Such a connection is answered without having asked.
    if (reason !== "too_many_connections") this.#answers++;
  }

  tunnelOpened(tunnel: Tunnel): void {
    this.#tunnels++;
    this.gateway.tunnelOpened(tunnel);
  }

  tunnelClosed(tunnel: Tunnel): void {
    this.#tunnels--;
    this.gateway.tunnelClosed(tunnel);
  }

  endpointDown(_upstream: Upstream, endpoint: Endpoint, error: SocketError): void {
    this.#trace("sluice", `${endpoint.name} is down: ${error.code}`);
  }

  endpointUp(_upstream: Upstream, endpoint: Endpoint): void {
    this.#trace("sluice", `${endpoint.name} is up`);
  }

  acceptFailed(_address: Address, error: SocketError): void {
    throw new Finding(`accept failed: ${error.code}`);
  }
}
