/** Heads for tests of what is made of them. */

import type { Head } from "../../../src/http/head.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { MessageParser } from "../../../src/http1/message_parser.ts";
import { bytesOf } from "../../vectors/replay.ts";

function parseHead(role: "request" | "response", text: string): Head {
  const parser = new MessageParser(role, DEFAULT_LIMITS);
  parser.feed(bytesOf(text));
  if (parser.next() !== "head" || parser.head === null) {
    throw new Error(`no head: ${JSON.stringify(parser.fault)}`);
  }
  return parser.head;
}

/** Head of a request with this request line and these field lines. */
export function requestHead(line: string, ...fields: readonly string[]): Head {
  return parseHead("request", [line, ...fields, "", ""].join("\r\n"));
}

/** Head of a response with this status line and these field lines. */
export function responseHead(line: string, ...fields: readonly string[]): Head {
  return parseHead("response", [line, ...fields, "", ""].join("\r\n"));
}
