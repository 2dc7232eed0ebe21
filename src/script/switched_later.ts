/** The client's side of a tunnel whose switch of protocols a script is still asked about: what is to be sent waits. */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import { ByteBuffer } from "../bytes/byte_buffer.ts";
import type { ByteStream, ByteStreamEvents } from "../http/byte_stream.ts";

export class SwitchedLater implements ByteStream {
  /** Whoever holds it gives the client up, and calls back in a turn of its own. */
  readonly #giveUp: (then: () => void) => void;
  #real: ByteStream | null = null;
  #events: ByteStreamEvents | null = null;
  readonly #waiting = new ByteBuffer();
  #finished = false;
  #paused = false;
  #deadlineAt = Infinity;
  #over = false;

  constructor(giveUp: (then: () => void) => void) {
    this.#giveUp = giveUp;
  }

  get backlogBytes(): number {
    return this.#real === null ? this.#waiting.length : this.#real.backlogBytes;
  }

  start(events: ByteStreamEvents): void {
    this.#events = events;
    this.#real?.start(events);
  }

  sendBytes(bytes: Uint8Array, from: number, to: number): void {
    if (this.#real !== null) this.#real.sendBytes(bytes, from, to);
    else if (!this.#over) this.#waiting.append(bytes, from, to);
  }

  finish(): void {
    this.#finished = true;
    this.#real?.finish();
  }

  abort(): void {
    if (this.#real !== null) {
      this.#real.abort();
    } else if (!this.#over) {
      this.#over = true;
      this.#waiting.clear();
      this.#giveUp(() => this.#events?.bytesClosed({ code: "aborted", detail: "" }));
    }
  }

  pause(): void {
    this.#paused = true;
    this.#real?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#real?.resume();
  }

  deadline(at: number): void {
    this.#deadlineAt = at;
    this.#real?.deadline(at);
  }

  /** The client has been told of the switch. */
  become(real: ByteStream): void {
    if (this.#over) return;
    this.#real = real;
    const events = this.#events;
    if (events !== null) real.start(events);
    const { bytes, from, to } = this.#waiting;
    if (to > from) real.sendBytes(bytes, from, to);
    this.#waiting.clear();
    if (this.#paused) real.pause();
    real.deadline(this.#deadlineAt);
    if (this.#finished) real.finish();
    else events?.bytesProgress(real.backlogBytes);
  }

  /** There is no switch: the client gets another answer, or has gone. */
  end(reason: CloseReason): void {
    if (this.#over || this.#real !== null) return;
    this.#over = true;
    this.#waiting.clear();
    this.#events?.bytesClosed(reason);
  }
}
