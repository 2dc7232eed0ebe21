/**
 * Opens connections: dials, sets TLS up where the destination wants it, and chooses the protocol.
 *
 * Whatever lies between a dialled socket and a connection that carries requests is a list of steps. A step gets the open
 * socket of the one before and passes on its own, at once or later.
 */

import {
  type Runtime,
  type Socket,
  type SocketError,
  type SocketEvents,
  SocketFailure,
} from "../../runtime/contract/contract.ts";
import { canonicalIp } from "../bytes/ip_address.ts";
import type { IoTurn } from "../conn/io_turn.ts";
import { UpstreamConnection } from "../conn/upstream_connection.ts";
import type { Http1Limits } from "../http/limits.ts";
import type { UpstreamPeer, UpstreamPeerOwner } from "../http/upstream_stream.ts";
import type { Turn } from "../time/turn.ts";
import { CONNECTED_TO_ITSELF, connectedToItself, unknownProtocol } from "./dial_fault.ts";
import type { ReuseKey, SocksTarget } from "./reuse_key.ts";
import { type Handshake, HandshakeStep } from "./handshake_step.ts";
import { Socks5Handshake } from "./socks5.ts";
import { ConnectHandshake } from "./connect_handshake.ts";

export interface ConnectOptions {
  /** For all that comes before the first request. Milliseconds, > 0. */
  readonly timeoutMs: number;
  readonly limits: Http1Limits;
  readonly owner: UpstreamPeerOwner;
}

/** Told how it went, in a turn that has begun and that it ends. */
export interface ConnectEnd {
  opened(peer: UpstreamPeer): void;
  failed(error: SocketError): void;
}

export interface Connector {
  /** The one in which outcomes are told. */
  readonly turn: Turn;
  /** Opens a connection that may serve requests of `key`. Exactly one of the ends is called, never inside the call. */
  connect(key: ReuseKey, options: ConnectOptions, end: ConnectEnd): void;
}

/** A connection on its way; begun by `connect`. */
interface Attempt {
  readonly key: ReuseKey;
  readonly options: ConnectOptions;
  readonly end: ConnectEnd;
  /** Monotonic milliseconds. */
  readonly beganAt: number;
}

/**
 * One step on the way from a dialled socket to a connection.
 *
 * @param rest bytes that have been read from `socket` already
 * @param next goes on with the socket that the later steps are to have, which is open; in a turn
 * @returns what hears the events of `socket` from now on: what `next` has returned, or the step's own while it is not done
 */
type Step = (socket: Socket, attempt: Attempt, rest: Uint8Array, next: Next) => SocketEvents;
type Next = (socket: Socket, rest: Uint8Array) => SocketEvents;

/** What is needed on the way through proxies. */
type WayRuntime = Pick<Runtime, "clock" | "resolve" | "secure">;

const NOTHING = new Uint8Array();

/** HTTP/1.1 in ALPN (RFC 7301 §6). */
const HTTP_1_1 = "http/1.1";

/** Of a socket that has been dropped. */
const DEAF: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };

/** Over sockets of a runtime. */
export class SocketConnector implements Connector {
  readonly #runtime: WayRuntime;
  readonly #dial: Runtime["dial"];
  readonly #turn: IoTurn;
  readonly #steps: readonly Step[];

  constructor(runtime: Pick<Runtime, "dial"> & WayRuntime, turn: IoTurn) {
    this.#runtime = runtime;
    this.#dial = (options, events) => runtime.dial(options, events);
    this.#turn = turn;
    this.#steps = [
      refuseItself,
      (socket, attempt, rest, next) => this.#passVia(socket, attempt, rest, next),
      (socket, attempt, rest, next) => this.#secure(socket, attempt, rest, next),
      (socket, attempt, rest, next) => this.#askSocks(socket, attempt, rest, next),
      (socket, attempt) => this.#speak(socket, attempt),
    ];
  }

  get turn(): Turn {
    return this.#turn;
  }

  connect(key: ReuseKey, options: ConnectOptions, end: ConnectEnd): void {
    const attempt: Attempt = { key, options, end, beganAt: this.#turn.now };
    const { address, tls } = key;
    // TLS with the destination that is dialled is the platform's business: the deadline of a dial is that of both.
    this.#dial({ address, tls, timeoutMs: options.timeoutMs }, {
      opened: (socket) => {
        this.#turn.begin();
        return this.#goOn(0, socket, attempt, NOTHING);
      },
      failed: (error) => {
        this.#turn.begin();
        end.failed(error);
      },
    });
  }

  #goOn(at: number, socket: Socket, attempt: Attempt, rest: Uint8Array): SocketEvents {
    // The cast: the last step calls no other.
    const step = this.#steps[at] as Step;
    return step(socket, attempt, rest, (made, more) => this.#goOn(at + 1, made, attempt, more));
  }

  /** A proxy is asked to connect to the next one. */
  #passVia(socket: Socket, attempt: Attempt, rest: Uint8Array, next: Next): SocketEvents {
    const { via } = attempt.key;
    if (via === undefined) return next(socket, rest);
    const made = via.kind === "socks"
      ? this.#socks(via.target)
      : new ConnectHandshake(via.authority, via.authorization);
    return this.#shakeHands(socket, attempt, "the first proxy", made, next);
  }

  /** TLS with the proxy that is reached by way of another. */
  #secure(socket: Socket, attempt: Attempt, rest: Uint8Array, next: Next): SocketEvents {
    const { key: { innerTls: tls }, end } = attempt;
    if (tls === undefined) return next(socket, rest);
    this.#runtime.secure({ socket, tls, timeoutMs: this.#leftMs(attempt), alreadyRead: rest }, {
      secured: (inner) => {
        this.#turn.begin();
        return next(inner, NOTHING);
      },
      failed: (error) => {
        this.#turn.begin();
        end.failed(error);
      },
    });
    // The outcome comes in a turn of its own.
    this.#turn.end();
    return DEAF;
  }

  /** A SOCKS proxy is asked to connect to the destination. */
  #askSocks(socket: Socket, attempt: Attempt, rest: Uint8Array, next: Next): SocketEvents {
    const { socks } = attempt.key;
    if (socks === undefined) return next(socket, rest);
    return this.#shakeHands(socket, attempt, "the SOCKS proxy", this.#socks(socks), next);
  }

  #socks(target: SocksTarget): Handshake | Promise<Handshake> {
    if (!target.resolves || canonicalIp(target.host) !== null) return new Socks5Handshake(target);
    return this.#runtime.resolve(target.host).then(([host]) => {
      if (host !== undefined) return new Socks5Handshake({ ...target, host });
      throw new SocketFailure("dns_error", `${target.host} has no address`);
    });
  }

  #leftMs({ options: { timeoutMs }, beganAt }: Attempt): number {
    return Math.max(1, timeoutMs - (this.#turn.now - beganAt));
  }

  #shakeHands(
    socket: Socket,
    attempt: Attempt,
    who: string,
    handshake: Handshake | Promise<Handshake>,
    next: Next,
  ): SocketEvents {
    const { clock } = this.#runtime;
    const step = new HandshakeStep(clock, this.#turn, socket, who, this.#leftMs(attempt), handshake, {
      connected: (rest) => next(socket, rest),
      failed: (error) => attempt.end.failed(error),
    });
    // The outcome comes in a turn of its own.
    this.#turn.end();
    return step;
  }

  /** The last step: a connection of the protocol that the handshake agreed on. */
  #speak(socket: Socket, attempt: Attempt): SocketEvents {
    const { end, options: { limits, owner }, beganAt } = attempt;
    const protocol = socket.tls?.alpn ?? "";
    if (protocol !== "" && protocol !== HTTP_1_1) return refused(socket, end, unknownProtocol(protocol));
    const connection = new UpstreamConnection(this.#turn, socket, limits, owner);
    connection.connectMs = connection.openedAt - beganAt;
    end.opened(connection);
    return connection;
  }
}

const refuseItself: Step = (socket, { end }, rest, next) =>
  connectedToItself(socket) ? refused(socket, end, CONNECTED_TO_ITSELF) : next(socket, rest);

/** The socket does not become a connection. */
function refused(socket: Socket, end: ConnectEnd, error: SocketError): SocketEvents {
  socket.abort();
  end.failed(error);
  return DEAF;
}
