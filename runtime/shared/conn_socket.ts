/**
 * A socket of the contract over one `Conn`, which on Deno is the platform's: a read loop that stops asking while paused, and at most
 * one write under way. Deno cannot write synchronously, so what `write` takes is copied and counted. A
 * large chunk that is written on inside `data` is not copied: the write takes its buffer over and the
 * reader gets another. So a handler must not change the bytes that `data` lends it.
 *
 * Reading: a pending read pins its buffer, so beyond a few connections each waits with 4 KiB. A read that
 * fills them makes the next one use 64 KiB from a shared pool. Measured with 2,000 idle connections: 15 KiB
 * each, 63 with 64 KiB buffers throughout; CPU of a relay with 64 connections is the same as with those,
 * where 4 KiB for every first read cost a third more at 64 KiB bodies.
 */
import type { CloseReason, Socket, SocketEvents, TlsSession } from "../contract/contract.ts";
import type { Conn } from "./conn.ts";
import { plainAddress } from "./plain_address.ts";
import { ReleasedConn } from "./released_conn.ts";
import { ABORTED, closeReasonOf, FINISHED } from "./socket_error.ts";

/** Buffer of a connection that waits. */
const SMALL_BYTES = 4 * 1024;
/** Buffer of a connection that streams, and most of what a socket holds of taken bytes. */
export const LARGE_BYTES = 64 * 1024;
/** `drained` comes when this much is free: a caller that refills does it in useful pieces. */
const DRAINED_ROOM_BYTES = LARGE_BYTES / 2;
/** So many waiting connections may have a large buffer all the same (4 MiB): few connections, fewer reads. */
const MAX_LARGE_WAITING = 64;
/** Buffers kept for reuse: 256 KiB of small ones, 4 MiB of large ones. */
const MAX_IDLE_SMALL = 64;
const MAX_IDLE_LARGE = 64;

const NO_EVENTS: SocketEvents = {
  data() {},
  drained() {},
  ended() {},
  closed() {},
};

/** Buffers of the two sizes, shared by all sockets of a runtime. */
export class ConnBuffers {
  readonly #small: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];
  /** The large buffer that `data` is being called with, until somebody claims it. */
  #lent: Uint8Array | null = null;
  /** Large buffers that belong to pending reads. */
  largeReading = 0;
  /** `Capabilities.ownChunks`: what `data` is called with is a copy. */
  readonly ownChunks: boolean;

  constructor(ownChunks = false) {
    this.ownChunks = ownChunks;
  }

  /** A buffer of the smaller size that holds `bytes`. */
  take(bytes: number): Uint8Array {
    if (bytes <= SMALL_BYTES) return this.#small.pop() ?? new Uint8Array(SMALL_BYTES);
    return this.#large.pop() ?? new Uint8Array(LARGE_BYTES);
  }

  /** Gives a buffer back that nothing refers to any more, also no pending read or write. */
  give(buffer: Uint8Array): void {
    if (buffer.length === SMALL_BYTES) {
      if (this.#small.length < MAX_IDLE_SMALL) this.#small.push(buffer);
    } else if (this.#large.length < MAX_IDLE_LARGE) {
      this.#large.push(buffer);
    }
  }

  /** To be called before `data` gets a view of this buffer. */
  lend(buffer: Uint8Array): void {
    this.#lent = buffer.length === LARGE_BYTES ? buffer : null;
  }

  /** After `data`. @returns whether a write has taken the buffer over */
  endLend(buffer: Uint8Array): boolean {
    const claimed = buffer.length === LARGE_BYTES && this.#lent === null;
    this.#lent = null;
    return claimed;
  }

  /**
   * Takes the lent buffer over when `bytes` lie in it: a relayed chunk needs no copy. The new owner gives
   * it back to the pool. Null when they lie elsewhere, or the buffer has an owner.
   */
  claim(bytes: Uint8Array): Uint8Array | null {
    const lent = this.#lent;
    if (lent === null || lent.buffer !== bytes.buffer) return null;
    this.#lent = null;
    return lent;
  }
}

/**
 * `closing`: `close` was called, taken bytes are still going out. `dead`: the connection is closed;
 * `closed` is on its way or was reported. `released`: somebody else has the connection; taken bytes may still be
 * going out, and nothing is told any more.
 */
type Phase = "open" | "closing" | "dead" | "released";

export class ConnSocket implements Socket {
  events: SocketEvents = NO_EVENTS;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TlsSession | null;

  readonly #conn: Conn;
  readonly #buffers: ConnBuffers;
  readonly #onHandlerError: (error: unknown) => void;
  #phase: Phase = "open";

  #paused = false;
  /** A read is pending; `#readBuffer` belongs to it. */
  #reading = false;
  #readBuffer: Uint8Array | null = null;
  /** `data` is being called with that buffer. */
  #lent = false;
  /** The last read filled its buffer: use a large one. */
  #streaming = false;
  /** What a read brought while paused: a count, or null for the end of the stream. */
  #held: number | null | undefined = undefined;
  #ended = false;

  /** Under way: `#sending[#sendFrom, #sendTo)`. */
  #sending: Uint8Array | null = null;
  #sendFrom = 0;
  #sendTo = 0;
  /** To be sent after that. */
  #next: Uint8Array | null = null;
  #nextLength = 0;
  #wantsDrained = false;
  #finishing = false;
  #sendingFin = false;
  #finSent = false;
  /** Who has the connection once it is released. */
  #heir: ReleasedConn | null = null;
  /** Sending failed; what the peer sent before may still be read. */
  #sendFailure: CloseReason | null = null;

  // One closure each per socket instead of one per operation.
  readonly #onRead = (count: number | null) => this.#readDone(count);
  readonly #onReadError = (error: unknown) => this.#readFailed(error);
  readonly #onWritten = (count: number) => this.#writeDone(count);
  readonly #onWriteError = (error: unknown) => this.#writeFailed(error);

  constructor(
    conn: Conn,
    tls: TlsSession | null,
    buffers: ConnBuffers,
    onHandlerError: (error: unknown) => void,
  ) {
    this.tls = tls;
    this.#conn = conn;
    this.#buffers = buffers;
    this.#onHandlerError = onHandlerError;
    const { localAddr, remoteAddr } = conn;
    this.remoteAddress = plainAddress(remoteAddr.hostname);
    this.remotePort = remoteAddr.port ?? 0;
    this.localAddress = plainAddress(localAddr.hostname);
    this.localPort = localAddr.port ?? 0;
    if (conn.below !== undefined) this.#measureBy(conn.below);
    try {
      conn.setNoDelay?.(true);
    } catch {
      // Already torn down: the first read tells.
    }
  }

  /** Present where what carries the connection can tell. */
  declare readonly sentAgoMs?: () => number;
  declare readonly ackedBytes?: () => number;

  get endedShort(): boolean {
    return this.#conn.endedShort ?? false;
  }

  #measureBy(below: Socket): void {
    const told = () => this.#phase === "open" || this.#phase === "closing";
    const { sentAgoMs, ackedBytes } = below;
    if (sentAgoMs !== undefined) {
      Object.assign(this, { sentAgoMs: () => told() ? sentAgoMs.call(below) : Infinity });
    }
    if (ackedBytes !== undefined) {
      Object.assign(this, { ackedBytes: () => told() ? ackedBytes.call(below) : -1 });
    }
  }

  /** Hands the socket over to the handler that `hand` answers, and begins to read. */
  open(hand: (socket: Socket) => SocketEvents): void {
    try {
      this.events = hand(this);
    } catch (error) {
      this.#handlerFailed(error);
    }
    this.#read();
  }

  // ------------------------------------------------------------------ reading

  /**
   * Gives the connection away: what was read and not told is read by its new owner first, what was taken is sent
   * first. @returns null when it is not open both ways; then nothing has changed
   */
  release(): ReleasedConn | null {
    if (this.#phase !== "open" || this.#finishing || this.#ended || this.#sendFailure !== null) return null;
    const heir = new ReleasedConn(this.#conn, this.#reading);
    const held = this.#held;
    if (held !== undefined) {
      heir.received(held === null ? null : this.#readBuffer?.slice(0, held) ?? null);
      this.#held = undefined;
    }
    this.#phase = "released";
    this.#heir = heir;
    this.#wantsDrained = false;
    this.#releaseReadBuffer();
    if (this.#sending === null) heir.flushed();
    return heir;
  }

  pause(): void {
    this.#paused = true;
    if (this.#sendFailure !== null) this.#die(this.#sendFailure);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#held !== undefined) queueMicrotask(() => this.#deliverHeld());
    else this.#read();
  }

  #read(): void {
    if (this.#reading || this.#paused || this.#ended || this.#held !== undefined) return;
    if (this.#phase !== "open") return;
    if (this.#readBuffer === null) {
      const large = this.#streaming || this.#buffers.largeReading < MAX_LARGE_WAITING;
      this.#readBuffer = this.#buffers.take(large ? LARGE_BYTES : SMALL_BYTES);
    }
    this.#reading = true;
    if (this.#readBuffer.length === LARGE_BYTES) this.#buffers.largeReading++;
    this.#conn.read(this.#readBuffer).then(this.#onRead, this.#onReadError);
  }

  #endRead(): void {
    this.#reading = false;
    if (this.#readBuffer?.length === LARGE_BYTES) this.#buffers.largeReading--;
  }

  #readDone(count: number | null): void {
    this.#endRead();
    if (this.#phase !== "open") {
      this.#heir?.received(count === null ? null : this.#readBuffer?.slice(0, count) ?? null);
      this.#releaseReadBuffer();
    } else if (this.#paused) {
      this.#held = count;
      if (count === null) this.#guard(() => this.events.endAhead?.(false));
    } else {
      this.#deliver(count);
    }
  }

  #deliverHeld(): void {
    const held = this.#held;
    if (held === undefined || this.#paused || this.#phase !== "open") return;
    this.#held = undefined;
    this.#deliver(held);
  }

  #deliver(count: number | null): void {
    const buffer = this.#readBuffer;
    if (count === null || buffer === null) {
      this.#ended = true;
      this.#releaseReadBuffer();
      this.#guard(() => this.events.ended());
      if (this.#sendFailure !== null) this.#die(this.#sendFailure);
      else this.#dieWhenDone();
      return;
    }
    if (count > 0 && this.#buffers.ownChunks) {
      const bytes = buffer.slice(0, count);
      this.#guard(() => this.events.data(bytes));
    } else if (count > 0) {
      this.#lent = true;
      this.#buffers.lend(buffer);
      try {
        this.events.data(buffer.subarray(0, count));
      } catch (error) {
        this.#handlerFailed(error);
      }
      this.#lent = false;
      if (this.#buffers.endLend(buffer)) this.#readBuffer = null;
    }
    this.#streaming = count >= SMALL_BYTES;
    this.#releaseReadBuffer();
    this.#read();
  }

  #releaseReadBuffer(): void {
    const buffer = this.#readBuffer;
    if (buffer === null || this.#reading || this.#lent) return;
    this.#readBuffer = null;
    this.#buffers.give(buffer);
  }

  #readFailed(error: unknown): void {
    this.#endRead();
    this.#releaseReadBuffer();
    this.#heir?.readFailed(error);
    // Our own close rejects the pending read.
    if (this.#phase === "open") this.#die(closeReasonOf(error));
  }

  // ------------------------------------------------------------------ writing

  write(bytes: Uint8Array, from: number, to: number): number {
    const offered = to - from;
    if (this.#finishing || this.#phase !== "open" || this.#wantsDrained || offered <= 0) return 0;
    const waiting = this.#sendTo - this.#sendFrom + this.#nextLength;
    const taken = this.#sendFailure !== null ? 0 : Math.min(offered, LARGE_BYTES - waiting);
    if (taken < offered) this.#wantsDrained = true;
    if (taken === 0) return 0;
    const piece = bytes.subarray(from, from + taken);
    if (this.#sending === null) this.#start(piece);
    else this.#append(piece);
    return taken;
  }

  #start(piece: Uint8Array): void {
    const claimed = piece.length >= SMALL_BYTES ? this.#buffers.claim(piece) : null;
    if (claimed !== null) {
      this.#sending = claimed;
      this.#sendFrom = piece.byteOffset - claimed.byteOffset;
    } else {
      this.#sending = this.#buffers.take(piece.length);
      this.#sending.set(piece);
      this.#sendFrom = 0;
    }
    this.#sendTo = this.#sendFrom + piece.length;
    this.#send(this.#sending);
  }

  #append(piece: Uint8Array): void {
    const wanted = this.#nextLength + piece.length;
    let next = this.#next;
    if (next === null || next.length < wanted) {
      const larger = this.#buffers.take(wanted);
      if (next !== null) {
        larger.set(next.subarray(0, this.#nextLength));
        this.#buffers.give(next);
      }
      next = this.#next = larger;
    }
    next.set(piece, this.#nextLength);
    this.#nextLength = wanted;
  }

  #send(buffer: Uint8Array): void {
    this.#conn.write(buffer.subarray(this.#sendFrom, this.#sendTo)).then(this.#onWritten, this.#onWriteError);
  }

  #writeDone(count: number): void {
    const sending = this.#sending;
    if (sending === null) return;
    this.#sendFrom += count;
    if (this.#phase === "dead") {
      this.#dropSending();
      return;
    }
    if (this.#sendFrom < this.#sendTo) {
      this.#send(sending);
    } else {
      this.#dropSending();
      const next = this.#next;
      if (next !== null) {
        this.#sending = next;
        this.#sendTo = this.#nextLength;
        this.#next = null;
        this.#nextLength = 0;
        this.#send(next);
      } else if (this.#heir !== null) {
        this.#heir.flushed();
      } else if (this.#phase === "closing") {
        this.#closeNow();
      } else if (this.#finishing) {
        this.#sendFin();
      }
    }
    if (!this.#wantsDrained) return;
    if (this.#sendTo - this.#sendFrom + this.#nextLength > LARGE_BYTES - DRAINED_ROOM_BYTES) return;
    this.#wantsDrained = false;
    this.#guard(() => this.events.drained());
  }

  #dropSending(): void {
    if (this.#sending !== null) this.#buffers.give(this.#sending);
    this.#sending = null;
    this.#sendFrom = 0;
    this.#sendTo = 0;
  }

  #dropNext(): void {
    if (this.#next !== null) this.#buffers.give(this.#next);
    this.#next = null;
    this.#nextLength = 0;
  }

  /**
   * EPIPE and its kin. An answer that the peer sent before it went away is still in the kernel, so
   * reading goes on to its end first, unless nobody is reading.
   */
  #writeFailed(error: unknown): void {
    this.#dropSending();
    this.#dropNext();
    if (this.#phase === "dead") return;
    if (this.#heir !== null) {
      this.#heir.flushFailed(error);
      return;
    }
    const reason = closeReasonOf(error);
    if (this.#phase === "closing" || this.#paused || this.#ended) this.#die(reason);
    else this.#sendFailure = reason;
  }

  // ------------------------------------------------------------------ ending

  finish(): void {
    if (this.#finishing || this.#phase !== "open") return;
    this.#finishing = true;
    this.#wantsDrained = false;
    if (this.#sending === null) this.#sendFin();
  }

  #sendFin(): void {
    if (this.#sendFailure !== null) return;
    this.#sendingFin = true;
    this.#conn.closeWrite().then(() => {
      this.#finSent = true;
      if (this.#phase === "closing") this.#die(FINISHED);
      else this.#dieWhenDone();
    }, this.#onWriteError);
  }

  /** TLS says close_notify first, so that the peer can tell the end from a cut. */
  #closeNow(): void {
    if (this.tls === null || this.#finSent || this.#sendFailure !== null) this.#die(FINISHED);
    else if (!this.#sendingFin) this.#sendFin();
  }

  #dieWhenDone(): void {
    if (this.#phase === "open" && this.#finSent && this.#ended) this.#die(FINISHED);
  }

  close(): void {
    if (this.#phase !== "open") return;
    this.#finishing = true;
    this.#wantsDrained = false;
    this.#phase = "closing";
    if (this.#sending === null) this.#closeNow();
  }

  abort(): void {
    if (this.#phase !== "dead" && this.#phase !== "released") this.#die(ABORTED);
  }

  #die(reason: CloseReason): void {
    if (this.#phase === "dead") return;
    this.#phase = "dead";
    this.#wantsDrained = false;
    this.#dropNext();
    this.#held = undefined;
    this.#releaseReadBuffer();
    try {
      if (reason === ABORTED && this.#conn.abort !== undefined) this.#conn.abort();
      else this.#conn.close();
    } catch {
      // Closed by the platform already.
    }
    queueMicrotask(() => this.#guard(() => this.events.closed(reason)));
  }

  // ------------------------------------------------------------------ handlers

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#handlerFailed(error);
    }
  }

  #handlerFailed(error: unknown): void {
    this.abort();
    this.#onHandlerError(error);
  }
}
