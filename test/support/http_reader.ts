/**
 * A small, strict reader of HTTP/1 messages, written for the tests and independent of the product's
 * codec: what Sluice sends must satisfy both. Anything a careful sender would not send is refused:
 * bare CR or LF, folded or repeated framing fields, chunk extensions, a body where none may be.
 * Source: RFC 9112.
 */

import type { Inbox } from "./inbox.ts";

/** The peer sent something that is not a well-formed message. */
export class MalformedMessage extends Error {
  override name = "MalformedMessage";
}

export type FieldLine = readonly [name: string, value: string];
export type ReadFraming = "none" | "length" | "chunked" | "close";

/** What requests and responses have in common. */
export class ReadMessage {
  readonly version: "1.0" | "1.1";
  /** In the order and letter case received. */
  readonly fields: readonly FieldLine[];
  readonly framing: ReadFraming;
  /** The content; empty when `onBody` took it. */
  readonly body: Uint8Array;
  /** Length of the content, also when `onBody` took it. */
  readonly bodyBytes: number;
  /** Sizes of the chunks, the last one of 0 not included. */
  readonly chunkSizes: readonly number[];
  readonly trailers: readonly FieldLine[];

  constructor(head: Head, content: Content) {
    this.version = head.version;
    this.fields = head.fields;
    this.framing = content.framing;
    this.body = content.body;
    this.bodyBytes = content.bodyBytes;
    this.chunkSizes = content.chunkSizes;
    this.trailers = content.trailers;
  }

  /** The value of a field that may occur once; undefined when absent. @throws when it is repeated */
  field(name: string): string | undefined {
    const values = this.all(name);
    if (values.length > 1) throw new MalformedMessage(`${name} occurs ${values.length} times`);
    return values[0];
  }

  /** All values of a field. */
  all(name: string): string[] {
    return valuesOf(this.fields, name);
  }

  /** The content as Latin-1 text. */
  get text(): string {
    return latin1Text(this.body);
  }
}

export class ReadRequest extends ReadMessage {
  readonly method: string;
  readonly target: string;

  constructor(method: string, target: string, head: Head, content: Content) {
    super(head, content);
    this.method = method;
    this.target = target;
  }
}

/** An interim (1xx) response. */
export interface ReadInterim {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly FieldLine[];
}

export class ReadResponse extends ReadMessage {
  readonly status: number;
  readonly reason: string;
  /** The 1xx responses before this one; 101 is final. */
  readonly interim: readonly ReadInterim[];

  constructor(status: number, reason: string, interim: readonly ReadInterim[], head: Head, content: Content) {
    super(head, content);
    this.status = status;
    this.reason = reason;
    this.interim = interim;
  }
}

interface Head {
  readonly version: "1.0" | "1.1";
  readonly fields: readonly FieldLine[];
}

interface Content {
  readonly framing: ReadFraming;
  readonly body: Uint8Array;
  readonly bodyBytes: number;
  readonly chunkSizes: readonly number[];
  readonly trailers: readonly FieldLine[];
}

export interface ReadOptions {
  /** Receives the content piece by piece instead of `body`: for bodies too large to keep. */
  readonly onBody?: (bytes: Uint8Array) => void;
}

export interface ReadResponseOptions extends ReadOptions {
  /** Method of the request that is answered: HEAD and CONNECT change the framing. */
  readonly method?: string;
  /** Called for every 1xx response as it arrives. */
  readonly onInterim?: (interim: ReadInterim) => void;
}

const maxLineBytes = 1 << 20;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^(?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const reasonPhrase = /^[\t \x21-\x7e\x80-\xff]*$/;

/** Bytes to text, one character each. */
export function latin1Text(bytes: Uint8Array): string {
  let text = "";
  for (let from = 0; from < bytes.length; from += 8192) {
    text += String.fromCharCode(...bytes.subarray(from, from + 8192));
  }
  return text;
}

/** Reads one request with its content. @throws MalformedMessage, EndedEarly, WatchdogError */
export async function readRequest(inbox: Inbox, options: ReadOptions = {}): Promise<ReadRequest> {
  const line = await readLine(inbox, "a request line");
  const match = /^(\S+) ([\x21-\x7e]+) HTTP\/(1\.[01])$/.exec(line);
  if (match === null || !token.test(match[1] ?? "")) {
    throw new MalformedMessage(`request line ${JSON.stringify(line)}`);
  }
  const [, method = "", target = "", version] = match;
  const head: Head = { version: version as Head["version"], fields: await readFields(inbox, "field lines") };
  const framing = declaredFraming(head);
  if (framing === "close") return new ReadRequest(method, target, head, noContent);
  return new ReadRequest(method, target, head, await readContent(inbox, head, framing, options));
}

/** Reads one final response with its content and the interim ones before it. */
export async function readResponse(inbox: Inbox, options: ReadResponseOptions = {}): Promise<ReadResponse> {
  const interim: ReadInterim[] = [];
  for (;;) {
    const line = await readLine(inbox, "a status line");
    const match = /^HTTP\/(1\.[01]) ([1-9][0-9][0-9]) (.*)$/.exec(line);
    if (match === null || !reasonPhrase.test(match[3] ?? "")) {
      throw new MalformedMessage(`status line ${JSON.stringify(line)}`);
    }
    const [, version, digits = "", reason = ""] = match;
    const status = Number(digits);
    const head: Head = {
      version: version as Head["version"],
      fields: await readFields(inbox, "field lines"),
    };
    const bodyless = status < 200 || status === 204;
    if (bodyless) {
      for (const name of ["Content-Length", "Transfer-Encoding"]) {
        if (valuesOf(head.fields, name).length > 0) throw new MalformedMessage(`${name} in a ${status}`);
      }
    }
    if (status < 200 && status !== 101) {
      interim.push({ status, reason, fields: head.fields });
      options.onInterim?.({ status, reason, fields: head.fields });
      continue;
    }
    const declared = declaredFraming(head);
    const tunnel = options.method === "CONNECT" && status < 300;
    const none = bodyless || status === 304 || options.method === "HEAD" || tunnel;
    const content = none ? noContent : await readContent(inbox, head, declared, options);
    return new ReadResponse(status, reason, interim, head, content);
  }
}

const noContent: Content = {
  framing: "none",
  body: new Uint8Array(0),
  bodyBytes: 0,
  chunkSizes: [],
  trailers: [],
};

/** RFC 9112 §6.3 without the repairs; "close" means that nothing was declared. */
function declaredFraming(head: Head): ReadFraming {
  const codings = valuesOf(head.fields, "Transfer-Encoding");
  const lengths = valuesOf(head.fields, "Content-Length");
  if (codings.length + lengths.length > 1) throw new MalformedMessage("more than one framing field");
  if (codings[0] !== undefined) {
    if (codings[0].toLowerCase() !== "chunked") throw new MalformedMessage(`Transfer-Encoding ${codings[0]}`);
    if (head.version === "1.0") throw new MalformedMessage("Transfer-Encoding in HTTP/1.0");
    return "chunked";
  }
  if (lengths[0] === undefined) return "close";
  if (!/^[0-9]{1,15}$/.test(lengths[0])) throw new MalformedMessage(`Content-Length ${lengths[0]}`);
  return "length";
}

async function readContent(
  inbox: Inbox,
  head: Head,
  framing: ReadFraming,
  options: ReadOptions,
): Promise<Content> {
  const pieces: Uint8Array[] = [];
  const chunkSizes: number[] = [];
  let trailers: readonly FieldLine[] = [];
  let bodyBytes = 0;
  const deliver = (bytes: Uint8Array): void => {
    bodyBytes += bytes.length;
    if (options.onBody === undefined) pieces.push(bytes);
    else options.onBody(bytes);
  };
  const pass = async (count: number, what: string): Promise<void> => {
    for (let left = count; left > 0;) {
      const bytes = await inbox.some(left, `${left} more bytes of ${what}`);
      left -= bytes.length;
      deliver(bytes);
    }
  };
  if (framing === "length") await pass(Number(valuesOf(head.fields, "Content-Length")[0]), "content");
  if (framing === "chunked") {
    for (;;) {
      const line = await readLine(inbox, "a chunk size");
      if (!/^[0-9A-Fa-f]{1,13}$/.test(line)) throw new MalformedMessage(`chunk size ${JSON.stringify(line)}`);
      const size = Number.parseInt(line, 16);
      if (size === 0) break;
      chunkSizes.push(size);
      await pass(size, "a chunk");
      const end = latin1Text(await inbox.take(2, "the end of a chunk"));
      if (end !== "\r\n") throw new MalformedMessage(`${JSON.stringify(end)} after a chunk`);
    }
    trailers = await readFields(inbox, "trailer lines");
  }
  if (framing === "close") {
    for (;;) {
      const bytes = await inbox.until("more content or the end", () => {
        if (inbox.unread.length > 0) return inbox.takeUnread();
        return inbox.state === "ended" ? new Uint8Array(0) : undefined;
      });
      if (bytes.length === 0) break;
      deliver(bytes);
    }
  }
  return { framing, body: joined(pieces), bodyBytes, chunkSizes, trailers };
}

async function readFields(inbox: Inbox, what: string): Promise<readonly FieldLine[]> {
  const fields: FieldLine[] = [];
  for (;;) {
    const line = await readLine(inbox, what);
    if (line === "") return fields;
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    const value = line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, "");
    if (!token.test(name) || !fieldValue.test(value)) {
      throw new MalformedMessage(`field line ${JSON.stringify(line)}`);
    }
    fields.push([name, value]);
  }
}

/** A line without its CRLF. Linear: the search goes on where it stopped. */
async function readLine(inbox: Inbox, what: string): Promise<string> {
  let searched = 0;
  const end = await inbox.until(what, () => {
    const bytes = inbox.unread;
    const at = bytes.indexOf(0x0a, searched);
    searched = bytes.length;
    if (at >= 0) return at;
    if (bytes.length > maxLineBytes) throw new MalformedMessage(`${what}: longer than ${maxLineBytes} bytes`);
    return undefined;
  });
  const line = latin1Text(await inbox.take(end + 1, what));
  if (!line.endsWith("\r\n") || line.indexOf("\r") !== line.length - 2) {
    throw new MalformedMessage(`${what}: bare CR or LF in ${JSON.stringify(line)}`);
  }
  return line.slice(0, -2);
}

function valuesOf(fields: readonly FieldLine[], name: string): string[] {
  const wanted = name.toLowerCase();
  return fields.filter(([each]) => each.toLowerCase() === wanted).map(([, value]) => value);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
