/**
 * One direction of an HTTP/1 connection: bytes in, messages out. No sockets, no clocks, no callbacks.
 *
 * Longer than other files: all states of a message move one position through the same lent bytes, and a call to another
 * object for it would be paid for by every head and every piece of a body.
 */

import { ByteBuffer } from "../bytes/byte_buffer.ts";
import { CR, LF, TOKEN } from "../bytes/character.ts";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import type { Fault } from "../http/fault.ts";
import { FAULTS } from "../http/fault.ts";
import type { BodyKind } from "./framing.ts";
import type { Head } from "../http/head.ts";
import type { SectionKind } from "./head_scanner.ts";
import { HeadScanner } from "./head_scanner.ts";
import type { Http1Limits } from "../http/limits.ts";
import type { KnownHead } from "./head_memos.ts";
import type { PrefixMemo } from "./prefix_memo.ts";
import { SplitSection, tooLarge } from "./split_section.ts";

/**
 * - `more`: everything fed is absorbed, the lent bytes may be reused
 * - `head`: `head` is there; `startBody` must be called before `next`
 * - `data`: content lies at `data[dataFrom, dataTo)`
 * - `end`: the message is complete, `trailers` may be there; `next` goes on with the next message
 * - `fault`: see `fault`; nothing else will come
 */
export type ParseEvent = "more" | "head" | "data" | "end" | "fault";

/**
 * - `head`: before or within a head
 * - `framing`: a head was handed out, `startBody` is due
 * - `none`, `length`, `chunked`, `close`: within a body of that kind
 * - `trailers`: within a trailer section
 * - `failed`, `finished`: terminal
 */
type State = "head" | "framing" | BodyKind | "trailers" | "failed" | "finished";

const NOTHING = new Uint8Array(0);

/**
 * Parses the messages of one direction. Bytes given to `feed` are lent until `next` answers "more" or
 * `suspend` is called; only an unfinished head or trailer section and suspended bytes are copied. The
 * events do not depend on how the bytes are split. Nothing is held between messages. Never throws for
 * anything a peer can send; throws when it is used out of order.
 */
export class MessageParser {
  readonly role: "request" | "response";
  /** Scans every section that lies whole in one piece. */
  readonly #scanner: HeadScanner;
  /** Heads of this role; null: none is remembered. */
  readonly #heads: PrefixMemo<KnownHead> | null;
  #limits: Http1Limits;
  #state: State = "head";
  /** Lent bytes: `#lent[#at, #to)`. */
  #lent: Uint8Array = NOTHING;
  #at = 0;
  #to = 0;
  /** Up to here nothing of the lent bytes is needed any more, once what `data` tells of has been dealt with. */
  #spent = 0;
  /** Bytes kept inside; they come before the lent ones. Null when there are none. */
  #stored: ByteBuffer | null = null;
  /** A section that did not come in one piece: the front of `#stored`. */
  #split: SplitSection | null = null;
  #emptyLines = 0;
  /** A CR was read that can only begin an empty line. */
  #pendingCr = false;
  #ended = false;
  /** The end was not the peer's own: it ends no body. */
  #cut = false;
  #decoder: ChunkedDecoder | null = null;
  #remainingBytes = 0;

  /** Head of the current message. */
  head: Head | null = null;
  /** After "end": the trailer section, if there was one. */
  trailers: Head | null = null;
  /** After "fault": the reason. */
  fault: Fault | null = null;
  /** After "data", until the following call: content is at `data[dataFrom, dataTo)`. */
  data: Uint8Array = NOTHING;
  dataFrom = 0;
  dataTo = 0;
  /** Bytes of `data` directly in front of `dataFrom` that are not needed any more: they may be overwritten. */
  dataRoom = 0;
  /** Content bytes of the current message handed out so far. */
  bodyBytesSeen = 0;

  /** @param scanner which parsers may share; default: one of its own that remembers nothing */
  constructor(role: "request" | "response", limits: Http1Limits, scanner: HeadScanner = new HeadScanner()) {
    const { memos } = scanner;
    this.role = role;
    this.#limits = limits;
    this.#scanner = scanner;
    this.#heads = memos === null ? null : role === "request" ? memos.requestHeads : memos.responseHeads;
  }

  /** Whether the parser stands between messages with nothing pending, not even an empty line. */
  get idle(): boolean {
    return this.between && this.#emptyLines === 0 && !this.#pendingCr;
  }

  /** Whether no byte of the next message has come; empty lines before it are none of its own. */
  get between(): boolean {
    return this.#state === "head" && this.#stored === null && this.#at === this.#to && this.#split === null;
  }

  /** Nothing of what it has parsed matters for what comes next: another connection may use it. */
  get reusable(): boolean {
    return this.idle && !this.#ended;
  }

  /** Gets ready for another connection. Only when `reusable`. */
  reuse(limits: Http1Limits): void {
    this.#limits = limits;
    this.head = null;
    this.trailers = null;
  }

  /** Bytes lent or kept inside that no event has covered yet. */
  get unreadBytes(): number {
    return (this.#stored === null ? 0 : this.#stored.length) + (this.#to - this.#at);
  }

  /** Lends bytes. What is still unread from before stays in front of them. */
  feed(bytes: Uint8Array): void {
    if (this.#at < this.#to) this.suspend();
    if (this.#state === "failed" || this.#state === "finished") return;
    this.#lent = bytes;
    this.#at = 0;
    this.#spent = 0;
    this.#to = bytes.length;
  }

  /**
   * No further byte will come. `next` then tells what that means.
   *
   * @param cut the peer has not said that it ends (TLS without close_notify): a body to the end of the connection is
   *   incomplete then (RFC 9112 §9.8)
   */
  endOfInput(cut = false): void {
    this.#ended = true;
    this.#cut = cut;
  }

  /** Copies the unread lent bytes inside, so that their owner may reuse them. */
  suspend(): void {
    if (this.#at < this.#to) {
      if (this.#stored === null) this.#stored = new ByteBuffer();
      this.#stored.append(this.#lent, this.#at, this.#to);
    }
    this.#dropLent();
    this.data = NOTHING;
  }

  /** Hands the unread bytes over as a copy, null when there are none. The parser is finished then. */
  takeUnread(): Uint8Array | null {
    this.suspend();
    const stored = this.#stored;
    this.#finish("finished");
    return stored === null ? null : stored.bytes.slice(stored.from, stored.to);
  }

  /** Tells how the body of `head` is framed; `bodyBytes` counts for "length" only. */
  startBody(kind: BodyKind, bodyBytes: number): void {
    if (this.#state !== "framing") throw new Error(`startBody while ${this.#state}`);
    this.bodyBytesSeen = 0;
    this.#remainingBytes = bodyBytes;
    this.#state = kind;
    if (kind === "chunked") this.#decoder = new ChunkedDecoder(this.#limits);
  }

  /** Goes on to the next event. */
  next(): ParseEvent {
    const state = this.#state;
    switch (state) {
      case "head":
        return this.#nextHead();
      case "none":
        return this.#endMessage();
      case "length":
        return this.#remainingBytes === 0 ? this.#endMessage() : this.#nextPlain(this.#remainingBytes);
      case "close":
        return this.#nextPlain(Infinity);
      case "chunked":
        return this.#nextChunked();
      case "trailers":
        return this.#nextSection("trailers", this.#limits.maxTrailerBytes);
      case "framing":
        throw new Error("next before startBody");
      case "failed":
        return "fault";
      case "finished":
        return "more";
      default:
        return state satisfies never;
    }
  }

  #nextHead(): ParseEvent {
    this.head = null;
    this.trailers = null;
    if (this.#split === null) {
      const fault = this.#skipEmptyLines();
      if (fault !== null) return this.#fail(fault);
      if (this.#stored === null && this.#at === this.#to) return this.#absorbed();
    }
    return this.#nextSection(this.role, this.#limits.maxHeadBytes - 2 * this.#emptyLines);
  }

  /**
   * Consumes CRLF before a start line (RFC 9112 §2.2) without keeping them, up to the first byte of
   * the message. That byte is judged at once, so that something that is no HTTP at all, like a TLS
   * handshake, is refused without waiting for a line end.
   */
  #skipEmptyLines(): Fault | null {
    for (;;) {
      const stored = this.#stored;
      if (stored === null && this.#at === this.#to) return null;
      const byte = stored === null ? this.#lent[this.#at] : stored.bytes[stored.from];
      if (this.#pendingCr) {
        if (byte !== LF) return FAULTS.bareCr;
        this.#pendingCr = false;
        if (++this.#emptyLines > this.#limits.maxEmptyLines) return FAULTS.emptyLines;
      } else if (byte === CR) {
        this.#pendingCr = true;
      } else if (TOKEN[byte as number] !== 0) {
        return null;
      } else if (byte === LF) {
        return FAULTS.bareLf;
      } else {
        return this.role === "request" ? FAULTS.method : FAULTS.statusLine;
      }
      this.#consume(1);
    }
  }

  /** Parses a head or a trailer section of at most `maxBytes`; in place when it lies in one piece. */
  #nextSection(kind: SectionKind, maxBytes: number): ParseEvent {
    const lenient = kind === "response" && this.#limits.lenientResponses;
    if (this.#split !== null || lenient) return this.#nextPiece(kind, maxBytes, lenient);
    const stored = this.#stored;
    const bytes = stored === null ? this.#lent : stored.bytes;
    const base = stored === null ? this.#at : stored.from;
    const available = (stored === null ? this.#to : stored.to) - base;
    const end = base + (available > maxBytes ? maxBytes : available);
    const memo = kind === "trailers" ? null : this.#heads;
    const known = memo === null ? null : memo.find(bytes, base, end);
    if (memo !== null && known !== null && known.limits === this.#limits) {
      this.#consume(memo.foundBytes);
      return this.#headComplete(known.head);
    }
    const scanner = this.#scanner;
    scanner.begin(kind);
    const result = scanner.scan(bytes, base, end, this.#limits);
    if (result === "done") {
      this.#consume(scanner.at);
      const wanted = memo !== null && (known !== null || memo.wants(scanner.at));
      const section = scanner.take(bytes, base, wanted);
      if (wanted) memo.keep(bytes, base, base + section.bytes, { head: section, limits: this.#limits });
      return this.#sectionComplete(kind, section);
    }
    if (result === "fault" && scanner.fault !== null) {
      // A line is judged when it is complete, so that the verdict does not depend on the split.
      const lineFeed = bytes.indexOf(LF, scanner.faultAt);
      if (lineFeed >= 0 && lineFeed < end) return this.#fail(scanner.fault);
    }
    if (available >= maxBytes) return this.#fail(tooLarge(kind, scanner.at, bytes, base, this.#limits));
    if (available === 0 && this.#at === this.#to) return this.#absorbed();
    return this.#nextPiece(kind, maxBytes, false);
  }

  /** The same for bytes that came in pieces. */
  #nextPiece(kind: SectionKind, maxBytes: number, lenient: boolean): ParseEvent {
    if (this.#stored === null) this.#stored = new ByteBuffer();
    const stored = this.#stored;
    const borrowed = Math.max(0, Math.min(this.#to - this.#at, maxBytes - stored.length));
    stored.append(this.#lent, this.#at, this.#at + borrowed);
    this.#at += borrowed;
    const split = this.#split ??= new SplitSection(kind, lenient, this.#limits, this.#scanner.memos);
    const length = Math.min(stored.length, maxBytes);
    const result = split.scan(stored.bytes, stored.from, length);
    if (result === "fault") return this.#fail(split.fault);
    if (result === "done" && split.section !== null) {
      this.#giveBack(stored, borrowed, split.bytes);
      this.#split = null;
      return this.#sectionComplete(kind, split.section);
    }
    if (length >= maxBytes) {
      return this.#fail(tooLarge(kind, split.scannedBytes, stored.bytes, stored.from, this.#limits));
    }
    if (stored.length === 0) this.#stored = null;
    return this.#absorbed();
  }

  /** Ends a section of `sectionBytes` at the front of `stored`; borrowed bytes behind it go back. */
  #giveBack(stored: ByteBuffer, borrowed: number, sectionBytes: number): void {
    const back = Math.min(borrowed, stored.length - sectionBytes);
    this.#at -= back;
    // The array itself stays valid for the caller: dropping bytes does not overwrite them.
    stored.dropLast(back);
    stored.consume(sectionBytes);
    if (stored.length === 0) this.#stored = null;
  }

  #sectionComplete(kind: SectionKind, section: Head): ParseEvent {
    if (kind !== "trailers") return this.#headComplete(section);
    this.trailers = section;
    return this.#endMessage();
  }

  #headComplete(head: Head): "head" {
    this.head = head;
    this.#emptyLines = 0;
    this.#state = "framing";
    return "head";
  }

  /** Content that needs no decoding, at most `wanted` bytes of it. */
  #nextPlain(wanted: number): ParseEvent {
    const stored = this.#stored;
    const bytes = stored === null ? this.#lent : stored.bytes;
    const from = stored === null ? this.#at : stored.from;
    const available = (stored === null ? this.#to : stored.to) - from;
    if (available === 0) {
      if (this.#ended && !this.#cut && this.#state === "close") return this.#endMessage();
      return this.#absorbed();
    }
    const taken = available < wanted ? available : wanted;
    this.data = bytes;
    this.dataFrom = from;
    this.dataTo = from + taken;
    this.#findRoom();
    this.bodyBytesSeen += taken;
    this.#remainingBytes -= taken;
    this.#consume(taken);
    return "data";
  }

  #nextChunked(): ParseEvent {
    const decoder = this.#decoder;
    if (decoder === null) throw new Error("no decoder");
    for (;;) {
      const stored = this.#stored;
      const bytes = stored === null ? this.#lent : stored.bytes;
      const from = stored === null ? this.#at : stored.from;
      const to = stored === null ? this.#to : stored.to;
      const event = decoder.decode(bytes, from, to);
      this.#consume(decoder.at - from);
      switch (event) {
        case "data":
          this.data = bytes;
          this.dataFrom = decoder.dataFrom;
          this.dataTo = decoder.dataTo;
          this.#findRoom();
          this.bodyBytesSeen += decoder.dataTo - decoder.dataFrom;
          return "data";
        case "more":
          if (this.#at < this.#to) continue;
          return this.#absorbed();
        case "end":
          return this.#endMessage();
        case "trailers":
          this.#state = "trailers";
          return this.#nextSection("trailers", this.#limits.maxTrailerBytes);
        case "fault":
          return this.#fail(decoder.fault ?? FAULTS.chunkSize);
        default:
          return event satisfies never;
      }
    }
  }

  /** Before `data` lie a head, or a chunk's size, that have been understood; and content handed out earlier. */
  #findRoom(): void {
    if (this.data === this.#lent) {
      this.dataRoom = this.dataFrom - this.#spent;
      this.#spent = this.dataTo;
    } else {
      this.dataRoom = 0;
    }
  }

  #consume(count: number): void {
    const stored = this.#stored;
    if (stored === null) {
      this.#at += count;
      return;
    }
    stored.consume(count);
    if (stored.length === 0) this.#stored = null;
  }

  #endMessage(): "end" {
    this.data = NOTHING;
    this.#decoder = null;
    this.#state = "head";
    return "end";
  }

  /** Everything lent has been absorbed: let go of it, and see whether anything else can come. */
  #absorbed(): "more" | "fault" {
    this.#dropLent();
    this.data = NOTHING;
    if (!this.#ended) return "more";
    const between = this.#state === "head" && this.#stored === null && !this.#pendingCr;
    return between ? "more" : this.#fail(FAULTS.incomplete);
  }

  #fail(fault: Fault): "fault" {
    this.fault = fault;
    this.#finish("failed");
    return "fault";
  }

  #finish(state: "failed" | "finished"): void {
    this.#state = state;
    this.#stored = null;
    this.#split = null;
    this.#decoder = null;
    this.#dropLent();
    this.data = NOTHING;
  }

  #dropLent(): void {
    this.#lent = NOTHING;
    this.#at = 0;
    this.#to = 0;
  }
}
