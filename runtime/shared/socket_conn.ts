/** An open socket of the contract as a connection that is asked for bytes; for TLS over sockets of any kind. */
import type { Conn, ConnAddress } from "./conn.ts";
import { type CloseReason, type Socket, type SocketEvents, SocketFailure } from "../contract/contract.ts";

interface Waiting {
  readonly buffer: Uint8Array;
  readonly resolve: (count: number | null) => void;
  readonly reject: (error: unknown) => void;
}

interface WaitingWrite {
  readonly bytes: Uint8Array;
  readonly resolve: (count: number) => void;
  readonly reject: (error: unknown) => void;
}

export class SocketConn implements Conn, SocketEvents {
  readonly localAddr: ConnAddress;
  readonly remoteAddr: ConnAddress;
  readonly #socket: Socket;
  /** Told before it was asked for: at most `alreadyRead` and one chunk. */
  readonly #held: Uint8Array[] = [];
  #paused = true;
  #ended = false;
  #failure: Error | null = null;
  #read: Waiting | null = null;
  #write: WaitingWrite | null = null;

  /** @param socket whose events we receive from now on */
  constructor(socket: Socket, alreadyRead: Uint8Array | undefined) {
    this.#socket = socket;
    this.localAddr = { hostname: socket.localAddress, port: socket.localPort };
    this.remoteAddr = { hostname: socket.remoteAddress, port: socket.remotePort };
    if (alreadyRead !== undefined && alreadyRead.length > 0) this.#held.push(new Uint8Array(alreadyRead));
    socket.events = this;
    socket.pause();
  }

  get below(): Socket {
    return this.#socket;
  }

  /** A connection within TLS that its peer does not end with close_notify: what runs over it cannot know more. */
  get endedShort(): boolean {
    return this.#socket.endedShort ?? false;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.#read = { buffer, resolve, reject };
      this.#serve();
      if (this.#read === null || !this.#paused) return;
      this.#paused = false;
      this.#socket.resume();
    });
  }

  #serve(): void {
    const read = this.#read;
    const bytes = this.#held[0];
    if (read === null || (bytes === undefined && !this.#ended && this.#failure === null)) return;
    this.#read = null;
    if (bytes !== undefined) {
      const count = Math.min(bytes.length, read.buffer.length);
      read.buffer.set(bytes.subarray(0, count));
      if (count === bytes.length) this.#held.shift();
      else this.#held[0] = bytes.subarray(count);
      read.resolve(count);
    } else if (this.#ended) read.resolve(null);
    else read.reject(this.#failure);
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#write = { bytes, resolve, reject };
      this.#offer();
    });
  }

  #offer(): void {
    const write = this.#write;
    if (write === null) return;
    const taken = this.#failure === null ? this.#socket.write(write.bytes, 0, write.bytes.length) : 0;
    // `drained` follows, or `closed`.
    if (taken === 0 && this.#failure === null) return;
    this.#write = null;
    if (taken > 0) write.resolve(taken);
    else write.reject(this.#failure);
  }

  closeWrite(): Promise<void> {
    this.#socket.finish();
    return Promise.resolve();
  }

  close(): void {
    this.#socket.close();
    this.#fail(new Error("closed by us"));
  }

  abort(): void {
    this.#socket.abort();
    this.#fail(new Error("aborted by us"));
  }

  // Events of the socket

  data(bytes: Uint8Array): void {
    const read = this.#read;
    let taken = 0;
    if (read !== null && this.#held.length === 0) {
      taken = Math.min(bytes.length, read.buffer.length);
      read.buffer.set(bytes.subarray(0, taken));
      this.#read = null;
      read.resolve(taken);
    }
    if (taken === bytes.length) return;
    this.#held.push(new Uint8Array(bytes.subarray(taken)));
    this.#paused = true;
    this.#socket.pause();
    this.#serve();
  }

  drained(): void {
    this.#offer();
  }

  ended(): void {
    this.#ended = true;
    this.#serve();
  }

  closed({ code, detail }: CloseReason): void {
    this.#fail(
      code === "reset"
        ? Object.assign(new Error(detail), { code: "ECONNRESET" })
        : new SocketFailure("connection_terminated", detail),
    );
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#serve();
    this.#offer();
  }
}
