/** The way through a proxy: from its open socket to one that leads further, by a handshake of its own protocol. */

import {
  type Clock,
  type CloseReason,
  type Socket,
  type SocketError,
  type SocketEvents,
  SocketFailure,
  type Timer,
} from "../../runtime/contract/contract.ts";
import type { Turn } from "../time/turn.ts";

/** One handshake as bytes in and bytes out: send what `begin` gives; then give `feed` what arrives, and send what it gives. */
export interface Handshake {
  /** Connected, or failed. */
  readonly over: boolean;
  /** Why there is no connection; null while there may be one. */
  readonly error: SocketError | null;
  /** Bytes that came behind the proxy's last answer. */
  readonly rest: Uint8Array;
  begin(): Uint8Array;
  /** @param bytes lent for the call. @returns what is to be sent now; may be empty */
  feed(bytes: Uint8Array): Uint8Array;
}

/** Told how it went, in a turn that has begun. */
export interface HandshakeEnd {
  /**
   * @param rest bytes that have come already. They are told to what is returned as well: it may do without one of both
   * @returns what hears the events of the socket from now on
   */
  connected(rest: Uint8Array): SocketEvents;
  failed(error: SocketError): void;
}

export class HandshakeStep implements SocketEvents {
  readonly #turn: Turn;
  readonly #socket: Socket;
  readonly #who: string;
  readonly #end: HandshakeEnd;
  readonly #timer: Timer;
  #handshake: Handshake | null = null;
  #unsent = new Uint8Array();
  /** Whoever has the socket after us. */
  #next: SocketEvents | null = null;
  #over = false;

  /**
   * Begins, in a turn.
   *
   * @param who the proxy, in words
   * @param timeoutMs for all of it, > 0
   * @param handshake at once or later; a rejection is a SocketFailure
   */
  constructor(
    clock: Clock,
    turn: Turn,
    socket: Socket,
    who: string,
    timeoutMs: number,
    handshake: Handshake | Promise<Handshake>,
    end: HandshakeEnd,
  ) {
    this.#turn = turn;
    this.#socket = socket;
    this.#who = who;
    this.#end = end;
    this.#timer = clock.setTimer(timeoutMs, () => {
      this.#inTurn(() => this.#fail({ code: "connection_timeout", detail: `${who} does not answer` }));
    });
    if (handshake instanceof Promise) void this.#await(handshake);
    else this.#begin(handshake);
  }

  async #await(made: Promise<Handshake>): Promise<void> {
    try {
      const handshake = await made;
      this.#inTurn(() => this.#begin(handshake));
    } catch (error) {
      if (!(error instanceof SocketFailure)) throw error;
      const { code, message } = error;
      this.#inTurn(() => this.#fail({ code, detail: message }));
    }
  }

  #begin(handshake: Handshake): void {
    this.#handshake = handshake;
    this.#send(handshake.begin());
  }

  #send(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#unsent.length + bytes.length);
    all.set(this.#unsent);
    all.set(bytes, this.#unsent.length);
    this.#unsent = all.slice(this.#socket.write(all, 0, all.length));
  }

  #inTurn(act: () => void): void {
    if (this.#over) return;
    this.#turn.begin();
    act();
    this.#turn.end();
  }

  #fail(error: SocketError): void {
    this.#over = true;
    this.#timer.cancel();
    this.#socket.abort();
    this.#end.failed(error);
  }

  // Events of the socket

  data(bytes: Uint8Array): void {
    if (this.#next !== null) {
      this.#next.data(bytes);
      return;
    }
    this.#inTurn(() => {
      const handshake = this.#handshake;
      if (handshake === null) {
        this.#fail({ code: "connection_terminated", detail: `${this.#who} spoke first` });
        return;
      }
      this.#send(handshake.feed(bytes));
      if (!handshake.over) return;
      if (handshake.error !== null) {
        this.#fail(handshake.error);
        return;
      }
      this.#over = true;
      this.#timer.cancel();
      this.#next = this.#end.connected(handshake.rest);
    });
    this.#passOn();
  }

  /** What the proxy leads to may have spoken already. */
  #passOn(): void {
    const rest = this.#handshake?.rest;
    if (rest !== undefined && rest.length > 0) this.#next?.data(rest);
  }

  drained(): void {
    if (this.#next !== null) this.#next.drained();
    else if (!this.#over) this.#send(new Uint8Array());
  }

  ended(): void {
    if (this.#next !== null) this.#next.ended();
    else this.#inTurn(() => this.#lost());
  }

  endAhead(reset: boolean): void {
    this.#next?.endAhead?.(reset);
  }

  closed(reason: CloseReason): void {
    if (this.#next !== null) this.#next.closed(reason);
    else this.#inTurn(() => this.#lost());
  }

  #lost(): void {
    this.#fail({ code: "connection_terminated", detail: `${this.#who} closed the connection` });
  }
}
