/** What the small HTTP server of the control socket and of the admin listener is asked, and what it answers. */

/** A request that was read to its end. */
export interface HttpRequest {
  /** "GET" for HEAD as well: the server leaves the body out. */
  readonly method: string;
  /** Without the query, as received. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Values of all fields of that name as one list, null when there is none. */
  header(lowerCaseName: string): string | null;
  /** As long as the server allows; "" when there is none. */
  readonly body: string;
  /**
   * Aborted when the client leaves before it has its answer: it closed the connection, or its sending side.
   * A handler that waits for something on its behalf can stop then.
   */
  readonly signal: AbortSignal;
}

interface Reply {
  /** 200 to 599. */
  readonly status: number;
  readonly contentType: string;
  /** Further fields: valid names and values, no framing. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection ends with the answer. */
  readonly close?: boolean;
}

export interface TextReply extends Reply {
  readonly body: string;
}

/** An answer that is written piece by piece: JSON lines, or server-sent events. */
export interface StreamReply extends Reply {
  /**
   * The head has been sent. Pieces may be written from now on, also inside the call.
   *
   * @returns called once when the stream is over, whichever side ended it
   */
  begin(out: Outlet): () => void;
  /** `HttpServer.close` leaves it alone: its client waits for this process to end. */
  readonly untilExit?: boolean;
}

export type HttpReply = TextReply | StreamReply;

export interface Outlet {
  /**
   * Sends a piece at once. A client that takes too little of it is dropped; nothing happens when the stream
   * is over. Never throws.
   */
  write(text: string): void;
  /** Ends the answer. */
  end(): void;
}

export interface HttpRoute {
  readonly method: "GET" | "POST";
  /** Compared whole, byte by byte. */
  readonly path: string;
  /** What it throws is a bug: reported, and answered with 500. */
  handle(request: HttpRequest): HttpReply | Promise<HttpReply>;
}

export const JSON_TYPE = "application/json";
/** One JSON value a line (NDJSON). */
export const JSON_LINES_TYPE = "application/x-ndjson";

export function jsonReply(status: number, value: unknown): TextReply {
  return { status, contentType: JSON_TYPE, body: JSON.stringify(value) + "\n" };
}

/**
 * @param code stable, for programs: a refusal's code, or one of `bad_request`, `not_found`,
 *   `method_not_allowed`, `too_large`, `too_many_connections`, `internal_error`
 * @param message a sentence for people
 */
export function errorReply(status: number, code: string, message: string): TextReply {
  return jsonReply(status, { error: code, message });
}
