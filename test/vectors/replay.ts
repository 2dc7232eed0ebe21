/** Feeds bytes to a parser in given pieces and writes down what comes out. */

import type { Fault } from "../../src/http/fault.ts";
import { FAULTS } from "../../src/http/fault.ts";
import type { BodyKind } from "../../src/http1/framing.ts";
import { bodyLength, requestFraming, responseFraming } from "../../src/http1/framing.ts";
import { type Head, versionText } from "../../src/http/head.ts";
import type { Http1Limits } from "../../src/http/limits.ts";
import { Http1Codec } from "../../src/http1/http1_codec.ts";
import { checkRequest } from "../../src/http1/request_rules.ts";

/** Of all replays, so that they meet what earlier ones left behind. */
const codec = new Http1Codec();

export interface ReplayOptions {
  readonly role: "request" | "response";
  readonly limits: Http1Limits;
  readonly methods: readonly string[];
  readonly ended: boolean | "cut";
  /** Suspend after every event, so that everything goes through the kept bytes. */
  readonly suspend: boolean;
}

const FAULT_NAMES = new Map<Fault, string>(
  Object.entries(FAULTS).map(([name, fault]) => [fault, name]),
);

/** Bytes of a Latin-1 string. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    if (code > 0xff) throw new RangeError("not Latin-1");
    return code;
  });
}

/** A Latin-1 string of bytes, without the code under test. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/**
 * Parses `pieces` one after the other and returns the transcript in the notation of `Vector.expect`,
 * with all fields. Every piece is overwritten as soon as the parser says that it has absorbed it, and
 * data is read before the next call, so a parser that keeps a lent byte is found out.
 */
export function replay(pieces: readonly Uint8Array[], options: ReplayOptions): string[] {
  const { role, limits, methods, suspend } = options;
  const parser = codec.borrow(role, limits);
  const transcript: string[] = [];
  let content = "";
  let answered = 0;
  const endContent = (): void => {
    if (content !== "") transcript.push("content " + content);
    content = "";
  };
  const drain = (): boolean => {
    for (;;) {
      const event = parser.next();
      switch (event) {
        case "more":
          return true;
        case "head": {
          const head = parser.head as Head;
          const method = methods[Math.min(answered, methods.length - 1)] ?? "GET";
          const kind = role === "request"
            ? checkRequest(head) ?? requestFraming(head)
            : responseFraming(head, method);
          if (typeof kind !== "string") {
            transcript.push(`fault ${FAULT_NAMES.get(kind) ?? "unknown"}`);
            return false;
          }
          if (head.status === 0 || head.status >= 200) answered++;
          transcript.push(headLine(head, kind), ...fieldLines("field", head));
          parser.startBody(kind, bodyLength(kind, head));
          break;
        }
        case "data":
          if (parser.dataTo <= parser.dataFrom) throw new Error("empty data event");
          content += textOf(parser.data, parser.dataFrom, parser.dataTo);
          break;
        case "end":
          if (parser.bodyBytesSeen !== content.length) throw new Error("bodyBytesSeen differs from the data");
          endContent();
          if (parser.trailers !== null) transcript.push(...fieldLines("trailer", parser.trailers));
          transcript.push("end");
          break;
        case "fault":
          endContent();
          transcript.push(`fault ${FAULT_NAMES.get(parser.fault as Fault) ?? "unknown"}`);
          if (parser.next() !== "fault") throw new Error("a fault is not terminal");
          return false;
        default:
          event satisfies never;
      }
      if (suspend) parser.suspend();
    }
  };
  for (const piece of pieces) {
    const lent = piece.slice();
    parser.feed(lent);
    if (!drain()) return transcript;
    if (parser.unreadBytes > limits.maxHeadBytes + limits.maxTrailerBytes) {
      throw new Error("too much is kept");
    }
    lent.fill(0xee);
  }
  if (options.ended !== false) {
    parser.endOfInput(options.ended === "cut");
    if (!drain()) return transcript;
  }
  endContent();
  return transcript;
}

function headLine(head: Head, kind: BodyKind): string {
  const start = head.status === 0
    ? `${head.method} ${head.target} HTTP/${versionText(head.version)}`
    : `HTTP/${versionText(head.version)} ${head.status} ${head.reason}`;
  return `head ${start} | ${kind}${kind === "length" ? " " + bodyLength(kind, head) : ""}`;
}

function fieldLines(prefix: string, head: Head): string[] {
  const fields: string[] = [];
  for (let i = 0; i < head.count; i++) fields.push(`${prefix} ${head.name(i)}: ${head.value(i)}`);
  return fields;
}
