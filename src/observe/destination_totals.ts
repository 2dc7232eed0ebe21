/** What went where: sums for each destination that clients of a forward proxy have asked for. */

import type { ExchangeRecord } from "../exchange/exchange_record.ts";
import type { ReasonCode } from "../exchange/reason.ts";

/** Destinations that are told apart; what is asked for beyond them is counted together. */
const MOST_DESTINATIONS = 10_000;
/** Longest name, a host of the DNS and its port. Characters. */
const MAX_NAME = 260;
/** For requests that name no destination. */
const NO_DESTINATION = "(none)";
/** For all that came when there were too many. */
const OTHER_DESTINATIONS = "(others)";

/** We did not let it go where it wanted to. */
const DENIALS: ReadonlySet<ReasonCode> = new Set([
  "http_request_denied",
  "destination_ip_prohibited",
  "proxy_authentication_required",
  "proxy_loop_detected",
  "too_many_tunnels",
]);

/** Of one destination. Bytes are those on the client's side, heads included; times are milliseconds. */
export interface DestinationTotal {
  /** `host:port`. */
  readonly name: string;
  requests: number;
  tunnels: number;
  /** Of requests and tunnels: not let through; why, the last time. */
  denied: number;
  whyDenied: string;
  /** Of requests and tunnels: let through and failed; why, the last time. */
  failed: number;
  whyFailed: string;
  bytesIn: number;
  bytesOut: number;
  /** Of all of them together. */
  totalMs: number;
}

export class DestinationTotals {
  readonly #totals = new Map<string, DestinationTotal>();

  /** In the order in which they were first asked for. */
  get all(): readonly DestinationTotal[] {
    return [...this.#totals.values()];
  }

  /** The record is lent for the call. */
  record(record: ExchangeRecord): void {
    const { reason } = record;
    const total = this.#totalOf(destinationOf(record));
    if (record.method === "CONNECT") total.tunnels++;
    else total.requests++;
    if (reason !== "" && DENIALS.has(reason)) {
      total.denied++;
      total.whyDenied = record.detail === "" ? reason : withoutName(record.detail, total.name);
    } else if (reason !== "" && reason !== "client_gone") {
      total.failed++;
      total.whyFailed = reason;
    }
    total.bytesIn += record.bytesIn;
    total.bytesOut += record.bytesOut;
    total.totalMs += record.totalMs;
  }

  #totalOf(wanted: string): DestinationTotal {
    const known = this.#totals.get(wanted);
    if (known !== undefined) return known;
    const name = this.#totals.size < MOST_DESTINATIONS ? wanted : OTHER_DESTINATIONS;
    const others = this.#totals.get(name);
    if (others !== undefined) return others;
    const total: DestinationTotal = {
      name,
      requests: 0,
      tunnels: 0,
      denied: 0,
      whyDenied: "",
      failed: 0,
      whyFailed: "",
      bytesIn: 0,
      bytesOut: 0,
      totalMs: 0,
    };
    this.#totals.set(name, total);
    return total;
  }
}

/** `host:port` of what was asked for, as the client wrote it but in lower case; the port of `http://` is 80 unless it is given. */
function destinationOf({ method, target }: ExchangeRecord): string {
  if (method === "CONNECT") return clean(target);
  const match = /^(https?):\/\/([^/?#]+)/i.exec(target);
  const [, scheme = "", authority = ""] = match ?? [];
  // A password that should not have been there is not repeated.
  if (authority === "" || authority.includes("@")) return NO_DESTINATION;
  const port = scheme.toLowerCase() === "http" ? ":80" : ":443";
  const bare = authority.replace(/:$/, "");
  return clean(/:\d+$/.test(bare) && !/^\[[^\]]*$/.test(bare) ? bare : bare + port);
}

/** Words that begin with the name which they are told beside. */
function withoutName(words: string, name: string): string {
  const before = `${name}: `;
  return words.toLowerCase().startsWith(before) ? words.slice(before.length) : words;
}

/** Fit for a terminal. */
function clean(text: string): string {
  if (text === "" || text.includes("@")) return NO_DESTINATION;
  return text.toLowerCase().slice(0, MAX_NAME).replace(/[^\x21-\x7e]/g, "?");
}
