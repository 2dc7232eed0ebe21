/** The way through a SOCKS proxy: from its open socket to one that leads to the destination. */

import type {
  CloseReason,
  Socket,
  SocketError,
  SocketEvents,
  Timer,
} from "../../runtime/contract/contract.ts";
import { type Runtime, SocketFailure } from "../../runtime/contract/contract.ts";
import { canonicalIp } from "../bytes/ip_address.ts";
import type { Turn } from "../time/turn.ts";
import type { SocksTarget } from "./reuse_key.ts";
import { Socks5Handshake } from "./socks5.ts";

/** Told how it went, in a turn that has begun. */
export interface SocksEnd {
  /** @returns what hears the events of the socket from now on */
  connected(): SocketEvents;
  failed(error: SocketError): void;
}

export type SocksRuntime = Pick<Runtime, "clock" | "resolve">;

export class SocksStep implements SocketEvents {
  readonly #turn: Turn;
  readonly #socket: Socket;
  readonly #end: SocksEnd;
  readonly #timer: Timer;
  #handshake: Socks5Handshake | null = null;
  #unsent = new Uint8Array();
  /** Whoever has the socket after us. */
  #next: SocketEvents | null = null;
  #over = false;

  /** Begins, in a turn. @param timeoutMs for all of it, > 0 */
  constructor(
    runtime: SocksRuntime,
    turn: Turn,
    socket: Socket,
    target: SocksTarget,
    timeoutMs: number,
    end: SocksEnd,
  ) {
    this.#turn = turn;
    this.#socket = socket;
    this.#end = end;
    this.#timer = runtime.clock.setTimer(timeoutMs, () => {
      this.#inTurn(() =>
        this.#fail({ code: "connection_timeout", detail: "the SOCKS proxy does not answer" })
      );
    });
    if (target.resolves && canonicalIp(target.host) === null) void this.#lookUp(runtime, target);
    else this.#begin(target);
  }

  async #lookUp(runtime: SocksRuntime, target: SocksTarget): Promise<void> {
    try {
      const [host] = await runtime.resolve(target.host);
      this.#inTurn(() => {
        if (host === undefined) this.#fail({ code: "dns_error", detail: `${target.host} has no address` });
        else this.#begin({ ...target, host });
      });
    } catch (error) {
      if (!(error instanceof SocketFailure)) throw error;
      const { code, message } = error;
      this.#inTurn(() => this.#fail({ code, detail: message }));
    }
  }

  #begin(target: SocksTarget): void {
    this.#handshake = new Socks5Handshake(target);
    this.#send(this.#handshake.begin());
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
        this.#fail({ code: "connection_terminated", detail: "the SOCKS proxy spoke first" });
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
      this.#next = this.#end.connected();
    });
    this.#passOn();
  }

  /** The destination may have spoken already. */
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
    this.#fail({ code: "connection_terminated", detail: "the SOCKS proxy closed the connection" });
  }
}
