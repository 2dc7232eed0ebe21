/** One request to the small HTTP server, from its head to the end of its answer. */

import { BodyReader, BodyTooLong } from "../answer/body_reader.ts";
import { OwnAnswer } from "../answer/own_answer.ts";
import { type AnsweredRequest, OwnAnswering } from "../answer/own_answering.ts";
import type { DateField } from "../http/date_field.ts";
import type { DownstreamStream, DownstreamStreamEvents } from "../http/downstream_stream.ts";
import { expectsContinue } from "../http/expect.ts";
import type { Fault } from "../http/fault.ts";
import type { FieldSection } from "../http/field_section.ts";
import { NO_FORWARDED_FIELDS } from "../http/forwarded_fields.ts";
import type { Head } from "../http/head.ts";
import { parseTarget } from "../http/target.ts";
import type { Turn } from "../time/turn.ts";
import { errorReply, type HttpReply, type HttpRequest } from "./http_message.ts";
import { HttpStream } from "./http_stream.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * - `body`: the request is being received
 * - `asked`: a handler is working on the answer
 * - `answering`: it is being sent
 * - `over`: answered, or the client has gone; terminal
 */
type State = "body" | "asked" | "answering" | "over";

export class HttpServerExchange implements DownstreamStreamEvents, AnsweredRequest {
  readonly turn: Turn;
  readonly client: DownstreamStream;
  readonly head: Head | null;
  readonly #date: DateField;
  readonly #gone = new AbortController();
  readonly #maxBodyBytes: number;
  #asked: (request: HttpRequest) => void = () => {};
  #state: State = "body";
  #reader: BodyReader | null = null;
  #answering: OwnAnswering | null = null;
  #stream: HttpStream | null = null;

  /** @param head null when there was no request, or none that could be parsed */
  constructor(
    turn: Turn,
    client: DownstreamStream,
    head: Head | null,
    date: DateField,
    maxBodyBytes: number,
  ) {
    this.turn = turn;
    this.client = client;
    this.head = head;
    this.#date = date;
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** A stream that the end of the server leaves alone. */
  get lasts(): boolean {
    return this.#stream?.lasts === true;
  }

  /** Reads the request to its end, then calls `asked`. */
  receive(asked: (request: HttpRequest) => void): void {
    const { client } = this;
    this.#asked = asked;
    client.events = this;
    if (client.requestDone) {
      this.#received(NO_BYTES);
      return;
    }
    const reader = new BodyReader(client, this.#maxBodyBytes, () => this.#wantBody());
    this.#reader = reader;
    reader.bytes().then((body) => this.#received(body), (error: unknown) => {
      // Of a body that was lost the client has been told, or has gone.
      if (error instanceof BodyTooLong) this.#tooLarge();
    });
  }

  #wantBody(): void {
    const { client, head } = this;
    if (head !== null && expectsContinue(head)) client.sendInterim(100, "Continue", NO_FORWARDED_FIELDS);
    client.expectBody();
  }

  #received(body: Uint8Array): void {
    if (this.#state === "body") this.#state = "asked";
    const request = this.#request(body);
    if (typeof request === "string") this.reply(errorReply(400, "bad_request", request));
    else this.#asked(request);
  }

  // What the client does

  downstreamBody(bytes: Uint8Array, from: number, to: number): void {
    if (this.#state === "body") this.#reader?.came(bytes, from, to);
  }

  downstreamEnd(trailers: Head | null): void {
    if (this.#state === "body") this.#reader?.end(trailers);
  }

  downstreamFault(fault: Fault): void {
    this.reply(errorReply(fault.status, "bad_request", fault.detail));
  }

  downstreamWritable(): void {
    this.#answering?.writable();
  }

  downstreamEnded(): void {
    this.#gone.abort();
    this.#stream?.end();
  }

  downstreamGone(): void {
    this.#answering?.stop();
    this.#over();
    this.#gone.abort();
  }

  get leastRate(): number {
    return 0;
  }

  downstreamTimedOut(what: "read" | "write"): void {
    if (what === "write" || this.#state !== "body") this.client.abort();
    else this.reply(errorReply(408, "bad_request", "The request did not arrive in time."));
  }

  // The answer

  /**
   * Answers. Nothing happens when the client has gone. May be called in or outside of a turn.
   *
   * @throws ScriptError when it is no answer; nothing has been sent then
   */
  reply(reply: HttpReply): void {
    if (this.#state === "over" || this.#state === "answering") return;
    const { client, turn } = this;
    const stream = "begin" in reply ? new HttpStream(client, reply) : null;
    const answer = OwnAnswer.of({
      status: reply.status,
      headers: {
        "Content-Type": reply.contentType,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        ...reply.headers,
      },
      body: "body" in reply ? reply.body : stream?.pieces,
    });
    const close = reply.close === true || stream !== null || !client.requestDone || this.head === null;
    this.#state = "answering";
    this.#stream = stream;
    this.#answering = new OwnAnswering(this, answer, close);
    turn.begin();
    this.#answering.begin();
    if (this.#gone.signal.aborted) stream?.end();
    stream?.begin();
    turn.end();
  }

  /** AnsweredRequest. */
  date(): FieldSection {
    return this.#date.section();
  }

  /** AnsweredRequest. */
  takeEvents(): void {
    this.client.events = this;
  }

  /** AnsweredRequest. */
  answerSent(): void {
    this.#over();
  }

  /** AnsweredRequest. */
  answerCut(): void {
    this.#over();
  }

  /** Ends a stream, unless it lasts until this process ends. */
  endStream(): void {
    if (!this.lasts) this.#stream?.end();
  }

  #over(): void {
    this.#state = "over";
    this.#reader?.lose("the request is over");
    this.#reader = null;
    this.#answering = null;
    this.#stream?.end();
  }

  #tooLarge(): void {
    this.reply(errorReply(413, "too_large", `A request body may have ${this.#maxBodyBytes} bytes.`));
  }

  /** The request, or what is wrong with it. */
  #request(bytes: Uint8Array): HttpRequest | string {
    const { head } = this;
    if (head === null) return "There is no request.";
    const target = parseTarget(head.method, head.target);
    if ("kind" in target) return target.detail;
    const mark = target.path.indexOf("?");
    const body = utf8Text(bytes);
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
function utf8Text(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
}
