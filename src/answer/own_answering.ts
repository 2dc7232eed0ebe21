/** A request that a handler answers itself: when the answer begins, and how it ends. */

import type { DownstreamStream } from "../http/downstream_stream.ts";
import { expectsContinue } from "../http/expect.ts";
import type { FieldSection } from "../http/field_section.ts";
import type { Head } from "../http/head.ts";
import type { Turn } from "../time/turn.ts";
import { type AnswerOwner, AnswerWriter, sendWhole } from "./answer_writer.ts";
import type { OwnAnswer } from "./own_answer.ts";

/** Of a body that nobody wants so much is read off before an answer, so that the connection can go on. */
const READ_OFF_BYTES = 64 * 1024;

/** The request. */
export interface AnsweredRequest {
  readonly client: DownstreamStream;
  readonly turn: Turn;
  /** Null when there is none: it could not be parsed, or nothing was asked. */
  readonly head: Head | null;
  date(): FieldSection;
  /** Events of the client come to it, which reads nothing of the body unless it says so. */
  takeEvents(): void;
  /** It has been sent; the stream has ended. */
  answerSent(): void;
  /** It has been cut. @param error why */
  answerCut(error: unknown): void;
}

export class OwnAnswering implements AnswerOwner {
  readonly #request: AnsweredRequest;
  readonly #answer: OwnAnswer;
  readonly #close: boolean;
  #writer: AnswerWriter | null = null;
  /** The rest of the request's body is being read off. */
  awaitsBody = false;

  /** @param close the connection ends with the answer; nothing of the request's body is read any more */
  constructor(request: AnsweredRequest, answer: OwnAnswer, close: boolean) {
    this.#request = request;
    this.#answer = answer;
    this.#close = close;
  }

  get client(): DownstreamStream {
    return this.#request.client;
  }

  get turn(): Turn {
    return this.#request.turn;
  }

  begin(): void {
    const { client, head } = this.#request;
    const { requestBody } = client;
    if (
      this.#answer.bytes === null || this.#close || client.requestDone || requestBody < 0 ||
      requestBody > READ_OFF_BYTES || (head !== null && expectsContinue(head))
    ) {
      this.#send();
      return;
    }
    this.awaitsBody = true;
    this.#request.takeEvents();
    client.expectBody();
    client.resumeBody();
  }

  /** The request's body has come to its end. */
  bodyEnded(): void {
    if (!this.awaitsBody) return;
    this.awaitsBody = false;
    this.#send();
  }

  /** The client takes more. */
  writable(): void {
    this.#writer?.writable();
  }

  /** Nothing more of it is sent. */
  stop(): void {
    this.#writer?.stop();
  }

  #send(): void {
    const request = this.#request;
    const { client, head } = request;
    const isHead = head !== null && head.method === "HEAD";
    if (this.#answer.bytes === null) {
      request.takeEvents();
      this.#writer = new AnswerWriter(this, this.#answer);
      this.#writer.begin(request.date(), isHead, this.#close);
      return;
    }
    client.events = null;
    sendWhole(client, this.#answer, request.date(), isHead, this.#close);
    request.answerSent();
  }

  /** AnswerOwner. */
  answerSent(): void {
    this.#request.answerSent();
  }

  /** AnswerOwner. */
  answerFailed(error: unknown): void {
    const { client } = this.#request;
    client.events = null;
    client.abortResponse();
    this.#request.answerCut(error);
  }
}
