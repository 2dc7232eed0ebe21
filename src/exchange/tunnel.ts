/**
 * Bytes both ways after a protocol switch: whatever comes from one side goes to the other, no faster
 * than it is taken, half-closes included. Ends when both sides have ended, when one is torn down, or
 * after a silence of `idleMs`.
 *
 * A WebSocket can be asked to end (`sendClose`): the client gets a Close frame between two of the endpoint's, and
 * nothing more; its own messages go on to the endpoint until its Close has, so that none of them is lost.
 */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import type { ByteStream, ByteStreamEvents } from "../http/byte_stream.ts";
import { HIGH_WATER_BYTES, LOW_WATER_BYTES } from "../http/water_marks.ts";
import type { Turn } from "../time/turn.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import { closeFrame, FrameTracker } from "../websocket/frames.ts";

/** How a tunnel ended: in order, by a side's reset, or for want of traffic. */
export type TunnelEnd = "finished" | "client_reset" | "upstream_reset" | "idle" | "aborted";

/** What a tunnel is made of. */
export interface TunnelParts {
  readonly client: ByteStream;
  readonly upstream: ByteStream;
  /** Null where it leads to no endpoint of ours. */
  readonly endpoint: Endpoint | null;
  readonly idleMs: number;
  /** Its bytes are frames of RFC 6455. */
  readonly isWebsocket: boolean;
}

/** Where open tunnels are known. */
export interface TunnelRegister {
  readonly turn: Turn;
  tunnelClosed(tunnel: Tunnel): void;
}

/** Whose tunnel it is. */
export interface TunnelOwner {
  /** It is about to begin. */
  tunnelBegun(tunnel: Tunnel): void;
  /** Once, when both sides are gone. */
  tunnelEnded(tunnel: Tunnel, how: TunnelEnd): void;
}

/* Thousands rest at a time, so it keeps what it needs in fields: a function of its own would be three more objects. */

export class Tunnel {
  readonly #client: ByteStream;
  readonly #upstream: ByteStream;
  /** Where it leads; null where that is no endpoint of ours. */
  readonly endpoint: Endpoint | null;
  readonly #idleMs: number;
  readonly #register: TunnelRegister;
  readonly #owner: TunnelOwner;
  readonly #clientSide: Side;
  readonly #upstreamSide: Side;
  #open = 2;
  /** What has ended it first; null while nothing but its sides has. */
  #how: TunnelEnd | null = null;
  #lastTraffic: number;
  /** Bytes from the client and from the endpoint. */
  clientBytes = 0;
  upstreamBytes = 0;

  /** The switch has been sent on to the client. `start` begins it. */
  constructor(
    { client, upstream, endpoint, idleMs, isWebsocket }: TunnelParts,
    register: TunnelRegister,
    owner: TunnelOwner,
  ) {
    this.#client = client;
    this.#upstream = upstream;
    this.endpoint = endpoint;
    this.#idleMs = idleMs;
    this.#register = register;
    this.#owner = owner;
    this.#lastTraffic = register.turn.now;
    const [down, up] = isWebsocket ? [new FrameTracker(), new FrameTracker()] : [null, null];
    this.#clientSide = new Side(this, client, upstream, "client_reset", down);
    this.#upstreamSide = new Side(this, upstream, client, "upstream_reset", up);
  }

  /** Lets the bytes go, those first that have come already. */
  start(): void {
    this.#upstream.start(this.#upstreamSide);
    this.#client.start(this.#clientSide);
    this.#client.deadline(this.#lastTraffic + this.#idleMs);
  }

  /** Bytes have come from one side, or (0) gone out to it. */
  moved(from: Reset, bytes: number): void {
    this.#lastTraffic = this.#register.turn.now;
    if (from === "client_reset") this.clientBytes += bytes;
    else this.upstreamBytes += bytes;
  }

  /** `side` has room again: the side opposite may be read. */
  resumeOther(side: ByteStream): void {
    if (side === this.#client) this.#upstreamSide.resume();
    else this.#clientSide.resume();
  }

  /**
   * The deadline stands on the client's side, and on the endpoint's once the client's is gone; traffic
   * moves it when it comes up.
   */
  timedOut(on: ByteStream): void {
    const { now } = this.#register.turn;
    if (now - this.#lastTraffic < this.#idleMs) on.deadline(this.#lastTraffic + this.#idleMs);
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
    this.#client.finish();
    this.#upstream.finish();
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
    this.#how ??= how;
    this.#client.abort();
    this.#upstream.abort();
  }

  /** One side is gone, as is known before its stream tells. */
  broken(how: Reset): void {
    this.#tearDown(this.#upstreamSide.saidClose ? "finished" : how);
  }

  /** One side is gone. */
  sideClosed(reason: CloseReason, how: Reset): void {
    this.#open--;
    // Once we have sent Close, any end of that side counts as orderly.
    if (reason.code !== "finished") this.#tearDown(this.#upstreamSide.saidClose ? "finished" : how);
    if (this.#open === 0) {
      this.#register.tunnelClosed(this);
      this.#owner.tunnelEnded(this, this.#how ?? "finished");
    } else if (how === "client_reset") {
      // What is left may be bytes that the endpoint does not take.
      this.#upstream.deadline(this.#register.turn.now + this.#idleMs);
    }
  }
}

type Reset = "client_reset" | "upstream_reset";

class Side implements ByteStreamEvents {
  readonly #tunnel: Tunnel;
  readonly #own: ByteStream;
  readonly #other: ByteStream;
  readonly #reset: Reset;
  readonly #frames: FrameTracker | null;
  #paused = false;
  /** Close is to be said to the other side as soon as no frame is under way. */
  #closeAs: "server" | "client" | null = null;
  /** It has been said. */
  saidClose = false;

  constructor(
    tunnel: Tunnel,
    own: ByteStream,
    other: ByteStream,
    reset: Reset,
    frames: FrameTracker | null,
  ) {
    this.#tunnel = tunnel;
    this.#own = own;
    this.#other = other;
    this.#reset = reset;
    this.#frames = frames;
  }

  bytesArrived(bytes: Uint8Array): void {
    this.#tunnel.moved(this.#reset, bytes.length);
    if (this.#frames === null) this.#other.sendBytes(bytes, 0, bytes.length);
    else this.#pass(this.#frames, bytes);
    if (!this.#paused && this.#other.backlogBytes > HIGH_WATER_BYTES) {
      this.#paused = true;
      this.#own.pause();
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

  bytesEnded(): void {
    this.#tunnel.sideEnded(this.#reset);
    this.#other.finish();
  }

  bytesBroken(): void {
    // The other side is slow, and may stay so: what is unread would keep a tunnel of which one side is gone.
    this.#tunnel.broken(this.#reset);
  }

  bytesClosed(reason: CloseReason): void {
    this.#tunnel.sideEnded(this.#reset);
    // After an orderly end of this side the other one may still have bytes to take.
    if (reason.code === "finished") this.#other.finish();
    this.#tunnel.sideClosed(reason, this.#reset);
  }

  /** Our own send queue moved: the other side may read on. */
  bytesProgress(backlogBytes: number): void {
    this.#tunnel.moved(this.#reset, 0);
    if (backlogBytes <= LOW_WATER_BYTES) this.#tunnel.resumeOther(this.#own);
  }

  bytesTimedOut(): void {
    this.#tunnel.timedOut(this.#own);
  }

  /** Reads on if it was stopped. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#own.resume();
  }
}
