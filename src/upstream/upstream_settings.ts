/** What an upstream is told when it is built. */

import type { Http1Limits } from "../http/limits.ts";
import type { EndpointSettings } from "./endpoint_settings.ts";
import type { PolicyFactory } from "./policy.ts";
import type { SlotSource } from "./slot_share.ts";

export interface UpstreamSettings {
  readonly name: string;
  readonly endpoints: readonly EndpointSettings[];
  readonly policy: PolicyFactory;
  /** Longest wait while no endpoint can be reached; 0 = none. */
  readonly holdMs: number;
  /** Pause between dials to an endpoint that is down; null = in proportion to the outage. */
  readonly holdIntervalMs: number | null;
  readonly queueSize: number;
  /** Most bytes of request bodies held by waiting requests. */
  readonly queueBytes: number;
  /** Longest wait for a free slot. */
  readonly queueTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly limits: Http1Limits;
  /** Where slots come from when several processes share `maxInFlight`. Default: all are ours. */
  readonly slotSource?: SlotSource;
  /** Retries that are always allowed, however few requests are in flight. Default: 3. */
  readonly retryLeast?: number;
}
