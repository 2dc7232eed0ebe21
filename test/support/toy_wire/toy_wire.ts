/**
 * A wire with many streams on one connection, over sockets in memory: what handles requests has to work on it as it does
 * on HTTP/1.
 */

import type { Socket, SocketErrorCode } from "../../../runtime/contract/contract.ts";
import type { ConnectEnd, ConnectOptions, Connector } from "../../../src/client/connector.ts";
import type { ReuseKey } from "../../../src/client/reuse_key.ts";
import type { RequestHandler } from "../../../src/http/downstream_stream.ts";
import { FakeClock } from "../fake_clock.ts";
import { MemoryNetwork } from "../memory_network.ts";
import { MemorySocket } from "../memory_socket.ts";
import type { EndpointEnd, OpenWire, Wire, WireOptions } from "../streams/wire.ts";
import type { ConnectionFate } from "../streams/wire.ts";
import { TestTurn } from "../streams/test_turn.ts";
import { ToyClient } from "./toy_client.ts";
import { ToyEndpoint } from "./toy_endpoint.ts";
import { ToyServer } from "./toy_server.ts";
import { ToyUpstreamPeer } from "./toy_upstream.ts";

const CLIENT = { remoteAddress: "192.0.2.1", remotePort: 40_000, localAddress: "192.0.2.2", localPort: 80 };
const DIALLED = {
  remoteAddress: "127.0.0.1",
  remotePort: 3000,
  localAddress: "127.0.0.1",
  localPort: 50_000,
};

export const TOY: Wire = {
  name: "on the toy wire",
  sharesConnections: true,
  open: (options) => new ToyWire(options),
};

export class ToyWire implements OpenWire {
  readonly #options: WireOptions;
  readonly clock: FakeClock;
  readonly network: MemoryNetwork;
  readonly turn: TestTurn;
  readonly connector: Connector;
  readonly requests: EndpointEnd[] = [];
  readonly violations: string[] = [];
  readonly #endpoints: ToyEndpoint[] = [];
  #outcome: SocketErrorCode | null = null;

  /** @param network runs on `clock` */
  constructor(
    options: WireOptions,
    clock: FakeClock = new FakeClock(),
    network: MemoryNetwork = new MemoryNetwork({ clock, seed: options.seed }),
  ) {
    this.#options = options;
    this.clock = clock;
    this.network = network;
    this.turn = new TestTurn(clock);
    const connect = (_key: ReuseKey, { owner }: ConnectOptions, end: ConnectEnd): void => {
      this.clock.setTimer(0, () => this.#dialled(owner, end), true);
    };
    // The cast: of a connector, nothing else is ever used.
    this.connector = { turn: this.turn, connect } as unknown as Connector;
  }

  #dialled(owner: ConnectOptions["owner"], end: ConnectEnd): void {
    this.turn.begin();
    const code = this.#outcome;
    if (code !== null) {
      end.failed({ code, detail: code });
      return;
    }
    const [near, far] = this.#pair(DIALLED);
    far.open((socket) => {
      const endpoint = new ToyEndpoint(this, socket, this.#endpoints.length);
      this.#endpoints.push(endpoint);
      return endpoint;
    });
    near.open((socket) => {
      const peer = new ToyUpstreamPeer(this.turn, socket, owner, this.violations);
      const endpoint = this.#endpoints.at(-1);
      if (endpoint !== undefined) endpoint.peer = peer;
      end.opened(peer);
      return peer;
    });
  }

  #pair(ends: typeof CLIENT): [near: MemorySocket, far: MemorySocket] {
    const failed = (error: unknown): never => {
      throw error;
    };
    const near = new MemorySocket(this.network, ends, failed);
    const { remoteAddress, remotePort, localAddress, localPort } = ends;
    const far = new MemorySocket(this.network, {
      remoteAddress: localAddress,
      remotePort: localPort,
      localAddress: remoteAddress,
      localPort: remotePort,
    }, failed);
    MemorySocket.join(near, far);
    return [near, far];
  }

  connect(handler: RequestHandler): ToyClient {
    const [near, far] = this.#pair(CLIENT);
    let client: ToyClient | undefined;
    far.open((socket) => client = new ToyClient(this, socket));
    // The cast: it was called just now.
    const opened = client as unknown as ToyClient;
    near.open((socket) => opened.server = this.serve(socket, handler));
    return opened;
  }

  /** The proxy's end of a client's connection. */
  serve(socket: Socket, handler: RequestHandler): ToyServer {
    return new ToyServer(this.turn, socket, { ...this.#options, violations: this.violations }, handler);
  }

  dials(outcome: SocketErrorCode | null): void {
    this.#outcome = outcome;
  }

  fates(): readonly ConnectionFate[] {
    return this.#endpoints.map(({ isClosed }) => isClosed ? "closed" : "open");
  }

  lose(connection: number): void {
    this.take(() => this.#endpoints[connection]?.close());
  }

  take(happens: () => void): void {
    this.turn.take(happens);
    this.run();
  }

  run(): void {
    this.network.run();
    this.turn.begin();
  }

  advance(ms: number): void {
    this.network.advance(ms);
    this.turn.begin();
  }
}
