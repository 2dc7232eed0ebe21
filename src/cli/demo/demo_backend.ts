/**
 * The backend of `sluice demo`: it takes one connection, stops listening, answers one request, and listens
 * again a moment later, like a single-threaded server that forks or restarts for each request. Clients
 * that connect meanwhile are refused.
 */

import type {
  Address,
  Listener,
  Runtime,
  Socket,
  SocketEvents,
  Timer,
} from "../../../runtime/contract/contract.ts";
import { sendWhole } from "../../answer/answer_writer.ts";
import { OwnAnswer } from "../../answer/own_answer.ts";
import { IoTurn } from "../../conn/io_turn.ts";
import { downstreamOpener } from "../../conn/open_downstream.ts";
import { DateField } from "../../http/date_field.ts";
import type {
  DownstreamPeer,
  DownstreamStream,
  OpenDownstream,
  RequestHandler,
} from "../../http/downstream_stream.ts";
import type { Fault } from "../../http/fault.ts";
import type { Head } from "../../http/head.ts";
import { DEFAULT_LIMITS, type Http1Limits } from "../../http/limits.ts";
import type { ConnectionLimits } from "../../server/connection_set.ts";
import { Server, type ServerHost } from "../../server/server.ts";
import { HttpDate } from "../../time/http_date.ts";
import { DemoRequest, hasLeft } from "./demo_request.ts";

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

export interface DemoBackendOptions {
  /** Time between the end of a request and listening again. */
  readonly awayMs: number;
  /** Port 0 of 127.0.0.1 by default; the port that was chosen is kept. */
  readonly address?: Address;
}

export class DemoBackend implements RequestHandler, ServerHost {
  readonly #runtime: Runtime;
  readonly #awayMs: number;
  readonly turn: IoTurn;
  /** What got into the kernel's queue before we stopped listening is reset, as a server that died would do. */
  readonly limits: ConnectionLimits = { maxConnections: 1, maxRefused: 0 };
  readonly #open: OpenDownstream;
  readonly #date: DateField;
  readonly #server: Server;
  #address: Address;
  #listener: Listener | null = null;
  #closing: Promise<void> = Promise.resolve();
  /** The connection that is served. */
  #client: DownstreamPeer | null = null;
  #stalled: Timer | null = null;
  #timer: Timer | null = null;
  #stopped = false;
  /** Requests answered so far. */
  answered = 0;

  private constructor(runtime: Runtime, options: DemoBackendOptions) {
    this.#runtime = runtime;
    this.#awayMs = options.awayMs;
    this.#address = options.address ?? { kind: "tcp", host: "127.0.0.1", port: 0 };
    this.turn = new IoTurn(runtime);
    this.#open = downstreamOpener(this.turn, {
      headTimeoutMs: STALLED_MS,
      bodyIdleTimeoutMs: STALLED_MS,
      keepAliveTimeoutMs: STALLED_MS,
      servesHalfClosed: false,
      limits: LIMITS,
    });
    this.#date = new DateField(new HttpDate(runtime.clock));
    this.#server = new Server(runtime, this);
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
    await this.#server.abort();
    await this.#closing;
  }

  // ServerHost

  openConnection(socket: Socket, handler: RequestHandler): SocketEvents & DownstreamPeer {
    const client = this.#open(socket, handler);
    if (this.#client === null && !this.#stopped) {
      this.#client = client;
      this.#leave();
      this.#stalled = this.#runtime.clock.setTimer(STALLED_MS, () => client.abort(), true);
    }
    return client;
  }

  /** Is never asked: see `limits`. */
  refuseConnection(client: DownstreamStream): void {
    client.abort();
  }

  acceptFailed(): void {}

  // RequestHandler

  request(client: DownstreamStream, head: Head): void {
    new DemoRequest(client, (bodyBytes) => {
      if (bodyBytes === null) this.#refuse(client, head);
      else this.#answer(client, head, 200, this.#textOf(head, bodyBytes));
    }).receive(head);
  }

  refused(client: DownstreamStream, fault: Fault, head: Head | null): void {
    if (hasLeft(fault)) client.abort();
    else this.#refuse(client, head);
  }

  connectionClosed(client: DownstreamPeer): void {
    this.#server.connections.delete(client);
    if (client !== this.#client) return;
    this.#client = null;
    this.#stalled?.cancel();
    this.#goAway();
  }

  #textOf({ method, target }: Head, bodyBytes: number): string {
    // Always the same length: ab counts an answer that differs in length from the first as failed.
    const number = String(this.answered + 1).padStart(6, "0");
    return `request ${number}: ${method} ${target}${bodyBytes === 0 ? "" : ` with ${bodyBytes} bytes`}\n`;
  }

  #refuse(client: DownstreamStream, head: Head | null): void {
    this.#answer(client, head, 400, "the demo's backend did not understand this\n");
  }

  #answer(client: DownstreamStream, head: Head | null, status: number, body: string): void {
    this.answered++;
    sendWhole(client, OwnAnswer.of({ status, body }), this.#date.section(), head?.method === "HEAD", true);
  }

  // Coming and going

  #leave(): void {
    if (this.#listener === null) return;
    this.#closing = this.#server.unbind(this.#listener);
    this.#listener = null;
  }

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
    const listener = await this.#server.bind({
      address: this.#address,
      backlog: 16,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: STALLED_MS,
    }, this);
    this.#address = listener.address;
    this.#listener = listener;
    // A connection may have been accepted, or `stop` called, while `bind` was on its way.
    if (this.#stopped || this.#client !== null) this.#leave();
  }
}
