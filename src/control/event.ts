/** What `sluice watch` prints, one JSON object a line. */

import type { ReasonCode } from "../exchange/reason.ts";
import type { PauseOwner } from "../process/worker/pause_owner.ts";

interface Common {
  /** ISO 8601, UTC. */
  readonly time: string;
}

interface OfUpstream extends Common {
  readonly upstream: string;
}

interface OfEndpoint extends OfUpstream {
  readonly endpoint: string;
}

export type ControlEvent =
  | { readonly event: "endpoint_down"; readonly reason: string; readonly detail: string } & OfEndpoint
  /** `away_ms`: what `down_ms` was called before. */
  | { readonly event: "endpoint_up"; readonly down_ms: number; readonly away_ms: number } & OfEndpoint
  /** Requests have begun to wait: no endpoint can be reached, or the upstream is paused. */
  | { readonly event: "held"; readonly waiting: number } & OfUpstream
  /** No request waits any more. */
  | { readonly event: "released"; readonly held_ms: number } & OfUpstream
  | { readonly event: "paused"; readonly lease_ms: number | null; readonly owner: PauseOwner } & OfUpstream
  /** `resumed`: no pause holds its requests any more. `pause_ended`: another pause still does. */
  | {
    readonly event: "resumed" | "pause_ended";
    /** `removed`: a reload took the upstream away, or gave it another name, which a `paused` event tells. */
    readonly because: "asked" | "lease_ended" | "removed";
    /** Of the pause that has ended. */
    readonly owner: PauseOwner;
  } & OfUpstream
  | { readonly event: "draining" | "drained" | "undrained" } & OfEndpoint
  | {
    /** `readdressed`: names have other addresses now (`each_address`). */
    readonly event: "swapped" | "readdressed";
    readonly from: readonly string[];
    readonly to: readonly string[];
  } & OfUpstream
  | { readonly event: "reloaded"; readonly generation: number; readonly changes: readonly string[] } & Common
  | { readonly event: "reload_failed"; readonly problems: readonly string[] } & Common
  | { readonly event: "upgrading" | "upgraded"; readonly pid: number } & Common
  | { readonly event: "upgrade_failed"; readonly detail: string } & Common
  | {
    readonly event: "child_started" | "child_ended" | "child_given_up";
    readonly pid: number;
    readonly detail: string;
  } & OfUpstream
  | { readonly event: "worker_ended" | "worker_back"; readonly worker: number; readonly detail: string }
    & Common
  /** A request failed. At most 100 a second are told; `dropped` events say how many were not. */
  | {
    readonly event: "failed";
    readonly reason: ReasonCode;
    readonly status: number;
    readonly method: string;
    readonly target: string;
    readonly endpoint: string;
    readonly detail: string;
  } & OfUpstream
  | { readonly event: "dropped"; readonly count: number } & Common
  | { readonly event: "stopping" } & Common;

export type EventName = ControlEvent["event"];

/** All names, for `--until` and the reference. */
export const EVENT_NAMES: readonly EventName[] = [
  "endpoint_down",
  "endpoint_up",
  "held",
  "released",
  "paused",
  "resumed",
  "pause_ended",
  "draining",
  "drained",
  "undrained",
  "swapped",
  "readdressed",
  "reloaded",
  "reload_failed",
  "upgrading",
  "upgraded",
  "upgrade_failed",
  "child_started",
  "child_ended",
  "child_given_up",
  "worker_ended",
  "worker_back",
  "failed",
  "dropped",
  "stopping",
];
