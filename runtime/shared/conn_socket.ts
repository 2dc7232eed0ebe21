/**
 * A socket of the contract over one `Conn`, which on Deno is the platform's: a read loop that stops asking while
 * paused, and a `ConnSender` for what `write` takes. A large chunk that is written on inside `data` is not copied:
 * the write takes its buffer over and the reader gets another. So a handler must not change the bytes that `data`
 * lends it.
 */
import type { CloseReason, Socket, SocketEvents, TlsSession } from "../contract/contract.ts";
import type { Conn } from "./conn.ts";
import { type ConnBuffers, LARGE_BYTES, SMALL_BYTES } from "./conn_buffers.ts";
import { ConnSender } from "./conn_sender.ts";
import { plainAddress } from "./plain_address.ts";
import { ReleasedConn } from "./released_conn.ts";
import { ABORTED, closeReasonOf, FINISHED } from "./socket_error.ts";

/** `drained` comes when this much is free: a caller that refills does it in useful pieces. */
const DRAINED_ROOM_BYTES = LARGE_BYTES / 2;
const NO_EVENTS: SocketEvents = {
  data() {},
  drained() {},
  ended() {},
  closed() {},
};

/**
 * `closing`: `close` was called, taken bytes are still going out. `dead`: the connection is closed;
 * `closed` is on its way or was reported. `released`: a `ReleasedConn` has the connection; taken bytes may still be
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

  readonly #sender: ConnSender;
  #wantsDrained = false;
  #finishing = false;
  #sendingFin = false;
  #finSent = false;
  /** The owner of the connection once it is released. */
  #heir: ReleasedConn | null = null;
  /** Sending failed; what the peer sent before may still be read. */
  #sendFailure: CloseReason | null = null;

  // One closure each per socket instead of one per operation.
  readonly #onRead = (count: number | null) => this.#readDone(count);
  readonly #onReadError = (error: unknown) => this.#readFailed(error);

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
    this.#sender = new ConnSender(conn, buffers, () => this.#sent(), (error) => this.#writeFailed(error));
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
    if (this.#sender.idle) heir.flushed();
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
    const buffer = this.#readBuffer ??= this.#buffers.takeForRead(this.#streaming);
    this.#reading = true;
    this.#buffers.beginRead(buffer);
    this.#conn.read(buffer).then(this.#onRead, this.#onReadError);
  }

  #endRead(): void {
    this.#reading = false;
    if (this.#readBuffer !== null) this.#buffers.endRead(this.#readBuffer);
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
    const taken = this.#sendFailure !== null ? 0 : Math.min(offered, this.#sender.room);
    if (taken < offered) this.#wantsDrained = true;
    if (taken === 0) return 0;
    this.#sender.take(bytes.subarray(from, from + taken));
    return taken;
  }

  #sent(): void {
    if (this.#sender.idle) {
      if (this.#heir !== null) this.#heir.flushed();
      else if (this.#phase === "closing") this.#closeNow();
      else if (this.#finishing) this.#sendFin();
    }
    if (!this.#wantsDrained || this.#sender.room < DRAINED_ROOM_BYTES) return;
    this.#wantsDrained = false;
    this.#guard(() => this.events.drained());
  }

  /**
   * EPIPE and the like. An answer that the peer sent before it went away is still in the kernel, so
   * reading goes on to its end first, unless reading is paused.
   */
  #writeFailed(error: unknown): void {
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
    if (this.#sender.idle) this.#sendFin();
  }

  #sendFin(): void {
    if (this.#sendFailure !== null) return;
    this.#sendingFin = true;
    this.#conn.closeWrite().then(() => {
      this.#finSent = true;
      if (this.#phase === "closing") this.#die(FINISHED);
      else this.#dieWhenDone();
    }, (error) => this.#writeFailed(error));
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
    if (this.#sender.idle) this.#closeNow();
  }

  abort(): void {
    if (this.#phase !== "dead" && this.#phase !== "released") this.#die(ABORTED);
  }

  #die(reason: CloseReason): void {
    if (this.#phase === "dead") return;
    this.#phase = "dead";
    this.#wantsDrained = false;
    this.#sender.stop();
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
