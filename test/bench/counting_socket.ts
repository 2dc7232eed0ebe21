/** Sockets without a network under them: they take everything at once and count it. */

import type {
  CloseReason,
  DialEvents,
  DialOptions,
  Runtime,
  Socket,
} from "../../runtime/contract/contract.ts";
import type {
  AcceptEvents,
  Capabilities,
  Listener,
  ListenOptions,
  SocketEvents,
} from "../../runtime/contract/contract.ts";

const NOBODY: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };
const ABORTED: CloseReason = { code: "aborted", detail: "" };

export class CountingSocket implements Socket {
  events: SocketEvents = NOBODY;
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 40_000;
  readonly localAddress = "127.0.0.1";
  readonly localPort = 8080;
  readonly tls = null;
  /** Bytes and calls of `write`. */
  written = 0;
  writes = 0;
  /** `abort` or `close` was called. */
  dropped = false;

  write(_bytes: Uint8Array, from: number, to: number): number {
    this.written += to - from;
    this.writes++;
    return to - from;
  }
  pause(): void {}
  resume(): void {}
  finish(): void {}
  close(): void {
    this.dropped = true;
  }
  abort(): void {
    this.dropped = true;
  }
  /** What the platform says after `close` and `abort`, in an event of its own. */
  tellClosed(): void {
    this.events.closed(ABORTED);
  }
}

const CAPABILITIES: Capabilities = {
  reusePort: false,
  backlog: true,
  unixSockets: true,
  abortSendsReset: true,
  endWhilePaused: false,
  serverNames: true,
  workers: false,
  commands: true,
  processGroups: true,
  reapsOrphans: true,
  handover: false,
  ipv6Only: true,
  tlsEnd: true,
  tlsInTlsHalfOpen: true,
  plainAnswer: true,
  epoll: false,
  maxChunkBytes: 65_536,
  ownChunks: false,
};

/** Listens and dials only in name: whoever measures calls the events. */
export class CountingRuntime implements Runtime {
  readonly name = "memory";
  readonly version = "";
  readonly capabilities = CAPABILITIES;
  readonly clock = {
    now: (): number => performance.now(),
    wall: (): number => Date.now(),
    setTimer: (): { cancel(): void } => ({ cancel() {} }),
  };
  accept: AcceptEvents | null = null;
  /** Dials under way, oldest first. */
  readonly dials: { options: DialOptions; events: DialEvents }[] = [];

  listen({ address }: ListenOptions, events: AcceptEvents): Promise<Listener> {
    this.accept = events;
    const done = () => Promise.resolve();
    return Promise.resolve({ address, descriptor: null, certify: done, close: done, leave: done });
  }

  reserve(): Promise<never> {
    return Promise.reject(new Error("nothing is given to other processes"));
  }

  dial(options: DialOptions, events: DialEvents): { cancel(): void } {
    this.dials.push({ options, events });
    return { cancel() {} };
  }

  secure(): never {
    throw new Error("TLS is not spoken here");
  }

  openDatagrams(): { send(): void; close(): void } {
    return { send() {}, close() {} };
  }

  releaseMemory(): void {}
  discard(): void {}

  resolve(host: string): Promise<readonly string[]> {
    return Promise.resolve([host]);
  }

  /** Lets the dial at `index` succeed. */
  open(index = 0): CountingSocket {
    const [dial] = this.dials.splice(index, 1);
    if (dial === undefined) throw new Error("nobody dials");
    const socket = new CountingSocket();
    socket.events = dial.events.opened(socket);
    return socket;
  }

  /** Lets the dial at `index` fail. */
  refuse(index = 0): void {
    const [dial] = this.dials.splice(index, 1);
    dial?.events.failed({ code: "connection_refused", detail: "" });
  }

  connectClient(): CountingSocket {
    if (this.accept === null) throw new Error("nobody listens");
    const socket = new CountingSocket();
    socket.events = this.accept.accepted(socket);
    return socket;
  }
}
