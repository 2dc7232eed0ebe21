/**
 * An origin server that does what a test tells it to: accept, look at the bytes, answer early, slowly,
 * wrongly or not at all, go away and come back on the same port.
 */

import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { type FieldLine, type ReadOptions, type ReadRequest, readRequest } from "./http_reader.ts";
import { turn, watchdogMs, within } from "./watchdog.ts";
import { toBytes, Wire } from "./wire.ts";

/** The origin's end of one connection. */
export class Peer extends Wire {
  /** 1 for the first connection of this origin, and so on. */
  readonly number: number;

  constructor(socket: Socket, number: number) {
    super(socket);
    this.number = number;
  }

  /** Reads the next request with its content. @throws MalformedMessage, EndedEarly, WatchdogError */
  readRequest(options: ReadOptions = {}): Promise<ReadRequest> {
    return readRequest(this.inbox, options);
  }

  /** Sends a complete response with a Content-Length. */
  async respond(answer: AutoAnswer): Promise<void> {
    await this.send(encodeAnswer(answer));
  }
}

/** A response in short: what is left out is 200, no fields, no content. */
export interface AutoAnswer {
  readonly status?: number;
  readonly fields?: readonly FieldLine[];
  readonly body?: string | Uint8Array;
  /** Ends the connection after the answer and says so. */
  readonly close?: boolean;
}

/** Answers one request; null means that it has dealt with the peer itself and the connection is left alone. */
export type AutoHandler = (
  request: ReadRequest,
  peer: Peer,
) => AutoAnswer | string | null | Promise<AutoAnswer | string | null>;

export interface OriginOptions {
  /** Listen on a Unix socket instead of a port of 127.0.0.1. */
  readonly path?: string;
  /** Speak TLS with these options (`key` and `cert` at least). */
  readonly tls?: TlsOptions;
}

export class ScriptedOrigin {
  /** The port, the same after `listenAgain`; 0 with a Unix socket. */
  port = 0;
  /** Path of the Unix socket, or "". */
  readonly path: string;
  /** Every connection accepted so far, in order. */
  readonly peers: Peer[] = [];
  /** What went wrong in `auto` mode; a test that expects nothing of the kind checks that it is empty. */
  readonly autoErrors: unknown[] = [];
  readonly #options: OriginOptions;
  #server: Server | null = null;
  #waiting: ((peer: Peer) => void)[] = [];
  #unclaimed: Peer[] = [];
  #handler: AutoHandler | null = null;

  /** Resolves when the origin listens. */
  static async listen(options: OriginOptions = {}): Promise<ScriptedOrigin> {
    const origin = new ScriptedOrigin(options);
    await origin.listenAgain();
    return origin;
  }

  private constructor(options: OriginOptions) {
    this.#options = options;
    this.path = options.path ?? "";
  }

  /** For `--to` and configurations: `127.0.0.1:port` or `unix:/path`. */
  get address(): string {
    return this.path === "" ? `127.0.0.1:${this.port}` : `unix:${this.path}`;
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.peers.length;
  }

  get listening(): boolean {
    return this.#server !== null;
  }

  /** The next connection nobody has claimed yet. */
  accept(): Promise<Peer> {
    const peer = this.#unclaimed.shift();
    if (peer !== undefined) return Promise.resolve(peer);
    return within(new Promise<Peer>((resolve) => this.#waiting.push(resolve)), "a connection to the origin");
  }

  /** From now on answers every request of every new connection with what `handler` says. */
  auto(handler: AutoHandler): this {
    this.#handler = handler;
    return this;
  }

  /** Closes the listening socket, at once; connections accepted before stay. Resolves when the port is free. */
  async stopListening(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    // The callback of close() waits for the connections as well: do not wait for it.
    server.close();
    await turn();
  }

  /** Listens again on the same port or path. */
  async listenAgain(): Promise<void> {
    if (this.#server !== null) return;
    const deadline = performance.now() + watchdogMs;
    for (;;) {
      try {
        this.#server = await this.#open();
        return;
      } catch (error) {
        const busy = (error as { code?: string }).code === "EADDRINUSE";
        if (!busy || performance.now() > deadline) throw error;
        await turn();
      }
    }
  }

  /** Stops listening and drops all connections. */
  async close(): Promise<void> {
    await this.stopListening();
    for (const peer of this.peers) peer.destroy();
    await Promise.all(this.peers.map((peer) => peer.untilClosed()));
  }

  #open(): Promise<Server> {
    const { path, tls } = this.#options;
    const accepted = (socket: Socket): void => this.#accepted(socket);
    const server = tls === undefined
      ? createServer({ allowHalfOpen: true, noDelay: true }, accepted)
      : createTlsServer({ ...tls, allowHalfOpen: true }, accepted);
    const opening = new Promise<Server>((resolve, reject) => {
      server.once("error", reject);
      const port = this.port === 0 ? quietPort() : this.port;
      server.listen(path === undefined ? { host: "127.0.0.1", port } : { path }, () => {
        server.removeListener("error", reject);
        const bound = server.address();
        if (bound !== null && typeof bound === "object") this.port = bound.port;
        resolve(server);
      });
    });
    return within(opening, "the origin to listen");
  }

  #accepted(socket: Socket): void {
    const peer = new Peer(socket, this.peers.length + 1);
    this.peers.push(peer);
    if (this.#handler !== null) {
      void this.#serve(peer, this.#handler);
      return;
    }
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#unclaimed.push(peer);
    else waiting(peer);
  }

  async #serve(peer: Peer, handler: AutoHandler): Promise<void> {
    try {
      for (;;) {
        if (!await nextRequestBegins(peer)) {
          await peer.halfClose();
          return;
        }
        const request = await peer.readRequest();
        const said = await handler(request, peer);
        if (said === null) return;
        const answer = typeof said === "string" ? { body: said } : said;
        const close = answer.close === true || (request.field("Connection") ?? "").toLowerCase() === "close";
        await peer.send(encodeAnswer({ ...answer, close }, request.method));
        if (close) {
          await peer.halfClose();
          return;
        }
      }
    } catch (error) {
      this.autoErrors.push(error);
      peer.destroy();
    }
  }
}

/**
 * A port that the kernel gives to nobody who does not ask for it (on Linux those are from 32768 on): while an origin is away, nobody else
 * listens there, or has it as the port of a connection.
 */
function quietPort(): number {
  return 20_000 + Math.floor(12_000 * Math.random());
}

/** Waits, as long as it takes, for the first byte of a request: false when the connection ended instead. */
async function nextRequestBegins(peer: Peer): Promise<boolean> {
  const watchdog = peer.inbox.watchdogMs;
  peer.inbox.watchdogMs = Infinity;
  const begins = await peer.inbox.until("a request", () => {
    if (peer.inbox.unread.length > 0) return true;
    return peer.inbox.state === "open" ? undefined : false;
  });
  peer.inbox.watchdogMs = watchdog;
  return begins;
}

function encodeAnswer(answer: AutoAnswer, method = "GET"): Uint8Array {
  const body = toBytes(answer.body ?? "");
  const status = answer.status ?? 200;
  const lines = [`HTTP/1.1 ${status} ${status === 200 ? "OK" : "Status"}`];
  if (status !== 204 && status !== 304) lines.push(`Content-Length: ${body.length}`);
  const own = (answer.fields ?? []).some(([name]) => name.toLowerCase() === "connection");
  if (answer.close === true) lines.push("Connection: close");
  else if (!own) lines.push("Connection: keep-alive");
  for (const [name, value] of answer.fields ?? []) lines.push(`${name}: ${value}`);
  const head = toBytes(`${lines.join("\r\n")}\r\n\r\n`);
  if (method === "HEAD" || status === 204 || status === 304) return head;
  const whole = new Uint8Array(head.length + body.length);
  whole.set(head, 0);
  whole.set(body, head.length);
  return whole;
}
