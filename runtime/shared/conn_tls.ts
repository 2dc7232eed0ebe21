/**
 * TLS in JavaScript: node:tls as a converter between a `Conn` that carries records and a `Conn` that carries what is
 * in them. All of Deno's TLS, and on the others that over connections which the platform cannot do itself.
 *
 * Neither of the ready-made ways is good enough (seen with Deno 2.9.6). `Deno.startTls` only adds to the
 * trusted authorities, cannot skip verification and takes no client certificate; `Deno.listenTls` has one
 * certificate and does not tell the server name. `tls.connect` and `tls.createServer` can do all that, but
 * take and keep whatever is written (64 MiB to a peer that does not read), read on while paused, and lose
 * what arrived then. So the stream of node:tls is never paused and never given more than one write here:
 * it gets records only while a read waits for bytes, and a write counts as done once its records have
 * left.
 */
import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { TLSSocket } from "node:tls";
import type { Conn, ConnAddress } from "./conn.ts";
import {
  type ClientTls,
  type ServerTls,
  type Socket,
  type SocketError,
  SocketFailure,
  type TlsSession,
} from "../contract/contract.ts";
import { streamModule } from "./lazy_module.ts";
import { unusable } from "./securing.ts";
import { socketErrorOf } from "./socket_error.ts";
import { isClientTls, secureClient, secureServer, serverContext } from "./stream_tls.ts";
import { TlsRecords } from "./tls_records.ts";

const LETTER_A = 0x41;
const LETTER_Z = 0x5a;
const NOTHING = new Uint8Array(0);

/** One read of records: as large as a record can be (RFC 8446 §5.2), rounded down. */
const WIRE_BYTES = 16 * 1024;

/** A connection whose handshake is done. */
export interface SecuredConn {
  readonly conn: Conn;
  readonly session: TlsSession;
}

/** Throws a `SocketFailure` when a server's certificate and key are none, or no pair. */
export function checkServerTls(own: ServerTls): void {
  try {
    serverContext(own);
  } catch (error) {
    const { code, detail } = unusable(error);
    throw new SocketFailure(code, detail);
  }
}

export interface SecuringWays {
  /**
   * What a client is sent that speaks HTTP instead; null = nothing. Without it, all that is no TLS is an error like any
   * other.
   */
  readonly answerPlain?: () => Uint8Array | null;
  /**
   * The platform answers close_notify with its own and lets nothing out any more, but says that it does: so Bun does
   * it for TLS over streams (seen with 1.4.5).
   */
  readonly closesWithPeer?: boolean;
}

/**
 * Shakes hands with the peer. The connection is ours to close from now on.
 *
 * @throws SocketFailure
 */
export function secureConn(
  conn: Conn,
  own: ClientTls | ServerTls,
  { answerPlain, closesWithPeer = false }: SecuringWays = {},
): Promise<SecuredConn> {
  const wire = new Wire(conn);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(handshakeFailure(error));
    if (answerPlain !== undefined) wire.onFirst = (byte) => isForTls(byte, conn, answerPlain, fail);
    let link: TlsLink;
    const events = {
      secured: (stream: TLSSocket, session: TlsSession) => resolve({ conn: link.secured(stream), session }),
      failed: ({ code, detail }: SocketError) => fail(new SocketFailure(code, detail)),
    };
    try {
      const stream = isClientTls(own)
        ? secureClient(wire.stream, own, events)
        : secureServer(wire.stream, own, events);
      link = new TlsLink(conn, wire, stream, fail, closesWithPeer);
    } catch (error) {
      const { code, detail } = unusable(error);
      reject(new SocketFailure(code, detail));
    }
  });
}

/** No handshake begins with a letter, and every method does. */
function isForTls(
  byte: number,
  conn: Conn,
  answerPlain: () => Uint8Array | null,
  fail: (error: unknown) => void,
): boolean {
  if (byte < LETTER_A || byte > LETTER_Z) return true;
  const answer = answerPlain() ?? NOTHING;
  const failed = () => fail(new SocketFailure("tls_protocol_error", "HTTP where TLS was expected"));
  writeAll(conn, answer).then(() => conn.closeWrite()).then(failed, failed);
  return false;
}

function handshakeFailure(error: unknown): SocketFailure {
  if (error instanceof SocketFailure) return error;
  const { code, detail } = socketErrorOf(error, "handshake");
  return new SocketFailure(code, detail);
}

/** The records' side: a stream for node:tls over a `Deno.Conn`, which reads only when it may. */
class Wire {
  readonly stream: Duplex;
  /** Bytes are wanted; during the handshake they always are. */
  wanted: () => boolean = () => true;
  /** Whether what begins with this byte is for node:tls; asked once. */
  onFirst: ((byte: number) => boolean) | null = null;
  /** All that was written has left. */
  onIdle: () => void = () => {};
  /** The peer has ended (null) or reset the connection. */
  onHungUp: (error: unknown) => void = () => {};
  /** Nothing leaves any more: node:tls may still hold bytes whose memory is no longer ours. */
  dead = false;
  readonly records = new TlsRecords();
  readonly #conn: Conn;
  readonly #buffer = new Uint8Array(WIRE_BYTES);
  #asked = false;
  #reading = false;

  constructor(conn: Conn) {
    this.#conn = conn;
    const { Duplex } = streamModule();
    this.stream = new Duplex({
      allowHalfOpen: true,
      readableHighWaterMark: WIRE_BYTES,
      read: () => {
        this.#asked = true;
        this.readIfWanted();
      },
      write: (bytes: Uint8Array, _, done) => this.#send(bytes, done),
    });
  }

  /** Bytes written that have not left. */
  get waitingBytes(): number {
    return this.stream.writableLength;
  }

  readIfWanted(): void {
    if (this.#reading || !this.#asked || !this.wanted()) return;
    this.#reading = true;
    this.#asked = false;
    this.#conn.read(this.#buffer).then((count) => {
      this.#reading = false;
      const { onFirst } = this;
      this.onFirst = null;
      if (count !== null && onFirst !== null && !onFirst(this.#buffer[0] as number)) return;
      if (count === null) this.onHungUp(null);
      else this.records.received(this.#buffer.subarray(0, count));
      this.stream.push(count === null ? null : Buffer.from(this.#buffer.subarray(0, count)));
    }, (error: unknown) => {
      this.#reading = false;
      this.onHungUp(error);
    });
  }

  #send(bytes: Uint8Array, done: (error?: Error) => void): void {
    if (this.dead) return done();
    writeAll(this.#conn, bytes).then(() => {
      done();
      if (this.waitingBytes === 0) this.onIdle();
    }, done);
  }
}

async function writeAll(conn: Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** The contents' side. */
class TlsLink implements Conn {
  readonly localAddr: ConnAddress;
  readonly remoteAddr: ConnAddress;
  readonly #conn: Conn;
  readonly #wire: Wire;
  readonly #stream: TLSSocket;
  readonly #closesWithPeer: boolean;
  #onFailure: (error: unknown) => void;

  /** Arrived and not yet read: what a few records hold. */
  #held: Uint8Array[] = [];
  #secured = false;
  #ended = false;
  #failure: unknown = null;
  #closed = false;
  #read: (Waiting<number | null> & { readonly buffer: Uint8Array }) | null = null;
  #write: Waiting<void> | null = null;
  /** node:tls has encrypted the write; its records may still be on their way. */
  #encrypted = false;

  constructor(
    conn: Conn,
    wire: Wire,
    stream: TLSSocket,
    onFailure: (error: unknown) => void,
    closesWithPeer: boolean,
  ) {
    this.#closesWithPeer = closesWithPeer;
    this.localAddr = conn.localAddr;
    this.remoteAddr = conn.remoteAddr;
    this.#conn = conn;
    this.#wire = wire;
    this.#stream = stream;
    this.#onFailure = onFailure;
    wire.stream.on("error", (error) => this.#fail(error));
    wire.onIdle = () => this.#wireIdle();
    stream.on("error", (error) => this.#fail(error));
    // Without a `tls.Server` this is how a server's side tells. @types/node does not know it.
    (stream as Duplex).on("_tlsError", (error: unknown) => this.#fail(error));
    wire.onHungUp = (error) => {
      // An alert that came before is told within the turn, and says more.
      setImmediate(() => setImmediate(() => this.#hungUp(error)));
    };
    stream.on("close", () => this.#fail(new Error("TLS stream closed")));
  }

  /** The handshake is done: contents begin to flow. */
  secured(stream: TLSSocket): this {
    this.#secured = true;
    this.#onFailure = () => {};
    this.#wire.wanted = () => this.#read !== null;
    stream.on("data", (bytes: Uint8Array) => {
      this.#wire.records.told(bytes.length);
      this.#held.push(bytes);
      this.#serve();
    });
    stream.on("end", () => {
      this.#ended = true;
      this.#serve();
      if (this.#closesWithPeer) this.#rejectLost();
    });
    return this;
  }

  get below(): Socket | undefined {
    return this.#conn.below;
  }

  get endedShort(): boolean {
    return this.#ended && !this.#wire.records.closedInOrder;
  }

  setNoDelay(noDelay: boolean): void {
    this.#conn.setNoDelay?.(noDelay);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.#read = { buffer, resolve, reject };
      this.#serve();
      if (this.#read !== null) this.#wire.readIfWanted();
    });
  }

  #serve(): void {
    const read = this.#read;
    if (read === null) return;
    let at = 0;
    while (at < read.buffer.length) {
      const bytes = this.#held.shift();
      if (bytes === undefined) break;
      const count = Math.min(bytes.length, read.buffer.length - at);
      read.buffer.set(bytes.subarray(0, count), at);
      at += count;
      if (count < bytes.length) this.#held.unshift(bytes.subarray(count));
    }
    if (at === 0 && !this.#ended && this.#failure === null) return;
    this.#read = null;
    if (at > 0) read.resolve(at);
    else if (this.#ended) read.resolve(null);
    else read.reject(this.#failure);
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#whenSent({ resolve: () => resolve(bytes.length), reject });
      if (this.#failure === null) this.#stream.write(bytes, () => this.#wasEncrypted());
    });
  }

  /** Sends close_notify, then FIN. */
  async closeWrite(): Promise<void> {
    if (this.#ended && this.#closesWithPeer) {
      if (!this.#closed) await this.#conn.closeWrite();
      return;
    }
    await new Promise<void>((resolve, reject) => {
      this.#whenSent({ resolve, reject });
      if (this.#failure === null) this.#stream.end(() => this.#wasEncrypted());
    });
    if (!this.#closed) await this.#conn.closeWrite();
  }

  #whenSent(waiting: Waiting<void>): void {
    this.#write = waiting;
    this.#encrypted = false;
    if (this.#failure !== null) this.#rejectWrite();
    else if (this.#ended && this.#closesWithPeer) this.#rejectLost();
  }

  /** The peer has ended, and the platform with it. */
  #rejectLost(): void {
    const write = this.#write;
    this.#write = null;
    write?.reject(Object.assign(new Error("TLS has ended with its peer"), { code: "EPIPE" }));
  }

  #wasEncrypted(): void {
    // The records reach the wire within the turn.
    setImmediate(() => {
      this.#encrypted = true;
      this.#wireIdle();
    });
  }

  #wireIdle(): void {
    const write = this.#write;
    if (write === null || !this.#encrypted || this.#wire.waitingBytes > 0) return;
    this.#write = null;
    write.resolve();
  }

  #rejectWrite(): void {
    const write = this.#write;
    this.#write = null;
    write?.reject(this.#failure);
  }

  /** node:tls does not tell when that happens during the handshake. */
  #hungUp(error: unknown): void {
    if (error !== null) this.#fail(error);
    else if (!this.#secured) this.#fail(new SocketFailure("connection_terminated", "end of stream"));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#wire.dead = this.#secured; // the alert of a failed handshake may go out
    this.#onFailure(this.#failure);
    this.#serve();
    this.#rejectWrite();
  }

  close(): void {
    this.#end(false);
  }

  abort(): void {
    this.#end(true);
  }

  #end(drop: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held = [];
    if (drop && this.#conn.abort !== undefined) this.#conn.abort();
    else this.#conn.close();
    this.#fail(new Error("closed by us"));
    this.#stream.destroy();
    this.#wire.stream.destroy();
  }
}
