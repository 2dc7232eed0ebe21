/**
 * A program: many clients that keep connections open, for the benchmarks of memory. It runs on Node, whose
 * sockets can be read a few bytes at a time.
 *
 *     node scripts/support/bench_clients.ts idle PORT COUNT            each asks once, then rests
 *     node scripts/support/bench_clients.ts slow PORT COUNT PATH SECONDS   each trickles, then reads all
 *
 * Prints a line of JSON after each stage and waits for a line on standard input before the next one.
 */

import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { BODY_BYTES, type OriginPath, PATTERN, SMALL_BODY } from "./bench_bodies.ts";
import { quantile } from "./bench_statistics.ts";

/** Connections begun at a time: more than an accept queue holds would be a test of the kernel. */
const BATCH = 100;
const BATCH_PAUSE_MS = 15;
const TRICKLE_BYTES = 1024;
const TRICKLE_PAUSE_MS = 50;
const READ_BYTES = 64 * 1024;
/** Longest wait for what should come at once. */
const PATIENCE_MS = 30_000;

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
/** A piece of a body, from any place in the pattern. */
const patterns = Buffer.from(PATTERN.repeat(READ_BYTES / PATTERN.length + 1), "latin1");
const shared = Buffer.alloc(READ_BYTES);

class Client {
  readonly #socket: Socket;
  readonly #path: OriginPath;
  readonly #port: number;
  #head = "";
  /** Bytes of the present body so far; -1 = still in the head. */
  #bodyBytes = -1;
  #askedAt = 0;
  answers = 0;
  /** Milliseconds that the last answer took. */
  tookMs = NaN;
  failed = "";
  /** Reads as fast as it can; otherwise one small read for each `sip`. */
  greedy: boolean;

  constructor(port: number, path: OriginPath, greedy: boolean) {
    this.#port = port;
    this.#path = path;
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
    this.#socket.on("connect", () => this.ask());
    this.#socket.on("error", (error) => this.#fail(error.message));
    this.#socket.on("close", () => this.#fail("closed"));
  }

  ask(): void {
    this.#head = "";
    this.#bodyBytes = -1;
    this.#askedAt = performance.now();
    this.tookMs = NaN;
    this.#socket.write(`GET ${this.#path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n\r\n`);
  }

  /** Milliseconds since it asked, or that the answer took. */
  get waitedMs(): number {
    return Number.isNaN(this.tookMs) ? performance.now() - this.#askedAt : this.tookMs;
  }

  sip(): void {
    this.#socket.resume();
  }

  #received(bytes: Buffer): void {
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
  }

  #fail(why: string): void {
    if (this.failed === "") this.failed = why;
  }

  end(): void {
    this.#socket.destroy();
  }
}

async function openClients(
  count: number,
  port: number,
  path: OriginPath,
  greedy: boolean,
): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    for (let i = 0; i < BATCH && clients.length < count; i++) clients.push(new Client(port, path, greedy));
    await sleep(BATCH_PAUSE_MS);
  }
  return clients;
}

/** Waits until each has `answers` answers, or has failed, or nothing has happened for long. */
async function answered(clients: readonly Client[], answers: number): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (performance.now() < until && clients.some((one) => one.failed === "" && one.answers < answers)) {
    await sleep(20);
  }
}

function tell(clients: readonly Client[], answers: number, more: Record<string, number | null> = {}): void {
  const good = clients.filter((client) => client.failed === "" && client.answers >= answers).length;
  const why = clients.find(({ failed }) => failed !== "")?.failed ?? "";
  console.log(JSON.stringify({ good, bad: clients.length - good, why, ...more }));
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function idle(port: number, count: number): Promise<void> {
  const clients = await openClients(count, port, "/small", true);
  await answered(clients, 1);
  tell(clients, 1);
  await lines.next();
  const some = clients.filter(({ failed }) => failed === "").slice(0, 100);
  for (const client of some) client.ask();
  await answered(some, 2);
  tell(some, 2);
  await lines.next();
  for (const client of clients) client.end();
}

async function slow(port: number, count: number, path: OriginPath, seconds: number): Promise<void> {
  const probe = new Client(port, "/small", true);
  await answered([probe], 1);
  const clients = await openClients(count, port, path, false);
  const until = performance.now() + seconds * 1000;
  const waits: number[] = [];
  while (performance.now() < until) {
    for (const client of clients) client.sip();
    if (!Number.isNaN(probe.tookMs)) {
      waits.push(probe.tookMs);
      probe.ask();
    }
    await sleep(TRICKLE_PAUSE_MS);
  }
  waits.push(probe.waitedMs);
  tell(clients, 0, { probeP99: quantile(waits, 0.99) });
  await lines.next();
  for (const client of clients) {
    client.greedy = true;
    client.sip();
  }
  await answered(clients, 1);
  tell(clients, 1);
  await lines.next();
  for (const client of [...clients, probe]) client.end();
}

const [what, port, count, path, seconds] = process.argv.slice(2);
if (what === "idle") await idle(Number(port), Number(count));
else await slow(Number(port), Number(count), path as OriginPath, Number(seconds));
process.exit(0);
