/**
 * Reads a sequence of HTTP/1 messages as they arrive, and refuses whatever a careful sender would not
 * send. Independent of the product's codec: what Sluice sends must satisfy both. Source: RFC 9112.
 */

import { textOf } from "./content.ts";

/** An invariant does not hold. */
export class Finding extends Error {
  override name = "Finding";
}

export interface SeenMessage {
  /** Requests only. */
  readonly method: string;
  readonly target: string;
  /** Responses only. */
  readonly status: number;
  readonly minor: 0 | 1;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly framing: "none" | "length" | "chunked" | "close";
  /** Content bytes seen so far. */
  seenBytes: number;
}

/** The value of a field that may occur once; undefined when absent. */
export function fieldOf(message: SeenMessage, name: string): string | undefined {
  const wanted = name.toLowerCase();
  let found: string | undefined;
  for (const [each, value] of message.fields) {
    if (each.toLowerCase() !== wanted) continue;
    if (found !== undefined) throw new Finding(`${name} occurs twice`);
    found = value;
  }
  return found;
}

export interface ReaderEvents {
  /** A head is there; 1xx other than 101 included. */
  head(message: SeenMessage): void;
  body(message: SeenMessage, bytes: Uint8Array, from: number, to: number): void;
  /** The message is complete; not called for interim responses. */
  done(message: SeenMessage): void;
  /** Bytes after a 101, or after a 2xx to CONNECT. */
  raw(bytes: Uint8Array): void;
  /**
   * Method of the request that the next response answers; null when nothing was asked, undefined when
   * nothing is known: then whatever comes is ignored.
   */
  asked(): string | null | undefined;
}

type State =
  | "head"
  | "length"
  | "size"
  | "chunk"
  | "chunkEnd"
  | "trailers"
  | "close"
  | "raw"
  | "blind"
  | "ended";

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^(?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const maxSectionBytes = 1 << 20;

export class StrictReader {
  readonly #role: "request" | "response";
  readonly #events: ReaderEvents;
  #state: State = "head";
  #buffer = new Uint8Array(1024);
  #from = 0;
  #to = 0;
  /** How far the search for the end of a section or line has come. */
  #searched = 0;
  #message: SeenMessage | null = null;
  #left = 0;
  #rawNext: ((bytes: Uint8Array) => void) | null = null;

  constructor(role: "request" | "response", events: ReaderEvents) {
    this.#role = role;
    this.#events = events;
  }

  /** Nothing of a message has been read. */
  get between(): boolean {
    return this.#state === "head" && this.#from === this.#to;
  }

  get raw(): boolean {
    return this.#state === "raw";
  }

  /** After the present message bytes are a tunnel's. */
  becomeRaw(raw: (bytes: Uint8Array) => void): void {
    this.#rawNext = raw;
  }

  /** @throws Finding */
  feed(bytes: Uint8Array): void {
    if (this.#state === "ended") throw new Finding("bytes after the end");
    this.#append(bytes);
    while (this.#advance());
  }

  /** The sender has ended. @returns whether that was between messages, or ended one */
  end(): boolean {
    const { between } = this;
    const state = this.#state;
    this.#state = "ended";
    if (state === "close") {
      this.#events.done(this.#message as SeenMessage);
      return true;
    }
    return between || state === "raw" || state === "blind";
  }

  #append(bytes: Uint8Array): void {
    if (this.#to + bytes.length > this.#buffer.length) {
      const kept = this.#buffer.subarray(this.#from, this.#to);
      const wanted = kept.length + bytes.length;
      const larger = wanted > this.#buffer.length ? new Uint8Array(wanted * 2) : this.#buffer;
      larger.set(kept);
      this.#buffer = larger;
      this.#searched -= this.#from;
      this.#to -= this.#from;
      this.#from = 0;
    }
    this.#buffer.set(bytes, this.#to);
    this.#to += bytes.length;
  }

  /** Takes one step; false when more bytes are needed. */
  #advance(): boolean {
    switch (this.#state) {
      case "head": {
        if (this.#from === this.#to) return false;
        if (this.#role === "response" && this.#events.asked() === undefined) {
          this.#state = "blind";
          return true;
        }
        const section = this.#section();
        if (section === null) return false;
        this.#head(section);
        return true;
      }
      case "length":
        if (this.#left > 0 && !this.#content()) return false;
        if (this.#left === 0) this.#done();
        return true;
      case "close":
        this.#left = Infinity;
        return this.#content();
      case "size": {
        const line = this.#line();
        if (line === null) return false;
        if (!/^(?:0|[1-9A-Fa-f][0-9A-Fa-f]{0,12})$/.test(line)) {
          throw new Finding(`chunk size ${JSON.stringify(line)}`);
        }
        this.#left = Number.parseInt(line, 16);
        this.#state = this.#left === 0 ? "trailers" : "chunk";
        return true;
      }
      case "chunk":
        if (!this.#content()) return false;
        if (this.#left === 0) this.#state = "chunkEnd";
        return true;
      case "chunkEnd": {
        const line = this.#line();
        if (line === null) return false;
        if (line !== "") throw new Finding(`${JSON.stringify(line)} after a chunk`);
        this.#state = "size";
        return true;
      }
      case "trailers": {
        const line = this.#line();
        if (line === null) return false;
        if (line === "") this.#done();
        else parsedField(line);
        return true;
      }
      case "raw": {
        if (this.#from === this.#to) return false;
        const bytes = this.#buffer.slice(this.#from, this.#to);
        this.#from = this.#to;
        (this.#rawNext ?? this.#events.raw)(bytes);
        return true;
      }
      case "blind":
        this.#from = this.#to;
        return false;
      case "ended":
        return false;
      default:
        return this.#state satisfies never;
    }
  }

  #content(): boolean {
    const count = Math.min(this.#left, this.#to - this.#from);
    if (count === 0) return false;
    const message = this.#message as SeenMessage;
    this.#events.body(message, this.#buffer, this.#from, this.#from + count);
    message.seenBytes += count;
    this.#from += count;
    this.#searched = this.#from;
    this.#left -= count;
    return true;
  }

  #done(): void {
    this.#state = this.#rawNext === null ? "head" : "raw";
    this.#searched = this.#from;
    this.#events.done(this.#message as SeenMessage);
  }

  /** A line without its CRLF. */
  #line(): string | null {
    const buffer = this.#buffer;
    for (let i = Math.max(this.#searched, this.#from); i < this.#to; i++) {
      if (buffer[i] !== 10) continue;
      const line = textOf(buffer.subarray(this.#from, i + 1));
      this.#from = i + 1;
      this.#searched = this.#from;
      if (!line.endsWith("\r\n") || line.indexOf("\r") !== line.length - 2) {
        throw new Finding(`bare CR or LF in ${JSON.stringify(line)}`);
      }
      return line.slice(0, -2);
    }
    this.#searched = this.#to;
    if (this.#to - this.#from > maxSectionBytes) throw new Finding("a line without end");
    return null;
  }

  /** A head without its last empty line. */
  #section(): string | null {
    const buffer = this.#buffer;
    if (this.#to > this.#from && (buffer[this.#from] as number) <= 0x20) {
      throw new Finding(`a message begins with byte ${buffer[this.#from]}`);
    }
    for (let i = Math.max(this.#searched, this.#from); i + 3 < this.#to; i++) {
      if (buffer[i] !== 13 || buffer[i + 2] !== 13 || buffer[i + 1] !== 10 || buffer[i + 3] !== 10) continue;
      const section = textOf(buffer.subarray(this.#from, i));
      this.#from = i + 4;
      this.#searched = this.#from;
      return section;
    }
    this.#searched = Math.max(this.#from, this.#to - 3);
    if (this.#to - this.#from > maxSectionBytes) throw new Finding("a head without end");
    return null;
  }

  #head(section: string): void {
    const lines = section.split("\r\n");
    const start = lines.shift() as string;
    const fields = lines.map(parsedField);
    let method = "";
    let target = "";
    let status = 0;
    let minor: 0 | 1 = 1;
    if (this.#role === "request") {
      const match = /^(\S+) ([\x21-\x7e]+) HTTP\/1\.1$/.exec(start);
      if (match === null || !token.test(match[1] ?? "")) {
        throw new Finding(`request line ${JSON.stringify(start)}`);
      }
      method = match[1] as string;
      target = match[2] as string;
    } else {
      const match = /^HTTP\/1\.([01]) ([1-5][0-9][0-9]) [\t \x21-\x7e\x80-\xff]*$/.exec(start);
      if (match === null) throw new Finding(`status line ${JSON.stringify(start)}`);
      minor = match[1] === "1" ? 1 : 0;
      status = Number(match[2]);
    }
    const asked = this.#role === "request" ? "" : this.#events.asked() ?? null;
    if (asked === null) throw new Finding(`a response that nobody asked for: ${start}`);
    const framing = framingOf(this.#role, status, asked, fields, minor);
    const message: SeenMessage = {
      method,
      target,
      status,
      minor,
      fields,
      framing: framing < 0
        ? (framing === CHUNKED ? "chunked" : framing === CLOSE ? "close" : "none")
        : "length",
      seenBytes: 0,
    };
    this.#message = message;
    this.#events.head(message);
    if (status >= 100 && status < 200 && status !== 101) return;
    if (status === 101 || isTunnel(asked, status)) {
      this.#state = "raw";
      this.#events.done(message);
    } else if (message.framing === "none") this.#done();
    else if (message.framing === "chunked") this.#state = "size";
    else {
      this.#state = message.framing;
      this.#left = framing;
    }
  }
}

const CHUNKED = -1;
const CLOSE = -2;
const NONE = -3;

/** The length of the body, or one of the constants above. RFC 9112 §6.3 without the repairs. */
function framingOf(
  role: "request" | "response",
  status: number,
  asked: string,
  fields: SeenMessage["fields"],
  minor: 0 | 1,
): number {
  const lengths: string[] = [];
  const codings: string[] = [];
  for (const [name, value] of fields) {
    const lower = name.toLowerCase();
    if (lower === "content-length") lengths.push(value);
    else if (lower === "transfer-encoding") codings.push(value);
  }
  if (lengths.length + codings.length > 1) throw new Finding("more than one framing field");
  if (role === "response") {
    if (status < 200 || status === 204 || isTunnel(asked, status)) {
      if (lengths.length + codings.length > 0) throw new Finding(`a framing field in a ${status}`);
      return NONE;
    }
    if (status === 304 || asked === "HEAD") return NONE;
  }
  if (codings[0] !== undefined) {
    if (codings[0] !== "chunked" || minor === 0) throw new Finding(`Transfer-Encoding ${codings[0]}`);
    return CHUNKED;
  }
  if (lengths[0] === undefined) return role === "request" ? NONE : CLOSE;
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(lengths[0])) throw new Finding(`Content-Length ${lengths[0]}`);
  return Number(lengths[0]);
}

function isTunnel(asked: string, status: number): boolean {
  return asked === "CONNECT" && status >= 200 && status < 300;
}

function parsedField(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, "");
  if (!token.test(name) || !fieldValue.test(value)) throw new Finding(`field line ${JSON.stringify(line)}`);
  return [name, value];
}
