/** An open socket over one of Bun's. The byte path has no closure and no allocation of ours. */
import type { Clock, CloseReason, Socket, SocketEvents, TlsSession } from "../contract/contract.ts";
import type { EndWatch, Pausable } from "./end_watch.ts";
import type { NativeOwner, NativeSocket } from "./native.ts";
import { sendHeld } from "./send_held.ts";
import { ackedBytes, sentAgoMs } from "./send_progress.ts";
import { plainAddress } from "../shared/plain_address.ts";
import { ABORTED, closeReasonOf, FINISHED, platformCode } from "../shared/socket_error.ts";

/** What all parts of one runtime share. */
export interface Host {
  readonly clock: Clock;
  readonly onHandlerError: (error: unknown) => void;
  readonly ends: EndWatch;
}

// Bits of `BunSocket.#flags`.
const PAUSED = 1;
/** A write was short, and `drained` is owed. */
const WANTS_DRAIN = 2;
/** `finish` or `close` was called. */
const FINISHED_OURS = 4;
/** `ended` was told. */
const ENDED = 8;
/** `close` was called, and TLS records still wait for the kernel. */
const CLOSING = 16;
/** Over: nothing but `closed` is told any more. */
const GONE = 32;
/** Events wait in `#held`. */
const HOLDING = 64;
/** The kernel keeps what was written last until the FIN follows. */
const LAST_HELD = 128;
/** In the list of `Host.ends`. */
const WATCHED = 256;
/** `endAhead` was told during this pause. */
const TOLD_AHEAD = 512;
/** Data cannot be passed on as it comes. */
const QUIET = PAUSED | ENDED | CLOSING | GONE | HOLDING;

const NOTHING = new Uint8Array(0);
const WRITE_FAILED: CloseReason = { code: "reset", detail: "the connection broke while writing" };

const PEER_GONE: CloseReason = { code: "reset", detail: "the peer has closed both directions" };

/** Between a socket's birth and the answer of `accepted` or `opened`. */
const NO_EVENTS: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };

/** Of a `BunSocket` that has given its connection away. Nothing else of it is called then. */
const RELEASED = { fd: -1, write: () => -1 } as unknown as NativeSocket;

/** What Bun delivered although the socket was paused; see native.ts. At most one read's worth. */
interface Held {
  readonly chunks: Uint8Array[];
  ended: boolean;
  closed: boolean;
}

export class BunSocket implements Socket, NativeOwner, Pausable {
  events: SocketEvents = NO_EVENTS;
  readonly tls: TlsSession | null;
  #native: NativeSocket;
  readonly #host: Host;
  #flags = 0;
  #held: Held | null = null;
  /** Why the connection is broken, known before its `closed`. */
  #broken: CloseReason | null = null;

  constructor(native: NativeSocket, host: Host, tls: TlsSession | null) {
    this.tls = tls;
    this.#native = native;
    this.#host = host;
    native.data = this;
  }

  /**
   * The native socket and what it has delivered and we did not tell, which are the caller's from now on; we tell
   * nothing more, and our methods do nothing. It is not paused. @returns null when it is not open both ways
   */
  release(): { readonly native: NativeSocket; readonly held: readonly Uint8Array[] } | null {
    const over = (this.#flags & (FINISHED_OURS | ENDED | CLOSING | GONE)) !== 0;
    if (over || this.#broken !== null || this.#held?.ended === true) return null;
    const native = this.#native;
    const held = this.#held?.chunks ?? [];
    if ((this.#flags & PAUSED) !== 0) native.resume();
    this.#held = null;
    this.#native = RELEASED;
    this.#flags |= GONE;
    return { native, held };
  }

  /** Another socket with the same connection, paused; see `release`. Its events are to be set at once. */
  handOver(): BunSocket | null {
    const released = this.release();
    if (released === null) return null;
    const heir = new BunSocket(released.native, this.#host, this.tls);
    heir.pause();
    for (const bytes of released.held) heir.onData(bytes);
    return heir;
  }

  // Bun caches these on first use, so they cost nothing unasked. Asked for the first time after
  // `closed` they are "" and 0.
  get remoteAddress(): string {
    return plainAddress(this.#native.remoteAddress);
  }

  get remotePort(): number {
    return this.#native.remotePort ?? 0;
  }

  get localAddress(): string {
    return plainAddress(this.#native.localAddress);
  }

  get localPort(): number {
    return this.#native.localPort ?? 0;
  }

  write(bytes: Uint8Array, from: number, to: number, last = false): number {
    const offered = to - from;
    if (last && from === 0) return this.#writeLast(bytes, offered);
    const taken = this.#native.write(bytes, from, offered);
    return taken === offered ? taken : this.#shortWrite(taken, offered);
  }

  #writeLast(bytes: Uint8Array, offered: number): number {
    const sendable = this.tls === null && (this.#flags & (FINISHED_OURS | GONE)) === 0;
    const taken = sendable ? sendHeld(this.#native.fd, bytes, offered) : 0;
    // The platform has to know of what is left, or why nothing can be sent.
    if (taken < offered) return taken + this.write(bytes, taken, offered, false);
    this.#flags |= LAST_HELD;
    return taken;
  }

  #shortWrite(taken: number, offered: number): number {
    if (offered === 0 || (this.#flags & (FINISHED_OURS | GONE)) !== 0) return 0;
    if (taken >= 0) {
      this.#flags |= WANTS_DRAIN;
      return taken;
    }
    // The peer has reset. What it sent before is still delivered, and then `closed`; but a paused
    // socket would never tell, because sending took the error that polling reports.
    this.#broken ??= WRITE_FAILED;
    if ((this.#flags & PAUSED) !== 0) this.#tearDown(this.#broken);
    return 0;
  }

  sentAgoMs(): number {
    return this.#gone() ? Infinity : sentAgoMs(this.#native.fd);
  }

  ackedBytes(): number {
    return this.#gone() ? -1 : ackedBytes(this.#native.fd);
  }

  pause(): void {
    if ((this.#flags & (PAUSED | GONE)) !== 0) return;
    this.#flags |= PAUSED;
    this.#native.pause();
    if (this.#broken !== null) this.#tearDown(this.#broken);
    else if ((this.#flags & WATCHED) === 0) {
      this.#flags |= WATCHED;
      this.#host.ends.add(this);
    }
  }

  get pausedDescriptor(): number {
    return (this.#flags & (PAUSED | ENDED | CLOSING | GONE)) === PAUSED ? this.#native.fd : -1;
  }

  unwatched(): void {
    this.#flags &= ~WATCHED;
  }

  foundEnd(reset: boolean): void {
    if ((this.#flags & TOLD_AHEAD) !== 0) return;
    this.#flags |= TOLD_AHEAD;
    try {
      this.events.endAhead?.(reset && (this.#flags & FINISHED_OURS) === 0);
    } catch (error) {
      this.threw(error);
    }
  }

  resume(): void {
    if ((this.#flags & (PAUSED | GONE)) !== PAUSED) return;
    this.#flags &= ~(PAUSED | TOLD_AHEAD);
    this.#native.resume();
    if ((this.#flags & HOLDING) !== 0) queueMicrotask(() => this.#release());
  }

  finish(): void {
    if ((this.#flags & (FINISHED_OURS | GONE)) !== 0) return;
    this.#flags = (this.#flags | FINISHED_OURS) & ~WANTS_DRAIN;
    this.#native.shutdown();
  }

  close(): void {
    if ((this.#flags & (CLOSING | GONE)) !== 0) return;
    const held = (this.#flags & (LAST_HELD | FINISHED_OURS)) === LAST_HELD;
    this.#flags = (this.#flags | CLOSING | FINISHED_OURS) & ~WANTS_DRAIN;
    // What is held must go before the close: with unread bytes of the peer that is a reset, which would destroy it.
    if (this.tls !== null || held) this.#native.shutdown();
    this.#closeWhenSent();
  }

  abort(): void {
    if ((this.#flags & GONE) === 0) this.#tearDown(ABORTED);
  }

  onData(bytes: Uint8Array): void {
    if ((this.#flags & QUIET) !== 0) {
      if ((this.#flags & (ENDED | CLOSING | GONE)) === 0) this.#hold().chunks.push(bytes);
      return;
    }
    try {
      this.events.data(bytes);
    } catch (error) {
      this.threw(error);
    }
  }

  onDrain(): void {
    const flags = this.#flags;
    if ((flags & (WANTS_DRAIN | CLOSING)) === 0) return;
    if ((flags & CLOSING) !== 0) {
      if ((flags & GONE) === 0) this.#closeWhenSent();
      return;
    }
    this.#flags = flags & ~WANTS_DRAIN;
    try {
      this.events.drained();
    } catch (error) {
      this.threw(error);
    }
  }

  onEnd(): void {
    // What looks like a FIN after a failed write is the reset.
    if (this.#broken !== null || (this.#flags & (ENDED | CLOSING | GONE)) !== 0) return;
    if ((this.#flags & (PAUSED | HOLDING)) !== 0) this.#hold().ended = true;
    else this.#tellEnded();
  }

  onClose(error: unknown): void {
    if ((this.#flags & GONE) !== 0) return;
    const reason = this.#broken ?? closeReasonOf(error);
    if (reason === FINISHED && (this.#flags & (ENDED | CLOSING)) === 0) {
      // Both have ended in order, but the caller has not heard of the peer's end yet.
      if ((this.#flags & (PAUSED | HOLDING)) !== 0) {
        const held = this.#hold();
        held.ended = held.closed = true;
        return;
      }
      this.#tellEnded();
      if (this.#gone()) return;
    }
    this.#tellClosed(this.#orderly(reason));
  }

  /** A Unix socket whose peer is gone closes without our doing: not both sides have ended. */
  #orderly(reason: CloseReason): CloseReason {
    return reason === FINISHED && (this.#flags & FINISHED_OURS) === 0 ? PEER_GONE : reason;
  }

  /** A platform error that Bun tells apart from the close that follows it; anything else is our bug. */
  onError(error: unknown): void {
    if (platformCode(error) === "") this.threw(error);
    else this.#broken ??= closeReasonOf(error);
  }

  /** An event handler threw. */
  threw(error: unknown): void {
    this.#host.onHandlerError(error);
    this.abort();
  }

  /**
   * TLS keeps ciphertext that the kernel did not take, even after writes that were not short. Writing
   * nothing answers 0 while that is so, and -1 once close_notify and FIN have left.
   */
  #closeWhenSent(): void {
    if (this.tls !== null && this.#native.write(NOTHING, 0, 0) === 0) return;
    this.#flags |= GONE;
    this.#native.close();
    this.#tellClosedLater(this.#broken ?? FINISHED);
  }

  #tearDown(reason: CloseReason): void {
    this.#flags |= GONE;
    this.#native.terminate();
    this.#tellClosedLater(reason);
  }

  /** From inside a call: `closed` follows when the call has returned. Bun's own event, if any, is ignored. */
  #tellClosedLater(reason: CloseReason): void {
    queueMicrotask(() => this.#tellClosed(reason));
  }

  /** A method, because the compiler cannot know that an event handler changes the flags. */
  #gone(): boolean {
    return (this.#flags & GONE) !== 0;
  }

  #hold(): Held {
    this.#flags |= HOLDING;
    return this.#held ??= { chunks: [], ended: false, closed: false };
  }

  /** Delivers what was held back, in order, until it is all told or the socket is paused again. */
  #release(): void {
    const held = this.#held;
    if (held === null) return;
    while ((this.#flags & (PAUSED | CLOSING | GONE)) === 0) {
      const bytes = held.chunks.shift();
      if (bytes === undefined) {
        this.#held = null;
        this.#flags &= ~HOLDING;
        if (held.ended) this.#tellEnded();
        if (held.closed && !this.#gone()) this.#tellClosed(this.#orderly(FINISHED));
        return;
      }
      try {
        this.events.data(bytes);
      } catch (error) {
        this.threw(error);
      }
    }
  }

  #tellEnded(): void {
    this.#flags |= ENDED;
    try {
      this.events.ended();
    } catch (error) {
      this.threw(error);
    }
  }

  #tellClosed(reason: CloseReason): void {
    this.#flags |= GONE;
    this.#held = null;
    try {
      this.events.closed(reason);
    } catch (error) {
      this.#host.onHandlerError(error);
    }
  }
}
