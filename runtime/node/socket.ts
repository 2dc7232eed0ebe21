/** An open connection of node:net or node:tls under the socket contract. */
import { Buffer } from "node:buffer";
import type { Socket as NetSocket } from "node:net";
import type { CloseReason, Socket, SocketEvents, TlsSession } from "../contract/contract.ts";
import { plainAddress } from "../shared/plain_address.ts";
import { ABORTED, closeReasonOf, FINISHED } from "../shared/socket_error.ts";

/** Most bytes that the stream below may hold of what was taken; see `Socket.write`. */
const MAX_HELD_BYTES = 65_536;

const UNASKED: CloseReason = { code: "failed", detail: "the platform closed the socket unasked" };

/** Until `accepted` or `opened` has answered, and for good when it threw. */
const DEAF: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };

/**
 * How far our side has gone; only ever increases.
 * `open` → `finishing` (FIN after what was taken) → `closing` (then both directions) → `aborted`
 */
const OPEN = 0;
const FINISHING = 1;
const CLOSING = 2;
const ABORTING = 3;

/** Where a stream keeps its `NodeSocket`, so that all connections share one set of listeners. */
const OWNER = Symbol("NodeSocket");

/** A stream of ours. */
type Owned = NetSocket & { [OWNER]: NodeSocket };

export class NodeSocket implements Socket {
  events: SocketEvents = DEAF;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TlsSession | null;
  /** What bytes go through: the TLS stream, or the transport itself. */
  readonly #stream: NetSocket;
  readonly #transport: NetSocket;
  readonly #onHandlerError: (error: unknown) => void;
  #phase = OPEN;
  #paused = false;
  #wantsDrain = false;
  /** `ended` has been delivered. */
  #ended = false;
  /** The stream told its end, or that it is gone, while we were paused. */
  #endHeld = false;
  #closeHeld = false;
  #closed = false;
  /** `abort` is running: node tells the end of a TLS stream at once when its transport goes first. */
  #aborting = false;
  #error: unknown = null;

  /** @param transport the TCP or Unix socket that `stream` runs over, or `stream` itself */
  constructor(
    stream: NetSocket,
    transport: NetSocket,
    tls: TlsSession | null,
    onHandlerError: (error: unknown) => void,
  ) {
    // Read now: node asks the kernel once, and could not when the connection is gone.
    this.remoteAddress = plainAddress(stream.remoteAddress);
    this.remotePort = stream.remotePort ?? 0;
    this.localAddress = plainAddress(stream.localAddress);
    this.localPort = stream.localPort ?? 0;
    this.tls = tls;
    this.#stream = stream;
    this.#transport = transport;
    this.#onHandlerError = onHandlerError;
  }

  /** Hands the socket to its user; events flow from the next turn on. */
  open(receive: (socket: Socket) => SocketEvents): void {
    const stream = this.#stream as Owned;
    stream[OWNER] = this;
    stream.on("error", onError).on("close", onClose).on("end", onEnd).on("drain", onDrain);
    try {
      this.events = receive(this);
    } catch (error) {
      this.#threw(error);
    }
    // Starts the flow, but not if `receive` has paused.
    stream.on("data", onData);
  }

  /**
   * The stream below, which is the caller's from now on, paused; we tell nothing more, and our methods do nothing.
   * @returns null when it is not open both ways; then nothing has changed
   */
  release(): NetSocket | null {
    const stream = this.#stream as Owned;
    const whole = this.#phase === OPEN && !this.#closed && !this.#ended && !this.#endHeld &&
      this.#error === null;
    if (!whole || stream.destroyed) return null;
    stream.pause();
    stream.off("error", onError).off("close", onClose).off("end", onEnd).off("drain", onDrain).off(
      "data",
      onData,
    );
    this.#phase = ABORTING;
    this.#closed = true;
    return stream;
  }

  /** Another socket with the same connection; see `release`. Its events are to be set at once. */
  handOver(): NodeSocket | null {
    const stream = this.release();
    if (stream === null) return null;
    const heir = new NodeSocket(stream, this.#transport, this.tls, this.#onHandlerError);
    heir.open(() => DEAF);
    return heir;
  }

  write(bytes: Uint8Array, from: number, to: number): number {
    if (this.#phase !== OPEN || this.#closed) return 0;
    const stream = this.#stream;
    let at = from;
    // What the kernel takes at once makes room for more.
    while (at < to) {
      const room = MAX_HELD_BYTES - stream.writableLength;
      if (room <= 0 || stream.destroyed) break;
      const end = Math.min(to, at + room);
      stream.write(copyOf(bytes, at, end));
      at = end;
    }
    if (at < to) this.#wantsDrain = true;
    return at - from;
  }

  pause(): void {
    if (this.#paused || this.#closed) return;
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#paused || this.#closed) return;
    this.#paused = false;
    if (this.#endHeld) queueMicrotask(() => this.#releaseEnd());
    else this.#stream.resume();
  }

  finish(): void {
    if (this.#phase >= FINISHING || this.#closed) return;
    this.#phase = FINISHING;
    this.#wantsDrain = false;
    this.#stream.end();
  }

  close(): void {
    if (this.#phase >= CLOSING || this.#closed) return;
    this.#phase = CLOSING;
    this.#wantsDrain = false;
    this.#stream.destroySoon();
    this.#releaseClose();
  }

  abort(): void {
    if (this.#phase >= ABORTING || this.#closed) return;
    this.#phase = ABORTING;
    this.#wantsDrain = false;
    this.#aborting = true;
    this.#drop();
    this.#aborting = false;
    this.#releaseClose();
  }

  // Called by the listeners below

  streamData(bytes: Uint8Array): void {
    if (this.#phase >= CLOSING) return;
    try {
      this.events.data(bytes);
    } catch (error) {
      this.#threw(error);
    }
  }

  streamDrained(): void {
    if (!this.#wantsDrain) return;
    this.#wantsDrain = false;
    try {
      this.events.drained();
    } catch (error) {
      this.#threw(error);
    }
  }

  /** A stream whose buffer is empty tells its end even when it is paused. */
  streamEnded(): void {
    if (!this.#paused) {
      this.#deliverEnd();
      return;
    }
    this.#endHeld = true;
    if (this.#phase >= CLOSING) return;
    try {
      this.events.endAhead?.(false);
    } catch (error) {
      this.#threw(error);
    }
  }

  streamFailed(error: unknown): void {
    this.#error ??= error;
    // A TLS stream reports a record that was tampered with and stays open.
    if (!this.#stream.destroyed) this.#stream.destroy();
  }

  streamClosed(): void {
    if (this.#aborting) {
      queueMicrotask(() => this.#deliverClosed());
      return;
    }
    const orderly = this.#error === null && this.#phase < CLOSING;
    if (this.#endHeld && orderly) this.#closeHeld = true;
    else this.#deliverClosed();
  }

  #drop(): void {
    const stream = this.#stream;
    // A TLS stream goes when its transport does. Destroying it as well crashes the process (SIGSEGV,
    // Node 26.10) when a write is pending, as the session tickets are right after a handshake.
    if (!isShuttingDown(stream)) reset(this.#transport);
    else if (stream === this.#transport) stream.once("finish", () => reset(stream));
    // How long TLS takes to say goodbye is the peer's to choose.
    else stream.destroy();
  }

  /** The end that came while paused, now that we are not any more. */
  #releaseEnd(): void {
    if (!this.#endHeld || this.#paused || this.#closed) return;
    this.#endHeld = false;
    this.#deliverEnd();
    if (this.#closeHeld) this.#deliverClosed();
  }

  /** The stream was gone already when `close` or `abort` was called. */
  #releaseClose(): void {
    if (this.#closeHeld) queueMicrotask(() => this.#deliverClosed());
  }

  #deliverEnd(): void {
    if (this.#ended || this.#phase >= CLOSING) return;
    this.#ended = true;
    try {
      this.events.ended();
    } catch (error) {
      this.#threw(error);
    }
  }

  #deliverClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.events.closed(this.#closeReason());
    } catch (error) {
      this.#onHandlerError(error);
    }
  }

  #closeReason(): CloseReason {
    if (this.#phase === ABORTING) return ABORTED;
    if (this.#error !== null) return closeReasonOf(this.#error);
    if (this.#phase === CLOSING || (this.#ended && this.#phase === FINISHING)) return FINISHED;
    return UNASKED;
  }

  #threw(error: unknown): void {
    this.#onHandlerError(error);
    this.abort();
  }
}

/** Drops a connection of any kind, with a reset where it is TCP. */
export function reset(transport: NetSocket): void {
  // Unix sockets know no reset: node throws when asked for one.
  if (transport.remotePort === undefined) transport.destroy();
  else transport.resetAndDestroy();
}

/**
 * The call of shutdown(2) is with libuv, which then refuses a reset (EINVAL), and node neither closes the
 * descriptor nor tells its end (seen with Node 26.10). Over TCP it is done within a turn.
 */
function isShuttingDown(stream: NetSocket): boolean {
  return stream.writableEnded && !stream.writableFinished && stream.writableLength === 0;
}

/** The stream keeps what the kernel does not take, and the bytes are only lent. */
function copyOf(bytes: Uint8Array, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  copy.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  return copy;
}

function onData(this: NetSocket, bytes: Uint8Array): void {
  (this as Owned)[OWNER].streamData(bytes);
}

function onDrain(this: NetSocket): void {
  (this as Owned)[OWNER].streamDrained();
}

function onEnd(this: NetSocket): void {
  (this as Owned)[OWNER].streamEnded();
}

function onError(this: NetSocket, error: unknown): void {
  (this as Owned)[OWNER].streamFailed(error);
}

function onClose(this: NetSocket): void {
  (this as Owned)[OWNER].streamClosed();
}
