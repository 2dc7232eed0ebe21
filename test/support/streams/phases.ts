/** An exchange in each of its phases. */

import assert from "node:assert/strict";
import { NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { ExchangeLab, type ExchangeLabOptions, HOST } from "./exchange_lab.ts";
import type { ClientConnection, ClientEnd, EndpointEnd, Wire } from "./wire.ts";

export const PHASES = ["reading", "waiting", "sending", "collecting", "relaying", "tunnel"] as const;

export type OpenPhase = (typeof PHASES)[number];

export interface Scene {
  readonly lab: ExchangeLab;
  readonly connection: ClientConnection;
  readonly client: ClientEnd;
  /** Undefined while the request has reached none. */
  readonly endpoint: EndpointEnd | undefined;
}

/** Half of a request body of unknown length has come; half of the answer, in phases in which there is one. */
export function inPhase(wire: Wire, phase: OpenPhase, options: ExchangeLabOptions = {}): Scene {
  const lab = new ExchangeLab(wire, {
    retry: { on: [503], methods: ["POST"] },
    ...(phase === "reading" ? { maxInFlight: 1 } : {}),
    ...options,
  });
  if (phase === "waiting") lab.upstream.pause();
  const connection = lab.connect();
  const client = phase === "tunnel"
    ? connection.request("GET", "/", [HOST, ["Upgrade", "chat"]], NO_BODY)
    : connection.request("POST", "/", [HOST], UNKNOWN_LENGTH);
  if (phase !== "tunnel") client.body("12345");
  const endpoint = lab.wire.requests[0];
  if (phase === "collecting") endpoint?.head(503, [], 10);
  if (phase === "relaying") endpoint?.head(200, [], 10);
  if (phase === "collecting" || phase === "relaying") endpoint?.body("12345");
  if (phase === "tunnel") endpoint?.switchTo("chat");
  assert.equal(lab.phase(), phase);
  return { lab, connection, client, endpoint };
}
