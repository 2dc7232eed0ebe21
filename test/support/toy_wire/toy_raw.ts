/** Raw bytes on a stream whose protocol was switched: a far end's. */

import { textOf } from "../streams/pairs.ts";
import { bytesOf } from "../streams/pairs.ts";
import type { RawEnd } from "../streams/wire.ts";
import type { Channel, ChannelEvents } from "./channel.ts";
import { ResetCode } from "./frames.ts";
import type { ToyWire } from "./toy_wire.ts";

export class ToyRaw implements RawEnd, ChannelEvents {
  readonly #wire: ToyWire;
  readonly #channel: Channel;
  received = "";
  end: "" | "ended" | "aborted" = "";
  #finished = false;

  constructor(wire: ToyWire, channel: Channel) {
    this.#wire = wire;
    this.#channel = channel;
  }

  say(text: string): void {
    const bytes = bytesOf(text);
    this.#wire.take(() => this.#channel.data(bytes, 0, bytes.length));
  }

  finish(): void {
    this.#finished = true;
    this.#wire.take(() => {
      this.#channel.end(null);
      this.#closeWhenDone();
    });
  }

  reset(): void {
    this.#wire.take(() => this.#channel.reset(ResetCode.aborted));
  }

  stopReading(): void {
    this.#channel.pause();
  }

  readOn(): void {
    this.#channel.unpause();
    this.#wire.take(() => this.#channel.deliver());
  }

  head(): void {}

  data(bytes: Uint8Array): void {
    this.received += textOf(bytes);
  }

  ended(): void {
    if (this.end === "") this.end = "ended";
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.#finished && this.end === "ended" && this.#channel.endSent) this.#channel.close();
  }

  garbled(): void {}

  moved(): void {
    this.#closeWhenDone();
  }

  gone(): void {
    this.end = "aborted";
  }
}
