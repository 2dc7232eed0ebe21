/** Raw bytes on a stream whose protocol was switched. */

import type { CloseReason } from "../../../runtime/contract/contract.ts";
import type { ByteStream, ByteStreamEvents } from "../../../src/http/byte_stream.ts";
import { Timed } from "../../../src/time/deadline_queue.ts";
import type { Channel, ChannelEvents } from "./channel.ts";
import { ResetCode } from "./frames.ts";
import type { ToyLink } from "./toy_link.ts";

const ABORTED: CloseReason = { code: "aborted", detail: "aborted by us" };
const FINISHED: CloseReason = { code: "finished", detail: "both sides ended" };

export class ToyBytes extends Timed implements ByteStream, ChannelEvents {
  readonly #channel: Channel;
  readonly #link: ToyLink;
  #events: ByteStreamEvents | null = null;
  #finished = false;
  #peerEnded = false;
  #closed = false;

  constructor(channel: Channel, link: ToyLink) {
    super();
    this.#channel = channel;
    this.#link = link;
    channel.pause();
    channel.events = this;
  }

  get backlogBytes(): number {
    return this.#channel.backlogBytes;
  }

  start(events: ByteStreamEvents): void {
    this.#events = events;
    this.#channel.unpause();
    this.#channel.deliver();
  }

  sendBytes(bytes: Uint8Array, from: number, to: number): void {
    this.#channel.data(bytes, from, to);
  }

  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#channel.end(null);
    this.#link.later(() => this.#closeWhenDone());
  }

  abort(): void {
    if (this.#closed) return;
    this.#channel.reset(ResetCode.aborted);
    this.#link.later(() => this.#close(ABORTED));
  }

  pause(): void {
    this.#channel.pause();
  }

  resume(): void {
    this.#channel.unpause();
    this.#link.later(() => this.#channel.deliver());
  }

  deadline(at: number): void {
    if (!this.#closed) this.#link.turn.deadlines.set(this, at);
  }

  override expired(): void {
    this.#link.turn.begin();
    this.#events?.bytesTimedOut();
    this.#link.turn.end();
  }

  #closeWhenDone(): void {
    if (!this.#finished || !this.#peerEnded || !this.#channel.endSent) return;
    this.#channel.close();
    this.#close(FINISHED);
  }

  #close(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#link.turn.deadlines.remove(this);
    this.#events?.bytesClosed(reason);
  }

  // ChannelEvents

  head(): void {
    this.garbled();
  }

  data(bytes: Uint8Array): void {
    this.#events?.bytesArrived(bytes);
  }

  ended(): void {
    if (this.#peerEnded) return;
    this.#peerEnded = true;
    this.#events?.bytesEnded();
    this.#closeWhenDone();
  }

  garbled(): void {
    this.abort();
  }

  moved(backlogBytes: number): void {
    this.#events?.bytesProgress(backlogBytes);
    this.#closeWhenDone();
  }

  gone(_code: number, reason: CloseReason): void {
    this.#close(reason);
  }
}
