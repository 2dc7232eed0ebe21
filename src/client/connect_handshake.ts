/** The client's side of CONNECT (RFC 9110 §9.3.6) to a proxy that leads to another one. */

import type { SocketError, SocketErrorCode } from "../../runtime/contract/contract.ts";
import { bodyLength, responseFraming } from "../http1/framing.ts";
import { MessageParser } from "../http1/message_parser.ts";
import type { Head } from "../http/head.ts";
import { DEFAULT_LIMITS } from "../http/limits.ts";
import type { ProxyAnswer } from "./dial_fault.ts";
import type { Handshake } from "./handshake_step.ts";

/** Interim responses that are read over. */
const MAX_INTERIM = 16;
const NOTHING = new Uint8Array();

export class ConnectHandshake implements Handshake {
  readonly #authority: string;
  readonly #authorization: string;
  readonly #parser = new MessageParser("response", DEFAULT_LIMITS);
  #interims = 0;
  over = false;
  error: SocketError | null = null;
  rest: Uint8Array = NOTHING;

  /**
   * @param authority host and port that are asked for
   * @param authorization value of Proxy-Authorization; "" = none
   */
  constructor(authority: string, authorization: string) {
    this.#authority = authority;
    this.#authorization = authorization;
  }

  begin(): Uint8Array {
    const login = this.#authorization === "" ? "" : `Proxy-Authorization: ${this.#authorization}\r\n`;
    // ASCII: a host of the configuration, and base64.
    return new TextEncoder().encode(
      `CONNECT ${this.#authority} HTTP/1.1\r\nHost: ${this.#authority}\r\n${login}\r\n`,
    );
  }

  feed(bytes: Uint8Array): Uint8Array {
    const parser = this.#parser;
    parser.feed(bytes);
    while (!this.over) {
      const event = parser.next();
      if (event === "more") break;
      if (event === "head") this.#headArrived(parser.head as Head);
      else if (event !== "end") this.#fail("connection_terminated", "its answer to CONNECT is not HTTP");
    }
    if (!this.over) parser.suspend();
    return NOTHING;
  }

  #headArrived(head: Head): void {
    const { status } = head;
    if (status >= 200 && status < 300) {
      // The head ends the answer, whatever its framing fields say.
      this.rest = this.#parser.takeUnread() ?? NOTHING;
      this.over = true;
      return;
    }
    if (status >= 200 || status === 101 || ++this.#interims > MAX_INTERIM) {
      this.#refused(status);
      return;
    }
    const kind = responseFraming(head, "CONNECT");
    if (typeof kind === "string") this.#parser.startBody(kind, bodyLength(kind, head));
    else this.#fail("connection_terminated", "its answer to CONNECT is not HTTP");
  }

  /** 502, 503 and 504 say that the next proxy is away, which passes; by anything else this one has decided. */
  #refused(status: number): void {
    const code: SocketErrorCode = status === 504 ? "connection_timeout" : "connection_refused";
    const detail = `${this.#authority} by way of a proxy, which answered CONNECT with ${status}`;
    if (status >= 502 && status <= 504) this.#fail(code, detail);
    else {
      const error: ProxyAnswer = { code, detail, answered: true };
      this.error = error;
      this.over = true;
    }
  }

  #fail(code: SocketErrorCode, detail: string): void {
    this.error = { code, detail };
    this.over = true;
  }
}
