/** Backends and clients in memory, with a clock that a test moves; what is between them is the business of other labs. */

import assert from "node:assert/strict";
import type { Socket } from "../../runtime/contract/contract.ts";
import { FakeClock } from "./fake_clock.ts";
import { Peer } from "./memory_lab.ts";
import { createMemoryRuntime, type MemoryListener, type MemoryRuntime } from "./memory_runtime.ts";
import { turn } from "./watchdog.ts";

/** The clock moves by this much at a time, so that what follows from one moment is over before the next. */
const STEP_MS = 5;
/** Real milliseconds. */
const PLATFORM_MS = 10_000;

/** Answers each request with its own name and the target, at once or when told to. */
export class PlaneBackend {
  readonly port: number;
  readonly #lab: NetworkLab;
  #listener: MemoryListener | null = null;
  /** Targets of requests in the order in which they came. */
  readonly asked: string[] = [];
  readonly peers: Peer[] = [];
  /** Requests are kept, and answered by `answer`. */
  keeps = false;
  readonly #kept: (() => void)[] = [];
  /** Answers instead of the usual one. */
  script: ((peer: Peer, head: string) => void) | null = null;

  readonly host: string;

  constructor(lab: NetworkLab, port: number, host = "127.0.0.1") {
    this.#lab = lab;
    this.port = port;
    this.host = host;
  }

  async up(): Promise<this> {
    this.#listener = await this.#lab.runtime.listen({
      address: { kind: "tcp", host: this.host, port: this.port },
      backlog: 511,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1000,
    }, {
      accepted: (socket) => {
        const peer = new Peer();
        peer.socket = socket;
        peer.onData = () => this.#data(peer);
        peer.ended = () => {
          peer.end += "ended ";
          socket.close();
        };
        this.peers.push(peer);
        return peer;
      },
      acceptFailed() {},
    });
    return this;
  }

  down(): void {
    void this.#listener?.close();
    this.#listener = null;
  }

  #data(peer: Peer): void {
    for (let end = peer.received.indexOf("\r\n\r\n"); end >= 0; end = peer.received.indexOf("\r\n\r\n")) {
      const head = peer.received.slice(0, end + 4);
      peer.received = peer.received.slice(end + 4);
      const target = head.split(" ")[1] ?? "";
      this.asked.push(target);
      if (this.script !== null) {
        this.script(peer, head);
        return;
      }
      const text = `${this.port}${target}`;
      const answer = () => peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
      if (this.keeps) this.#kept.push(answer);
      else answer();
    }
  }

  /** Answers the oldest kept request, or all. */
  answer(count = Infinity): void {
    for (const answer of this.#kept.splice(0, count)) answer();
  }

  get open(): number {
    return this.peers.filter(({ end }) => end === "").length;
  }
}

export class NetworkLab {
  readonly clock = new FakeClock();
  readonly runtime: MemoryRuntime = createMemoryRuntime({ clock: this.clock });
  readonly backends: PlaneBackend[] = [];
  /** Of Sluice. */
  ports: readonly number[] = [];

  backend(port: number, host?: string): Promise<PlaneBackend> {
    const backend = new PlaneBackend(this, port, host);
    this.backends.push(backend);
    return backend.up();
  }

  /** Hosts of the backends that have had requests. */
  reached(): string[] {
    return this.backends.filter(({ asked }) => asked.length > 0).map(({ host }) => host);
  }

  /** A client that is connected. */
  dial(port = this.ports[0] ?? 0): Peer {
    const peer = new Peer();
    this.runtime.dial({ address: { kind: "tcp", host: "127.0.0.1", port }, timeoutMs: 1000, tls: null }, {
      opened: (socket: Socket) => {
        peer.socket = socket;
        return peer;
      },
      failed: ({ code }) => {
        peer.end = code;
        return undefined as never;
      },
    });
    this.runtime.network.run();
    return peer;
  }

  /** A client that has sent a request. */
  ask(target = "/", method = "GET"): Peer {
    const client = this.dial();
    client.say(`${method} ${target} HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\n\r\n`);
    this.runtime.network.run();
    return client;
  }

  asks(count: number): Peer[] {
    return Array.from({ length: count }, (_, at) => this.ask(`/${at + 1}`));
  }

  /** Time passes. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.runtime.network.advance(Math.min(STEP_MS, left));
      await turn();
    }
    this.runtime.network.run();
    await turn();
  }

  /**
   * Time passes until it holds. What the platform does by itself (a module that is loaded, a digest) takes as long as it takes,
   * whatever our clock says: 120 s of ours may be over in 50 ms.
   */
  async until(what: string, holds: () => boolean, mostMs = 120_000): Promise<void> {
    for (let passed = 0; !holds() && passed < mostMs; passed += STEP_MS) await this.pass(STEP_MS);
    const deadline = performance.now() + PLATFORM_MS;
    while (!holds()) {
      assert.ok(performance.now() < deadline, `still waiting for ${what}`);
      await turn();
      this.runtime.network.run();
    }
  }

  /** What a verb answers; time passes until it does. */
  async done<T>(answer: Promise<T>, mostMs = 120_000): Promise<T> {
    let settled = false;
    const watched = answer.finally(() => (settled = true));
    // It is looked at when time has passed: until then nobody has caught it.
    watched.catch(() => {});
    await this.until("an answer", () => settled, mostMs);
    return await watched;
  }
}

/** Status and body of the answer that a client has. */
export function answerOf(peer: Peer): string {
  if (peer.received === "") return "";
  return `${peer.received.slice(9, 12)} ${peer.received.split("\r\n\r\n").at(-1)}`;
}
