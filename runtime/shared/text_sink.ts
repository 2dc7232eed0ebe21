/**
 * `TextSink` over node:fs: pieces are collected, and one write is in flight at a time.
 *
 * A descriptor of a pipe or a terminal is opened anew through /proc/self/fd where that is possible: the
 * copy is non-blocking without changing what other processes share, so that a reader which stopped
 * reading holds up neither us nor a thread of the pool (which has few). Sockets (systemd's journal) cannot be
 * opened so: on Bun they are written to by send(2), which need not block either, elsewhere through the pool, by one thread
 * for each descriptor at most. A thread that waits there keeps Deno and Node from ending; see `exitNow`.
 */
import * as fs from "node:fs";
import { Buffer } from "node:buffer";
import { setImmediate, setTimeout } from "node:timers";
import { sendNow } from "./send_now.ts";
import type { FlushPatience, TextSink } from "../contract/contract.ts";
import {
  closeQuietly,
  isBlind,
  isFull,
  openDescriptor,
  openPath,
  PIPE_BUF,
  sizeOf,
  type Target,
} from "./sink_target.ts";
import { sleep, systemError } from "./system_error.ts";

/** How often it is looked whether a flush gets on. */
const FLUSH_LOOK_MS = 20;
/** How long to wait before a full pipe is tried again: there is no event for plain descriptors. */
const RETRY_MS = 5;
/** Most bytes joined into one write: the size of a Linux pipe's buffer. */
const MAX_BATCH_BYTES = 65_536;
/** How long `flushNow` waits in all for a slow reader or a write in flight, in milliseconds. */
const FLUSH_NOW_PATIENCE_MS = 1000;
/** The same for targets that do not tell how far they are. */
const BLIND_PATIENCE_MS = 200;
/**
 * Most bytes of one non-blocking write. Deno's node:fs writes on until it is told EAGAIN and then does not
 * say how much it wrote; up to PIPE_BUF bytes a pipe takes all or nothing (pipe(7)).
 */
const MAX_SYNC_BYTES = "Deno" in globalThis ? 4_096 : MAX_BATCH_BYTES;

/** Descriptors that a thread of the pool is writing to, of all sinks; but for regular files. */
const busy = new Set<number>();
/** Writes that have been given up, and that a thread of the pool has not come back from. */
let stuck = 0;

/** A thread of the pool waits for a reader that has had its time: the platform may wait for that thread in the end. */
export function isStuck(): boolean {
  return stuck > 0;
}

/**
 * @param shared other processes write there too; see `System.openSink`
 * @throws SystemError
 */
export function openTextSink(target: string | 1 | 2, maxBufferedBytes: number, shared = false): TextSink {
  return new FileSink(target, maxBufferedBytes, shared);
}

class FileSink implements TextSink {
  dropped = 0;
  dropCause = "";
  readonly #path: string | null;
  readonly #maxBufferedBytes: number;
  readonly #shared: boolean;
  /** Oldest first; the last one receives what is written now. */
  readonly #targets: Target[];
  /** Bytes of pieces and of the batch that have not been written. */
  #waitingBytes = 0;
  /** What is being written, from `#batchFrom` on. Null: nothing. */
  #batch: Buffer | null = null;
  #batchFrom = 0;
  #batchPieces = 0;
  /** A write is with the pool. */
  #inFlight = false;
  /** Size of a regular file that the write in flight leads to. */
  #expectedSize = 0;
  #scheduled = false;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #acceptedBytes = 0;
  #doneBytes = 0;
  /** Nothing is taken any more. */
  #abandoned = false;
  readonly #waiters: { until: number; resolve: () => void }[] = [];

  constructor(target: string | 1 | 2, maxBufferedBytes: number, shared: boolean) {
    this.#path = typeof target === "string" ? target : null;
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#shared = shared;
    this.#targets = [typeof target === "string" ? openPath(target) : openDescriptor(target)];
  }

  /** Linux appends to a file in one step, whatever the length. */
  get wholeLineBytes(): number {
    return this.#shared && !this.#last().regular ? PIPE_BUF : Infinity;
  }

  write(text: string): void {
    if (text === "") return;
    const bytes = Buffer.byteLength(text);
    if (this.#abandoned) {
      this.dropped++;
      return;
    }
    if (this.#waitingBytes + bytes > this.#maxBufferedBytes) {
      this.dropped++;
      this.dropCause = "its target does not keep up";
      return;
    }
    this.#waitingBytes += bytes;
    this.#acceptedBytes += bytes;
    this.#last().pieces.push(text);
    this.#schedule();
  }

  async reopen(): Promise<void> {
    if (this.#path === null) return;
    const next = openPath(this.#path);
    const old = this.#last();
    const retired = new Promise<void>((resolve) => (old.retired = resolve));
    this.#targets.push(next);
    this.#schedule();
    await retired;
  }

  flush(patience?: FlushPatience): Promise<boolean> {
    if (this.#doneBytes >= this.#acceptedBytes) return Promise.resolve(!this.#abandoned);
    const until = this.#acceptedBytes;
    return new Promise((resolve) => {
      this.#waiters.push({ until, resolve: () => resolve(!this.#abandoned) });
      if (patience !== undefined) this.#watchFlush(until, patience);
    });
  }

  #watchFlush(until: number, { stalledMs, mostMs }: FlushPatience): void {
    const began = performance.now();
    let taken = this.#takenBytes();
    let takenAt = began;
    const look = () => {
      if (this.#doneBytes >= until) return;
      const now = performance.now();
      if (this.#takenBytes() > taken) {
        taken = this.#takenBytes();
        takenAt = now;
      }
      if (now - takenAt >= stalledMs || now - began >= mostMs) this.#abandon();
      else setTimeout(look, FLUSH_LOOK_MS);
    };
    setTimeout(look, FLUSH_LOOK_MS);
  }

  #takenBytes(): number {
    return this.#doneBytes + (this.#batch === null ? 0 : this.#batchFrom);
  }

  /** The reader has had its time. */
  #abandon(): void {
    this.#abandoned = true;
    if (this.#inFlight) stuck++;
    this.dropCause = "its target does not keep up";
    if (this.#batch !== null) this.dropped += this.#batchPieces;
    for (const target of this.#targets) {
      this.dropped += target.pieces.length;
      target.pieces = [];
    }
    this.#batch = null;
    this.#waitingBytes = 0;
    this.#doneBytes = this.#acceptedBytes;
    this.#resolveWaiters();
  }

  flushNow(): void {
    const deadline = Date.now() + FLUSH_NOW_PATIENCE_MS;
    if (this.#inFlight) {
      this.#awaitFlight(deadline);
      // Whatever became of it is not ours any more: written twice would be worse than cut.
      this.#settleBatch();
    }
    while (this.#nextBatch()) {
      if (isBlind(this.#targets[0] as Target)) {
        if (Date.now() >= deadline) return;
        this.#writeBlindly();
      } else if (!this.#writeSync()) {
        if (Date.now() >= deadline) return;
        sleep(1);
      }
    }
  }

  /** The queue is never empty: see the constructor and `#nextBatch`. */
  #last(): Target {
    return this.#targets[this.#targets.length - 1] as Target;
  }

  /** A turn of the loop collects what it logs into one write. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight || this.#retry !== null) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (!this.#inFlight && this.#retry === null && this.#nextBatch()) {
      const target = this.#targets[0] as Target;
      if (target.blocking) this.#writeInPool(target);
      else if (!this.#writeSync()) this.#retryLater();
    }
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#pump();
    }, RETRY_MS);
    // A reader that has stopped reading must not keep the process alive.
    this.#retry.unref();
  }

  /** Makes `#batch` the next bytes to be written; false when there are none. */
  #nextBatch(): boolean {
    if (this.#batch !== null) return true;
    for (;;) {
      const target = this.#targets[0] as Target;
      if (target.pieces.length > 0) {
        this.#takePieces(target);
        return true;
      }
      if (target.retired === null) return false;
      this.#targets.shift();
      if (target.close) closeQuietly(target.fd);
      target.retired();
    }
  }

  #takePieces(target: Target): void {
    let count = 0;
    let length = 0;
    while (count < target.pieces.length && length < MAX_BATCH_BYTES) {
      length += (target.pieces[count] as string).length;
      count++;
    }
    const all = count === target.pieces.length;
    const pieces = all ? target.pieces : target.pieces.slice(0, count);
    target.pieces = all ? [] : target.pieces.slice(count);
    this.#batch = Buffer.from(pieces.join(""));
    this.#batchFrom = 0;
    this.#batchPieces = count;
  }

  #writeInPool(target: Target): void {
    const batch = this.#batch as Buffer;
    const length = this.#lengthOfWrite(target, batch);
    const { fd, regular } = target;
    if (!regular && busy.has(fd)) return this.#retryLater();
    if (!regular) busy.add(fd);
    this.#inFlight = true;
    this.#expectedSize = regular ? sizeOf(fd) + length : 0;
    fs.write(fd, batch, this.#batchFrom, length, null, (error, written) => {
      busy.delete(fd);
      this.#inFlight = false;
      if (this.#abandoned) stuck--;
      // `flushNow` has given the batch up meanwhile.
      if (this.#batch !== batch) return this.#pump();
      if (error === null) this.#advance(written);
      else if (isFull(error)) this.#retryLater();
      else this.#dropBatch(error);
      this.#pump();
    });
  }

  /** @returns false when the target is full */
  #writeSync(): boolean {
    const batch = this.#batch as Buffer;
    const target = this.#targets[0] as Target;
    const length = Math.min(MAX_SYNC_BYTES, this.#lengthOfWrite(target, batch));
    try {
      if (target.socket) this.#advance(sendNow(target.fd, batch, this.#batchFrom, length));
      else this.#advance(fs.writeSync(target.fd, batch, this.#batchFrom, length));
    } catch (error) {
      if (isFull(error)) return false;
      this.#dropBatch(error);
    }
    return true;
  }

  /** All that is left, or as many whole lines as cannot be mixed with others'. */
  #lengthOfWrite(target: Target, batch: Buffer): number {
    const from = this.#batchFrom;
    if (!this.#shared || target.regular || batch.length - from <= PIPE_BUF) return batch.length - from;
    const newline = 0x0a;
    let end = batch.lastIndexOf(newline, from + PIPE_BUF - 1);
    if (end < from) end = batch.indexOf(newline, from);
    return (end < 0 ? batch.length : end + 1) - from;
  }

  /** The pool's thread may block in our place; it gets a moment. */
  #writeBlindly(): void {
    const { fd } = this.#targets[0] as Target;
    fs.write(fd, this.#batch as Buffer, this.#batchFrom, () => {});
    sleep(BLIND_PATIENCE_MS);
    this.#settleBatch();
  }

  #advance(written: number): void {
    const batch = this.#batch as Buffer;
    this.#batchFrom += written;
    if (this.#batchFrom < batch.length) return;
    this.#settleBatch();
  }

  /**
   * The reader is gone (EPIPE), the disk is full, the descriptor was closed: the batch is lost, but a
   * later one may succeed again (ENOSPC), and trying costs little.
   */
  #dropBatch(error: unknown): void {
    this.dropped += this.#batchPieces;
    this.dropCause = systemError(error).message;
    this.#settleBatch();
  }

  #settleBatch(): void {
    if (this.#batch === null) return;
    this.#waitingBytes -= this.#batch.length;
    this.#doneBytes += this.#batch.length;
    this.#batch = null;
    this.#resolveWaiters();
  }

  #resolveWaiters(): void {
    while (this.#waiters.length > 0 && (this.#waiters[0] as { until: number }).until <= this.#doneBytes) {
      this.#waiters.shift()?.resolve();
    }
  }

  /** The pool's thread works on while we wait here; only its answer cannot reach us. */
  #awaitFlight(deadline: number): void {
    const target = this.#targets[0] as Target;
    if (isBlind(target)) sleep(BLIND_PATIENCE_MS);
    while (Date.now() < deadline && target.regular && sizeOf(target.fd) < this.#expectedSize) sleep(1);
  }
}
