/**
 * What both kinds of connection share: a socket, its send side with a bounded queue, and a deadline.
 */

import type { CloseReason, Socket, SocketEvents } from "../../runtime/contract/contract.ts";
import { encodeChunkHead, LAST_CHUNK, MAX_CHUNK_HEAD_BYTES } from "../http1/encode.ts";
import type { SectionMemo } from "../http/section_memo.ts";
import { Timed } from "../time/deadline_queue.ts";
import type { OutputOwner } from "./output_buffer.ts";
import { SendQueue } from "./send_queue.ts";
import type { IoTurn } from "./io_turn.ts";

/** The size line of the chunk that is being written: the output buffer copies it at once. */
const chunkHead = new Uint8Array(MAX_CHUNK_HEAD_BYTES);

type Ending = "open" | "finishing" | "closing" | "ended";

/**
 * Owns one socket from open to closed. Subclasses handle `received`, `peerEnded`, `gone` and `timedOut`;
 * what they write is joined until the end of the event and then flushed.
 */
export abstract class Connection extends Timed implements SocketEvents, OutputOwner {
  protected readonly turn: IoTurn;
  readonly socket: Socket;
  #queue: SendQueue | null = null;
  #ending: Ending = "open";
  /** Bytes the socket has taken so far. */
  acceptedBytes = 0;
  /** Bytes handed to `sendText` and `sendBytes` so far. */
  offeredBytes = 0;

  constructor(turn: IoTurn, socket: Socket) {
    super();
    this.turn = turn;
    this.socket = socket;
  }

  /** Bytes arrived; lent for the call. */
  protected abstract received(bytes: Uint8Array): void;
  /** The peer has finished sending. */
  protected abstract peerEnded(): void;
  /** While we do not read: the peer has ended, behind bytes that may be unread, or (`reset`) is gone. */
  protected abstract peerEndAhead(reset: boolean): void;
  /** The socket is gone; last event. */
  protected abstract gone(reason: CloseReason): void;
  /** The deadline passed. */
  protected abstract timedOut(now: number): void;
  /** The send queue has fallen to the low-water mark, or has moved (`empty` tells which). */
  protected abstract sendProgress(backlogBytes: number): void;

  /** Bytes given to us that the socket has not taken, those joined in this turn excluded. */
  get backlogBytes(): number {
    return this.#queue === null ? 0 : this.#queue.bytes;
  }

  /** No more can be written: `finish`, `close` or `abort` was called or the socket is gone. */
  get sendingEnded(): boolean {
    return this.#ending !== "open";
  }

  sendText(text: string): void {
    if (this.#ending !== "open") return;
    this.offeredBytes += text.length;
    this.turn.output.text(this, text);
  }

  /**
   * Sends a head: up to four texts, "" for none, and the empty line.
   *
   * @param memo of the fields that are passed on; null where there is none
   */
  protected sendLines(
    memo: SectionMemo | null,
    first: string,
    second: string,
    third: string,
    fourth: string,
  ): void {
    const whole = memo === null ? null : memo.written.joined(first, second, third, fourth);
    if (whole !== null) {
      this.sendText(whole);
      return;
    }
    // Piece by piece: writing flat strings costs less than joining them first.
    this.sendText(first);
    this.sendText(second);
    if (third !== "") this.sendText(third);
    if (fourth !== "") this.sendText(fourth);
    this.sendLineEnd();
  }

  /** Sends CRLF: the end of a line, or of a head. */
  sendLineEnd(): void {
    if (this.#ending !== "open") return;
    this.offeredBytes += 2;
    this.turn.output.lineEnd(this);
  }

  /**
   * Sends a range; the bytes are lent for the call.
   *
   * @param room bytes in front of `from` that may be overwritten
   */
  sendBytes(bytes: Uint8Array, from: number, to: number, room = 0): void {
    if (this.#ending !== "open" || to <= from) return;
    this.offeredBytes += to - from;
    this.turn.output.bytes(this, bytes, from, to, room);
  }

  /** Sends body bytes, at least one, as a chunk; arguments as for `sendBytes`. */
  protected sendChunk(bytes: Uint8Array, from: number, to: number, room: number): void {
    this.sendBytes(chunkHead, 0, encodeChunkHead(to - from, chunkHead, 0));
    this.sendBytes(bytes, from, to, room);
    this.sendLineEnd();
  }

  /**
   * Ends a chunked body.
   *
   * @param trailers complete field lines, "" for none
   */
  protected sendLastChunk(trailers: string): void {
    if (trailers === "") this.sendBytes(LAST_CHUNK, 0, LAST_CHUNK.length);
    else this.sendText("0\r\n" + trailers + "\r\n");
  }

  /** From the output buffer: the bytes go to the socket, what it does not take to the queue. */
  writeNow(bytes: Uint8Array, from: number, to: number): void {
    if (this.#ending === "ended") return;
    let at = from;
    if (this.#queue === null) {
      const taken = this.socket.write(bytes, from, to, this.#ending !== "open");
      this.acceptedBytes += taken;
      if (taken === to - from) return;
      at += taken;
      this.#queue = new SendQueue(this.turn);
    }
    if (this.#queue.push(bytes, at, to, this.turn.mayKeep(bytes))) this.turn.kept();
  }

  /** Sends what is there, then FIN. Reading goes on. */
  finish(): void {
    this.#end("finishing");
  }

  /** Sends what is there, then closes both directions. */
  close(): void {
    this.#end("closing");
  }

  #end(how: "finishing" | "closing"): void {
    if (this.#ending === "ended" || this.#ending === "closing") return;
    // First, so that what is written now is known to be the last.
    this.#ending = how;
    this.turn.output.flush();
    if (this.#queue === null) this.#settleEnding();
  }

  #settleEnding(): void {
    if (this.#ending === "finishing") this.socket.finish();
    else if (this.#ending === "closing") this.socket.close();
  }

  /** Drops the connection now, unsent bytes included. */
  abort(): void {
    if (this.#ending === "ended") return;
    this.#ending = "ended";
    this.turn.output.forget(this);
    this.#dropQueue();
    this.socket.abort();
  }

  #dropQueue(): void {
    this.#queue?.clear();
    this.#queue = null;
  }

  protected setDeadline(at: number): void {
    this.turn.deadlines.set(this, at);
  }

  /** Milliseconds since the platform has last sent bytes of ours; Infinity where it does not tell. */
  protected get sentAgoMs(): number {
    return this.socket.sentAgoMs?.() ?? Infinity;
  }

  /**
   * Of a deadline that has passed: whether the peer takes our bytes all the same, although the platform has told of no
   * room yet. Then the deadline is where it would be if it had.
   *
   * @param idleMs how long it may take nothing
   */
  protected takesSlowly(idleMs: number): boolean {
    if (this.backlogBytes === 0) return false;
    const agoMs = this.sentAgoMs;
    if (agoMs >= idleMs) return false;
    this.setDeadline(this.turn.now + idleMs - agoMs);
    return true;
  }

  // Events of the platform. Each ends by flushing what was written meanwhile.

  data(bytes: Uint8Array): void {
    this.turn.beginWith(bytes);
    this.received(bytes);
    this.turn.endWithBytes();
  }

  drained(): void {
    this.turn.begin();
    const queue = this.#queue;
    if (queue !== null) {
      this.acceptedBytes += queue.drainTo(this.socket);
      if (queue.bytes === 0) {
        this.#queue = null;
        if (this.#ending !== "open") this.#settleEnding();
      }
      if (this.#ending !== "ended") this.sendProgress(queue.bytes);
    }
    this.turn.end();
  }

  ended(): void {
    this.turn.begin();
    this.peerEnded();
    this.turn.end();
  }

  endAhead(reset: boolean): void {
    this.turn.begin();
    this.peerEndAhead(reset);
    this.turn.end();
  }

  closed(reason: CloseReason): void {
    this.turn.begin();
    this.#ending = "ended";
    this.#dropQueue();
    this.turn.output.forget(this);
    this.turn.deadlines.remove(this);
    this.gone(reason);
    this.turn.end();
  }

  override expired(now: number): void {
    this.turn.begin();
    this.timedOut(now);
    this.turn.end();
  }
}
