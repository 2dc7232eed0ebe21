/**
 * One end of an in-memory connection. It stands for the kernel's buffers and for the adapter at once: what
 * `write` takes waits in `#sending`, a step carries it into the peer's `#received`, a further step hands
 * it to `data`. Ends, resets and `drained` are steps of their own, so every order the real world can
 * produce between the two ends is possible, and none that it cannot.
 */
import type {
  CloseCode,
  CloseReason,
  Socket,
  SocketError,
  SocketEvents,
  TlsSession,
} from "../../runtime/contract/contract.ts";
import { type MemoryNetwork, Task } from "./memory_network.ts";

/** Lent chunks are overwritten with this once `data` has returned, so that keeping them shows. */
export const lentFiller = 0xee;

/** Largest chunk given to `data`. */
export const maxChunkBytes = 64 * 1024;

/** Bytes before a lent chunk in its buffer: whoever forgets `byteOffset` reads filler. */
const lentOffset = 3;

/** Bounded bytes between two points; grows up to its bound as needed. */
class Pipe {
  readonly limit: number;
  #bytes = new Uint8Array(0);
  #start = 0;
  length = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get room(): number {
    return this.limit - this.length;
  }

  /** Copies `bytes[from, to)`, which fit. */
  put(bytes: Uint8Array, from: number, to: number): void {
    const count = to - from;
    const end = this.#start + this.length;
    if (end + count > this.#bytes.length) {
      const wanted = this.length + count;
      const grown = wanted > this.#bytes.length ? new Uint8Array(wanted * 2) : this.#bytes;
      grown.set(this.#bytes.subarray(this.#start, end));
      this.#bytes = grown;
      this.#start = 0;
    }
    this.#bytes.set(bytes.subarray(from, to), this.#start + this.length);
    this.length += count;
  }

  /** Puts bytes before all others, whatever the limit. */
  unread(bytes: Uint8Array): void {
    const both = new Uint8Array(bytes.length + this.length);
    both.set(bytes);
    both.set(this.#bytes.subarray(this.#start, this.#start + this.length), bytes.length);
    this.#bytes = both;
    this.#start = 0;
    this.length = both.length;
  }

  /** The next `count` bytes, to be read before anything else is done. */
  take(count: number): Uint8Array {
    const view = this.#bytes.subarray(this.#start, this.#start + count);
    this.#start += count;
    this.length -= count;
    if (this.length === 0) this.#start = 0;
    return view;
  }

  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#start = 0;
    this.length = 0;
  }
}

const noEvents: SocketEvents = {
  data() {},
  drained() {},
  ended() {},
  closed() {},
};

/** Addresses as this end sees them. */
export interface Ends {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/**
 * `waiting`: in an accept queue, or dialled and not yet reported. `handshake`: whatever arrives makes
 * the TLS handshake fail. `open`: events go to the handler.
 */
type Stage = "waiting" | "handshake" | "open" | "closed";

export class MemorySocket implements Socket {
  events: SocketEvents = noEvents;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  tls: TlsSession | null = null;

  readonly #network: MemoryNetwork;
  readonly #onHandlerError: (error: unknown) => void;
  #sending: Pipe;
  #received: Pipe;
  #peer: MemorySocket | null = null;

  #stage: Stage = "waiting";
  #handshakeFailed: ((error: SocketError) => void) | null = null;
  #paused = false;
  #wantsDrained = false;
  /** `finish` or `close` was called. */
  #finishing = false;
  #finSent = false;
  #finReceived = false;
  #endedReported = false;
  /** `endAhead` was told during this pause. */
  #aheadReported = false;
  /** `close` was called. */
  #closing = false;
  #resetToSend = false;
  #resetReceived = false;
  /** The kernel no longer knows this end: what arrives for it is answered with a reset. */
  #gone = false;
  #reason: CloseReason | null = null;
  /** Handed to a handler, so `closed` is owed. */
  #seen = false;

  readonly #carryTask = new Task(() => this.#carry());
  readonly #deliverTask = new Task(() => this.#deliver());
  readonly #aheadTask = new Task(() => this.#reportAhead());
  readonly #drainTask = new Task(() => this.#reportDrained());
  readonly #closeTask = new Task(() => this.#reportClosed());

  constructor(network: MemoryNetwork, ends: Ends, onHandlerError: (error: unknown) => void) {
    this.#network = network;
    this.#onHandlerError = onHandlerError;
    this.remoteAddress = ends.remoteAddress;
    this.remotePort = ends.remotePort;
    this.localAddress = ends.localAddress;
    this.localPort = ends.localPort;
    this.#sending = new Pipe(network.sendBufferBytes);
    this.#received = new Pipe(network.receiveBufferBytes);
  }

  /** Ties two ends together. */
  static join(a: MemorySocket, b: MemorySocket): void {
    a.#peer = b;
    b.#peer = a;
  }

  // ------------------------------------------------------------------ the contract

  write(bytes: Uint8Array, from: number, to: number): number {
    const offered = to - from;
    if (this.#finishing || this.#gone || this.#stage !== "open" || offered <= 0) return 0;
    if (this.#wantsDrained) {
      this.#network.misuses.push(`${this.localPort}->${this.remotePort}: write before drained`);
      return 0;
    }
    // A reset that arrived but is not yet reported: platforms either still take bytes or refuse them.
    if (this.#resetReceived) return this.#network.coin(true) ? offered : 0;
    const taken = Math.min(offered, this.#sending.room);
    if (taken > 0) {
      this.#sending.put(bytes, from, from + taken);
      this.#network.schedule(this.#carryTask);
    }
    if (taken < offered) this.#wantsDrained = true;
    return taken;
  }

  pause(): void {
    this.#paused = true;
    this.#network.schedule(this.#aheadTask);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#aheadReported = false;
    this.#network.schedule(this.#deliverTask);
  }

  finish(): void {
    if (this.#finishing || this.#gone) return;
    this.#finishing = true;
    this.#wantsDrained = false;
    this.#network.schedule(this.#carryTask);
  }

  close(): void {
    if (this.#closing || this.#gone) return;
    this.#closing = true;
    this.#finishing = true;
    this.#wantsDrained = false;
    // Unread bytes: the kernel sends a reset at once, and what was still to be sent may be lost.
    if (this.#received.length > 0 && this.#network.coin(true)) this.#sending.clear();
    this.#network.schedule(this.#carryTask);
  }

  abort(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#sending.clear();
    this.#received.clear();
    this.#resetToSend = !(this.#finSent && this.#finReceived);
    this.#network.schedule(this.#carryTask);
    this.#closeWith("aborted", "aborted by us");
  }

  // ------------------------------------------------------------------ for listeners and dials

  /** True once a reset has arrived. */
  get wasReset(): boolean {
    return this.#resetReceived;
  }

  /** From now on the handler that `hand` answers gets the events. */
  open(hand: (socket: Socket) => SocketEvents): void {
    this.#stage = "open";
    this.#handshakeFailed = null;
    this.#seen = true;
    this.#network.openSockets++;
    this.#guard(() => {
      this.events = hand(this);
    });
    this.#network.schedule(this.#deliverTask);
    this.#network.schedule(this.#closeTask);
  }

  /** The next owner of an open socket: the handler that `hand` answers gets the events from now on. */
  pass(hand: (socket: Socket) => SocketEvents): void {
    this.#guard(() => {
      this.events = hand(this);
    });
    this.#network.schedule(this.#deliverTask);
  }

  /** Bytes to be told before all others. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#gone) return;
    this.#received.unread(bytes);
    this.#network.schedule(this.#deliverTask);
  }

  /**
   * Another socket with the same connection; this one is over, and says no more. Null when it is not open both ways:
   * then nothing has changed.
   */
  release(): MemorySocket | null {
    const peer = this.#peer;
    const over = this.#finishing || this.#gone || this.#endedReported || this.#resetReceived;
    if (over || this.#stage !== "open" || peer === null) return null;
    const heir = new MemorySocket(this.#network, this, this.#onHandlerError);
    heir.#sending = this.#sending;
    heir.#received = this.#received;
    heir.#finReceived = this.#finReceived;
    MemorySocket.join(heir, peer);
    this.#sending = new Pipe(0);
    this.#received = new Pipe(0);
    this.#peer = null;
    this.#gone = true;
    this.#stage = "closed";
    this.#network.openSockets--;
    this.#network.schedule(heir.#carryTask);
    return heir;
  }

  /** Bytes, an end or a reset from the peer make the TLS handshake fail, and drop the connection. */
  startHandshake(failed: (error: SocketError) => void): void {
    this.#stage = "handshake";
    this.#handshakeFailed = failed;
    this.#network.schedule(this.#deliverTask);
  }

  /** The handshake is agreed; what arrives is for the handler, once there is one. */
  endHandshake(): void {
    this.#stage = "waiting";
    this.#handshakeFailed = null;
  }

  /** Drops a connection that no handler has seen. */
  dropUnseen(): void {
    this.abort();
  }

  // ------------------------------------------------------------------ steps

  /** Moves bytes, a FIN or a reset to the peer. */
  #carry(): boolean {
    const peer = this.#peer;
    if (peer === null) return false;
    if (this.#resetToSend) {
      this.#resetToSend = false;
      return peer.#takeReset();
    }
    if (this.#gone) return false;
    if (this.#sending.length > 0) {
      if (peer.#gone) return this.#takeReset();
      const room = peer.#received.room;
      if (room <= 0) return false; // the peer's next read schedules this again
      const count = this.#network.piece(Math.min(room, this.#sending.length));
      const view = this.#sending.take(count);
      peer.#received.put(view, 0, count);
      this.#network.schedule(peer.#deliverTask);
      this.#network.schedule(this.#drainTask);
      this.#network.schedule(this.#carryTask);
      return true;
    }
    if (!this.#finishing) return false;
    if (this.#closing) {
      this.#gone = true;
      this.#closeWith("finished", "closed by us");
      if (this.#received.length > 0) {
        this.#received.clear();
        peer.#takeReset();
      } else if (!this.#finSent) {
        this.#sendFin(peer);
      }
      // What the peer still has under way for us meets a closed port.
      this.#network.schedule(peer.#carryTask);
      return true;
    }
    if (this.#finSent) return false;
    this.#sendFin(peer);
    this.#closeWhenDone();
    return true;
  }

  #sendFin(peer: MemorySocket): void {
    this.#finSent = true;
    peer.#finReceived = true;
    this.#network.schedule(peer.#deliverTask);
    this.#network.schedule(peer.#aheadTask);
  }

  #takeReset(): boolean {
    if (this.#gone || this.#resetReceived) return false;
    this.#resetReceived = true;
    this.#sending.clear();
    if (this.#stage === "handshake") this.#network.schedule(this.#deliverTask);
    else this.#closeWith("reset", "ECONNRESET");
    return true;
  }

  /** Hands the next chunk, or the end, to the handler. */
  #deliver(): boolean {
    if (this.#gone) return false;
    if (this.#stage === "handshake") return this.#failHandshake();
    if (this.#stage !== "open" || this.#paused || this.#closing || this.#endedReported) return false;
    if (this.#received.length > 0) {
      const count = this.#network.piece(Math.min(this.#received.length, maxChunkBytes));
      const buffer = new Uint8Array(lentOffset + count + lentOffset).fill(lentFiller);
      const lent = buffer.subarray(lentOffset, lentOffset + count);
      lent.set(this.#received.take(count));
      if (this.#peer !== null) this.#network.schedule(this.#peer.#carryTask);
      this.#guard(() => this.events.data(lent));
      if (!this.#network.ownChunks) buffer.fill(lentFiller);
      this.#network.schedule(this.#deliverTask);
      return true;
    }
    if (!this.#finReceived) return false;
    this.#endedReported = true;
    this.#guard(() => this.events.ended());
    this.#closeWhenDone();
    return true;
  }

  #failHandshake(): boolean {
    const failed = this.#handshakeFailed;
    if (failed === null) return false;
    let error: SocketError;
    if (this.#received.length > 0) error = { code: "tls_protocol_error", detail: "not a TLS record" };
    else if (this.#resetReceived) error = { code: "connection_terminated", detail: "ECONNRESET" };
    else if (this.#finReceived) error = { code: "connection_terminated", detail: "end of stream" };
    else return false;
    this.#handshakeFailed = null;
    this.abort();
    this.#guard(() => failed(error));
    return true;
  }

  /** Tells a handler that does not read of the end that has come. */
  #reportAhead(): boolean {
    if (!this.#paused || !this.#finReceived || this.#aheadReported || this.#endedReported) return false;
    if (this.#stage !== "open" || this.#gone || this.#closing || this.#resetReceived) return false;
    this.#aheadReported = true;
    this.#guard(() => this.events.endAhead?.(false));
    return true;
  }

  #reportDrained(): boolean {
    if (!this.#wantsDrained || this.#finishing || this.#gone || this.#resetReceived) return false;
    if (this.#stage !== "open" || this.#sending.room === 0) return false;
    this.#wantsDrained = false;
    this.#guard(() => this.events.drained());
    return true;
  }

  #closeWhenDone(): void {
    if (this.#gone || this.#closing || !this.#finSent || !this.#endedReported) return;
    this.#gone = true;
    this.#closeWith("finished", "both sides ended");
  }

  #closeWith(code: CloseCode, detail: string): void {
    this.#reason = { code, detail };
    this.#network.schedule(this.#closeTask);
  }

  #reportClosed(): boolean {
    const reason = this.#reason;
    if (reason === null || this.#stage === "closed" || !this.#seen) return false;
    this.#stage = "closed";
    this.#gone = true;
    this.#sending.clear();
    this.#received.clear();
    this.#network.openSockets--;
    this.#guard(() => this.events.closed(reason));
    return true;
  }

  /** Calls a handler. If it throws, that is reported and this socket aborted. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.abort();
      this.#onHandlerError(error);
    }
  }
}
