/** What an exchange is told when it begins: how its upstream is treated, and what all exchanges share. */

import type { Turn } from "../conn/turn.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { Exchange } from "./exchange.ts";
import type { ForwardSettings, HostHeader } from "./forward_request.ts";
import type { Tunnel } from "./tunnel.ts";

/** How requests to one upstream are treated; times in milliseconds, sizes in bytes. */
export interface ExchangeSettings {
  readonly upstream: Upstream;
  readonly requestBufferBytes: number;
  /** Its endpoints take only so many requests at a time. */
  readonly slotsLimited: boolean;
  readonly firstByteTimeoutMs: number;
  readonly bodyIdleTimeoutMs: number;
  readonly tunnelIdleTimeoutMs: number;
  /** Bytes a second at least, from and to a client; 0 = any. */
  readonly bodyRate: number;
  readonly hostHeader: HostHeader;
}

/** What every exchange of a process shares. */
export interface ExchangeContext {
  readonly forward: ForwardSettings;
  /** Largest request body, 0 = no limit. */
  readonly maxBodyBytes: number;
  /** Upgrade tokens let through, lower case. */
  readonly upgrades: readonly string[];
  readonly turn: Turn;
  /** Value for Date. */
  date(): string;
  /** Calls `fire` after `ms`; for the pause before a status is asked for again. */
  later(ms: number, fire: () => void): void;
  /** The exchange has ended; it may be read, not kept. */
  exchangeDone(exchange: Exchange): void;
  /** A tunnel has begun or ended. */
  tunnelOpened(tunnel: Tunnel): void;
  tunnelClosed(tunnel: Tunnel): void;
}
