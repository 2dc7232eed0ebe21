/**
 * What Deno's connections do that the other runtimes' do not, played by a fake connection, so that it is
 * tested everywhere: pending operations reject on our own close, writes are taken in part and later, a
 * failed write may leave an answer to be read, and buffers belong to pending operations.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Conn } from "../../../../runtime/shared/conn.ts";

interface Pending<T> {
  readonly bytes: Uint8Array;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export class FakeConn implements Conn {
  readonly localAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  readonly remoteAddr = { transport: "tcp", hostname: "127.0.0.1", port: 2 };
  reading: Pending<number | null> | null = null;
  writing: Pending<number> | null = null;
  closes = 0;
  fins = 0;

  read(bytes: Uint8Array): Promise<number | null> {
    assert.equal(this.reading, null, "one read at a time");
    return new Promise((resolve, reject) => this.reading = { bytes, resolve, reject });
  }
  write(bytes: Uint8Array): Promise<number> {
    assert.equal(this.writing, null, "one write at a time");
    return new Promise((resolve, reject) => this.writing = { bytes, resolve, reject });
  }
  close(): void {
    this.closes++;
    const error = Object.assign(new Error("operation canceled"), { name: "Interrupted", code: "EINTR" });
    this.reading?.reject(error);
    this.writing?.reject(error);
  }
  closeWrite(): Promise<void> {
    this.fins++;
    return Promise.resolve();
  }

  /** Ends the pending read with these bytes, or the end of the stream. */
  async arrive(bytes: Uint8Array | null): Promise<void> {
    const { reading } = this;
    assert.ok(reading !== null, "a read is pending");
    this.reading = null;
    if (bytes !== null) reading.bytes.set(bytes);
    reading.resolve(bytes === null ? null : bytes.length);
    await turn();
  }

  /** Ends the pending write; without a count all of it was taken. */
  async take(count?: number): Promise<Uint8Array> {
    const { writing } = this;
    assert.ok(writing !== null, "a write is pending");
    this.writing = null;
    const taken = writing.bytes.slice(0, count);
    writing.resolve(taken.length);
    await turn();
    return taken;
  }

  async failWrite(): Promise<void> {
    const { writing } = this;
    assert.ok(writing !== null, "a write is pending");
    this.writing = null;
    writing.reject(Object.assign(new Error("Broken pipe"), { name: "BrokenPipe", code: "EPIPE" }));
    await turn();
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}
