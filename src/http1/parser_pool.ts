/**
 * Parsers that nobody needs at the moment. Between messages a parser holds nothing, and most messages come in
 * one piece, so that a connection needs one only while it handles an event: few serve thousands, stay in the
 * processor's caches, and idle connections do not pay for one.
 */

import type { Http1Limits } from "../http/limits.ts";
import { MessageParser } from "./message_parser.ts";

/** Parsers kept of each kind; a burst of large messages may need more for a while. */
const MOST_KEPT = 64;

const kept: Readonly<Record<MessageParser["role"], MessageParser[]>> = { request: [], response: [] };

/** A parser that stands between messages. */
export function borrowParser(role: MessageParser["role"], limits: Http1Limits): MessageParser {
  const parser = kept[role].pop();
  if (parser === undefined) return new MessageParser(role, limits);
  parser.reuse(limits);
  return parser;
}

/** Gives back a parser that is `reusable`; the caller forgets it. */
export function returnParser(parser: MessageParser): void {
  const list = kept[parser.role];
  if (list.length < MOST_KEPT) list.push(parser);
}
