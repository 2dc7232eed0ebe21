/** What a script is told of a request that is over. */

import type { EndedExchange } from "../exchange/ended_exchange.ts";
import type { LocalAnswer } from "./script_host.ts";
import type { LogRecord } from "./script_types.ts";

/**
 * @param exchange null = it was answered here
 * @param now monotonic milliseconds
 */
export function logRecord(exchange: EndedExchange | null, local: LocalAnswer | null, now: number): LogRecord {
  if (exchange !== null) {
    return {
      status: exchange.status,
      reason: exchange.reason,
      upstream: exchange.source.name,
      endpoint: exchange.endpointName,
      attempts: exchange.attempts,
      totalMs: exchange.endedAt - exchange.beganAt,
      waitMs: exchange.waitMs,
      requestBytes: exchange.requestBodyBytes,
      responseBytes: exchange.responseBodyBytes,
    };
  }
  return {
    status: local === null ? 0 : local.status,
    reason: local === null ? "" : local.reason,
    upstream: "",
    endpoint: "",
    attempts: 0,
    totalMs: local === null ? 0 : now - local.client.requestBeganAt,
    waitMs: 0,
    requestBytes: 0,
    responseBytes: local === null ? 0 : local.client.offeredBytes - local.offeredBefore,
  };
}
