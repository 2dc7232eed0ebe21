/** Streams without a wire between their ends; see wire.ts. */

import type { SocketError, SocketErrorCode } from "../../../runtime/contract/contract.ts";
import type { ConnectEnd, ConnectOptions, Connector } from "../../../src/client/connector.ts";
import type { ReuseKey } from "../../../src/client/reuse_key.ts";
import type { RequestHandler } from "../../../src/http/downstream_stream.ts";
import { FakeClock } from "../fake_clock.ts";
import { MemoryClient } from "./memory_downstream.ts";
import { type MemoryUpstream, MemoryUpstreamPeer } from "./memory_upstream.ts";
import { TestTurn } from "./test_turn.ts";
import type { ConnectionFate, OpenWire, Wire, WireOptions } from "./wire.ts";

export const MEMORY: Wire = {
  name: "in memory",
  sharesConnections: false,
  open: (options) => new MemoryWire(options),
};

export class MemoryWire implements OpenWire {
  readonly options: WireOptions;
  readonly clock = new FakeClock();
  readonly turn: TestTurn = new TestTurn(this.clock);
  readonly connector: Connector;
  readonly requests: MemoryUpstream[] = [];
  readonly violations: string[] = [];
  readonly peers: MemoryUpstreamPeer[] = [];
  #outcome: SocketErrorCode | null = null;
  readonly #later: (() => void)[] = [];

  constructor(options: WireOptions) {
    this.options = options;
    const connect = (key: ReuseKey, options: ConnectOptions, end: ConnectEnd): void => {
      this.later(() => this.#dialled(key, options, end));
    };
    // The cast: of a connector, nothing else is ever used.
    this.connector = { turn: this.turn, connect } as unknown as Connector;
  }

  #dialled({ address }: ReuseKey, { owner }: ConnectOptions, end: ConnectEnd): void {
    const code = this.#outcome;
    if (code !== null) {
      const error: SocketError = { code, detail: code };
      end.failed(error);
      return;
    }
    const host = address.kind === "tcp" ? address.host : "";
    const peer = new MemoryUpstreamPeer(this, this.peers.length, owner, host);
    this.peers.push(peer);
    end.opened(peer);
  }

  dials(outcome: SocketErrorCode | null): void {
    this.#outcome = outcome;
  }

  connect(handler: RequestHandler): MemoryClient {
    return new MemoryClient(this, handler);
  }

  fates(): readonly ConnectionFate[] {
    return this.peers.map(({ closed }) => closed ? "closed" : "open");
  }

  lose(connection: number): void {
    this.take(() => this.peers[connection]?.lose());
  }

  take(happens: () => void): void {
    this.turn.take(happens);
    this.run();
  }

  /** For after the present turn. */
  later(event: () => void): void {
    this.#later.push(event);
  }

  run(): void {
    for (let event = this.#later.shift(); event !== undefined; event = this.#later.shift()) {
      this.turn.take(event);
    }
  }

  advance(ms: number): void {
    const until = this.clock.now() + ms;
    this.run();
    while (this.clock.fireNext(until)) this.run();
    this.clock.advance(until - this.clock.now());
    this.turn.begin();
  }
}
