/** What users are told of requests, answers, decisions, hooks and tools; a part of declarations.ts. */

export const SCRIPT_DECLARATIONS = `
// ---- Requests, and how they are answered ----

/** Answers a request. What it throws, or a promise that it rejects, is a 500 (\`script_error\`) and a line of the log. */
export type RequestHandler = (request: HttpRequest) => Answer | Promise<Answer>;

/** What a handler may give back. \`Response\` is the platform's. */
export type Answer = HttpResponse | ResponseLike | Decision;

/** What a hook may give back: nothing means that all goes on as if it were not there. */
export type Verdict = Answer | undefined | null | void;

/** A response of a handler's own. */
export interface HttpResponse {
  /** 200 to 599; default 200. 204 and 304 have no body. */
  readonly status?: number | undefined;
  /** The same in other words; \`status\` wins. */
  readonly code?: number | undefined;
  /** No connection fields, no framing: a \`Content-Length\` is accepted if it is right. At most 64 lines, 16 KiB. */
  readonly headers?: FieldInit | undefined;
  readonly body?: Body | undefined;
  /** Sent after a body that comes piece by piece, to clients that take them. */
  readonly trailers?: FieldInit | undefined;
}

/** Names to values; a list makes several lines. Or pairs. */
export type FieldInit =
  | Readonly<Record<string, string | readonly string[]>>
  | Iterable<readonly [string, string]>;

/** A text is sent as UTF-8. A stream or an iterable is asked for more only while the client takes what it has given. */
export type Body =
  | string
  | Uint8Array
  | ByteSource
  | AsyncIterable<string | Uint8Array>
  | Iterable<Uint8Array>
  | null;

/** A ReadableStream, as far as it is used. */
export interface ByteSource {
  getReader(): ByteSourceReader;
}

export interface ByteSourceReader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
  cancel(reason?: unknown): Promise<void>;
}

/** The platform's Response, as far as it is used. */
export interface ResponseLike {
  readonly status: number;
  readonly headers: Iterable<readonly [string, string]>;
  readonly body: ByteSource | null;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** The fields of a message. Names in any case. */
export interface Fields extends Iterable<readonly [string, string]> {
  /** Several lines are joined by ", "; null = there is none. */
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
  /** The one reading of the path, without the query. For rules about who may do what use \`under\`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower case, without a port; "" when none was named. */
  readonly host: string;
  readonly scheme: "http" | "https";
  /** "1.0", "1.1" or "2". */
  readonly version: string;
  readonly headers: Fields;
  /** Address of the connection's other end, "" over a Unix socket. */
  readonly peer: string;
  /** The same, or what a peer in \`trusted_proxies\` says. */
  readonly client: string;
  /** The protocol that it asks to switch to, lower case: "websocket"; null = none. */
  readonly upgrade: string | null;
  /** Bytes of the body; 0 = there is none, null = not announced. */
  readonly bodyBytes: number | null;
  /** What the names in the pattern of \`router\` stand for, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** For the later phases of this request; the caller's own. */
  readonly state: Record<string, unknown>;
  /** Aborted when the client has left, or time is up. */
  readonly signal: AbortSignal;
  /** The body as it comes, once. The client waits while the reader does; the request cannot be forwarded after that. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The trailer section, once the body has been read to its end; null when there is none. */
  readonly trailers: Fields | null;
  cookie(name: string): string | null;
  /** Whether the path lies under \`prefix\`, as routes match. A path that servers may read in two ways is answered 400. */
  under(prefix: string): boolean;
  /**
   * The whole body. The request can be forwarded all the same.
   * @param limit bytes; default: the largest \`request_buffer\`, 64 KiB at least
   * @throws ScriptError (as a rejection) it is longer, the client broke off, or it has been read piece by piece
   */
  bytes(limit?: number): Promise<Uint8Array>;
  /** The same as UTF-8. @throws ScriptError (as a rejection) it is none */
  text(limit?: number): Promise<string>;
  /** The same as JSON. @throws SyntaxError (as a rejection) it is none */
  json(limit?: number): Promise<unknown>;
  /** Sends 103 Early Hints, before the answer; dropped for clients that do not understand it. */
  earlyHints(headers: FieldInit): void;
}

// ---- Decisions: immutable values, checked when they are made. Best made once: a constant one costs next to nothing ----

export interface Decision {
  readonly kind: "to" | "next" | "respond" | "reject" | "tunnel" | "pass";
}

/**
 * Null takes a field away, a text sets it, a list sets several lines. Never: Connection, Content-Length, Transfer-Encoding, TE, Trailer,
 * Upgrade, Keep-Alive, Proxy-Connection, Expect, Host, Via, HTTP2-Settings. At most 64 edits, 16 KiB.
 */
export type Edits = Readonly<Record<string, string | readonly string[] | null>>;

/** How a request goes on. */
export interface Forward {
  readonly headers?: Edits | undefined;
  /** Further lines, whatever is there. */
  readonly add?: FieldInit | undefined;
  /** The Host field, whatever \`host_header\` says. */
  readonly host?: string | undefined;
  /** Path and query to send, from "/" on. */
  readonly uri?: string | undefined;
  /** Not from or to HEAD, TRACE or CONNECT. */
  readonly method?: string | undefined;
  /** Instead of what the client sends. */
  readonly body?: string | Uint8Array | undefined;
  /** The same key, the same endpoint, while it is there. */
  readonly key?: string | undefined;
  /** Name of the endpoint that is tried first. */
  readonly endpoint?: string | undefined;
  /** False: it is never sent twice. */
  readonly retry?: boolean | undefined;
  /** Name of an upstream that gets a copy; its answer is dropped. */
  readonly mirror?: string | undefined;
  /** Into the access log. Names of small letters, digits and "_". */
  readonly log?: Readonly<Record<string, string | number>> | undefined;
}

/** How a response goes on. */
export interface Pass {
  readonly status?: number | undefined;
  readonly headers?: Edits | undefined;
  readonly add?: FieldInit | undefined;
}

/** To an upstream, by its name. @throws ScriptError */
export function to(upstream: string, how?: Forward): Decision;
/** On with the routes; an answer of hooks only. @throws ScriptError */
export function next(how?: Forward): Decision;
/** To an upstream, for requests that switch protocols (WebSockets); others are answered 426. @throws ScriptError */
export function tunnel(upstream: string, how?: Forward): Decision;
/** An answer, checked once: its parts, or one object. @throws ScriptError */
export function respond(status: number | HttpResponse, body?: Body, headers?: FieldInit): Decision;
/**
 * A refusal, with \`http_request_denied\` in Proxy-Status and log.
 * @param status 400 to 599; default 403
 * @param words for the client: at most 200 characters of ASCII
 * @throws ScriptError
 */
export function reject(status?: number, words?: string, headers?: FieldInit): Decision;
/** The response goes on, changed; an answer of \`onResponse\`. @throws ScriptError */
export function pass(how: Pass): Decision;

// ---- Hooks ----

/** The head of an endpoint's answer. */
export interface ResponseView {
  readonly status: number;
  readonly headers: Fields;
  /** Name of the endpoint. */
  readonly endpoint: string;
}

/** A failure that Sluice is about to answer. */
export interface Failure {
  /** As in Proxy-Status: \`hold_timeout\`, \`connection_refused\`, … */
  readonly reason: string;
  readonly status: number;
  readonly detail: string;
  /** An endpoint may have seen the request. */
  readonly sent: boolean;
}

/** What is known of a request that is over. Times in milliseconds. */
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

/** Each may be missing. A promise has \`script.timeout\` (10 s), then the request is answered 504. */
export interface ScriptHooks {
  /** Before anything is served. What it throws keeps the gate (or the reload) from being. */
  readonly onStart?: (() => void | Promise<void>) | undefined;
  /** Once for each request, before the routes; retries and waiting never ask again. */
  readonly onRequest?: OnRequest | undefined;
  /** For each final answer of an endpoint, and 101, before a byte of it goes out. */
  readonly onResponse?: OnResponse | undefined;
  /** Instead of Sluice's own answer to a failure; it may send the request elsewhere once, if nothing was sent. */
  readonly onError?: OnError | undefined;
  readonly onLog?: OnLog | undefined;
  /** When no request comes any more. */
  readonly onStop?: (() => void | Promise<void>) | undefined;
  /** A handler over the platform's Request and Response (WinterTC). */
  readonly fetch?: ((request: Request) => ResponseLike | Promise<ResponseLike>) | undefined;
}

// ---- Tools ----

/** What comes back from a request of one's own. */
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
  /** Milliseconds for all of it, waiting included; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Bytes of the answer's body at most; default 1 MiB. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A request through an upstream: its pool, its waiting room and its limits. A failure that a client would be answered with is an answer here, too.
 * @throws ScriptError (as a rejection) it cannot be made, is not answered in time, or the answer is too long; with several gates open: use \`gate.ask\`
 */
export function ask(upstream: string, how?: AskOptions): Promise<Asked>;
/** Makes an upstream, or changes one. @throws ScriptError (as a rejection) nothing has changed; with several gates open: use \`gate.setUpstream\` */
export function setUpstream(name: string, how: UpstreamInit): Promise<void>;
/** Reads a file now, and whenever it has changed. @returns ends the watch */
export function watchFile(path: string, changed: (text: string) => void | Promise<void>): Promise<() => void>;
/** A line for the log. */
export function log(words: string, fields?: Readonly<Record<string, unknown>>): void;
/** 32 bits, the same on every platform and in every release. */
export function hash(text: string): number;
/** Index from 0, and how many there are. */
export const worker: { readonly index: number; readonly count: number };
/**
 * Handlers by path: "/users/:id", "/api/" (all below it), "GET /x", "/files/*". The most particular that fits is asked.
 * @param otherwise for everything else; default: 404
 * @throws ScriptError
 */
export function router(
  routes: Readonly<Record<string, RequestHandler>>,
  otherwise?: RequestHandler,
): RequestHandler;

/** What a handler, a hook or one of the functions here has been given or gives back cannot be carried out. */
export class ScriptError extends Error {
  name: string;
}
`;
