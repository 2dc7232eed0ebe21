/**
 * One end of a connection made by the adapter: sends and checks pattern bytes, and holds the adapter to
 * the rules for the order of events.
 */
import assert from "node:assert/strict";
import type { CloseCode, CloseReason, Socket, SocketEvents } from "../../runtime/contract/contract.ts";
import type { Pattern } from "./pattern.ts";
import { turns, Waiting, type Watch } from "./watch.ts";

/** One offer to `write` unless a scenario says otherwise. */
const CHUNK_BYTES = 65_521;
/** Bytes of what arrives that are kept for `text` when no pattern is expected. */
const MAX_KEPT_BYTES = 65_536;
/** Lent to `write` and scribbled over after each call: the adapter must have copied what it keeps. */
const lent = new Uint8Array(CHUNK_BYTES);

export class Endpoint extends Waiting implements SocketEvents {
  readonly socket: Socket;
  receivedBytes = 0;
  sentBytes = 0;
  endedSeen = false;
  closedWith: CloseReason | null = null;
  paused = false;
  /** What `endAhead` told during this pause. */
  ahead: "no" | "end" | "reset" = "no";
  /** Times `drained` came. */
  drains = 0;
  /** Pattern that the arriving bytes must be; null keeps the first bytes for `text`. */
  expects: Pattern | null = null;
  /** Its connection belongs to a handshake: no event comes any more, and no method does anything. */
  givenAway = false;
  /** The scenario makes a handler throw, which aborts. */
  mayBeAborted = false;
  /** Called inside the events, before they are noted; may call anything. */
  onData: (bytes: Uint8Array) => void = () => {};
  onDrained: () => void = () => {};
  onEnded: () => void = () => {};
  onEndAhead: () => void = () => {};
  onClosed: () => void = () => {};
  readonly #watch: Watch;
  readonly #name: string;
  readonly #maxChunkBytes: number;
  #inEvent = "";
  #awaitsDrain = false;
  #finished = false;
  #closeCalled = false;
  #abortCalled = false;
  #kept = new Uint8Array(0);

  constructor(watch: Watch, name: string, socket: Socket, maxChunkBytes: number) {
    super();
    this.#watch = watch;
    this.#name = name;
    this.socket = socket;
    this.#maxChunkBytes = maxChunkBytes;
  }

  override name(): string {
    return this.#name;
  }

  override over(): string {
    return this.closedWith === null ? "" : `closed, ${this.closedWith.code} (${this.closedWith.detail})`;
  }

  // Calls

  write(bytes: Uint8Array, from = 0, to = bytes.length, last = false): number {
    const dead = this.givenAway || this.#finished || this.#closeCalled || this.#abortCalled ||
      this.closedWith !== null;
    const taken = this.#watch.call("write", () => this.socket.write(bytes, from, to, last));
    if (!Number.isInteger(taken) || taken < 0 || taken > to - from) this.#wrong(`write returned ${taken}`);
    if (dead && taken !== 0) this.#wrong(`write took ${taken} bytes although nothing can be sent`);
    if (!dead && taken < to - from) this.#awaitsDrain = true;
    this.sentBytes += taken;
    return taken;
  }

  pause(): void {
    this.paused = true;
    this.#watch.call("pause", () => this.socket.pause());
  }

  resume(): void {
    this.paused = false;
    this.ahead = "no";
    this.#watch.call("resume", () => this.socket.resume());
  }

  finish(): void {
    this.#finished = true;
    this.#awaitsDrain = false;
    this.#watch.call("finish", () => this.socket.finish());
  }

  close(): void {
    this.#closeCalled = true;
    this.#awaitsDrain = false;
    this.#watch.call("close", () => this.socket.close());
  }

  abort(): void {
    this.#abortCalled = true;
    this.#awaitsDrain = false;
    this.#watch.call("abort", () => this.socket.abort());
  }

  /** Sends pattern bytes `[sentBytes, sentBytes + length)`, waiting for room where needed. */
  async send(pattern: Pattern, length: number, chunkBytes = CHUNK_BYTES): Promise<void> {
    const end = this.sentBytes + length;
    while (this.sentBytes < end) {
      if (!this.offer(pattern, Math.min(chunkBytes, end - this.sentBytes))) await this.whenRoom();
    }
  }

  /** Offers one piece of the pattern out of a buffer that is spoilt at once. @returns all taken */
  offer(pattern: Pattern, length: number): boolean {
    const piece = pattern.view(this.sentBytes, Math.min(length, CHUNK_BYTES));
    lent.set(piece);
    const taken = this.write(lent, 0, piece.length);
    lent.fill(0xee, 0, piece.length);
    return taken === piece.length;
  }

  /** Sends text that fits; for short messages. */
  say(message: string): void {
    const bytes = new TextEncoder().encode(message);
    assert.equal(this.write(bytes), bytes.length, "room for a short message");
  }

  /** Fills until the adapter takes no more. @returns bytes sent until then */
  fill(pattern: Pattern, limit = 256 * 1024 * 1024): number {
    const before = this.sentBytes;
    while (this.offer(pattern, CHUNK_BYTES)) {
      assert.ok(this.sentBytes - before < limit, `${this.#name}: write never comes up short`);
    }
    return this.sentBytes - before;
  }

  /** Fills until nothing moves any more, whatever kernels and buffers on the way take. */
  async saturate(pattern: Pattern): Promise<void> {
    for (let drains = -1; this.drains !== drains && this.closedWith === null;) {
      drains = this.drains;
      this.fill(pattern);
      await turns(20);
    }
  }

  // Waiting

  whenRoom(): Promise<void> {
    return this.until(`drained after ${this.sentBytes} bytes`, () => !this.#awaitsDrain);
  }

  whenReceived(length: number): Promise<void> {
    return this.until(`${length} bytes received`, () => this.receivedBytes >= length);
  }

  whenEnded(): Promise<void> {
    return this.until("ended", () => this.endedSeen);
  }

  async whenClosed(code?: CloseCode): Promise<CloseReason> {
    await this.until("closed", () => this.closedWith !== null);
    const reason = this.closedWith as CloseReason;
    if (code !== undefined) assert.equal(reason.code, code, `${this.#name}: ${reason.detail}`);
    return reason;
  }

  /** What arrived while no pattern was expected, up to 64 KiB of it. */
  get text(): string {
    return new TextDecoder().decode(this.#kept);
  }

  /** After `closed` every method does nothing. */
  exerciseAfterClosed(): void {
    assert.equal(this.write(new Uint8Array(10)), 0);
    this.pause();
    this.resume();
    this.finish();
    this.close();
    this.abort();
    assert.equal(this.write(new Uint8Array(10)), 0);
  }

  // Events

  data(bytes: Uint8Array): void {
    this.enter("data");
    try {
      if (this.paused) this.#wrong("data while paused");
      if (this.endedSeen) this.#wrong("data after ended");
      if (this.#closeCalled || this.#abortCalled) this.#wrong("data after close or abort");
      if (bytes.length === 0) this.#wrong("empty data");
      if (bytes.length > this.#maxChunkBytes) this.#wrong(`a chunk of ${bytes.length} bytes`);
      if (this.expects !== null) this.#compare(this.expects, bytes);
      else if (this.#kept.length < MAX_KEPT_BYTES) this.#keep(bytes);
      this.receivedBytes += bytes.length;
      this.onData(bytes);
    } finally {
      this.leave();
    }
  }

  drained(): void {
    this.enter("drained");
    try {
      if (!this.#awaitsDrain) this.#wrong("drained unasked");
      this.#awaitsDrain = false;
      this.drains++;
      this.onDrained();
    } finally {
      this.leave();
    }
  }

  endAhead(reset: boolean): void {
    this.enter("endAhead");
    try {
      if (!this.paused) this.#wrong("endAhead without a pause");
      if (this.ahead !== "no") this.#wrong("endAhead twice");
      if (this.endedSeen) this.#wrong("endAhead after ended");
      if (this.#closeCalled || this.#abortCalled) this.#wrong("endAhead after close or abort");
      this.ahead = reset ? "reset" : "end";
      this.onEndAhead();
    } finally {
      this.leave();
    }
  }

  ended(): void {
    this.enter("ended");
    try {
      if (this.paused) this.#wrong("ended while paused");
      if (this.endedSeen) this.#wrong("ended twice");
      if (this.#closeCalled || this.#abortCalled) this.#wrong("ended after close or abort");
      this.endedSeen = true;
      this.onEnded();
    } finally {
      this.leave();
    }
  }

  closed(reason: CloseReason): void {
    this.enter("closed");
    try {
      const { code } = reason;
      const inOrder = this.endedSeen && this.#finished;
      if (code === "finished" && !inOrder && !this.#closeCalled) {
        this.#wrong("finished before both sides ended");
      }
      if (code === "aborted" && !this.#abortCalled && !this.mayBeAborted) this.#wrong("aborted by nobody");
      this.closedWith = reason;
      this.onClosed();
    } finally {
      this.leave();
    }
  }

  enter(event: string): void {
    this.#watch.eventFired(`${this.#name}: ${event}`);
    if (this.#inEvent !== "") this.#wrong(`${event} inside ${this.#inEvent}`);
    if (this.closedWith !== null) this.#wrong(`${event} after closed`);
    if (this.givenAway) this.#wrong(`${event} after the connection was given away`);
    this.#inEvent = event;
  }

  leave(): void {
    this.#inEvent = "";
    this.check();
  }

  #compare(pattern: Pattern, bytes: Uint8Array): void {
    const at = pattern.mismatch(bytes, this.receivedBytes);
    if (at >= 0) this.#wrong(`byte ${this.receivedBytes + at} is not what was sent`);
  }

  #keep(bytes: Uint8Array): void {
    const kept = new Uint8Array(this.#kept.length + bytes.length);
    kept.set(this.#kept);
    kept.set(bytes, this.#kept.length);
    this.#kept = kept;
  }

  #wrong(what: string): void {
    this.#watch.violation(`${this.#name}: ${what}`);
  }
}
