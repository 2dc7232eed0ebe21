/** What a client's connection knows of a request, from its head to the end of its answer. */

import { type BodyLength, NO_BODY } from "../http/body_length.ts";
import { Field, maskOf } from "../http/field.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import { HTTP_1_0, HTTP_1_1, type HttpVersion } from "../http/head.ts";
import type { Pace } from "./pace.ts";

const LENGTH_MASK = maskOf(Field.contentLength);

/** How the end of a response's body is told: there is none, by its length, by chunks, by the connection's end. */
export type ResponseFraming = "none" | "length" | "chunked" | "close";

/** What follows an answer: the end, a further request, or one even while the server ends (see `keepForHandshake`). */
export type Afterwards = "end" | "request" | "handshake";

/** Lent for each request (object_pool.ts): a connection that rests has none. */
export class RequestUnderWay {
  version: HttpVersion = HTTP_1_1;
  /** Of the request. */
  body: BodyLength = NO_BODY;
  afterwards: Afterwards = "end";
  /** The client asked for the end of the connection after this response: it sends nothing more. */
  closeExpected = false;
  /** The request may be switched to another protocol. */
  mayUpgrade = false;
  bodyPaused = false;
  /** The client has been asked for the body, or has begun to send it. */
  bodyExpected = false;
  /** Of the response; null until its head has been sent. */
  framing: ResponseFraming | null = null;
  /** Null while the client need not be watched. */
  pace: Pace | null = null;

  /** Another request begins: the last one is forgotten. */
  begin(version: HttpVersion): void {
    this.version = version;
    this.body = NO_BODY;
    this.afterwards = "end";
    this.closeExpected = false;
    this.mayUpgrade = false;
    this.bodyPaused = false;
    this.bodyExpected = false;
    this.framing = null;
    this.pace = null;
  }

  /** The response tells where its body ends, or has none. */
  get responseSized(): boolean {
    return this.framing === "none" || this.framing === "length";
  }

  /** A response whose body is this long can be ended without ending the connection. */
  canFrame(body: BodyLength): boolean {
    return body >= 0 || body === NO_BODY || this.version >= HTTP_1_1;
  }

  /**
   * Settles how the response is framed, and what follows it.
   *
   * @param persist a further request is wanted
   * @returns field lines for it
   */
  frameResponse(fields: ForwardedFields, body: BodyLength, persist: boolean): string {
    const lines = body >= 0 ? this.#byLength(fields, body) : this.#withoutLength(body);
    const stays = persist && this.framing !== "close";
    this.afterwards = stays ? "request" : "end";
    if (!stays) return lines + "Connection: close\r\n";
    return this.version === HTTP_1_0 ? lines + "Connection: keep-alive\r\n" : lines;
  }

  #byLength({ from, dropMask }: ForwardedFields, length: number): string {
    this.framing = "length";
    if ((from.known & ~dropMask & LENGTH_MASK) !== 0) return "";
    return length === 0 ? "Content-Length: 0\r\n" : "Content-Length: " + length + "\r\n";
  }

  #withoutLength(body: BodyLength): string {
    if (body === NO_BODY) {
      this.framing = "none";
      return "";
    }
    const chunked = this.version >= HTTP_1_1;
    this.framing = chunked ? "chunked" : "close";
    return chunked ? "Transfer-Encoding: chunked\r\n" : "";
  }
}
