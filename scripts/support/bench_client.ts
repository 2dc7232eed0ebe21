/** One client of the benchmarks, on a connection of its own or through a tunnel. It looks at every byte of its answers. */

import { connect, type Socket } from "node:net";
import { BODY_BYTES, type OriginPath, PATTERN, SMALL_BODY } from "./bench_bodies.ts";

const TRICKLE_BYTES = 1024;
const READ_BYTES = 64 * 1024;

/** A piece of a body, from any place in the pattern. */
const patterns = Buffer.from(PATTERN.repeat(READ_BYTES / PATTERN.length + 1), "latin1");
const shared = Buffer.alloc(READ_BYTES);

export interface ClientOptions {
  /** Of 127.0.0.1. */
  readonly port: number;
  readonly path: OriginPath;
  /** Reads as fast as it can; otherwise one small read for each `sip`. */
  readonly greedy: boolean;
  /** Port of 127.0.0.1 to which a tunnel is asked for; the requests go through it. 0 or absent = no tunnel. */
  readonly tunnel?: number;
  /** A shorter request head is filled up to so many bytes. */
  readonly requestBytes?: number;
}

export class Client {
  readonly #socket: Socket;
  readonly #path: OriginPath;
  readonly #request: string;
  /** The answer to CONNECT has not come. */
  #opening: boolean;
  #head = "";
  /** Bytes of the present body so far; -1 = still in the head. */
  #bodyBytes = -1;
  #askedAt = NaN;
  #settled: (() => void) | null = null;
  /** `performance.now` when the connection was begun. */
  readonly openedAt = performance.now();
  answers = 0;
  /** Milliseconds that the last answer took. */
  tookMs = NaN;
  failed = "";
  /** See `ClientOptions.greedy`. */
  greedy: boolean;

  /** Asks once as soon as it is connected. */
  constructor({ port, path, greedy, tunnel = 0, requestBytes = 0 }: ClientOptions) {
    this.#path = path;
    this.#opening = tunnel !== 0;
    const host = `127.0.0.1:${tunnel || port}`;
    this.#request = requestText(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n`, requestBytes);
    this.greedy = greedy;
    const small = Buffer.alloc(greedy ? 0 : TRICKLE_BYTES);
    this.#socket = connect({
      port,
      host: "127.0.0.1",
      onread: {
        buffer: () => this.greedy ? shared : small,
        callback: (count, buffer) => {
          this.#received(Buffer.from(buffer.buffer, buffer.byteOffset, count));
          return this.greedy;
        },
      },
    });
    this.#socket.setNoDelay(true);
    this.#socket.on("connect", () => {
      if (this.#opening) this.#socket.write(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      else this.ask();
    });
    this.#socket.on("error", (error) => this.#fail(error.message));
    this.#socket.on("close", () => this.#fail("closed"));
  }

  ask(): void {
    this.#head = "";
    this.#bodyBytes = -1;
    this.#askedAt = performance.now();
    this.tookMs = NaN;
    this.#socket.write(this.#request);
  }

  /** Until the answer under way is there, or it has failed. */
  settled(): Promise<void> {
    if (this.failed !== "" || !Number.isNaN(this.tookMs)) return Promise.resolve();
    return new Promise((resolve) => this.#settled = resolve);
  }

  /** Milliseconds since it asked, or that the answer took. */
  get waitedMs(): number {
    return Number.isNaN(this.tookMs) ? performance.now() - this.#askedAt : this.tookMs;
  }

  sip(): void {
    this.#socket.resume();
  }

  #received(bytes: Buffer): void {
    if (this.#opening) this.#opened(bytes.toString("latin1"));
    else this.#answer(bytes);
  }

  /** A piece of the answer to CONNECT. */
  #opened(text: string): void {
    this.#head += text;
    const end = this.#head.indexOf("\r\n\r\n");
    if (end < 0) return;
    if (!/^HTTP\/1\.[01] 2\d\d /.test(this.#head)) return this.#fail(`CONNECT: ${this.#head.slice(0, 30)}`);
    if (end + 4 !== this.#head.length) return this.#fail("bytes that nobody has asked for");
    this.#opening = false;
    this.ask();
  }

  #answer(bytes: Buffer): void {
    let from = 0;
    if (this.#bodyBytes < 0) {
      const before = this.#head.length;
      this.#head += bytes.toString("latin1");
      const end = this.#head.indexOf("\r\n\r\n");
      if (end < 0) return;
      if (!this.#head.startsWith("HTTP/1.1 200 ")) this.#fail(this.#head.slice(0, 30));
      from = end + 4 - before;
      this.#bodyBytes = 0;
    }
    const expected = this.#path === "/small" ? Buffer.from(SMALL_BODY) : patterns;
    const at = this.#bodyBytes % PATTERN.length;
    const size = bytes.length - from;
    if (expected.compare(bytes, from, bytes.length, at, at + size) !== 0) this.#fail("wrong bytes");
    this.#bodyBytes += size;
    if (this.#bodyBytes > BODY_BYTES[this.#path]) this.#fail("too many bytes");
    if (this.#bodyBytes !== BODY_BYTES[this.#path]) return;
    this.answers++;
    this.tookMs = performance.now() - this.#askedAt;
    this.#settle();
  }

  #fail(why: string): void {
    if (this.failed === "") this.failed = why;
    this.#settle();
  }

  #settle(): void {
    const settled = this.#settled;
    this.#settled = null;
    settled?.();
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** @param lines whole lines of the head @param bytes to which it is filled up by a field, where that is possible */
function requestText(lines: string, bytes: number): string {
  const room = bytes - lines.length - "X-Fill: \r\n\r\n".length;
  return lines + (room > 0 ? `X-Fill: ${"x".repeat(room)}\r\n` : "") + "\r\n";
}
