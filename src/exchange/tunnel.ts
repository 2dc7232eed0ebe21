/**
 * Bytes both ways after a protocol switch: whatever comes from one side goes to the other, no faster
 * than it is taken, half-closes included. Ends when both sides have ended, when one is torn down, or
 * after a silence of `idleMs`.
 *
 * A WebSocket can be asked to end (`sendClose`): the client gets a Close frame between two of the endpoint's, and
 * nothing more; its own messages go on to the endpoint until its Close has, so that none of them is lost.
 */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import type { DownstreamConnection } from "../conn/downstream_connection.ts";
import { HIGH_WATER_BYTES, LOW_WATER_BYTES } from "../conn/connection.ts";
import type { RawEvents } from "../conn/stream.ts";
import type { Turn } from "../conn/turn.ts";
import type { UpstreamConnection } from "../conn/upstream_connection.ts";
import { closeFrame, FrameTracker } from "../websocket/frames.ts";

/** How a tunnel ended: in order, by a side's reset, or for want of traffic. */
export type TunnelEnd = "finished" | "client_reset" | "upstream_reset" | "idle" | "aborted";

export class Tunnel {
  readonly client: DownstreamConnection;
  readonly upstream: UpstreamConnection;
  readonly #idleMs: number;
  readonly #turn: Turn;
  readonly #ended: (how: TunnelEnd) => void;
  readonly #clientSide: Side;
  readonly #upstreamSide: Side;
  #open = 2;
  #how: TunnelEnd = "finished";
  #lastTraffic: number;
  /** Bytes from the client and from the endpoint. */
  clientBytes = 0;
  upstreamBytes = 0;

  /**
   * Takes both connections over. The 101 has been sent.
   *
   * @param websocket its bytes are frames of RFC 6455
   * @param ended called once, when both connections are gone
   */
  constructor(
    client: DownstreamConnection,
    upstream: UpstreamConnection,
    idleMs: number,
    websocket: boolean,
    turn: Turn,
    ended: (how: TunnelEnd) => void,
  ) {
    this.client = client;
    this.upstream = upstream;
    this.#idleMs = idleMs;
    this.#turn = turn;
    this.#ended = ended;
    this.#lastTraffic = turn.now;
    const frames = () => websocket ? new FrameTracker() : null;
    this.#clientSide = new Side(this, client, upstream, "client_reset", frames());
    this.#upstreamSide = new Side(this, upstream, client, "upstream_reset", frames());
    const fromClient = client.switchTo(this.#clientSide);
    const fromUpstream = upstream.switchTo(this.#upstreamSide);
    client.rawDeadline(this.#lastTraffic + idleMs);
    if (fromClient !== null) this.#clientSide.rawData(fromClient);
    if (fromUpstream !== null) this.#upstreamSide.rawData(fromUpstream);
    // A client may have ended its side before the switch; that event does not come again.
    if (client.peerHasEnded) this.#clientSide.rawEnded();
  }

  /** Bytes have come from one side, or (0) gone out to it. */
  moved(from: Reset, bytes: number): void {
    this.#lastTraffic = this.#turn.now;
    if (from === "client_reset") this.clientBytes += bytes;
    else this.upstreamBytes += bytes;
  }

  /** `connection` has room again: the side opposite may be read. */
  resumeOther(connection: DownstreamConnection | UpstreamConnection): void {
    if (connection === this.client) this.#upstreamSide.resume();
    else this.#clientSide.resume();
  }

  /**
   * The deadline stands on the client's connection, and on the endpoint's once the client's is gone; traffic
   * moves it when it comes up.
   */
  timedOut(on: DownstreamConnection | UpstreamConnection): void {
    const now = this.#turn.now;
    if (now - this.#lastTraffic < this.#idleMs) on.rawDeadline(this.#lastTraffic + this.#idleMs);
    else this.#tearDown("idle");
  }

  /**
   * Asks a WebSocket's client to end it: Close with status 1001. The tunnel ends when that has been answered; what
   * is left of it may be aborted whenever time is up. Nothing for other protocols.
   */
  sendClose(): void {
    this.#upstreamSide.sayClose("server");
  }

  /** The client has been told: from its Close on, or its end, there is nothing more to wait for. */
  clientClosed(): void {
    if (!this.#upstreamSide.saidClose) return;
    this.client.finish();
    this.upstream.finish();
  }

  /** One side sends nothing more. */
  sideEnded(how: Reset): void {
    // A client that was told to go and just went has not said so to the endpoint.
    if (how === "client_reset" && this.#upstreamSide.saidClose) this.#clientSide.sayClose("client");
  }

  /** Ends both sides now. */
  abort(): void {
    // With one side gone the other one only had to follow.
    this.#tearDown(this.#open === 2 ? "aborted" : "finished");
  }

  #tearDown(how: TunnelEnd): void {
    if (this.#how === "finished") this.#how = how;
    this.client.abort();
    this.upstream.abort();
  }

  /** One side is gone, as is known before its connection tells. */
  broken(how: Reset): void {
    this.#tearDown(this.#upstreamSide.saidClose ? "finished" : how);
  }

  /** One connection is gone. */
  sideClosed(reason: CloseReason, how: Reset): void {
    this.#open--;
    // How a side goes that was asked to is its own affair.
    if (reason.code !== "finished") this.#tearDown(this.#upstreamSide.saidClose ? "finished" : how);
    if (this.#open === 0) this.#ended(this.#how);
    // What is left may be bytes that the endpoint does not take.
    else if (how === "client_reset") this.upstream.rawDeadline(this.#turn.now + this.#idleMs);
  }
}

type Reset = "client_reset" | "upstream_reset";

class Side implements RawEvents {
  readonly #tunnel: Tunnel;
  readonly #own: DownstreamConnection | UpstreamConnection;
  readonly #other: DownstreamConnection | UpstreamConnection;
  readonly #reset: Reset;
  readonly #frames: FrameTracker | null;
  #paused = false;
  /** Close is to be said to the other side as soon as no frame is under way. */
  #closeAs: "server" | "client" | null = null;
  /** It has been said. */
  saidClose = false;

  constructor(
    tunnel: Tunnel,
    own: DownstreamConnection | UpstreamConnection,
    other: DownstreamConnection | UpstreamConnection,
    reset: Reset,
    frames: FrameTracker | null,
  ) {
    this.#tunnel = tunnel;
    this.#own = own;
    this.#other = other;
    this.#reset = reset;
    this.#frames = frames;
  }

  rawData(bytes: Uint8Array): void {
    this.#tunnel.moved(this.#reset, bytes.length);
    if (this.#frames === null) this.#other.sendBytes(bytes, 0, bytes.length);
    else this.#pass(this.#frames, bytes);
    if (!this.#paused && this.#other.backlogBytes > HIGH_WATER_BYTES) {
      this.#paused = true;
      this.#own.socket.pause();
    }
  }

  #pass(frames: FrameTracker, bytes: Uint8Array): void {
    // Nothing may follow a Close frame.
    if (this.saidClose) return;
    const before = frames.closed;
    const end = frames.pass(bytes, 0, bytes.length, this.#closeAs !== null);
    this.#other.sendBytes(bytes, 0, end);
    if (frames.closed && !before && this.#reset === "client_reset") this.#tunnel.clientClosed();
    if (this.#closeAs !== null) this.#closeAtBoundary(frames);
    if (end < bytes.length && !this.saidClose) this.#other.sendBytes(bytes, end, bytes.length);
  }

  /** Says Close to the other side, unless the peer has said it or does so first. */
  sayClose(as: "server" | "client"): void {
    const frames = this.#frames;
    if (frames === null || this.#closeAs !== null) return;
    this.#closeAs = as;
    this.#closeAtBoundary(frames);
  }

  #closeAtBoundary(frames: FrameTracker): void {
    if (this.#closeAs === null || this.saidClose || frames.closed || !frames.atBoundary) return;
    this.saidClose = true;
    const frame = closeFrame(this.#closeAs);
    this.#other.sendBytes(frame, 0, frame.length);
    if (this.#paused) this.resume();
  }

  rawEnded(): void {
    this.#tunnel.sideEnded(this.#reset);
    this.#other.finish();
  }

  rawBroken(): void {
    // The other side is slow, and may stay so: what is unread would keep a tunnel of which one side is gone.
    this.#tunnel.broken(this.#reset);
  }

  rawClosed(reason: CloseReason): void {
    this.#tunnel.sideEnded(this.#reset);
    // After an orderly end of this side the other one may still have bytes to take.
    if (reason.code === "finished") this.#other.finish();
    this.#tunnel.sideClosed(reason, this.#reset);
  }

  /** Our own send queue moved: the other side may read on. */
  rawProgress(backlogBytes: number): void {
    this.#tunnel.moved(this.#reset, 0);
    if (backlogBytes <= LOW_WATER_BYTES) this.#tunnel.resumeOther(this.#own);
  }

  rawTimedOut(): void {
    this.#tunnel.timedOut(this.#own);
  }

  /** Reads on if it was stopped. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#own.socket.resume();
  }
}
