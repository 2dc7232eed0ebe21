/**
 * Clients that keep their connections. Every answer is counted by its bytes, after the first one has been
 * read, so that the load costs little; a connection that ends or says something else is an error.
 */

import { connect, type Socket } from "node:net";
import { sleep } from "./bench_workspace.ts";

/** Connections begun at a time: fewer than an accept queue holds. */
const BATCH = 100;
/** Longest wait for one answer. */
const ANSWER_MS = 20_000;
/** How often a paced load sends. */
const TICK_MS = 5;

class Client {
  readonly #socket: Socket;
  readonly #load: Load;
  /** Bytes of one answer; 0 = not known yet. */
  #expected = 0;
  #received = 0;
  #first = "";

  constructor(port: number, load: Load) {
    this.#load = load;
    this.#socket = connect({ port, host: "127.0.0.1" });
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (bytes: Buffer) => this.#data(bytes));
    this.#socket.on("error", (error) => load.fail(error.message));
    this.#socket.on("close", () => load.fail("a connection was closed"));
  }

  opened(): Promise<void> {
    return new Promise((resolve) => this.#socket.once("connect", () => resolve()));
  }

  ask(request: Buffer): void {
    this.#received = 0;
    this.#socket.write(request);
  }

  #data(bytes: Buffer): void {
    this.#received += bytes.length;
    if (this.#expected === 0) {
      this.#first += bytes.toString("latin1");
      const end = this.#first.indexOf("\r\n\r\n");
      if (end < 0) return;
      if (!this.#first.startsWith("HTTP/1.1 200 ")) this.#load.fail(this.#first.slice(0, 300));
      this.#expected = end + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(this.#first)?.[1] ?? NaN);
    }
    if (this.#received < this.#expected) return;
    if (this.#received > this.#expected) this.#load.fail("an answer of another length");
    this.#load.answered(this);
  }

  /** Answers are of another length from now on. */
  forget(): void {
    this.#expected = 0;
    this.#first = "";
  }

  end(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }
}

export class Load {
  readonly #clients: Client[] = [];
  #idle: Client[] = [];
  #next = 0;
  #requests: readonly Buffer[] = [];
  #left = 0;
  #under = 0;
  #answers = 0;
  #failure: Error | null = null;
  #done: () => void = () => {};

  /** Opens connections to `port` of 127.0.0.1 until there are `count`. */
  async open(port: number, count: number): Promise<void> {
    while (this.#clients.length < count) {
      const more = Math.min(BATCH, count - this.#clients.length);
      const clients = Array.from({ length: more }, () => new Client(port, this));
      this.#clients.push(...clients);
      await this.#patient(Promise.all(clients.map((client) => client.opened())));
    }
    this.#idle = [...this.#clients];
  }

  /**
   * Sends `count` requests, `atOnce` of them at a time, over all connections in turn.
   * @throws Error when one of them fails
   */
  async run(requests: readonly Buffer[], count: number, atOnce: number): Promise<void> {
    for (const client of this.#clients) client.forget();
    this.#requests = requests;
    this.#left = count;
    const done = new Promise<void>((resolve) => this.#done = resolve);
    for (let i = Math.min(atOnce, count, this.#clients.length); i > 0; i--) this.#send();
    await this.#patient(done);
  }

  /** Sends `rate` requests a second for `ms`. @returns how many were answered */
  async pace(request: Buffer, rate: number, ms: number): Promise<number> {
    for (const client of this.#clients) client.forget();
    this.#requests = [request];
    const before = this.#answers;
    const begun = performance.now();
    let sent = 0;
    for (let now = begun; now - begun < ms && this.#failure === null; now = performance.now()) {
      const due = Math.floor(((now - begun) * rate) / 1000);
      while (sent < due && this.#idle.length > 0) {
        this.#left = 1;
        this.#send();
        sent++;
      }
      await sleep(TICK_MS);
    }
    while (this.#under > 0 && this.#failure === null) await sleep(TICK_MS);
    if (this.#failure !== null) throw this.#failure;
    return this.#answers - before;
  }

  #send(): void {
    const client = this.#idle.shift();
    if (client === undefined) return;
    this.#left--;
    this.#under++;
    client.ask(this.#requests[this.#next++ % this.#requests.length] as Buffer);
  }

  answered(client: Client): void {
    this.#under--;
    this.#answers++;
    this.#idle.push(client);
    if (this.#left > 0) this.#send();
    else if (this.#under === 0) this.#done();
  }

  fail(why: string): void {
    this.#failure ??= new Error(why);
    this.#done();
  }

  /** Waits, not for ever. @throws what has failed meanwhile */
  async #patient(what: Promise<unknown>): Promise<void> {
    let before = -1;
    let over = false;
    void what.then(() => over = true);
    let since = performance.now();
    while (!over && this.#failure === null) {
      await Promise.race([what, sleep(100)]);
      if (this.#answers !== before) since = performance.now();
      before = this.#answers;
      if (performance.now() - since > ANSWER_MS) this.fail(`nothing happened in ${ANSWER_MS / 1000} s`);
    }
    if (this.#failure !== null) throw this.#failure;
  }

  end(): void {
    this.fail("ended");
    for (const client of this.#clients) client.end();
  }
}

/** @param bytes of the whole head, about; at least what it needs */
export function requestOf(host: string, answerBytes: number, bytes = 0, bodyBytes = -1): Buffer {
  const post = bodyBytes >= 0;
  let head = `${post ? "POST" : "GET"} /${answerBytes} HTTP/1.1\r\nHost: ${host}\r\n`;
  if (post) head += `Content-Length: ${bodyBytes}\r\n`;
  // Up to forty fields, of equal length.
  const left = Math.max(0, bytes - head.length - 2);
  const fields = Math.min(40, Math.floor(left / 24));
  for (let i = 0; i < fields; i++) {
    const name = `x-field-${i}: `;
    const length = Math.floor(left / fields) - name.length - 2;
    head += `${name}${"v".repeat(Math.max(1, length))}\r\n`;
  }
  return Buffer.from(head + "\r\n" + "x".repeat(Math.max(0, bodyBytes)), "latin1");
}
