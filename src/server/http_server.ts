/**
 * A small HTTP/1.1 server for questions about a running Sluice and orders to it. It is made of the proxy's
 * own connections, and so has their strict parsing and their deadlines; nothing a client does or leaves
 * undone keeps the process from going on or from ending.
 */

import type {
  Address,
  Listener,
  ListenOptions,
  Runtime,
  Socket,
  SocketEvents,
} from "../../runtime/contract/contract.ts";
import type { DownstreamSettings } from "../conn/downstream_settings.ts";
import { IoTurn } from "../conn/io_turn.ts";
import { downstreamOpener } from "../conn/open_downstream.ts";
import { DateField } from "../http/date_field.ts";
import type {
  DownstreamPeer,
  DownstreamStream,
  OpenDownstream,
  RequestHandler,
} from "../http/downstream_stream.ts";
import type { Fault } from "../http/fault.ts";
import type { Head } from "../http/head.ts";
import { DEFAULT_LIMITS } from "../http/limits.ts";
import { HttpDate } from "../time/http_date.ts";
import type { ConnectionLimits } from "./connection_set.ts";
import { errorReply, type HttpReply, type HttpRequest, type HttpRoute } from "./http_message.ts";
import { HttpServerExchange } from "./http_server_exchange.ts";
import { Server, type ServerHost } from "./server.ts";

export interface HttpServerOptions {
  readonly address: Address;
  readonly routes: readonly HttpRoute[];
  /** Asked before the route is looked up; answers when the request must go no further. */
  readonly guard?: (request: HttpRequest) => HttpReply | null;
  /** A route has thrown: a bug. */
  readonly onError: (error: unknown) => void;
  /** Further clients are answered 503. */
  readonly maxConnections?: number;
  /** Connections beyond the limit that are answered at a time; further ones are dropped without a word. */
  readonly maxRefused?: number;
  /** Longest request body; longer ones are answered 413. */
  readonly maxBodyBytes?: number;
}

/** What a listener in whose place another one serves has for the clients in its queue. */
const LEAVE_AFTER_MS = 1_000;
const MAX_CONNECTIONS = 256;
const MAX_BODY_BYTES = 1024 * 1024;
const MOST_REFUSED = 16;
const SETTINGS: DownstreamSettings = {
  headTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 10_000,
  keepAliveTimeoutMs: 60_000,
  servesHalfClosed: true,
  limits: DEFAULT_LIMITS,
};

function listenOptions(address: Address): ListenOptions {
  return {
    address,
    backlog: 128,
    reusePort: false,
    tls: null,
    handshakeTimeoutMs: SETTINGS.headTimeoutMs,
  };
}

/** Those that are given. */
export function connectionLimits(
  { maxConnections, maxRefused }: Pick<HttpServerOptions, "maxConnections" | "maxRefused">,
): Pick<HttpServerOptions, "maxConnections" | "maxRefused"> {
  return {
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(maxRefused === undefined ? {} : { maxRefused }),
  };
}

export class HttpServer implements RequestHandler, ServerHost {
  readonly turn: IoTurn;
  readonly #open: OpenDownstream;
  readonly #date: DateField;
  readonly #routes: readonly HttpRoute[];
  readonly #options: HttpServerOptions;
  readonly limits: ConnectionLimits;
  readonly #server: Server;
  readonly #exchanges = new Map<DownstreamPeer, HttpServerExchange>();
  #listener: Listener | null = null;

  private constructor(runtime: Runtime, options: HttpServerOptions) {
    this.turn = new IoTurn(runtime);
    this.#open = downstreamOpener(this.turn, SETTINGS);
    this.#date = new DateField(new HttpDate(runtime.clock));
    this.#routes = options.routes;
    this.#options = options;
    const { maxConnections = MAX_CONNECTIONS, maxRefused = MOST_REFUSED } = options;
    this.limits = { maxConnections, maxRefused };
    this.#server = new Server(runtime, this, (client) => this.#exchanges.get(client)?.lasts === true);
  }

  /** Binds and serves. @throws SocketFailure */
  static async start(runtime: Runtime, options: HttpServerOptions): Promise<HttpServer> {
    const server = new HttpServer(runtime, options);
    server.#listener = await server.#server.bind(listenOptions(options.address), server);
    return server;
  }

  /** Listens on a further socket, from then on the only one. Connections stay. @throws SocketFailure */
  async moveTo(address: Address): Promise<void> {
    const listener = await this.#server.bind(listenOptions(address), this);
    if (this.#server.connections.ending) return await this.#server.unbind(listener);
    const before = this.#listener;
    this.#listener = listener;
    if (before !== null) this.#server.unbindLater(before, LEAVE_AFTER_MS);
  }

  /** Where it listens: with port 0, the port the kernel chose. */
  get address(): Address {
    return this.#listener?.address ?? this.#options.address;
  }

  /** Open client connections. */
  get connections(): number {
    return this.#server.connections.size;
  }

  // ServerHost

  openConnection(socket: Socket, handler: RequestHandler): SocketEvents & DownstreamPeer {
    return this.#open(socket, handler);
  }

  refuseConnection(client: DownstreamStream): void {
    const message = `There are ${this.limits.maxConnections} connections already.`;
    this.#exchange(client, null).reply(errorReply(503, "too_many_connections", message));
  }

  /** It is out of descriptors or the client has left already: the next one is accepted all the same. */
  acceptFailed(): void {}

  #exchange(client: DownstreamStream, head: Head | null): HttpServerExchange {
    const { maxBodyBytes = MAX_BODY_BYTES } = this.#options;
    return new HttpServerExchange(this.turn, client, head, this.#date, maxBodyBytes);
  }

  // What connections tell

  request(client: DownstreamStream, head: Head): void {
    const exchange = this.#exchange(client, head);
    this.#exchanges.set(client.peer, exchange);
    exchange.receive((request) => this.#asked(exchange, request));
  }

  refused(client: DownstreamStream, fault: Fault, head: Head | null): void {
    const exchange = this.#exchange(client, head);
    exchange.reply(errorReply(fault.status, "bad_request", fault.detail));
  }

  connectionClosed(client: DownstreamPeer): void {
    this.#exchanges.delete(client);
    this.#server.connections.delete(client);
  }

  #asked(exchange: HttpServerExchange, request: HttpRequest): void {
    let answer: HttpReply | Promise<HttpReply>;
    try {
      answer = this.#options.guard?.(request) ?? this.#answer(request);
    } catch (error) {
      answer = this.#failure(error);
    }
    if (answer instanceof Promise) {
      answer.then((reply) => this.#reply(exchange, reply), (error) => exchange.reply(this.#failure(error)));
    } else {
      this.#reply(exchange, answer);
    }
  }

  #reply(exchange: HttpServerExchange, reply: HttpReply): void {
    try {
      exchange.reply(reply);
    } catch (error) {
      exchange.reply(this.#failure(error));
    }
  }

  #answer(request: HttpRequest): HttpReply | Promise<HttpReply> {
    const fitting = this.#routes.filter(({ path }) => path === request.path);
    const route = fitting.find(({ method }) => method === request.method);
    if (route !== undefined) return route.handle(request);
    if (fitting.length === 0) {
      return errorReply(404, "not_found", "There is nothing of that path here.");
    }
    const allowed = fitting.map(({ method }) => method === "GET" ? "GET, HEAD" : method).join(", ");
    return {
      ...errorReply(405, "method_not_allowed", `That path takes ${allowed}.`),
      headers: { Allow: allowed },
    };
  }

  #failure(error: unknown): HttpReply {
    this.#options.onError(error);
    return errorReply(500, "internal_error", "This is a bug; the log has its details.");
  }

  // Ending

  /**
   * Stops accepting, ends streams, lets answers in progress go out for at most `patienceMs`, and drops the rest
   * but the streams that last until this process ends.
   *
   * @param gapMs how long a connection must have been idle before it is closed: its client may be asking just now
   */
  async close(patienceMs: number, gapMs = 0): Promise<void> {
    const { turn } = this;
    turn.begin();
    for (const exchange of this.#exchanges.values()) exchange.endStream();
    const closed = this.#server.drain(gapMs, 0);
    turn.end();
    await this.#server.connections.untilEmpty(patienceMs);
    this.#server.connections.abort("unspared");
    await closed;
  }

  /** Drops everything now. */
  abort(): void {
    void this.#server.abort();
  }
}
