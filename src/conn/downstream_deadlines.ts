/** What is expected of a client, and until when. */

import type { Socket } from "../../runtime/contract/contract.ts";
import type { DownstreamStreamEvents } from "../http/downstream_stream.ts";
import type { DownstreamSettings } from "./downstream_settings.ts";
import { HttpConnection } from "./http_connection.ts";
import type { IoTurn } from "./io_turn.ts";
import { movedBytes, Pace, type Way } from "./pace.ts";
import type { RequestUnderWay } from "./request_under_way.ts";

/** Longest silence of the client after our last answer; then the connection is closed (nginx: 5 s too). */
const LINGER_MS = 5000;
/**
 * Longest time to read on after our last answer (nginx: 30 s too). Time is the only bound: a client that sends all of a large
 * body before it reads finds the answer only if all of that has been read here. What is read is thrown away, so it costs
 * no memory, and no more work than the upload that was refused.
 */
const LINGER_TOTAL_MS = 30_000;

/** Of `#drainGapMs`: further requests are wanted. */
const NOT_DRAINING = -1;

/** A layer of the client's connection, not an object of its own: thousands rest at a time, and would have to pay for it. */
export abstract class DownstreamDeadlines extends HttpConnection {
  protected readonly settings: DownstreamSettings;
  events: DownstreamStreamEvents | null = null;
  /** Null while no answer is due or under way. */
  protected request: RequestUnderWay | null = null;
  /** Once no further request is wanted on this connection: how long it must have been idle to be closed. Milliseconds. */
  #drainGapMs = NOT_DRAINING;
  /** Bytes received so far. */
  receivedBytes = 0;
  /** Monotonic milliseconds since which the connection has been idle, or has lingered. */
  idleSince: number;

  constructor(turn: IoTurn, socket: Socket, settings: DownstreamSettings) {
    super(turn, socket);
    this.settings = settings;
    this.idleSince = turn.now;
    this.awaitHead(this.idleSince);
  }

  /** How long the connection must have been idle before it is closed, since no further request is wanted. Milliseconds. */
  protected get drainGapMs(): number {
    return this.#drainGapMs;
  }

  /** No further request is wanted on this connection. */
  protected get draining(): boolean {
    return this.#drainGapMs !== NOT_DRAINING;
  }

  protected awaitHead(since: number): void {
    this.setDeadline(since + this.settings.headTimeoutMs);
  }

  /** The body's idle deadline rests while we are the ones who do not read, or the client waits for a 100. */
  protected awaitBody(request: RequestUnderWay): void {
    if (request.bodyPaused || !request.bodyExpected || this.backlogBytes > 0) return;
    this.setDeadline(this.#deadlineOf("read"));
  }

  /** Nothing is expected of the client, but to take what it has not taken of an earlier answer. */
  protected watchOnlySending(): void {
    if (this.backlogBytes > 0) this.watchSending();
    else this.setDeadline(Infinity);
  }

  /** The client does not read: it has the idle time to take the next bytes. */
  protected watchSending(): void {
    this.setDeadline(this.#deadlineOf("write"));
  }

  /** Nothing is expected of the client. */
  protected expectNothing(): void {
    this.request?.pace?.stop();
    this.setDeadline(Infinity);
  }

  /** The wait for the next request begins. */
  protected awaitRequest(): void {
    this.idleSince = this.turn.now;
    this.setDeadline(
      this.idleSince + (this.draining ? this.#drainGapMs : this.settings.keepAliveTimeoutMs),
    );
  }

  /** After our last answer. */
  protected awaitSilence(): void {
    const { now } = this.turn;
    this.setDeadline(Math.min(now + LINGER_MS, Math.max(this.idleSince + LINGER_TOTAL_MS, now)));
  }

  protected beginDraining(gapMs: number): void {
    this.#drainGapMs = gapMs;
  }

  /** Of a deadline that has passed: the client takes our bytes all the same, and the deadline is another now. */
  protected takesEnough(): boolean {
    if (this.request === null || this.request.pace === null) {
      return this.takesSlowly(this.settings.bodyIdleTimeoutMs);
    }
    const at = this.#deadlineOf("write");
    if (at <= this.turn.now) return false;
    this.setDeadline(at);
    return true;
  }

  /** Of a deadline that has passed: it did not pause, but was too slow. */
  protected wasSlow(way: Way): boolean {
    return this.request?.pace?.movedBefore(movedBytes(way, this)) === true;
  }

  /** When the next bytes have to have moved at the latest. */
  #deadlineOf(way: Way): number {
    const { now } = this.turn;
    const { bodyIdleTimeoutMs } = this.settings;
    const rate = this.events === null ? 0 : this.events.leastRate;
    const { request } = this;
    if (rate === 0 || request === null) return now + bodyIdleTimeoutMs;
    const least = Math.ceil(rate * bodyIdleTimeoutMs / 1000);
    request.pace ??= new Pace();
    return request.pace.endOfSpan(way, now, movedBytes(way, this), least, bodyIdleTimeoutMs);
  }
}
