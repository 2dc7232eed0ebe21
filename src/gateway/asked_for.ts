/** What a request asks a gateway for, and which requests it does not take, whatever its routes say. */

import { faultReason } from "../exchange/failure_reason.ts";
import { type ReasonCode, REASONS } from "../exchange/reason.ts";
import { SLASH } from "../bytes/character.ts";
import { Field } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import { parseTarget } from "../http/target.ts";

/** One object for all requests: each is read when it arrives. */
export class AskedFor {
  /** Path and query, or "*", byte-exact. */
  target = "";
  /** Host and port, "" when it names none. */
  host = "";

  /**
   * @param via our name in Via
   * @param rejectUnderscored requests with an underscore in a field name are refused
   * @returns why it is not taken; null = it is
   */
  read(head: Head, via: string, rejectUnderscored: boolean): Refusal | null {
    this.target = head.target;
    this.host = head.host;
    if (this.target.charCodeAt(0) !== SLASH) {
      const refusal = this.#readTarget(head);
      if (refusal !== null) return refusal;
    }
    if (head.method === "TRACE") return TRACE;
    if (rejectUnderscored && head.has(Field.underscored)) return UNDERSCORE;
    if (head.has(Field.via) && passes(head, via) >= MOST_PASSES) return LOOP;
    return null;
  }

  #readTarget(head: Head): Refusal | null {
    const parsed = parseTarget(head.method, head.target);
    if ("kind" in parsed) {
      return { reason: faultReason(parsed), detail: parsed.detail, status: parsed.status };
    }
    if (parsed.form === "authority") return CONNECT;
    this.target = parsed.path;
    if (parsed.authority === null) return null;
    // The target's authority is what counts (RFC 9112 §3.2.2); two that differ are an attempt to be
    // routed by one and served by the other.
    if (this.host !== "" && this.host.toLowerCase() !== parsed.authority.toLowerCase()) return TWO_HOSTS;
    this.host = parsed.authority;
    return null;
  }
}

export interface Refusal {
  readonly reason: ReasonCode;
  readonly detail: string;
  readonly status: number;
}

/** Requests that have passed here this often are going round in circles. */
const MOST_PASSES = 8;

const CONNECT: Refusal = {
  reason: "method_not_allowed",
  detail: "CONNECT is for forward proxies",
  status: 405,
};
const TRACE: Refusal = { reason: "method_not_allowed", detail: "TRACE is not served", status: 405 };
const TWO_HOSTS: Refusal = {
  reason: "http_request_error",
  detail: "Host and the request target differ",
  status: 400,
};
const UNDERSCORE: Refusal = {
  reason: "http_request_error",
  detail: "a field name contains an underscore",
  status: 400,
};
const LOOP: Refusal = {
  reason: "proxy_loop_detected",
  detail: "",
  status: REASONS.proxy_loop_detected.status,
};

/** How often a proxy of our name has handled the request. */
function passes(head: Head, via: string): number {
  let passes = 0;
  for (const hop of (head.joined(Field.via) ?? "").split(",")) {
    if (hop.trim().split(/[ \t]+/)[1] === via) passes++;
  }
  return passes;
}
