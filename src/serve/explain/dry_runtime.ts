/**
 * A platform on which nothing leaves: connections are objects that their maker feeds by hand, time
 * stands still. The real program runs on it to show what it would do with a request.
 */

import type {
  AcceptEvents,
  Address,
  Capabilities,
  CloseReason,
  DatagramSocket,
  Dial,
  DialEvents,
  DialOptions,
  Listener,
  ListenOptions,
  Runtime,
  SecureEvents,
  SecureOptions,
  Securing,
  Socket,
  SocketEvents,
  TlsSession,
} from "../../../runtime/contract/contract.ts";
import { decodeLatin1, encodeLatin1 } from "../../bytes/latin1.ts";

/** A connection that was asked for. */
export interface DryDial {
  readonly address: Address;
  readonly events: DialEvents;
  /** Why none of the addresses of its name may be dialled; null = one may, or they are not known. */
  readonly prohibited: string | null;
}

/** One end of a connection; what is written to it is kept. */
export class DrySocket implements Socket {
  events: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };
  readonly remoteAddress: string;
  readonly remotePort: number = 50_000;
  readonly localAddress: string = "127.0.0.1";
  readonly localPort: number = 8080;
  readonly tls: TlsSession | null;
  /** Latin-1, up to `MAX_KEPT`. */
  written = "";
  paused = false;
  ended = false;
  /** It was ended from our side, in haste. */
  gone = false;

  constructor(remoteAddress: string, tls: TlsSession | null) {
    this.remoteAddress = remoteAddress;
    this.tls = tls;
  }

  /** Bytes arrive. */
  feed(text: string): void {
    if (this.ended) return;
    const bytes = new Uint8Array(text.length);
    encodeLatin1(text, bytes, 0);
    this.events.data(bytes);
  }

  /** The connection is gone. */
  lose(): void {
    if (this.ended) return;
    this.ended = true;
    const reason: CloseReason = { code: "finished", detail: "" };
    this.events.closed(reason);
  }

  write(bytes: Uint8Array, from: number, to: number): number {
    const room = MAX_KEPT - this.written.length;
    if (room > 0) this.written += decodeLatin1(bytes, from, Math.min(to, from + room));
    return to - from;
  }

  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  finish(): void {}
  close(): void {}
  abort(): void {
    this.gone = true;
  }
}

const MAX_KEPT = 4 * 1024 * 1024;

export class DryRuntime implements Runtime {
  readonly name = "memory";
  readonly version = "dry";
  readonly capabilities: Capabilities;
  readonly clock: Runtime["clock"];
  /** Connections asked for and not given up, oldest first. */
  readonly dials: DryDial[] = [];
  /** Addresses of names, as far as they are known. */
  readonly addresses = new Map<string, readonly string[]>();
  #accept: AcceptEvents | null = null;

  /** @param like the platform whose abilities it pretends to have */
  constructor(like: Runtime) {
    this.capabilities = like.capabilities;
    const wall = like.clock.wall();
    this.clock = { now: () => 1000, wall: () => wall, setTimer: () => ({ cancel() {} }) };
  }

  /** A client connects. */
  connect(remoteAddress: string, tls: TlsSession | null): DrySocket {
    const accept = this.#accept;
    if (accept === null) throw new Error("nobody listens");
    const socket = new DrySocket(remoteAddress, tls);
    socket.events = accept.accepted(socket);
    return socket;
  }

  listen(options: ListenOptions, events: AcceptEvents): Promise<Listener> {
    this.#accept = events;
    const ended = (): Promise<void> => Promise.resolve();
    return Promise.resolve({
      address: options.address,
      descriptor: null,
      certify: ended,
      close: ended,
      release: ended,
      leave: ended,
    });
  }

  reserve(): Promise<Listener> {
    throw new Error("there is nothing to hold");
  }

  dial(options: DialOptions, events: DialEvents): Dial {
    const { address, prohibits } = options;
    const known = address.kind === "tcp" ? this.addresses.get(address.host) ?? [] : [];
    const reasons = known.map((literal) => prohibits?.(literal) ?? null);
    const prohibited = reasons.includes(null) ? null : reasons[0] ?? null;
    const dial: DryDial = { address, events, prohibited };
    this.dials.push(dial);
    return {
      cancel: () => {
        const at = this.dials.indexOf(dial);
        if (at >= 0) this.dials.splice(at, 1);
      },
    };
  }

  /** The same connection, in clear: what is said inside of TLS is what is to be shown. */
  secure({ socket }: SecureOptions, events: SecureEvents): Securing {
    let cancelled = false;
    void Promise.resolve().then(() => {
      if (!cancelled && socket instanceof DrySocket) socket.events = events.secured(socket);
    });
    return {
      cancel() {
        cancelled = true;
      },
    };
  }

  openDatagrams(): DatagramSocket {
    return { send() {}, close() {} };
  }

  releaseMemory(): void {}
  discard(): void {}

  resolve(host: string): Promise<readonly string[]> {
    return Promise.resolve([host]);
  }
}
