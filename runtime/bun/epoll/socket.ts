/** An open socket in the epoll loop, of TCP or a Unix socket. What `write` takes the kernel has: nothing is queued here. */
import { ackedBytes, sentAgoMs } from "../send_progress.ts";
import type { CloseReason, Socket, SocketEvents } from "../../contract/contract.ts";
import { NOWHERE, type Peer } from "./address.ts";
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, ERRNO, errnoError } from "./numbers.ts";
import { type EpollLoop, MAX_CHUNK_BYTES, type Pollable } from "./loop.ts";
import { ABORTED, closeReasonOf, FINISHED } from "../../shared/socket_error.ts";

// Bits of `EpollSocket.#flags`.
const PAUSED = 1;
/** A write was short, and `drained` is owed. */
const WANTS_DRAIN = 2;
/** `finish` was called. */
const FINISHED_OURS = 4;
/** `ended` was told. */
const ENDED = 8;
/** The descriptor is closed: nothing but `closed` is told any more. */
const GONE = 16;
/** Not in the loop, since it is paused and broken or over, which the loop would not stop telling. */
const DETACHED = 32;
/** The kernel keeps what was written last until the FIN follows. */
const LAST_HELD = 64;
/** `endAhead` was told during this pause. */
const TOLD_AHEAD = 128;

/** What is received at once from a peer that has been paused: the receiver of the bytes is slow, and must keep them. */
const SLOW_CHUNK_BYTES = 64 * 1024;

/** Between a socket's birth and the answer of `accepted` or `opened`. */
const NOBODY: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };

export class EpollSocket implements Socket, Pollable {
  events: SocketEvents = NOBODY;
  readonly tls = null;
  readonly fd: number;
  tag = 0;
  readonly #loop: EpollLoop;
  readonly #onHandlerError: (error: unknown) => void;
  #flags = 0;
  /** Bytes received at once: more while they are there and get on, less after a pause. */
  #chunkBytes = 2 * SLOW_CHUNK_BYTES;
  /** What the loop watches. */
  #watched = EPOLLIN;
  #remote: Peer | null;
  #local: Peer | null = null;
  /** Why the connection is broken, known before its `closed`. */
  #broken: CloseReason | null = null;

  /**
   * @param fd owned from now on; the caller puts us into the loop, watching EPOLLIN
   * @param remote null when it is not known yet
   */
  constructor(fd: number, loop: EpollLoop, remote: Peer | null, onHandlerError: (error: unknown) => void) {
    this.fd = fd;
    this.#loop = loop;
    this.#remote = remote;
    this.#onHandlerError = onHandlerError;
  }

  /**
   * Gives the descriptor away, which is in the loop no more; we tell nothing more, and our methods do nothing.
   * @returns -1 when it is not open both ways; then nothing has changed
   */
  release(): number {
    if ((this.#flags & (FINISHED_OURS | ENDED | GONE | DETACHED)) !== 0 || this.#broken !== null) return -1;
    this.#flags |= GONE;
    this.#loop.detach(this);
    this.#loop.remove(this);
    return this.fd;
  }

  get remoteAddress(): string {
    return this.#peer().address;
  }

  get remotePort(): number {
    return this.#peer().port;
  }

  get localAddress(): string {
    return this.#own().address;
  }

  get localPort(): number {
    return this.#own().port;
  }

  /** @throws RangeError for what is not inside of `bytes`: the kernel would send whatever lies there */
  write(bytes: Uint8Array, from: number, to: number, last = false): number {
    if (!(from >= 0 && from <= to && to <= bytes.length)) {
      throw new RangeError(`[${from}, ${to}) of ${bytes.length} bytes`);
    }
    const offered = to - from;
    if (offered === 0 || (this.#flags & (WANTS_DRAIN | FINISHED_OURS | GONE)) !== 0) return 0;
    const { calls } = this.#loop;
    if (last) this.#flags |= LAST_HELD;
    const taken = last
      ? calls.sendLast(this.fd, bytes, from, offered)
      : calls.send(this.fd, bytes, from, offered);
    return taken === offered ? taken : this.#shortWrite(taken, taken < 0 ? calls.errno : 0);
  }

  #shortWrite(taken: number, errno: number): number {
    if (taken < 0 && errno !== ERRNO.EAGAIN && errno !== ERRNO.EINTR && errno !== ERRNO.ENOBUFS) {
      this.#cannotSend(errno);
      return 0;
    }
    this.#flags |= WANTS_DRAIN;
    this.#watch();
    return Math.max(0, taken);
  }

  /**
   * When the peer has reset, what it sent before is still delivered, and then `closed`, as the loop tells: if there
   * is something to receive, an end or an error included. Of any other failure the loop may never hear.
   */
  #cannotSend(errno: number): void {
    const reason = this.#broken ??= reasonOf(errno);
    const { calls } = this.#loop;
    const told = (this.#flags & (PAUSED | ENDED)) === 0 && reason.code === "reset" &&
      (calls.peek(this.fd) >= 0 || calls.errno !== ERRNO.EAGAIN);
    if (!told) this.#tearDown(reason);
  }

  sentAgoMs(): number {
    return this.#gone() ? Infinity : sentAgoMs(this.fd);
  }

  ackedBytes(): number {
    return this.#gone() ? -1 : ackedBytes(this.fd);
  }

  pause(): void {
    if ((this.#flags & (PAUSED | GONE)) !== 0) return;
    // The loop goes on watching until something comes: most pauses are shorter than that.
    this.#flags |= PAUSED;
    this.#chunkBytes = SLOW_CHUNK_BYTES;
    if (this.#broken !== null) this.#tearDown(this.#broken);
  }

  resume(): void {
    if ((this.#flags & (PAUSED | GONE)) !== PAUSED) return;
    this.#flags &= ~(PAUSED | TOLD_AHEAD);
    this.#watch();
  }

  finish(): void {
    if ((this.#flags & (FINISHED_OURS | GONE)) !== 0) return;
    this.#flags = (this.#flags | FINISHED_OURS) & ~WANTS_DRAIN;
    if ((this.#flags & ENDED) !== 0) this.#tearDown(this.#broken ?? FINISHED);
    else {
      const { calls } = this.#loop;
      if (calls.shutdown(this.fd) < 0) this.#cannotSend(calls.errno);
      else this.#watch();
    }
  }

  close(): void {
    if ((this.#flags & GONE) !== 0) return;
    // What is held must go before the close: with unread bytes of the peer that is a reset, which would destroy it.
    if ((this.#flags & (LAST_HELD | FINISHED_OURS)) === LAST_HELD) this.#loop.calls.shutdown(this.fd);
    this.#tearDown(this.#broken ?? FINISHED);
  }

  abort(): void {
    if ((this.#flags & GONE) === 0) this.#tearDown(ABORTED);
  }

  onReady(events: number): void {
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) !== 0) {
      if ((this.#flags & PAUSED) !== 0) this.#readyWhilePaused(events);
      else if ((this.#flags & ENDED) !== 0) this.#failed(events);
      else this.#receive(events);
    }
    if ((events & EPOLLOUT) !== 0 && (this.#flags & (WANTS_DRAIN | GONE)) === WANTS_DRAIN) this.#drained();
  }

  /** An event handler threw. */
  threw(error: unknown): void {
    try {
      this.#onHandlerError(error);
    } finally {
      this.abort();
    }
  }

  #receive(events: number): void {
    const loop = this.#loop;
    const { calls } = loop;
    const length = calls.recv(this.fd, loop.buffer, this.#chunkBytes);
    if (length > 0) this.#received(length);
    else if (length === 0) this.#end();
    else this.#notReceived(calls.errno, events);
  }

  #received(length: number): void {
    if (length === this.#chunkBytes && length < MAX_CHUNK_BYTES) this.#chunkBytes = 2 * length;
    try {
      this.events.data(this.#loop.received(length));
    } catch (error) {
      this.threw(error);
    }
  }

  /**
   * The engine may stop between a system call and the look at errno, and spoil that. An error which was announced
   * is one, whatever errno says: asked again, the kernel would answer as if the peer had ended in order. But if the call was
   * interrupted, what the peer had sent before is still there.
   */
  #notReceived(errno: number, events: number): void {
    const nothing = errno === ERRNO.EAGAIN || errno === ERRNO.EINTR;
    if (nothing) {
      if ((events & EPOLLERR) === 0) return;
      const length = this.#loop.calls.recv(this.fd, this.#loop.buffer, this.#chunkBytes);
      if (length > 0) {
        this.#received(length);
        return;
      }
    }
    this.#lost(this.#broken ?? reasonOf(nothing ? ERRNO.ECONNRESET : errno));
  }

  #end(): void {
    // What looks like a FIN after a failed write is the reset.
    if (this.#broken !== null) {
      this.#lost(this.#broken);
      return;
    }
    this.#flags |= ENDED;
    try {
      this.events.ended();
    } catch (error) {
      this.threw(error);
    }
    if (this.#gone()) return;
    if ((this.#flags & FINISHED_OURS) !== 0) this.#lost(FINISHED);
    else this.#watch();
  }

  /** The peer had ended already, so this is an error or nothing. */
  #failed(events: number): void {
    const errno = this.#loop.calls.pendingError(this.fd);
    if (errno !== 0 || this.#broken !== null) this.#lost(this.#broken ?? reasonOf(errno));
    // We have not ended, so nothing but a reset, whose error was taken elsewhere, hangs up.
    else if ((events & EPOLLHUP) !== 0) this.#lost(reasonOf(ERRNO.ECONNRESET));
    else this.#watch();
  }

  /** What can be read waits for `resume`. A reset with nothing before it is told at once. */
  #readyWhilePaused(events: number): void {
    if ((events & (EPOLLERR | EPOLLHUP)) === 0) {
      if ((events & EPOLLRDHUP) !== 0) this.#tellAhead(false);
      if (!this.#gone()) this.#watch();
      return;
    }
    const { calls } = this.#loop;
    const there = (this.#flags & ENDED) !== 0 ? -1 : calls.peek(this.fd);
    const errno = there < 0 ? calls.errno : 0;
    if ((this.#flags & ENDED) !== 0) this.#failed(events);
    else if (there < 0 && errno !== ERRNO.EAGAIN && errno !== ERRNO.EINTR) {
      this.#lost(this.#broken ?? reasonOf(errno));
    } else {
      this.#flags |= DETACHED;
      this.#loop.detach(this);
      this.#tellAhead((this.#flags & FINISHED_OURS) === 0);
    }
  }

  #tellAhead(reset: boolean): void {
    if ((this.#flags & (ENDED | TOLD_AHEAD)) !== 0) return;
    this.#flags |= TOLD_AHEAD;
    try {
      this.events.endAhead?.(reset);
    } catch (error) {
      this.threw(error);
    }
  }

  #drained(): void {
    this.#flags &= ~WANTS_DRAIN;
    try {
      this.events.drained();
    } catch (error) {
      this.threw(error);
    }
    if (!this.#gone()) this.#watch();
  }

  /** Has the loop watch what is wanted now. */
  #watch(): void {
    const flags = this.#flags;
    const reading = (flags & PAUSED) === 0 ? EPOLLIN : (flags & TOLD_AHEAD) === 0 ? EPOLLRDHUP : 0;
    const wanted = ((flags & ENDED) === 0 ? reading : 0) |
      ((flags & WANTS_DRAIN) === 0 ? 0 : EPOLLOUT);
    if ((flags & DETACHED) !== 0) {
      // While it is paused there is nothing that it could be told.
      if ((flags & PAUSED) !== 0) return;
      this.#flags &= ~DETACHED;
      this.#watched = wanted;
      if (this.#loop.attach(this, wanted) < 0) this.#tearDown(reasonOf(this.#loop.calls.errno));
    } else if (wanted !== this.#watched) {
      this.#watched = wanted;
      // What is not watched would never be told.
      if (this.#loop.change(this, wanted) < 0) this.#tearDown(reasonOf(this.#loop.calls.errno));
    }
  }

  /** From inside a call of ours: `closed` follows when the call has returned. */
  #tearDown(reason: CloseReason): void {
    this.#release(reason);
    this.#loop.later(() => this.#tellClosed(reason));
  }

  /** From the loop. */
  #lost(reason: CloseReason): void {
    this.#release(reason);
    this.#tellClosed(reason);
  }

  #release(reason: CloseReason): void {
    this.#flags |= GONE;
    this.#loop.remove(this);
    // An end in order would make what was cut look complete.
    if (reason === FINISHED) this.#loop.calls.close(this.fd);
    else this.#loop.calls.reset(this.fd);
  }

  #tellClosed(reason: CloseReason): void {
    try {
      this.events.closed(reason);
    } catch (error) {
      this.#onHandlerError(error);
    }
  }

  /** A method, because the compiler cannot know that an event handler changes the flags. */
  #gone(): boolean {
    return (this.#flags & GONE) !== 0;
  }

  /** Not known of a connection that we opened, until it is asked for. */
  #peer(): Peer {
    if (this.#gone()) return this.#remote ?? NOWHERE;
    return this.#remote ??= this.#loop.calls.remoteOf(this.fd) ?? NOWHERE;
  }

  #own(): Peer {
    if (this.#gone()) return this.#local ?? NOWHERE;
    return this.#local ??= this.#loop.calls.localOf(this.fd) ?? NOWHERE;
  }
}

function reasonOf(errno: number): CloseReason {
  return closeReasonOf(errnoError(errno));
}
