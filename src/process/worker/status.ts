/**
 * What is known about a running Sluice, as `sluice status --json` prints it and the control socket answers
 * it. The status page, `sluice top` and `/metrics` are made of the same value, so all show the same numbers.
 *
 * Names are those of the configuration and of the access log. Fields are added, never renamed or removed
 * within a major version. Times of day are ISO 8601 in UTC, durations are milliseconds.
 */

import type { ScriptReport } from "./script_report.ts";
import type { ReasonCode } from "../../exchange/reason.ts";
import type { ChosenSockets } from "../shared/chosen_sockets.ts";
import type { PauseOwner } from "./pause_owner.ts";
import { LATENCY_BUCKETS_MS } from "../../upstream/counters.ts";

/** Upper bounds of the latency histograms' buckets, in seconds; a last one without bound follows. */
export const LATENCY_BUCKETS_S: readonly number[] = LATENCY_BUCKETS_MS.map((ms) => ms / 1000);

/** Counts by upper bound of `LATENCY_BUCKETS_S`. */
export interface Histogram {
  /** Not cumulative; the one behind those of all bounds is above them. Zeros at the end are left out. */
  readonly counts: readonly number[];
  readonly sum_ms: number;
}

/** Sums since the start, over all workers, those included that are gone. They only grow. */
export interface Totals {
  /** Requests that have ended, failed ones included. */
  readonly requests: number;
  /** By first digit of the status; [0] counts requests that ended without one. */
  readonly by_class: readonly number[];
  readonly failed: number;
  readonly request_bytes: number;
  readonly response_bytes: number;
  readonly retries: number;
  /** Requests that waited while no endpoint could be reached. */
  readonly held: number;
  /** From the first byte of the request to the last of the response; of a tunnel, to its opening. */
  readonly latency: Histogram;
  /** The part of it spent in the waiting room. Requests that did not wait count as 0. */
  readonly waited: Histogram;
}

export interface EndpointStatus {
  readonly name: string;
  /** `up`, `down`, `probing` (reachable again, has not answered yet), `draining`, `drained`, `unhealthy`. */
  readonly state: "up" | "down" | "probing" | "draining" | "drained" | "unhealthy";
  /** What `state` was called before; see observe/former_words.ts. */
  readonly state_alias?: string;
  readonly weight: number;
  readonly in_flight: number;
  /** Idle connections in the pool. */
  readonly idle: number;
  readonly dialing: number;
  /** Connections that belong to one client each, since it has authenticated on them (NTLM, Kerberos). */
  readonly pinned: number;
  /** 0 = no limit. */
  readonly max_in_flight: number;
  /** When a request was last sent to it. */
  readonly last_request: string | null;
  readonly answered: number;
  /** Those by first digit of the status the client got. */
  readonly by_class: readonly number[];
  /** Failed dials and connections since the start. */
  readonly failures: number;
  readonly last_error: { readonly code: string; readonly detail: string; readonly at: string } | null;
  /** Since when it is in this state. */
  readonly since: string;
  /** From sending the request to the first byte of the response. */
  readonly first_byte: Histogram;
}

/** One pause of an upstream. */
export interface OwnedPause {
  readonly owner: PauseOwner;
  readonly since: string;
  /** When it ends by itself; null = when its owner ends it. */
  readonly lease_until: string | null;
}

/** All pauses of an upstream together. */
export interface PauseStatus {
  /** The first of them. */
  readonly since: string;
  /** When the last of them ends by itself; null = one of them does not. */
  readonly lease_until: string | null;
  /** Each of them, in the order in which they began. */
  readonly owners: readonly OwnedPause[];
}

/** A command that Sluice runs; see `sluice --to … -- COMMAND`. */
export interface BackendStatus {
  readonly command: readonly string[];
  readonly state: "stopped" | "starting" | "running" | "stopping" | "waiting" | "given_up";
  readonly pid: number | null;
  readonly since: string;
  /** Times it was started again after it had ended by itself. */
  readonly restarts: number;
  /** How it ended last, in words; "" when it never did. */
  readonly last_exit: string;
  /** While `waiting`: when it is started again. */
  readonly next_start: string | null;
}

export interface UpstreamStatus {
  readonly name: string;
  /** `up`: an endpoint can be reached; `down`: none can; `paused`: requests are held on purpose. */
  readonly state: "up" | "down" | "paused";
  /** What `state` was called before. */
  readonly state_alias?: string;
  readonly paused: PauseStatus | null;
  /** Requests in the waiting room, and how long the oldest of them has been there. */
  readonly waiting: number;
  readonly oldest_wait_ms: number;
  /** How long the oldest (at most 50) of them have been there, oldest first. */
  readonly waits_ms: readonly number[];
  readonly queue_size: number;
  readonly in_flight: number;
  readonly totals: Totals;
  /** Failed requests by reason; reasons that did not occur are missing. */
  readonly reasons: Readonly<Partial<Record<ReasonCode, number>>>;
  readonly endpoints: readonly EndpointStatus[];
  readonly child: BackendStatus | null;
}

export interface RouteStatus {
  readonly name: string;
  /** Name of its upstream; "" when it answers by itself. */
  readonly upstream: string;
  readonly totals: Totals;
}

/** Where clients of the forward proxy go. Sums are for all destinations together. */
export interface ForwardStatus {
  /** Those of `Status.listeners` that are its. */
  readonly listeners: readonly string[];
  /** By CONNECT, open and being opened. */
  readonly tunnels: number;
  readonly max_tunnels: number;
  /** CONNECT requests whose destination was dialled, since the start. */
  readonly tunnels_begun: number;
  /** Destinations of `http://` requests that are known at present; with several workers each has its own. */
  readonly destinations: number;
  /** Idle connections to them. */
  readonly idle: number;
  /**
   * Requests that they are working on; CONNECT only by way of parents that are not HTTP proxies alone, or where it may be
   * held for.
   */
  readonly in_flight: number;
  readonly waiting: number;
  /** Requests that the rules did not let through, by reason; all such reasons are there. */
  readonly denied: Readonly<Partial<Record<ReasonCode, number>>>;
  /** Requests whose credentials were wrong. The first one without any, which many clients send, is none. */
  readonly authentication_failures: number;
  /** All requests, CONNECT included. A tunnel counts, and so do its bytes, when it has ended. */
  readonly totals: Totals;
  /** Failed requests by reason, `denied` included. */
  readonly reasons: Readonly<Partial<Record<ReasonCode, number>>>;
  /** Those of the configuration, in their order, with the part of the sums that each has decided about. */
  readonly rules: readonly ForwardRuleStatus[];
}

export interface ForwardRuleStatus {
  readonly name: string;
  readonly action: "parents" | "deny" | "direct";
  /** CONNECT requests that were not refused. */
  readonly tunnels_begun: number;
  readonly totals: Totals;
  readonly reasons: Readonly<Partial<Record<ReasonCode, number>>>;
}

/** How a credential of ours fares with those who ask for it. Sums since the start. */
export interface CredentialStatus {
  readonly name: string;
  /** Requests that were sent with it, or on a connection that was authenticated with it. */
  readonly used: number;
  /** Challenges that were answered. */
  readonly challenged: number;
  /** Requests for which it was not good enough. */
  readonly rejected: number;
}

export interface WorkerStatus {
  /** 1 to their number. */
  readonly worker: number;
  /** Null between an end and the next start. */
  readonly pid: number | null;
  readonly state: "starting" | "serving" | "stopping" | "ended";
  readonly connections: number;
  readonly resident_bytes: number;
  readonly restarts: number;
  /** What `sockets` has come to in it; null before it serves. */
  readonly sockets: ChosenSockets | null;
}

/** The process whose place this one has taken, while it drains. All sums have its requests. */
export interface PredecessorStatus {
  readonly pid: number;
  /** False when it does not: what is told of it is what it told last. A Sluice of an earlier version does not tell. */
  readonly answers?: boolean;
  readonly connections: number;
  readonly in_flight: number;
  readonly waiting: number;
}

/** A request that failed, or a pause of trouble that was over: the newest of them, newest first. */
export interface RecentFailure {
  readonly at: string;
  readonly reason: ReasonCode;
  readonly status: number;
  readonly method: string;
  readonly target: string;
  readonly upstream: string;
  readonly endpoint: string;
  readonly detail: string;
}

export interface Status {
  readonly version: string;
  readonly pid: number;
  readonly runtime: string;
  readonly state: "starting" | "serving" | "stopping";
  readonly started: string;
  readonly uptime_ms: number;
  /** 1 for the configuration of the start; every reload or swap that changed something adds one. */
  readonly generation: number;
  readonly config_loaded: string;
  /** As `--listen` takes them. */
  readonly listeners: readonly string[];
  readonly connections: number;
  readonly tunnels: number;
  readonly resident_bytes: number;
  readonly totals: Totals;
  /** Upper bounds of the buckets of all histograms here. */
  readonly latency_bounds_ms: readonly number[];
  /** Failed requests by reason; every reason is there. */
  readonly reasons: Readonly<Record<ReasonCode, number>>;
  readonly workers: readonly WorkerStatus[];
  /** Null when there is none. */
  readonly predecessor: PredecessorStatus | null;
  readonly upstreams: readonly UpstreamStatus[];
  readonly routes: readonly RouteStatus[];
  /** Missing when no listener is one of a forward proxy. */
  readonly forward?: ForwardStatus;
  /** Faults of each script, of all workers since their start. Missing when there are none. */
  readonly scripts?: readonly ScriptReport[];
  /** Missing when the configuration has none. */
  readonly credentials?: readonly CredentialStatus[];
  readonly recent_failures: readonly RecentFailure[];
}
