/** What an upstream is told when it is built, and whom it tells what happens. */

import type { SocketError, SocketErrorCode } from "../../runtime/contract/contract.ts";
import type { Http1Limits } from "../http/limits.ts";
import type { Endpoint, EndpointSettings } from "./endpoint.ts";
import type { PolicyFactory } from "./policy.ts";
import type { SlotSource } from "./slot_share.ts";
import type { Upstream } from "./upstream.ts";

/** Why a wait ended without a connection. */
export type WaitFailure = "hold_timeout" | "queue_timeout" | "queue_full" | "shutting_down" | SocketErrorCode;

export interface UpstreamSettings {
  readonly name: string;
  readonly endpoints: readonly EndpointSettings[];
  readonly policy: PolicyFactory;
  /** Longest wait while no endpoint can be reached; 0 = none. */
  readonly holdMs: number;
  /** Pause between dials to an absent endpoint; null = in proportion to the absence. */
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

/** Told what happens; must not call back. */
export interface UpstreamObserver {
  endpointAway(upstream: Upstream, endpoint: Endpoint, error: SocketError): void;
  endpointBack(upstream: Upstream, endpoint: Endpoint, awayMs: number): void;
  /** Requests have begun to wait for an endpoint's return, or for the end of a pause. */
  held?(upstream: Upstream, waiting: number): void;
  /** None of them waits any more. */
  released?(upstream: Upstream, heldMs: number): void;
}
