/**
 * What the controller and its workers tell each other: JSON values over a channel that keeps their order.
 * With one worker the channel is a pair of functions in one process, else it joins two processes.
 *
 *     worker      hello            listening              report, want, give, away …        stopped
 *     controller         start …             grant, recall, away, reopen, report, stop, abort
 *
 * Upstreams and endpoints go by their names in the configuration.
 */

import type { Address } from "../../runtime/contract.ts";
import type { Config } from "../config/config.ts";
import type { Report } from "./report.ts";

/** Both sides are the same program, unless its file was replaced meanwhile: then this tells. */
export const PROTOCOL = 1;

/** Which of the workers one is. */
export interface WorkerPlace {
  /** 0 to `count` - 1: its share of what is divided. A worker that replaces another has its index. */
  readonly index: number;
  readonly count: number;
  /** Workers started before it. */
  readonly serial: number;
}

export interface EndpointName {
  readonly upstream: string;
  readonly endpoint: string;
}

export interface Slots extends EndpointName {
  readonly count: number;
}

/** Slots that are asked for, and how long the oldest request that wants one has waited. Milliseconds. */
export interface Wanted extends Slots {
  readonly waitedMs: number;
}

/** Another worker could not reach it. */
export interface AwayHint extends EndpointName {
  readonly code: string;
  readonly detail: string;
}

export type ToWorker =
  | {
    readonly type: "start";
    readonly place: WorkerPlace;
    readonly config: Config;
    /** What the others listen on; null = be the first, and choose where the configuration leaves a choice. */
    readonly listen: readonly Address[] | null;
    /** Slots held from the start. Endpoints with `max_in_flight` that are not named here: none. */
    readonly slots: readonly Slots[];
  }
  | { readonly type: "grant" } & Slots
  | { readonly type: "recall" } & Wanted
  | { readonly type: "away" } & AwayHint
  | { readonly type: "report" }
  | { readonly type: "reopen" }
  | { readonly type: "stop" }
  | { readonly type: "abort" };

export type ToController =
  | { readonly type: "hello"; readonly protocol: number; readonly pid: number }
  | { readonly type: "listening"; readonly addresses: readonly Address[] }
  /** It cannot serve, and waits to be ended. */
  | { readonly type: "failed"; readonly failure: StartFailure }
  | { readonly type: "want" } & Wanted
  | { readonly type: "give" } & Slots
  | { readonly type: "away" } & AwayHint
  /** The answer to `report` and, before it begins, to `stop`. */
  | { readonly type: "report"; readonly report: Report }
  /** Nothing is open any more; the process ends. */
  | { readonly type: "stopped"; readonly report: Report };

/** Why a worker cannot serve: `bind` is about an address, `system` about a file. */
export interface StartFailure {
  readonly kind: "bind" | "system";
  readonly message: string;
}
