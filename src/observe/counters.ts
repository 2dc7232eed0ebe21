/**
 * Sums over all exchanges, as plain numbers. Labels come from closed sets: reason codes, status classes, and
 * the names of the configuration.
 */

import type { ExchangeRecord } from "../exchange/exchange_record.ts";
import { REASON_CODES, type ReasonCode } from "../exchange/reason.ts";

/** Sums over some exchanges. */
export interface Sums {
  exchanges: number;
  /** By first digit of the status; [0] counts exchanges without one. */
  readonly byStatusClass: number[];
  requestBodyBytes: number;
  responseBodyBytes: number;
  /** Attempts after the first. */
  retries: number;
  /** Exchanges that waited while no endpoint could be reached. */
  held: number;
  totalMs: number;
}

export class Counters {
  readonly all: Sums = newSums();
  readonly byReason: Record<ReasonCode, number>;
  readonly byUpstream = new Map<string, Sums>();

  constructor() {
    // Every code is there from the start: a metric that is absent cannot be told from one that is zero.
    this.byReason = Object.fromEntries(REASON_CODES.map((code) => [code, 0])) as Record<ReasonCode, number>;
  }

  /** Adds one exchange that has ended. Constant time, no allocation after the first of an upstream. */
  record(record: ExchangeRecord): void {
    add(this.all, record);
    if (record.reason !== "") this.byReason[record.reason]++;
    if (record.upstream === "") return;
    let sums = this.byUpstream.get(record.upstream);
    if (sums === undefined) {
      sums = newSums();
      this.byUpstream.set(record.upstream, sums);
    }
    add(sums, record);
  }
}

function newSums(): Sums {
  return {
    exchanges: 0,
    byStatusClass: [0, 0, 0, 0, 0, 0],
    requestBodyBytes: 0,
    responseBodyBytes: 0,
    retries: 0,
    held: 0,
    totalMs: 0,
  };
}

function add(sums: Sums, record: ExchangeRecord): void {
  sums.exchanges++;
  const statusClass = record.status >= 100 && record.status <= 599 ? Math.floor(record.status / 100) : 0;
  sums.byStatusClass[statusClass] = (sums.byStatusClass[statusClass] ?? 0) + 1;
  sums.requestBodyBytes += record.requestBodyBytes;
  sums.responseBodyBytes += record.responseBodyBytes;
  if (record.attempts > 1) sums.retries += record.attempts - 1;
  if (record.heldMs > 0) sums.held++;
  sums.totalMs += record.totalMs;
}
