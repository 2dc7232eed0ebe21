/** Refusals as they are sent. */

import type { ExchangeContext } from "../exchange/exchange_context.ts";
import { sendFailure } from "../exchange/local_reply.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import { NO_FIELDS } from "../http/field_section.ts";
import type { Head } from "../http/head.ts";
import { ScriptedStream } from "../script/scripted_stream.ts";
import type { Failure } from "./forward/forward_handler.ts";

/**
 * A refusal ends the connection unless the request was understood and read to its end. After CONNECT it
 * always does: what follows may be meant for the tunnel, and must not be taken for a request.
 */
export function sendRefusal(
  client: DownstreamStream,
  head: Head | null,
  { forward, date }: ExchangeContext,
  { reason, status, detail, phrase, fields = NO_FIELDS, via = forward.via }: Failure,
): void {
  if (client instanceof ScriptedStream) client.failing(reason, status, detail, false);
  sendFailure(client, {
    reason,
    status,
    ...(phrase === undefined ? {} : { phrase, brief: head?.method === "CONNECT" }),
    via,
    detail,
    date: date(),
    bodiless: head?.method === "HEAD",
    fields,
    close: !client.requestDone || status === 400 || head === null || head.method === "CONNECT",
  });
}
