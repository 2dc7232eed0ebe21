/**
 * Accepts the connections of clients: listeners, each with the handler of its requests; how many connections there may
 * be; how all of it comes to an end. What is asked on the connections, handlers know.
 */

import type {
  AcceptEvents,
  Address,
  Listener,
  ListenOptions,
  Runtime,
  Socket,
  SocketError,
  SocketEvents,
} from "../../runtime/contract/contract.ts";
import type { DownstreamPeer, DownstreamStream, RequestHandler } from "../http/downstream_stream.ts";
import type { Turn } from "../time/turn.ts";
import { type ConnectionLimits, ConnectionSet } from "./connection_set.ts";

/** In what servers differ. */
export interface ServerHost {
  readonly turn: Turn;
  /** Asked for each client. */
  readonly limits: ConnectionLimits;
  /** Opens the connection of a client that was accepted. Within a turn. */
  openConnection(socket: Socket, handler: RequestHandler): SocketEvents & DownstreamPeer;
  /** There are too many connections: answers so. Within a turn. */
  refuseConnection(client: DownstreamStream): void;
  acceptFailed(address: Address, error: SocketError): void;
  /** What a client is sent that speaks HTTP to a port of TLS. Default: nothing. */
  answerPlain?(): Uint8Array;
}

/** A listener's requests are for `handler` from now on. */
interface Role {
  handler: RequestHandler;
}

export class Server {
  readonly #runtime: Runtime;
  readonly #host: ServerHost;
  readonly #listeners = new Map<Listener, Role>();
  /** Open connections. Handlers, who are told of the end of each, take it out. */
  readonly connections: ConnectionSet;

  /** @param spared of a connection: the end of the server does not wait for it, and leaves it alone */
  constructor(runtime: Runtime, host: ServerHost, spared?: (client: DownstreamPeer) => boolean) {
    this.#runtime = runtime;
    this.#host = host;
    this.connections = new ConnectionSet(runtime.clock, spared);
  }

  /**
   * Binds; the listener is closed at the end, if not before.
   *
   * @throws SocketFailure
   */
  async bind(options: ListenOptions, handler: RequestHandler): Promise<Listener> {
    const host = this.#host;
    const answerPlain = host.answerPlain?.bind(host);
    const role: Role = { handler };
    const events: AcceptEvents = {
      accepted: (socket) => this.#accepted(socket, role.handler),
      acceptFailed: (error) => host.acceptFailed(options.address, error),
      // A client that has not sent a byte is no reason to open more descriptors than clients may have.
      handshakeRoom: () => {
        const { maxConnections, maxRefused } = host.limits;
        return Math.max(maxRefused, maxConnections - this.connections.served);
      },
      ...(answerPlain === undefined ? {} : { answerPlain }),
    };
    const listener = await this.#runtime.listen(options, events);
    this.#listeners.set(listener, role);
    return listener;
  }

  /** Clients that connect there from now on are answered by `handler`. */
  setHandler(listener: Listener, handler: RequestHandler): void {
    const role = this.#listeners.get(listener);
    if (role !== undefined) role.handler = handler;
  }

  /** Stops accepting there; connections stay. Resolves when the port is free. */
  unbind(listener: Listener): Promise<void> {
    this.#listeners.delete(listener);
    return listener.close();
  }

  /** The same after a while, since another one listens in its place: clients in its queue are accepted before. */
  unbindLater(listener: Listener, afterMs: number): void {
    this.#listeners.delete(listener);
    this.#runtime.clock.setTimer(afterMs, () => void listener.close(), true);
  }

  #accepted(socket: Socket, handler: RequestHandler): SocketEvents {
    const { turn, limits } = this.#host;
    turn.begin();
    const client = this.#host.openConnection(socket, handler);
    const refused = this.connections.add(client, limits, turn.now);
    if (refused !== null) this.#host.refuseConnection(refused);
    turn.end();
    return client;
  }

  // Ending

  /** Stops accepting; connections stay. Resolves when all ports are free. */
  async stopAccepting(): Promise<void> {
    await Promise.all(Array.from(this.#listeners.keys(), (listener) => listener.close()));
  }

  /**
   * Stops accepting, and lets every connection answer the request it has, and none further.
   *
   * @param gapMs how long a connection must have been idle before it is closed: its client may be asking just now
   * @param lateGapMs the same for connections that are accepted all the same
   * @returns settles when all ports are free
   */
  drain(gapMs: number, lateGapMs: number = gapMs): Promise<void> {
    const closing = this.stopAccepting();
    const { turn } = this.#host;
    turn.begin();
    this.connections.drain(turn.now, gapMs);
    this.connections.lateGapMs = lateGapMs;
    turn.end();
    return closing;
  }

  /** Drops everything now. Resolves when all ports are free. */
  abort(): Promise<void> {
    this.connections.lateGapMs = 0;
    const closing = this.stopAccepting();
    this.connections.abort("all");
    return closing;
  }
}
