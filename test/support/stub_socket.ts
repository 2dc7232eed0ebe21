/** A socket that takes everything, or as much as a test lets it, and remembers what was done to it. */

import type { Socket, SocketEvents } from "../../runtime/contract/contract.ts";

export class StubSocket implements Socket {
  events: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 1;
  readonly localAddress = "127.0.0.1";
  readonly localPort = 2;
  readonly tls = null;
  /** Bytes it takes before a write comes up short. */
  room = Infinity;
  /** Each write that took something, as Latin-1 text. */
  readonly writes: string[] = [];
  /** `finish`, `close`, `abort`, `pause` and `resume`, as they came. */
  readonly calls: string[] = [];

  get written(): string {
    return this.writes.join("");
  }

  write(bytes: Uint8Array, from: number, to: number): number {
    const taken = Math.min(this.room, to - from);
    this.room -= taken;
    if (taken > 0) this.writes.push(new TextDecoder("latin1").decode(bytes.subarray(from, from + taken)));
    return taken;
  }

  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  finish(): void {
    this.calls.push("finish");
  }
  close(): void {
    this.calls.push("close");
  }
  abort(): void {
    this.calls.push("abort");
  }
}
