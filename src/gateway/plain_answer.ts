/** What a client is told that speaks HTTP to a port of TLS. */

import type { ExchangeContext } from "../exchange/exchange_context.ts";
import { failureMessage } from "../exchange/local_reply.ts";
import { NO_FIELDS } from "../http/field_section.ts";

export function plainAnswer({ forward, date }: ExchangeContext): Uint8Array {
  return failureMessage({
    reason: "http_request_error",
    status: 400,
    via: forward.via,
    detail: "This port speaks TLS: the address has to begin with https://.",
    date: date(),
    bodiless: false,
    fields: NO_FIELDS,
    close: true,
  });
}
