/**
 * Raw messages with the events they must give, as data. `replay.ts` runs them, whole and in every
 * split.
 */

import type { Http1Limits } from "../../src/http/limits.ts";

export interface Vector {
  readonly name: string;
  readonly role: "request" | "response";
  /** Limits other than the defaults. */
  readonly limits?: Partial<Http1Limits>;
  /** For responses: methods of the requests that they answer, in order; the last one repeats. GET if absent. */
  readonly methods?: readonly string[];
  /** What the peer sends, one character per byte. */
  readonly bytes: string;
  /** The peer ends its side after the bytes; "cut": the connection ends, and the peer has not said so. */
  readonly ended?: boolean | "cut";
  /** The bytes end within a further message, so that others cannot follow. */
  readonly cut?: boolean;
  /**
   * - `head GET / HTTP/1.1 | length 5` (start line, then framing; the length only for that kind)
   * - `field Name: value`, one for each, after its head; compared only when there is at least one
   * - `content hello`, for all content of a message together
   * - `trailer Name: value`
   * - `end`
   * - `fault bareCr`, a key of FAULTS; request rules and framing count as well as the grammar
   *
   * Nothing after the last one: the parser asks for more.
   */
  readonly expect: readonly string[];
}

type Extra = Pick<Vector, "limits" | "methods" | "ended" | "cut">;

/** A vector of what a client sends. */
export function request(name: string, bytes: string, expect: readonly string[], extra: Extra = {}): Vector {
  return { name, role: "request", bytes, expect, ...extra };
}

/** A vector of what an origin server sends. */
export function response(name: string, bytes: string, expect: readonly string[], extra: Extra = {}): Vector {
  return { name, role: "response", bytes, expect, ...extra };
}

/** A GET with these field lines after its Host, refused or accepted as a request without a body. */
export function requestWithFields(name: string, fields: string, expect: "ok" | string): Vector {
  const bytes = `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
  return request(name, bytes, expect === "ok" ? ["head GET / HTTP/1.1 | none", "end"] : [`fault ${expect}`]);
}

/** Some CRLF-ended lines in one string. */
export function lines(...text: readonly string[]): string {
  return text.map((line) => line + "\r\n").join("");
}
