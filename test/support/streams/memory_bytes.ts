/** Raw bytes after a switch of protocols, without a wire. */

import type { CloseReason } from "../../../runtime/contract/contract.ts";
import type { ByteStream, ByteStreamEvents } from "../../../src/http/byte_stream.ts";
import { Timed } from "../../../src/time/deadline_queue.ts";
import type { MemoryWire } from "./memory_wire.ts";
import { bytesOf, textOf } from "./pairs.ts";
import type { RawEnd } from "./wire.ts";

/** The proxy's end. */
export class MemoryBytes extends Timed implements ByteStream {
  readonly #wire: MemoryWire;
  readonly #over: () => void;
  readonly far: MemoryRaw;
  #events: ByteStreamEvents | null = null;
  backlogBytes = 0;
  #paused = false;
  #finished = false;
  #farFinished = false;
  #gone = false;
  /** Said by the peer and not delivered; null = the end. */
  readonly #said: (string | null)[] = [];

  /** @param over called when the stream is closed */
  constructor(wire: MemoryWire, over: () => void) {
    super();
    this.#wire = wire;
    this.#over = over;
    this.far = new MemoryRaw(this, wire);
  }

  start(events: ByteStreamEvents): void {
    this.#events = events;
    this.#deliver();
  }

  sendBytes(bytes: Uint8Array, from: number, to: number): void {
    if (this.#finished || this.#gone) return;
    this.far.received += textOf(bytes, from, to);
    if (!this.far.reading) this.backlogBytes += to - from;
  }

  finish(): void {
    if (this.#finished || this.#gone) return;
    this.#finished = true;
    if (this.far.end === "") this.far.end = "ended";
    this.#wire.later(() => this.#closeWhenDone());
  }

  abort(): void {
    if (this.#gone) return;
    this.far.end = "aborted";
    this.#wire.later(() => this.closed({ code: "aborted", detail: "aborted by us" }));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wire.later(() => this.#deliver());
  }

  deadline(at: number): void {
    this.#wire.turn.deadlines.set(this, at);
  }

  override expired(): void {
    this.#wire.turn.take(() => this.#events?.bytesTimedOut());
  }

  /** The peer says `text`, or (null) ends. */
  said(text: string | null): void {
    this.#said.push(text);
    this.#deliver();
  }

  #deliver(): void {
    while (!this.#paused && !this.#gone && this.#events !== null) {
      const text = this.#said.shift();
      if (text === undefined) return;
      if (text !== null) this.#events.bytesArrived(bytesOf(text));
      else {
        this.#farFinished = true;
        this.#events.bytesEnded();
        this.#closeWhenDone();
      }
    }
  }

  /** The peer takes what it has not taken. */
  taken(): void {
    this.backlogBytes = 0;
    this.#events?.bytesProgress(0);
  }

  #closeWhenDone(): void {
    if (this.#finished && this.#farFinished) this.closed({ code: "finished", detail: "both sides ended" });
  }

  /** The stream is gone; once. */
  closed(reason: CloseReason): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#wire.turn.deadlines.remove(this);
    this.#events?.bytesClosed(reason);
    this.#over();
  }
}

class MemoryRaw implements RawEnd {
  readonly #bytes: MemoryBytes;
  readonly #wire: MemoryWire;
  received = "";
  end: "" | "ended" | "aborted" = "";
  reading = true;

  constructor(bytes: MemoryBytes, wire: MemoryWire) {
    this.#bytes = bytes;
    this.#wire = wire;
  }

  say(text: string): void {
    this.#wire.take(() => this.#bytes.said(text));
  }

  finish(): void {
    this.#wire.take(() => this.#bytes.said(null));
  }

  reset(): void {
    this.#wire.take(() => this.#bytes.closed({ code: "reset", detail: "reset by the peer" }));
  }

  stopReading(): void {
    this.reading = false;
  }

  readOn(): void {
    this.reading = true;
    this.#wire.take(() => this.#bytes.taken());
  }
}
