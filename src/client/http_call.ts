/**
 * The HTTP client for one-off requests: one request on a connection of its own, with a limit on time and size.
 * Whatever is at the other end (garbage, a server that never answers, one that never stops), `reply` resolves: to
 * the response, or to the reason why there is none.
 */

import type {
  Address,
  ClientTls,
  Runtime,
  Socket,
  SocketEvents,
  Timer,
} from "../../runtime/contract/contract.ts";
import type { Dial } from "../../runtime/contract/contract.ts";
import { copyBytes } from "../bytes/copy.ts";
import { bodyLength, responseFraming } from "../http1/framing.ts";
import type { Head } from "../http/head.ts";
import { Field } from "../http/field.ts";
import { DEFAULT_LIMITS } from "../http/limits.ts";
import { MessageParser } from "../http1/message_parser.ts";
import { encodeLatin1 } from "../bytes/latin1.ts";

/** Longest reply, and longest line of a stream. */
const MAX_REPLY_BYTES = 16 * 1024 * 1024;
/** Interim responses that are read over. */
const MAX_INTERIM = 16;

export interface CallRequest {
  readonly method: "GET" | "POST";
  /** Path and query, as they are sent. */
  readonly target: string;
  /** Host field: a host with or without a port; default: the address. */
  readonly host?: string;
  /** How the server is spoken to in TLS; default: not at all. */
  readonly tls?: ClientTls | null;
  /** "" = none. */
  readonly body: string;
  /** Further fields: valid names and values. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For the connection and the whole reply; null = as long as it takes. Milliseconds, > 0. */
  readonly timeoutMs: number | null;
  /**
   * Gets each line of a 200 as it comes, without its end; the reply's `body` is "" then. Returns false to end the call.
   */
  readonly line?: (text: string) => boolean;
}

/**
 * Why there is no reply.
 * - `absent`: no process listens there
 * - `timeout`: `timeoutMs` has passed
 * - `closed`: the connection ended before the reply did
 * - `garbage`: what came is no HTTP, or too much of it
 * - `failed`: the connection could not be made for another reason
 */
export type NoReplyCode = "absent" | "timeout" | "closed" | "garbage" | "failed";

export type CallReply =
  | { readonly ok: true; readonly status: number; readonly contentType: string; readonly body: string }
  | {
    readonly ok: false;
    readonly code: NoReplyCode;
    readonly detail: string;
    /** The head of a response had come: the request was received. */
    readonly begun: boolean;
  };

export class HttpCall implements SocketEvents {
  /** Never rejects. */
  readonly reply: Promise<CallReply>;
  readonly #settle: (reply: CallReply) => void;
  readonly #request: CallRequest;
  readonly #parser = new MessageParser("response", DEFAULT_LIMITS);
  readonly #timer: Timer | null = null;
  readonly #dial: Dial;
  #socket: Socket | null = null;
  /** The request's bytes; the socket has not taken those from `#sent` on. */
  readonly #requestBytes: Uint8Array;
  #sent = 0;
  #head: Head | null = null;
  #interims = 0;
  #bytes: Uint8Array[] = [];
  #length = 0;
  #over = false;

  /** Opens the connection and sends the request. */
  static begin(runtime: Runtime, address: Address, request: CallRequest): HttpCall {
    return new HttpCall(runtime, address, request);
  }

  private constructor(runtime: Runtime, address: Address, request: CallRequest) {
    const { promise, resolve } = Promise.withResolvers<CallReply>();
    this.reply = promise;
    this.#settle = resolve;
    this.#request = request;
    this.#requestBytes = encodeRequest(address, request);
    const { timeoutMs } = request;
    if (timeoutMs !== null) {
      const late = `no answer within ${timeoutMs} ms`;
      this.#timer = runtime.clock.setTimer(timeoutMs, () => this.#fail("timeout", late));
    }
    this.#dial = runtime.dial({ address, timeoutMs: timeoutMs ?? 10_000, tls: request.tls ?? null }, {
      opened: (socket) => {
        this.#socket = socket;
        if (this.#over) socket.abort();
        else this.drained();
        return this;
      },
      failed: ({ code, detail }) => {
        if (code === "connection_refused") this.#fail("absent", detail);
        else this.#fail(code === "connection_timeout" ? "timeout" : "failed", `${code}: ${detail}`);
      },
    });
  }

  /** Gives up; `reply` resolves as `closed`. Idempotent. */
  cancel(): void {
    this.#fail("closed", "given up");
  }

  // Events of the socket

  drained(): void {
    const bytes = this.#requestBytes;
    const socket = this.#socket;
    if (socket === null || this.#sent === bytes.length) return;
    this.#sent += socket.write(bytes, this.#sent, bytes.length);
  }

  data(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#parser.feed(bytes);
    this.#advance();
  }

  ended(): void {
    if (this.#over) return;
    this.#parser.endOfInput();
    this.#advance();
    this.#fail("closed", "the connection was closed before the answer was complete");
  }

  closed({ code, detail }: { readonly code: string; readonly detail: string }): void {
    this.#socket = null;
    this.#fail("closed", detail === "" ? `the connection was closed (${code})` : detail);
  }

  // The reply

  #advance(): void {
    const parser = this.#parser;
    while (!this.#over) {
      const event = parser.next();
      if (event === "more") return;
      if (event === "head") this.#headArrived(parser.head as Head);
      else if (event === "data") this.#dataArrived(parser.data, parser.dataFrom, parser.dataTo);
      else if (event === "end") this.#messageEnded();
      else if (parser.fault?.code === "incomplete_message") return;
      else this.#fail("garbage", parser.fault?.detail ?? "");
    }
  }

  #headArrived(head: Head): void {
    const kind = responseFraming(head, this.#request.method);
    if (typeof kind !== "string") {
      this.#fail("garbage", kind.detail);
    } else if (head.status === 101 || (head.status < 200 && ++this.#interims > MAX_INTERIM)) {
      this.#fail("garbage", "an interim response was not expected");
    } else {
      if (head.status >= 200) this.#head = head;
      this.#parser.startBody(kind, bodyLength(kind, head));
    }
  }

  #dataArrived(bytes: Uint8Array, from: number, to: number): void {
    let start = from;
    if (this.#streamed) {
      for (let at = bytes.indexOf(LF, start); at >= 0 && at < to; at = bytes.indexOf(LF, start)) {
        this.#keep(bytes, start, at);
        start = at + 1;
        this.#line();
        if (this.#over) return;
      }
    }
    this.#keep(bytes, start, to);
    if (this.#length > MAX_REPLY_BYTES) {
      this.#fail("garbage", `an answer of more than ${MAX_REPLY_BYTES} bytes`);
    }
  }

  get #streamed(): boolean {
    return this.#request.line !== undefined && this.#head?.status === 200;
  }

  #keep(bytes: Uint8Array, from: number, to: number): void {
    if (from === to) return;
    const piece = new Uint8Array(to - from);
    copyBytes(bytes, from, to, piece, 0);
    this.#bytes.push(piece);
    this.#length += piece.length;
  }

  #line(): void {
    if (this.#request.line?.(this.#takeText()) === false) this.#done("");
  }

  #messageEnded(): void {
    if (this.#head === null) return; // an interim response
    const text = this.#takeText();
    if (!this.#streamed) {
      this.#done(text);
      return;
    }
    if (text !== "") this.#request.line?.(text);
    this.#done("");
  }

  #takeText(): string {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#bytes) {
      bytes.set(piece, at);
      at += piece.length;
    }
    this.#bytes = [];
    this.#length = 0;
    return new TextDecoder().decode(bytes);
  }

  #done(body: string): void {
    const head = this.#head;
    if (head === null) return;
    const contentType = head.joined(Field.contentType) ?? "";
    this.#finish({ ok: true, status: head.status, contentType, body });
  }

  #fail(code: NoReplyCode, detail: string): void {
    this.#finish({ ok: false, code, detail, begun: this.#head !== null });
  }

  #finish(reply: CallReply): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#dial.cancel();
    this.#socket?.abort();
    this.#settle(reply);
  }
}

const LF = 10;

function encodeRequest(address: Address, request: CallRequest): Uint8Array {
  const body = new TextEncoder().encode(request.body);
  const host = request.host ??
    (address.kind === "unix" ? "sluice" : hostField(address.host, address.port));
  const fields = Object.entries(request.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`).join(
    "",
  );
  const typed = request.method === "POST"
    ? `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`
    : "";
  const head = `${request.method} ${request.target} HTTP/1.1\r\nHost: ${host}\r\n` +
    `Connection: close\r\n${typed}${fields}\r\n`;
  const bytes = new Uint8Array(head.length + body.length);
  encodeLatin1(head, bytes, 0);
  bytes.set(body, head.length);
  return bytes;
}

function hostField(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
