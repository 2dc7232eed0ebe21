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

/** Made for each request: a connection that rests has none. */
export class RequestUnderWay {
  readonly version: HttpVersion;
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

  constructor(version: HttpVersion) {
    this.version = version;
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
  frameResponse({ from, dropMask }: ForwardedFields, body: BodyLength, persist: boolean): string {
    let lines = "";
    let stays = persist;
    if (body >= 0) {
      this.framing = "length";
      if ((from.known & ~dropMask & LENGTH_MASK) === 0) {
        lines = body === 0 ? "Content-Length: 0\r\n" : "Content-Length: " + body + "\r\n";
      }
    } else if (body === NO_BODY) {
      this.framing = "none";
    } else if (this.version >= HTTP_1_1) {
      this.framing = "chunked";
      lines = "Transfer-Encoding: chunked\r\n";
    } else {
      this.framing = "close";
      stays = false;
    }
    this.afterwards = stays ? "request" : "end";
    if (!stays) return lines + "Connection: close\r\n";
    return this.version === HTTP_1_0 ? lines + "Connection: keep-alive\r\n" : lines;
  }
}
