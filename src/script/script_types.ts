/**
 * What scripts and handlers see of Sluice, and what they give back: the types behind `import … from "sluice"`. The same
 * shapes for users are in src/api/declarations.ts; a test holds the two together. They name no runtime, and nothing in them
 * depends on a wire version.
 */

import type { FieldInit, HttpResponse, ResponseLike } from "../answer/answer_types.ts";

/** Answers a request. */
export type RequestHandler = (request: HttpRequest) => Answer | Promise<Answer>;

/** What a handler may give back; `Response` is the platform's, seen as far as it is used. */
export type Answer = HttpResponse | ResponseLike | Decision;

/** What a hook may give back: nothing means that all goes on as if it were not there. */
export type Verdict = Answer | undefined | null | void;

/** The fields of a message. */
export interface Fields extends Iterable<readonly [string, string]> {
  /** Several lines are joined by ", ". The name in any case. */
  get(name: string): string | null;
  all(name: string): readonly string[];
  has(name: string): boolean;
}

/** A request: a view that copies and decodes nothing before it is asked. It cannot be changed. */
export interface HttpRequest {
  /** As in the access log. */
  readonly id: number;
  readonly method: string;
  /** Path and query as received. */
  readonly uri: string;
  /** The one reading of the path, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower case, without a port; "" when none was named. */
  readonly host: string;
  readonly scheme: "http" | "https";
  /** Version of HTTP: "1.0", "1.1" or "2". */
  readonly version: string;
  readonly headers: Fields;
  /** Address of the connection's other end, "" over a Unix socket. */
  readonly peer: string;
  /** The same, or what a trusted proxy says. */
  readonly client: string;
  /** The protocol it asks for, lower case: "websocket". */
  readonly upgrade: string | null;
  /** 0 = there is no body, null = its length is not announced. */
  readonly bodyBytes: number | null;
  /** Of `router`. */
  readonly params: Readonly<Record<string, string>>;
  /** For the later phases of this request. */
  readonly state: Record<string, unknown>;
  /** Aborted when the client has left, or time is up. */
  readonly signal: AbortSignal;
  /** The body as it comes, once; a reader that waits makes the client wait. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The trailer section, once the body has been read to its end; null when there is none. */
  readonly trailers: Fields | null;
  cookie(name: string): string | null;
  /** Whether the path lies under `prefix`, as routes match. A path that can be read in two ways is answered 400. */
  under(prefix: string): boolean;
  /** The whole body, at most `limit` bytes (default: `request_buffer`). The request can be forwarded all the same. */
  bytes(limit?: number): Promise<Uint8Array>;
  text(limit?: number): Promise<string>;
  json(limit?: number): Promise<unknown>;
  /** Sends 103 Early Hints; dropped for clients that do not understand it. */
  earlyHints(headers: FieldInit): void;
}

/** An immutable value, checked when it is made; best made once. */
export interface Decision {
  readonly kind: "to" | "next" | "respond" | "reject" | "tunnel" | "pass";
}

/** Null takes a field away, a text sets it, a list sets several lines. */
export type Edits = Readonly<Record<string, string | readonly string[] | null>>;

/** How a request goes on. */
export interface Forward {
  readonly headers?: Edits | undefined;
  /** Further lines, whatever is there. */
  readonly add?: FieldInit | undefined;
  readonly host?: string | undefined;
  /** Path and query to send. */
  readonly uri?: string | undefined;
  readonly method?: string | undefined;
  readonly body?: string | Uint8Array | undefined;
  /** The same key, the same endpoint, while it is there. */
  readonly key?: string | undefined;
  /** This one first. */
  readonly endpoint?: string | undefined;
  /** False: it is never sent twice. */
  readonly retry?: boolean | undefined;
  /** An upstream that gets a copy; its answer is dropped. */
  readonly mirror?: string | undefined;
  /** Into the access log. */
  readonly log?: Readonly<Record<string, string | number>> | undefined;
}

/** How a response goes on. */
export interface Pass {
  readonly status?: number | undefined;
  readonly headers?: Edits | undefined;
  readonly add?: FieldInit | undefined;
}

/** The head of an endpoint's answer. */
export interface ResponseView {
  readonly status: number;
  readonly headers: Fields;
  readonly endpoint: string;
}

/** A failure that Sluice is about to answer. */
export interface Failure {
  /** As in Proxy-Status. */
  readonly reason: string;
  readonly status: number;
  readonly detail: string;
  /** An endpoint may have seen the request. */
  readonly sent: boolean;
}

/** What is known of a request that is over. */
export interface LogRecord {
  readonly status: number;
  readonly reason: string;
  readonly upstream: string;
  readonly endpoint: string;
  readonly attempts: number;
  readonly totalMs: number;
  readonly waitMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export type OnRequest = (request: HttpRequest) => Verdict | Promise<Verdict>;
export type OnResponse = (response: ResponseView, request: HttpRequest) => Verdict | Promise<Verdict>;
export type OnError = (failure: Failure, request: HttpRequest) => Verdict | Promise<Verdict>;
export type OnLog = (record: LogRecord, request: HttpRequest) => void;

/** What a script exports; each may be missing. */
export interface ScriptHooks {
  readonly onStart?: (() => void | Promise<void>) | undefined;
  readonly onRequest?: OnRequest | undefined;
  readonly onResponse?: OnResponse | undefined;
  readonly onError?: OnError | undefined;
  readonly onLog?: OnLog | undefined;
  readonly onStop?: (() => void | Promise<void>) | undefined;
  /** WinterTC: a handler over the platform's Request and Response. */
  readonly fetch?: ((request: Request) => ResponseLike | Promise<ResponseLike>) | undefined;
}

/** What comes back from a sub-request. */
export interface Asked {
  readonly status: number;
  readonly headers: Fields;
  readonly bytes: Uint8Array;
  text(): string;
}

export interface AskOptions {
  /** Default GET. */
  readonly method?: string | undefined;
  /** Path and query; default "/". */
  readonly uri?: string | undefined;
  readonly headers?: FieldInit | undefined;
  readonly body?: string | Uint8Array | undefined;
  /** Milliseconds for all of it, holding included; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Bytes of the answer's body at most; default 1 MiB. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
