/**
 * Clients of the soak test. Every POST has an id of its own, so that lost and repeated ones can be told at the end. What may
 * go wrong around the kill of an application is known (`Outcome`); whatever else goes wrong is a failure.
 */

import { createHash } from "node:crypto";
import { WebSocket } from "ws";
import { askOnce, RawClient } from "../../test/support/raw_client.ts";
import type { Failure } from "./soak_account.ts";
import { wholeStream } from "./soak_words.ts";

const HOST = "Host: soak.test\r\n";
const BODY = "x".repeat(3000);
const PAUSE_MS = 3;
const ECHO_EVERY_MS = 100;
const ECHO_PATIENCE_MS = 40_000;
/** Default of `retry.unanswered_tries`, and what a request is told that is not sent again because of it. */
const UNANSWERED_TRIES = 3;
const LOST_TOO_OFTEN = `sent ${UNANSWERED_TRIES} times without an answer`;
/** A kill is noticed by then. */
const KILL_SEEN_MS = 2000;
/** "Going away" (RFC 6455 §7.4.1): a client that is told so comes back. */
const GOING_AWAY = 1001;

interface Clients {
  readonly gets: number;
  readonly posts: number;
  readonly streams: number;
  readonly webSockets: number;
}

export class SoakLoad {
  answered = 0;
  echoes = 0;
  /** Failures that the kill of an application explains: a POST that was under way, a stream, a WebSocket. */
  killed = 0;
  /** Requests that were under way at as many kills as `retry.unanswered_tries` lets any request be lost. */
  crashed = 0;
  readonly failures: Failure[] = [];
  /** Ids of POST requests that were answered with 200. */
  readonly confirmed: string[] = [];
  readonly #port: number;
  readonly #kills: number[] = [];
  #going = true;
  #serial = 0;
  readonly #clients: Promise<void>[];

  constructor(port: number, { gets, posts, streams, webSockets }: Clients) {
    this.#port = port;
    const several = (count: number, run: (nth: number) => Promise<void>) =>
      Array.from({ length: count }, (_, at) => run(at));
    this.#clients = [
      ...several(gets, (nth) => this.#requests("GET", nth % 2 === 0, (id) => this.#get(id))),
      ...several(posts, (nth) => this.#requests("POST", nth % 2 === 0, (id) => this.#post(id))),
      ...several(streams, () => this.#requests("stream", false, (id) => this.#stream(id))),
      ...several(webSockets, () => this.#webSocket()),
    ];
  }

  /** What has gone well, in one line. */
  get summary(): string {
    const { answered, confirmed, echoes, killed, crashed } = this;
    return `${answered} requests, ${confirmed.length} of them POST, ${echoes} echoes, ${killed} cut by kills, ` +
      `${crashed} that met ${UNANSWERED_TRIES} kills`;
  }

  /** To be called right before an application is killed. */
  noteKill(): void {
    this.#kills.push(performance.now());
  }

  /** Ends all clients. */
  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#clients);
  }

  #get(id: string): SoakRequest {
    return { request: `GET /get/${id} HTTP/1.1\r\n${HOST}`, expected: `got ${id}`, survives: true };
  }

  #post(id: string): SoakRequest {
    const body = id + BODY;
    const expected = createHash("sha256").update(body).digest("hex");
    const request = `POST /post/${id} HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n`;
    return { request, body, expected, survives: false, confirmed: () => this.confirmed.push(id) };
  }

  #stream(id: string): SoakRequest {
    return { request: `GET /stream/${id} HTTP/1.1\r\n${HOST}`, expected: wholeStream(id), survives: false };
  }

  async #requests(what: string, keep: boolean, next: (id: string) => SoakRequest): Promise<void> {
    let client: RawClient | null = null;
    while (this.#going) {
      const id = `${what}-${this.#serial++}`;
      const question = next(id);
      const began = performance.now();
      try {
        const bytes = `${question.request}${keep ? "" : "Connection: close\r\n"}\r\n${question.body ?? ""}`;
        if (keep) client ??= await RawClient.connect(this.#port);
        const answer = client === null ? await askOnce(this.#port, bytes) : await client.ask(bytes);
        if (client !== null && answer.field("connection") === "close") {
          client.destroy();
          client = null;
        }
        if (answer.status !== 200) {
          throw new Error(
            `${answer.status} ${answer.field("proxy-status") ?? ""} ${answer.text.slice(0, 200)}`,
          );
        }
        if (answer.text !== question.expected) {
          throw new Error(`another answer: ${answer.text.slice(0, 100)}`);
        }
        this.answered++;
        question.confirmed?.();
      } catch (error) {
        client?.destroy();
        client = null;
        const message = error instanceof Error ? error.message : String(error);
        if (!question.survives && this.#killedSince(began)) this.killed++;
        else if (message.includes(LOST_TOO_OFTEN) && this.#killsSince(began) >= UNANSWERED_TRIES) {
          this.crashed++;
        } else this.failures.push({ id, message });
      }
      await pause(PAUSE_MS);
    }
    client?.destroy();
  }

  #killedSince(began: number): boolean {
    return this.#killsSince(began) > 0;
  }

  #killsSince(began: number): number {
    return this.#kills.filter((at) => at >= began - KILL_SEEN_MS).length;
  }

  async #webSocket(): Promise<void> {
    while (this.#going) {
      const began = performance.now();
      const id = `socket-${this.#serial++}`;
      const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/socket/${id}`);
      const closed = new Promise<string>((resolve) => {
        socket.on("close", (code) => resolve(code === GOING_AWAY ? "" : `closed with ${code}`));
        socket.on("error", (error) => resolve(error.message));
      });
      const end = await Promise.race([closed, this.#echo(socket)]);
      socket.terminate();
      if (end === "") continue;
      if (this.#killedSince(began)) this.killed++;
      else this.failures.push({ id, message: end });
      await pause(PAUSE_MS);
    }
  }

  /** @returns what went wrong, "" = nothing until the end */
  async #echo(socket: WebSocket): Promise<string> {
    await new Promise<void>((resolve) => socket.on("open", resolve));
    for (let i = 0; this.#going; i++) {
      const back = new Promise<string>((resolve) =>
        socket.once("message", (data: object) => resolve(String(data)))
      );
      socket.send(`message ${i}`);
      const heard = await Promise.race([back, pause(ECHO_PATIENCE_MS, "no echo")]);
      if (heard !== `message ${i}`) return heard;
      this.echoes++;
      await pause(ECHO_EVERY_MS);
    }
    return "";
  }
}

interface SoakRequest {
  /** Without the end of the head. */
  readonly request: string;
  readonly body?: string;
  readonly expected: string;
  /** It succeeds even when the application is killed meanwhile. */
  readonly survives: boolean;
  readonly confirmed?: () => void;
}

function pause<T = void>(ms: number, value?: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value as T), ms));
}
