/**
 * Clients of the soak test. Every POST has an id of its own, so that lost and repeated ones can be told at the end. What may
 * go wrong around the kill of an application is known (`Outcome`); whatever else goes wrong is a failure.
 */

import { createHash } from "node:crypto";
import { WebSocket } from "ws";
import { Random } from "../../test/contract/pattern.ts";
import type { ReadResponse } from "../../test/support/http_reader.ts";
import { type ClientTarget, RawClient } from "../../test/support/raw_client.ts";
import type { Failure } from "./soak_account.ts";
import { largeText, wholeStream } from "./soak_words.ts";

const HOST = "Host: soak.test\r\n";
const BODY = "x".repeat(3000);
const PAUSE_MS = 3;
/** A connection that was closing anyway says so by then. */
const CROSSED_MS = 500;
/** A slow client reads nothing for so long: all buffers on the way are full by then. */
const SLOW_MS = 150;
const ECHO_EVERY_MS = 100;
const ECHO_PATIENCE_MS = 40_000;
/** Default of `retry.unanswered_tries`, and what a request is told that is not sent again because of it. */
const UNANSWERED_TRIES = 3;
const LOST_TOO_OFTEN = /sent \d+ times without an answer/;
/** A kill is noticed by then. */
const KILL_SEEN_MS = 2000;
/** A process that is killed takes no connection any more by then, and has reset those in its queue. */
const KILL_OVER_MS = 500;
/** "Going away" (RFC 6455 §7.4.1): a client that is told so comes back. */
const GOING_AWAY = 1001;

/** Where Sluice listens. */
interface Places {
  readonly port: number;
  /** Of a Unix socket; null = the port only. */
  readonly path: string | null;
}

interface Clients {
  readonly gets: number;
  readonly posts: number;
  readonly streams: number;
  /** Take long answers and compare every byte; every other one is slow to begin with it. */
  readonly downloads: number;
  /** Send long bodies, and compare the digest that comes back. */
  readonly uploads: number;
  /** Leave in the middle of a long answer or of a long body, with a FIN or a reset. */
  readonly leavers: number;
  readonly webSockets: number;
}

export class SoakLoad {
  answered = 0;
  echoes = 0;
  /** Bytes of answers and of echoes, all of which were compared. */
  comparedBytes = 0;
  /** Clients that left in the middle. */
  left = 0;
  /** Failures that the kill of an application explains: a POST that was under way, a stream, a WebSocket. */
  killed = 0;
  /** Requests that were under way at as many kills as `retry.unanswered_tries` lets any request be lost. */
  crashed = 0;
  /**
   * Requests that were sent on a kept connection while Sluice was closing it, and then on a new one, as HTTP clients do (RFC 9112
   * §9.3.1). A POST that the first Sluice has taken after all has arrived twice.
   */
  crossed = 0;
  readonly failures: Failure[] = [];
  /** Ids of POST requests that were answered with 200. */
  readonly confirmed: string[] = [];
  readonly #places: Places;
  readonly #random: Random;
  readonly #kills: number[] = [];
  #going = true;
  #serial = 0;
  readonly #clients: Promise<void>[];

  /** @param places where clients go in turn, WebSockets to the port only */
  constructor(
    places: Places,
    { gets, posts, streams, downloads, uploads, leavers, webSockets }: Clients,
    seed = 0,
  ) {
    this.#places = places;
    this.#random = new Random(seed);
    const several = (count: number, run: (nth: number) => Promise<void>) =>
      Array.from({ length: count }, (_, at) => run(at));
    this.#clients = [
      ...several(gets, (nth) => this.#requests("GET", nth, (id) => this.#get(id))),
      ...several(posts, (nth) => this.#requests("POST", nth, (id) => this.#post(id))),
      ...several(streams, (nth) => this.#requests("stream", 2 * nth + 1, (id) => this.#stream(id))),
      ...several(downloads, (nth) => this.#requests("large", nth, (id) => this.#download(id, nth % 2 === 1))),
      ...several(uploads, (nth) => this.#requests("upload", nth, (id) => this.#upload(id))),
      ...several(leavers, (nth) => this.#leaver(nth)),
      ...several(webSockets, () => this.#webSocket()),
    ];
  }

  /** What has gone well, in one line. */
  get summary(): string {
    const { answered, confirmed, echoes, comparedBytes, left, killed, crashed } = this;
    return `${answered} requests, ${confirmed.length} of them POST, ${echoes} echoes, ` +
      `${(comparedBytes / 2 ** 30).toFixed(2)} GiB compared, ${left} clients left in the middle, ` +
      `${killed} cut by kills, ${crashed} that met ${UNANSWERED_TRIES} kills, ${this.crossed} sent again since their connection was closing`;
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
    return this.#sending(id, id + BODY);
  }

  #upload(id: string): SoakRequest {
    return this.#sending(id, largeText(id));
  }

  #sending(id: string, body: string): SoakRequest {
    const expected = createHash("sha256").update(body).digest("hex");
    const request = `POST /post/${id} HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n`;
    return { request, body, expected, survives: false, confirmed: () => this.confirmed.push(id) };
  }

  #stream(id: string): SoakRequest {
    return { request: `GET /stream/${id} HTTP/1.1\r\n${HOST}`, expected: wholeStream(id), survives: false };
  }

  /** An endpoint may be killed in the middle of it. */
  #download(id: string, slow: boolean): SoakRequest {
    const request = `GET /large/${id} HTTP/1.1\r\n${HOST}`;
    return { request, expected: largeText(id), survives: false, slow };
  }

  /** Every other client goes to the port, and every other of those keeps its connection. */
  #placeOf(nth: number): ClientTarget {
    const { port, path } = this.#places;
    return nth % 4 < 2 || path === null ? port : { path };
  }

  async #requests(what: string, nth: number, next: (id: string) => SoakRequest): Promise<void> {
    const keep = nth % 2 === 0;
    let client: RawClient | null = null;
    while (this.#going) {
      const id = `${what}-${this.#serial++}`;
      const question = next(id);
      const began = performance.now();
      try {
        const bytes = `${question.request}${keep ? "" : "Connection: close\r\n"}\r\n${question.body ?? ""}`;
        const kept: RawClient | null = client;
        client ??= await this.#connect(nth);
        let answer = await asked(client, bytes, question).catch((error: unknown) => {
          if (kept === null || !isOver(kept) || performance.now() - began > CROSSED_MS) throw error;
          return null;
        });
        if (answer === null) {
          this.crossed++;
          client.destroy();
          client = await this.#connect(nth);
          answer = await asked(client, bytes, question);
        }
        if (!keep || answer.field("connection") === "close") {
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
        this.comparedBytes += answer.text.length;
        question.confirmed?.();
      } catch (error) {
        client?.destroy();
        client = null;
        const message = error instanceof Error ? error.message : String(error);
        if (!question.survives && this.#killedSince(began)) this.killed++;
        else if (
          LOST_TOO_OFTEN.test(message) && this.#killsSince(began - KILL_OVER_MS) >= UNANSWERED_TRIES
        ) this.crashed++;
        else {
          const kills = this.#kills.slice(-4).map((at) => (performance.now() - at).toFixed(0)).join(", ");
          const took = (performance.now() - began).toFixed(0);
          this.failures.push({ id, message: `${message}, after ${took} ms; kills ${kills} ms before` });
        }
      }
      await pause(PAUSE_MS);
    }
    client?.destroy();
  }

  async #connect(nth: number): Promise<RawClient> {
    const client = await RawClient.connect(this.#placeOf(nth));
    client.record = false;
    return client;
  }

  async #leaver(nth: number): Promise<void> {
    while (this.#going) {
      const id = `left-${this.#serial++}`;
      const body = largeText(id);
      const random = this.#random;
      const client = await this.#connect(nth).catch(() => null);
      if (client !== null) {
        if (random.below(2) === 0) {
          await client.send(`GET /large/${id} HTTP/1.1\r\n${HOST}\r\n`).catch(() => {});
        } else {
          const part = body.slice(0, random.below(body.length - 1));
          const head = `POST /post/${id} HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n`;
          void client.send(head + part).catch(() => {});
        }
        await pause(random.below(30));
        if (random.below(2) === 0) client.destroy();
        else client.reset();
        this.left++;
      }
      await pause(PAUSE_MS + random.below(50));
    }
  }

  #killedSince(began: number): boolean {
    return this.#killsSince(began - KILL_SEEN_MS) > 0;
  }

  #killsSince(from: number): number {
    return this.#kills.filter((at) => at >= from).length;
  }

  async #webSocket(): Promise<void> {
    while (this.#going) {
      const began = performance.now();
      const id = `socket-${this.#serial++}`;
      const socket = new WebSocket(`ws://127.0.0.1:${this.#places.port}/socket/${id}`);
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
      this.comparedBytes += heard.length;
      await pause(ECHO_EVERY_MS);
    }
    return "";
  }
}

function asked(client: RawClient, bytes: string, { slow }: SoakRequest): Promise<ReadResponse> {
  if (slow === true) {
    client.pause();
    void pause(SLOW_MS).then(() => client.resume());
  }
  return client.ask(bytes);
}

/** The connection has ended, and nothing of an answer has come. */
function isOver({ inbox }: RawClient): boolean {
  return inbox.state !== "open" && inbox.unread.length === 0;
}

interface SoakRequest {
  /** Without the end of the head. */
  readonly request: string;
  readonly body?: string;
  readonly expected: string;
  /** The client reads nothing at first. */
  readonly slow?: boolean;
  /** It succeeds even when the application is killed meanwhile. */
  readonly survives: boolean;
  readonly confirmed?: () => void;
}

function pause<T = void>(ms: number, value?: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value as T), ms));
}
