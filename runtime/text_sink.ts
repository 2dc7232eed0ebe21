/**
 * `TextSink` over node:fs: pieces are collected, and one write is in flight at a time.
 *
 * A descriptor of a pipe or a terminal is opened anew through /proc/self/fd where that is possible: the
 * copy is non-blocking without changing what other processes share, so that a reader which stopped
 * reading holds up neither us nor a thread of the pool (which name look-ups need as well, and which
 * would hang `exit`). Sockets (systemd's journal) cannot be opened so and go through the pool.
 */
import * as fs from "node:fs";
import { Buffer } from "node:buffer";
import { setImmediate, setTimeout } from "node:timers";
import { SystemError, type TextSink } from "./contract.ts";

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

/** Up to here a pipe, a socket and a terminal take a write whole, without parts of others' in between: PIPE_BUF. */
const WHOLE_BYTES = 4_096;

/** What is to be written to one descriptor; there is more than one during a log rotation. */
interface Target {
  readonly fd: number;
  /** Regular files are written by the pool's threads, the rest by non-blocking calls. */
  readonly blocking: boolean;
  readonly regular: boolean;
  readonly close: boolean;
  pieces: string[];
  /** Called once nothing more will be written here. */
  retired: (() => void) | null;
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
  readonly #waiters: { until: number; resolve: () => void }[] = [];

  constructor(target: string | 1 | 2, maxBufferedBytes: number, shared: boolean) {
    this.#path = typeof target === "string" ? target : null;
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#shared = shared;
    this.#targets = [typeof target === "string" ? openPath(target) : openDescriptor(target)];
  }

  /** Linux appends to a file in one step, whatever the length. */
  get wholeLineBytes(): number {
    return this.#shared && !this.#last().regular ? WHOLE_BYTES : Infinity;
  }

  write(text: string): void {
    if (text === "") return;
    const bytes = Buffer.byteLength(text);
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

  flush(): Promise<void> {
    if (this.#doneBytes >= this.#acceptedBytes) return Promise.resolve();
    const until = this.#acceptedBytes;
    return new Promise((resolve) => this.#waiters.push({ until, resolve }));
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
    this.#inFlight = true;
    this.#expectedSize = target.regular ? sizeOf(target.fd) + length : 0;
    fs.write(target.fd, batch, this.#batchFrom, length, null, (error, written) => {
      this.#inFlight = false;
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
      this.#advance(fs.writeSync(target.fd, batch, this.#batchFrom, length));
    } catch (error) {
      if (isFull(error)) return false;
      this.#dropBatch(error);
    }
    return true;
  }

  /** All that is left, or as many whole lines as cannot be mixed with others'. */
  #lengthOfWrite(target: Target, batch: Buffer): number {
    const from = this.#batchFrom;
    if (!this.#shared || target.regular || batch.length - from <= WHOLE_BYTES) return batch.length - from;
    const newline = 0x0a;
    let end = batch.lastIndexOf(newline, from + WHOLE_BYTES - 1);
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

/** A socket or the like: a write of ours could block for ever, and one of the pool tells us nothing here. */
function isBlind(target: Target): boolean {
  return target.blocking && !target.regular;
}

/** @throws SystemError */
function openPath(path: string): Target {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = fs.constants;
  // O_NONBLOCK: a named pipe without a reader fails with ENXIO instead of hanging us.
  const flags = O_WRONLY | O_APPEND | O_CREAT | (O_NONBLOCK ?? 0);
  try {
    return describe(fs.openSync(path, flags, 0o640), true);
  } catch (error) {
    throw systemError(error);
  }
}

function openDescriptor(fd: number): Target {
  try {
    const stat = fs.fstatSync(fd);
    // Deno would not say how much of a line a terminal has taken.
    if (stat.isFIFO() || (stat.isCharacterDevice() && !("Deno" in globalThis))) {
      const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
      return describe(fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY), true);
    }
  } catch {
    // Not Linux, not permitted, or not open at all: what is written will tell.
  }
  return describe(fd, false);
}

function describe(fd: number, ours: boolean): Target {
  let regular = false;
  try {
    regular = fs.fstatSync(fd).isFile();
  } catch {
    // Not open: every write fails, and is counted as dropped.
  }
  return { fd, blocking: regular || !ours, regular, close: ours, pieces: [], retired: null };
}

function isFull(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "EAGAIN" || code === "EWOULDBLOCK" || code === "EINTR";
}

function sizeOf(fd: number): number {
  try {
    return fs.fstatSync(fd).size;
  } catch {
    return 0;
  }
}

function closeQuietly(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {
    // Nothing to be done about it.
  }
}

/** Blocks this thread. */
export function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** An error of node:fs as ours. */
export function systemError(error: unknown): SystemError {
  if (error instanceof SystemError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  const message = error instanceof Error ? error.message : String(error);
  return new SystemError(typeof code === "string" ? code : "", message);
}
