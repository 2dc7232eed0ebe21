/** What all exchanges of a process share, and what they tell of their end. */

import type { FieldSection } from "../http/field_section.ts";
import type { Turn } from "../time/turn.ts";
import type { EndedExchange } from "./ended_exchange.ts";
import type { ForwardSettings } from "./forward_request.ts";
import type { ReasonCode } from "./reason.ts";
import type { Tunnel } from "./tunnel.ts";

export interface ExchangeContext {
  readonly forward: ForwardSettings;
  /** Largest request body, 0 = no limit. */
  readonly maxBodyBytes: number;
  /** Upgrade tokens let through, lower case. */
  readonly upgrades: readonly string[];
  readonly turn: Turn;
  /** The reason phrase of a failure; absent = the status's own. */
  phrase?(status: number, reason: ReasonCode, detail: string): string;
  /**
   * The request is about to be answered with a failure: arguments as for `Exchange`'s own. What is sent next is that answer.
   *
   * @param sent an endpoint may have seen the request
   */
  failing?(reason: ReasonCode, status: number, shown: string, sent: boolean): void;
  /** The Date field. */
  date(): FieldSection;
  /** Calls `fire` after `ms`; for the pause before a status is asked for again. */
  later(ms: number, fire: () => void): void;
  /** The exchange has ended; it may be read, not kept. */
  exchangeDone(exchange: EndedExchange): void;
  /** A tunnel has begun or ended. */
  tunnelOpened(tunnel: Tunnel): void;
  tunnelClosed(tunnel: Tunnel): void;
}
