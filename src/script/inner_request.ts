/** Requests that scripts send themselves, through an upstream: its pool, its hold and its limits. */

import { linesOf, shown } from "../answer/field_values.ts";
import { ScriptError } from "../answer/script_error.ts";
import { Exchange } from "../exchange/exchange.ts";
import type { ByteBuffer } from "../bytes/byte_buffer.ts";
import { NO_FIELDS } from "../http/field_section.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import { Head, HTTP_1_1 } from "../http/head.ts";
import { fieldSection } from "../http/own_fields.ts";
import { isAuthority } from "../http/target.ts";
import { Timed } from "../time/deadline_queue.ts";
import { ForwardedView } from "./field_views.ts";
import { InnerStream } from "./inner_stream.ts";
import { checkRequestName } from "./request_names.ts";
import type { NamedUpstream, Onward, ScriptHost } from "./script_host.ts";
import type { Asked, AskOptions, Fields } from "./script_types.ts";

const TIMEOUT_MS = 10_000;
const LIMIT_BYTES = 1024 * 1024;
/** Of a copy whose answer nobody wants so much is read, so that its connection can go on. */
const DROPPED_BYTES = 16 * 1024 * 1024;
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
const ORIGIN_FORM = /^\/[\x21\x22\x24-\x7e]*$/;
const NOTHING_ASKED = new Head(NO_FIELDS, "", 0, HTTP_1_1, "", "", 0, "");
const UTF8 = new TextEncoder();
const AS_UTF8 = new TextDecoder();

/** Requests under way that a script has sent, of one process: their own bound, since no client's connection bounds them. */
const MOST_AT_A_TIME = 10_000;
let underWay = 0;

/**
 * Sends a request.
 *
 * @throws ScriptError (as a rejection) when it cannot be made, is not answered in time, or its answer is too long. A failure
 *   that Sluice would answer a client with is an answer here, too
 */
export function ask(host: ScriptHost, upstream: string, how: AskOptions = {}): Promise<Asked> {
  const named = host.upstream(upstream);
  if (named === null) return Promise.reject(new ScriptError(`there is no upstream ${shown(upstream)}`));
  let request: Request;
  try {
    request = requestOf(how);
  } catch (error) {
    return Promise.reject(error);
  }
  if (underWay >= MOST_AT_A_TIME) {
    return Promise.reject(new ScriptError(`ask: ${MOST_AT_A_TIME} requests of scripts are under way`));
  }
  const { promise, resolve, reject } = Promise.withResolvers<Asked>();
  const { timeoutMs = TIMEOUT_MS, limit = LIMIT_BYTES, signal } = how;
  const asking = new Asking(host, resolve, reject);
  asking.begin(named, request, "", limit, timeoutMs, signal);
  return promise;
}

/** Sends a copy of a request; its answer is dropped. @param body null = there is none */
export function sendInner(
  host: ScriptHost,
  upstream: NamedUpstream,
  request: Onward,
  body: Uint8Array | null,
): void {
  if (underWay >= MOST_AT_A_TIME) return;
  const { sent, target, authority, stream } = request;
  const copy = { head: sent.changed(sent.section, sent.method, target), target, authority, body };
  const asking = new Asking(host, () => {}, () => {});
  asking.begin(upstream, copy, stream.peer.remoteAddress, DROPPED_BYTES, TIMEOUT_MS, undefined);
}

interface Request {
  readonly head: Head;
  readonly target: string;
  readonly authority: string;
  readonly body: Uint8Array | null;
}

/** @throws ScriptError */
function requestOf({ method = "GET", uri = "/", headers, body }: AskOptions): Request {
  if (!METHOD.test(method) || method === "CONNECT" || method === "TRACE") {
    throw new ScriptError(`ask: method: ${shown(method)} cannot be sent`);
  }
  if (!ORIGIN_FORM.test(uri)) {
    throw new ScriptError(`ask: uri: ${shown(uri)}: path and query are needed, from "/" on`);
  }
  const lines = linesOf(headers, checkRequestName, ["host"]);
  const hosts = lines.filter(([name]) => name.toLowerCase() === "host");
  const authority = hosts[0]?.[1] ?? "";
  if (hosts.length > 1 || (authority !== "" && !isAuthority(authority, 0, authority.length))) {
    throw new ScriptError(`ask: headers: Host: ${shown(authority)} is no host`);
  }
  const section = fieldSection(...lines);
  const head = NOTHING_ASKED.changed(section, method, uri);
  const bytes = typeof body === "string" ? UTF8.encode(body) : body ?? null;
  if (bytes !== null && !(bytes instanceof Uint8Array)) {
    throw new ScriptError("ask: body: a text or a Uint8Array is needed");
  }
  return { head, target: uri, authority, body: bytes };
}

class Asking extends Timed {
  readonly #host: ScriptHost;
  readonly #resolve: (asked: Asked) => void;
  readonly #reject: (error: ScriptError) => void;
  #stream: InnerStream | null = null;
  #signal: AbortSignal | null = null;
  #timeoutMs = 0;
  readonly #aborted = () => this.#end("nobody waits for the answer any more");

  constructor(host: ScriptHost, resolve: (asked: Asked) => void, reject: (error: ScriptError) => void) {
    super();
    this.#host = host;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(
    { settings, retry, counted }: NamedUpstream,
    { head, target, authority, body }: Request,
    address: string,
    limit: number,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): void {
    const { context } = this.#host;
    const { turn } = context;
    turn.begin();
    underWay++;
    const stream = new InnerStream(this, address, body, limit, turn.now);
    this.#stream = stream;
    this.#timeoutMs = timeoutMs;
    turn.deadlines.set(this, turn.now + timeoutMs);
    if (signal?.aborted === true) {
      this.#end("nobody waits for the answer any more");
    } else {
      if (signal !== undefined) {
        this.#signal = signal;
        signal.addEventListener("abort", this.#aborted);
      }
      new Exchange(context, settings, retry, stream, head, target, authority, counted).begin();
      stream.deliver();
    }
    turn.end();
  }

  override expired(): void {
    this.#end(`no answer within ${this.#timeoutMs} ms`);
  }

  #end(words: string): void {
    const { turn } = this.#host.context;
    turn.begin();
    this.#stream?.cancel(words);
    turn.end();
  }

  #over(): void {
    underWay--;
    this.#host.context.turn.deadlines.remove(this);
    this.#signal?.removeEventListener("abort", this.#aborted);
    this.#signal = null;
    this.#stream = null;
  }

  innerAnswered(status: number, fields: ForwardedFields, body: ByteBuffer): void {
    this.#over();
    const { bytes, from, to } = body;
    const own = bytes.slice(from, to);
    const headers: Fields = new ForwardedView(fields);
    this.#resolve({ status, headers, bytes: own, text: () => AS_UTF8.decode(own) });
  }

  later(act: () => void): void {
    this.#host.context.later(0, act);
  }

  innerFailed(words: string): void {
    this.#over();
    this.#reject(new ScriptError(`ask: ${words}`));
  }
}
