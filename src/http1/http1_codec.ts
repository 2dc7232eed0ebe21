/**
 * HTTP/1 as one proxy speaks it: its parsers, and all that they and the writers of heads remember. Two codecs share
 * nothing, so that proxies in one process do not see each other's messages.
 */

import type { Http1Limits } from "../http/limits.ts";
import { HeadMemos } from "./head_memos.ts";
import { HeadScanner } from "./head_scanner.ts";
import { MessageParser } from "./message_parser.ts";
import { StatusLines } from "./status_lines.ts";

/** Parsers kept of each kind; a burst of large messages may need more for a while. */
const MOST_KEPT = 64;
const KNOWN_LIMITS = 8;

/**
 * Lends parsers. Between messages a parser holds nothing, and most messages come in one piece, so that a connection needs
 * one only while it handles an event: few serve thousands, stay in the processor's caches, and idle connections do not
 * pay for one.
 */
export class Http1Codec {
  readonly statusLines: StatusLines = new StatusLines();
  readonly #scanner = new HeadScanner(new HeadMemos());
  readonly #kept: Readonly<Record<MessageParser["role"], MessageParser[]>> = { request: [], response: [] };
  readonly #limits: Http1Limits[] = [];

  /** A parser that stands between messages. */
  borrow(role: MessageParser["role"], limits: Http1Limits): MessageParser {
    const parser = this.#kept[role].pop();
    if (parser === undefined) return new MessageParser(role, limits, this.#scanner);
    parser.reuse(limits);
    return parser;
  }

  /** Takes back a parser that is `reusable`; the caller forgets it. */
  giveBack(parser: MessageParser): void {
    const kept = this.#kept[parser.role];
    if (kept.length < MOST_KEPT) kept.push(parser);
  }

  /**
   * One object for equal limits: heads that were accepted under them before a reload are recognised after it.
   */
  sharedLimits(limits: Http1Limits): Http1Limits {
    const known = this.#limits;
    const names = Object.keys(limits) as (keyof Http1Limits)[];
    const found = known.find((other) => names.every((name) => other[name] === limits[name]));
    if (found !== undefined) return found;
    if (known.length === KNOWN_LIMITS) known.shift();
    known.push(limits);
    return limits;
  }
}
