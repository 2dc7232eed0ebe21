/** One end of a connection that carries channels. */

import type { CloseReason, Socket, SocketEvents } from "../../../runtime/contract/contract.ts";
import { Timed } from "../../../src/time/deadline_queue.ts";
import type { Turn } from "../../../src/time/turn.ts";
import type { Channel, ChannelLink } from "./channel.ts";
import { encodeFrame, type Frame, type FrameKind, FrameReader, Kind } from "./frames.ts";

export abstract class ToyLink extends Timed implements SocketEvents, ChannelLink {
  readonly turn: Turn;
  readonly socket: Socket;
  protected readonly channels = new Map<number, Channel>();
  /** The highest number of a channel so far. */
  protected lastId = 0;
  readonly #reader = new FrameReader();
  /** What the socket has not taken. */
  #unsent: Uint8Array[] = [];
  #closing = false;
  isClosed = false;

  constructor(turn: Turn, socket: Socket) {
    super();
    this.turn = turn;
    this.socket = socket;
  }

  /** A stream that the other end opens; null when none is taken. */
  protected abstract accept(id: number): Channel | null;
  /** The other end wants no further stream. */
  protected abstract lastStream(): void;
  /** The other end has ended its sending side. */
  protected abstract peerEnded(): void;
  /** A channel is over. */
  protected abstract channelOver(): void;
  /** The connection is gone, and all channels have been told. */
  protected abstract gone(reason: CloseReason): void;

  get openChannels(): number {
    return this.channels.size;
  }

  protected add(channel: Channel): void {
    this.channels.set(channel.id, channel);
    this.lastId = Math.max(this.lastId, channel.id);
  }

  over(channel: Channel): void {
    if (this.channels.delete(channel.id)) this.channelOver();
  }

  // Sending

  send(stream: number, kind: FrameKind, payload: Uint8Array): void {
    if (this.isClosed || this.#closing) return;
    this.#unsent.push(encodeFrame(stream, kind, payload));
    if (this.#unsent.length === 1) this.#write();
  }

  #write(): void {
    for (let [first] = this.#unsent; first !== undefined; [first] = this.#unsent) {
      const taken = this.socket.write(first, 0, first.length);
      if (taken < first.length) {
        this.#unsent[0] = first.subarray(taken);
        return;
      }
      this.#unsent.shift();
    }
    if (this.#closing) this.socket.close();
  }

  /** Sends what is there, then ends the connection. */
  close(): void {
    if (this.#closing || this.isClosed) return;
    this.#closing = true;
    if (this.#unsent.length === 0) this.socket.close();
  }

  /** Ends it now; `gone` follows. */
  abort(): void {
    this.#unsent = [];
    this.socket.abort();
  }

  // Events of the platform

  data(bytes: Uint8Array): void {
    this.#happens(() => {
      this.#reader.feed(bytes);
      for (let frame = this.#reader.next(); frame !== null; frame = this.#reader.next()) {
        if (frame === "broken") {
          this.#broken();
          return;
        }
        this.#received(frame);
      }
    });
  }

  #broken(): void {
    for (const channel of [...this.channels.values()]) channel.events.garbled();
    this.abort();
  }

  #received(frame: Frame): void {
    if (frame.kind === Kind.last) {
      this.lastStream();
      return;
    }
    // What comes late for a stream that is over is nothing to anyone.
    const channel = this.channels.get(frame.stream) ??
      (frame.kind === Kind.head && frame.stream > this.lastId ? this.accept(frame.stream) : null);
    channel?.received(frame);
  }

  drained(): void {
    this.#happens(() => this.#write());
  }

  ended(): void {
    this.#happens(() => this.peerEnded());
  }

  closed(reason: CloseReason): void {
    this.#happens(() => {
      this.isClosed = true;
      this.turn.deadlines.remove(this);
      for (const channel of [...this.channels.values()]) channel.lost(reason);
      this.gone(reason);
    });
  }

  #happens(event: () => void): void {
    this.turn.begin();
    event();
    this.turn.end();
  }

  /** For after the present turn. */
  later(event: () => void): void {
    this.turn.clock.setTimer(0, () => this.#happens(event), true);
  }

  override expired(): void {}
}
