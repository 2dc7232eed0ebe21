/** One request to the small HTTP server, from its head to the end of its answer. */

import { ByteBuffer } from "../bytes/byte_buffer.ts";
import type { Turn } from "../time/turn.ts";
import { NO_BODY, UNKNOWN_LENGTH } from "../http/body_length.ts";
import type { DateField } from "../http/date_field.ts";
import type { DownstreamStream, DownstreamStreamEvents } from "../http/downstream_stream.ts";
import { expectsContinue } from "../http/expect.ts";
import { NO_FORWARDED_FIELDS, ownFields } from "../http/forwarded_fields.ts";
import { fieldSection } from "../http/own_fields.ts";
import { statusPhrase } from "../http/status_phrase.ts";
import type { Fault } from "../http/fault.ts";
import type { Head } from "../http/head.ts";
import { parseTarget } from "../http/target.ts";
import { errorReply, type HttpReply, type HttpRequest, type StreamReply } from "./http_message.ts";

/** A client that leaves more of a stream than this unread is dropped. */
const MAX_BACKLOG_BYTES = 1024 * 1024;

const UTF8 = new TextEncoder();

/**
 * - `body`: the request is being received
 * - `asked`: a handler is working on the answer
 * - `stream`: pieces of the answer are being written
 * - `over`: answered, or the client has gone; terminal
 */
type State = "body" | "asked" | "stream" | "over";

export class HttpServerExchange implements DownstreamStreamEvents {
  readonly #turn: Turn;
  readonly #client: DownstreamStream;
  readonly #head: Head | null;
  readonly #date: DateField;
  readonly #gone = new AbortController();
  readonly #maxBodyBytes: number;
  /** Not the pieces that it came in: a chunk of one byte would cost a hundred. */
  readonly #body = new ByteBuffer();
  #asked: (request: HttpRequest) => void = () => {};
  #state: State = "body";
  #stream: StreamReply | null = null;
  #streamOver: (() => void) | null = null;

  /** @param head null when there was no request, or none that could be parsed */
  constructor(
    turn: Turn,
    client: DownstreamStream,
    head: Head | null,
    date: DateField,
    maxBodyBytes: number,
  ) {
    this.#turn = turn;
    this.#client = client;
    this.#head = head;
    this.#date = date;
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** A stream that the end of the server leaves alone. */
  get lasts(): boolean {
    return this.#state === "stream" && this.#stream?.untilExit === true;
  }

  /** Reads the request to its end, then calls `asked`. */
  receive(asked: (request: HttpRequest) => void): void {
    const client = this.#client;
    const head = this.#head;
    this.#asked = asked;
    client.events = this;
    if (client.requestDone) {
      this.downstreamEnd();
    } else if (head !== null && client.requestBody > this.#maxBodyBytes) {
      this.#tooLarge();
    } else {
      if (head !== null && expectsContinue(head)) client.sendInterim(100, "Continue", NO_FORWARDED_FIELDS);
      client.expectBody();
    }
  }

  // What the client does

  downstreamBody(bytes: Uint8Array, from: number, to: number): void {
    if (this.#state !== "body") return;
    if (this.#body.length + (to - from) > this.#maxBodyBytes) this.#tooLarge();
    else this.#body.append(bytes, from, to);
  }

  downstreamEnd(): void {
    if (this.#state !== "body") return;
    this.#state = "asked";
    const request = this.#request();
    if (typeof request === "string") this.reply(errorReply(400, "bad_request", request));
    else this.#asked(request);
  }

  downstreamFault(fault: Fault): void {
    this.reply(errorReply(fault.status, "bad_request", fault.detail));
  }

  downstreamWritable(): void {}

  downstreamEnded(): void {
    this.#gone.abort();
    if (this.#state === "stream") this.#end();
  }

  downstreamGone(): void {
    this.#over();
    this.#gone.abort();
  }

  get leastRate(): number {
    return 0;
  }

  downstreamTimedOut(what: "read" | "write"): void {
    if (what === "write" || this.#state !== "body") this.#client.abort();
    else this.reply(errorReply(408, "bad_request", "The request did not arrive in time."));
  }

  // The answer

  /** Answers. Nothing happens when the client has gone. May be called in or outside of a turn. */
  reply(reply: HttpReply): void {
    if (this.#state === "over" || this.#state === "stream") return;
    const client = this.#client;
    const { status, contentType, headers = {} } = reply;
    this.#turn.begin();
    const fields = (...more: readonly (readonly [string, string])[]) =>
      ownFields(
        this.#date.section(),
        fieldSection(
          ["Content-Type", contentType],
          ["Cache-Control", "no-store"],
          ["X-Content-Type-Options", "nosniff"],
          ...Object.entries(headers),
          ...more,
        ),
      );
    const close = reply.close === true || !client.requestDone || this.#head === null;
    const bodiless = this.#head?.method === "HEAD";
    if ("body" in reply) {
      const body = UTF8.encode(reply.body);
      this.#over();
      if (bodiless) {
        const described = fields(["Content-Length", String(body.length)]);
        client.sendHead(status, statusPhrase(status), described, NO_BODY, close);
      } else {
        client.sendHead(status, statusPhrase(status), fields(), body.length, close);
        client.sendBody(body, 0, body.length);
      }
      client.sendEnd(null);
    } else if (bodiless) {
      this.#over();
      client.sendHead(status, statusPhrase(status), fields(), NO_BODY, true);
      client.sendEnd(null);
    } else {
      this.#state = "stream";
      this.#stream = reply;
      client.sendHead(status, statusPhrase(status), fields(), UNKNOWN_LENGTH, true);
      if (this.#gone.signal.aborted) this.#end();
      else this.#begin(reply);
    }
    this.#turn.end();
  }

  #begin(stream: StreamReply): void {
    const over = stream.begin({ write: (text) => this.#write(text), end: () => this.#end() });
    // It may have ended inside the call.
    if (this.#state === "stream") this.#streamOver = over;
    else over();
  }

  #write(text: string): void {
    if (this.#state !== "stream" || text === "") return;
    const bytes = UTF8.encode(text);
    this.#turn.begin();
    this.#client.sendBody(bytes, 0, bytes.length);
    this.#turn.end();
    if (this.#client.backlogBytes > MAX_BACKLOG_BYTES) this.#client.abort();
  }

  /** Ends a stream, unless it lasts until this process ends. */
  endStream(): void {
    if (!this.lasts) this.#end();
  }

  #end(): void {
    if (this.#state !== "stream") return;
    this.#over();
    this.#turn.begin();
    this.#client.sendEnd(null);
    this.#turn.end();
  }

  #over(): void {
    this.#state = "over";
    this.#body.clear();
    const over = this.#streamOver;
    this.#streamOver = null;
    over?.();
  }

  #tooLarge(): void {
    this.reply(errorReply(413, "too_large", `A request body may have ${this.#maxBodyBytes} bytes.`));
  }

  /** The request, or what is wrong with it. */
  #request(): HttpRequest | string {
    const head = this.#head;
    if (head === null) return "There is no request.";
    const target = parseTarget(head.method, head.target);
    if ("kind" in target) return target.detail;
    const mark = target.path.indexOf("?");
    const body = utf8Text(this.#body);
    if (body === null) return "The body is not UTF-8.";
    return {
      method: head.method === "HEAD" ? "GET" : head.method,
      path: mark < 0 ? target.path : target.path.slice(0, mark),
      query: new URLSearchParams(mark < 0 ? "" : target.path.slice(mark + 1)),
      header: (lowerCaseName) => head.find(lowerCaseName),
      body,
      signal: this.#gone.signal,
    };
  }
}

/** The text of UTF-8 bytes, null when they are none. */
function utf8Text({ bytes, from, to }: ByteBuffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes.subarray(from, to));
  } catch {
    return null;
  }
}
