/**
 * The backend of `sluice demo`: it takes one connection, stops listening, answers one request, and listens
 * again a moment later, like a single-threaded server that forks or restarts for each request. Clients
 * that connect meanwhile are refused.
 */

import type {
  AcceptEvents,
  Address,
  CloseReason,
  Listener,
  Runtime,
  Socket,
  SocketError,
  SocketEvents,
  Timer,
} from "../../../runtime/contract/contract.ts";
import type { Head } from "../../http/head.ts";
import { DEFAULT_LIMITS, type Http1Limits } from "../../http/limits.ts";
import { expectsContinue } from "../../http/expect.ts";
import { bodyLength, requestFraming } from "../../http1/framing.ts";
import { MessageParser } from "../../http1/message_parser.ts";

/** A client that sends nothing must not keep the backend away for ever. */
const STALLED_MS = 10_000;

/** Another process may have taken the port for a moment. */
const LISTEN_AGAIN_MS = 20;

/** More than Sluice takes from a client, so that there is room for the fields it adds. */
const LIMITS: Http1Limits = {
  ...DEFAULT_LIMITS,
  maxHeadBytes: 65_536,
  maxTargetBytes: 65_536,
  maxFields: 1000,
  maxTrailerBytes: 65_536,
  lenientTargets: true,
};

const ENCODER = new TextEncoder();

export interface DemoBackendOptions {
  /** Time between the end of a request and listening again. */
  readonly awayMs: number;
  /** Port 0 of 127.0.0.1 by default; the port that was chosen is kept. */
  readonly address?: Address;
}

export class DemoBackend implements AcceptEvents {
  readonly #runtime: Runtime;
  readonly #awayMs: number;
  #address: Address;
  #listener: Listener | null = null;
  #closing: Promise<void> = Promise.resolve();
  #socket: Socket | null = null;
  #timer: Timer | null = null;
  #stopped = false;
  /** Requests answered so far. */
  answered = 0;

  private constructor(runtime: Runtime, options: DemoBackendOptions) {
    this.#runtime = runtime;
    this.#awayMs = options.awayMs;
    this.#address = options.address ?? { kind: "tcp", host: "127.0.0.1", port: 0 };
  }

  /** Rejects with a `SocketFailure` when it cannot listen. */
  static async start(runtime: Runtime, options: DemoBackendOptions): Promise<DemoBackend> {
    const backend = new DemoBackend(runtime, options);
    await backend.#listen();
    return backend;
  }

  /** Where it listens when it is there. */
  get address(): Address {
    return this.#address;
  }

  /** Stops for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#socket?.abort();
    await this.#listener?.close();
    await this.#closing;
  }

  accepted(socket: Socket): SocketEvents {
    if (this.#socket !== null || this.#stopped) {
      // It got into the kernel's queue before we stopped listening; a server that died would reset it too.
      socket.abort();
      return IGNORE;
    }
    this.#socket = socket;
    this.#closing = this.#listener?.close() ?? this.#closing;
    this.#listener = null;
    const stalled = this.#runtime.clock.setTimer(STALLED_MS, () => socket.abort(), true);
    return new Conversation(socket, (answered) => {
      stalled.cancel();
      this.#socket = null;
      if (answered) this.answered++;
      this.#goAway();
    }, this.answered + 1);
  }

  acceptFailed(_error: SocketError): void {}

  #goAway(): void {
    if (this.#stopped) return;
    this.#timer = this.#runtime.clock.setTimer(this.#awayMs, () => this.#comeBack());
  }

  #comeBack(): void {
    this.#closing.then(() => this.#listen()).catch(() => {
      if (this.#stopped) return;
      this.#timer = this.#runtime.clock.setTimer(LISTEN_AGAIN_MS, () => this.#comeBack());
    });
  }

  async #listen(): Promise<void> {
    if (this.#stopped) return;
    const listener = await this.#runtime.listen({
      address: this.#address,
      backlog: 16,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: STALLED_MS,
    }, this);
    this.#address = listener.address;
    // A connection may have been accepted, or `stop` called, while `listen` was on its way.
    if (this.#stopped || this.#socket !== null) this.#closing = listener.close();
    else this.#listener = listener;
  }
}

const IGNORE: SocketEvents = {
  data() {},
  drained() {},
  ended() {},
  closed() {},
};

/** One connection: one request in, one answer out. */
class Conversation implements SocketEvents {
  readonly #socket: Socket;
  readonly #done: (answered: boolean) => void;
  readonly #number: number;
  readonly #parser = new MessageParser("request", LIMITS);
  #head: Head | null = null;
  #answered = false;
  #unsent: Uint8Array = new Uint8Array(0);

  constructor(socket: Socket, done: (answered: boolean) => void, number: number) {
    this.#socket = socket;
    this.#done = done;
    this.#number = number;
  }

  data(bytes: Uint8Array): void {
    if (this.#answered) return;
    const parser = this.#parser;
    const wasInHead = this.#head === null;
    parser.feed(bytes);
    for (;;) {
      const event = parser.next();
      if (event === "more") break;
      if (event === "head" ? !this.#headArrived(parser.head as Head) : event === "fault") {
        this.#answer("400 Bad Request", "the demo's backend did not understand this\n");
        return;
      }
      if (event === "end") {
        this.#requestEnded(parser.bodyBytesSeen);
        return;
      }
    }
    if (wasInHead && this.#head !== null && expectsContinue(this.#head)) {
      this.#send("HTTP/1.1 100 Continue\r\n\r\n");
    }
  }

  /** @returns false when the body has no clear end */
  #headArrived(head: Head): boolean {
    const kind = requestFraming(head);
    if (typeof kind !== "string") return false;
    this.#head = head;
    this.#parser.startBody(kind, bodyLength(kind, head));
    return true;
  }

  #requestEnded(bodyBytes: number): void {
    const size = bodyBytes === 0 ? "" : ` with ${bodyBytes} bytes`;
    // Always the same length: ab counts an answer that differs in length from the first as failed.
    const number = String(this.#number).padStart(6, "0");
    this.#answer("200 OK", `request ${number}: ${this.#head?.method} ${this.#head?.target}${size}\n`);
  }

  drained(): void {
    this.#flush();
  }

  ended(): void {
    if (!this.#answered) this.#socket.abort();
  }

  closed(_reason: CloseReason): void {
    this.#done(this.#answered);
  }

  #answer(status: string, body: string): void {
    this.#answered = true;
    const content = this.#head?.method === "HEAD" ? "" : body;
    this.#send(
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
        `Content-Length: ${ENCODER.encode(body).length}\r\nConnection: close\r\n\r\n${content}`,
    );
  }

  #send(text: string): void {
    const bytes = ENCODER.encode(text);
    const joined = new Uint8Array(this.#unsent.length + bytes.length);
    joined.set(this.#unsent);
    joined.set(bytes, this.#unsent.length);
    this.#unsent = joined;
    this.#flush();
  }

  #flush(): void {
    const taken = this.#socket.write(this.#unsent, 0, this.#unsent.length);
    this.#unsent = this.#unsent.subarray(taken);
    // The request was read to its end, so that nothing unread can turn this into a reset.
    if (this.#unsent.length === 0 && this.#answered) this.#socket.close();
  }
}
