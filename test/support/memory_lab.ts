/** A proxy between a client and an origin that a test plays itself, in memory, step by step. */

import assert from "node:assert/strict";
import type { Socket, SocketEvents } from "../../runtime/contract/contract.ts";
import { FakeClock } from "./fake_clock.ts";
import { createMemoryRuntime, type MemoryNetworkOptions, type MemoryRuntime } from "./memory_runtime.ts";
import { TestProxy } from "./proxy.ts";

const ORIGIN_PORT = 3001;

/** One end of a connection: says what it is told, keeps what it gets. */
export class Peer implements SocketEvents {
  socket!: Socket; // set by whoever opens it
  /** Latin-1. */
  received = "";
  /** "ended", "finished", "reset", …: what has happened, in order. */
  end = "";
  onData: ((peer: Peer) => void) | null = null;
  /** What the socket has not taken yet. */
  #left = new Uint8Array(0);

  /** Says it as fast as the socket takes it. */
  say(text: string): void {
    const bytes = new Uint8Array(this.#left.length + text.length);
    bytes.set(this.#left);
    for (let i = 0; i < text.length; i++) bytes[this.#left.length + i] = text.charCodeAt(i);
    const before = this.#left.length;
    this.#left = bytes;
    if (before === 0) this.drained();
  }

  /** Bytes that the socket has not taken. */
  get unsaid(): number {
    return this.#left.length;
  }

  data(bytes: Uint8Array): void {
    for (const byte of bytes) this.received += String.fromCharCode(byte);
    this.onData?.(this);
  }

  drained(): void {
    const taken = this.socket.write(this.#left, 0, this.#left.length);
    this.#left = this.#left.slice(taken);
  }

  ended(): void {
    this.end += "ended ";
  }

  closed({ code }: { code: string }): void {
    this.end += code;
  }
}

export interface MemoryLab {
  readonly runtime: MemoryRuntime;
  readonly proxy: TestProxy;
  /** The origin's ends of the connections it accepted, in order. */
  readonly origins: Peer[];
  /** A client that is connected. */
  dial(): Peer;
}

/**
 * The origin listens on port 3001.
 *
 * @param onData called whenever bytes arrive at the origin; each `Peer` may set another
 */
export async function memoryLab(
  yaml: string,
  options: MemoryNetworkOptions,
  onData: (peer: Peer) => void,
): Promise<MemoryLab> {
  const runtime = createMemoryRuntime({ clock: new FakeClock(), ...options });
  const proxy = await TestProxy.start(yaml, { runtime });
  const origins: Peer[] = [];
  const open = (peer: Peer) => (socket: Socket) => {
    peer.socket = socket;
    return peer;
  };
  await runtime.listen({
    address: { kind: "tcp", host: "127.0.0.1", port: ORIGIN_PORT },
    backlog: 10,
    reusePort: false,
    tls: null,
    handshakeTimeoutMs: 1000,
  }, {
    accepted(socket) {
      const peer = new Peer();
      peer.onData = onData;
      origins.push(peer);
      return open(peer)(socket);
    },
    acceptFailed() {},
  });
  const dial = (): Peer => {
    const peer = new Peer();
    const address = { kind: "tcp", host: "127.0.0.1", port: proxy.port } as const;
    const failed = ({ detail }: { detail: string }): void => assert.fail(detail);
    runtime.dial({ address, timeoutMs: 1000, tls: null }, { opened: open(peer), failed });
    runtime.network.run();
    return peer;
  };
  return { runtime, proxy, origins, dial };
}
