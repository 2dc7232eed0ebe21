/**
 * What counting one request costs: `bun test/bench/counters_bench.ts`. Nanoseconds per request, everything
 * that is counted together. It is paid once per request on the hot path.
 */

import { newExchangeRecord } from "../../src/exchange/exchange_record.ts";
import { ExchangeCounters } from "../../src/observe/exchange_counters.ts";
import { leastNanos, printRow } from "./least_time.ts";

const counters = new ExchangeCounters();
const record = newExchangeRecord();
record.status = 200;
record.attempts = 1;
record.responseBodyBytes = 1024;

const route = { name: "/", counters: null };
const upstream = { name: "default", counters: null };
const endpoint = { name: "127.0.0.1:3000", counters: null };

let requests = 0;
/** Latencies from 0 to 23 ms. */
function next(): void {
  record.totalMs = (requests++ & 63) * 0.37;
  record.firstByteMs = record.totalMs * 0.9;
}

printRow("answered by an endpoint", [leastNanos(() => {
  next();
  counters.record(record, route, upstream, endpoint);
  return 1;
})]);
printRow("answered by a route itself", [leastNanos(() => {
  next();
  counters.record(record, route, null, null);
  return 1;
})]);
