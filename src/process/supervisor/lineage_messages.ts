/**
 * What a supervisor and the supervisor of the process whose place it has taken tell each other while the old one
 * drains: JSON values over a channel that keeps their order.
 *
 *     the old one       report, done, want, give, down, event, whole, resume …    gone
 *     the new one  lead …  report, command, grant, recall, down, abort, whole …
 *
 * The old process is one more participant beside the workers of the new one: it carries out their commands, counts in
 * their sums, and shares their slots. It passes everything on to its own workers, and to the process before it when
 * that is still there. Either may be of another version: a message or a command that is not understood is left out.
 */

import type { EndpointConfig } from "../../config/values/config.ts";
import type {
  CommandResult,
  CommonCommand,
  DesiredState,
  DownHint,
  EndpointName,
  Slots,
  Wanted,
  WorkerEvent,
} from "../worker/messages.ts";
import type { Report } from "../worker/report.ts";

/** Told by both sides before anything of this is used; raised when a message changes its meaning. */
export const LINEAGE_PROTOCOL = 1;

/** Numbers of participants that are no workers; those of workers begin with 0. */
export const ELDER = -1;
export const HEIR = -2;

/** Endpoints that took the place of others in an upstream. */
export interface Followed {
  readonly upstream: string;
  readonly endpoints: readonly EndpointConfig[];
}

/** What the old process can be asked to do. */
export type ElderCommand =
  | CommonCommand
  /** Exactly this is paused and out of use. */
  | { readonly command: "desire"; readonly desired: DesiredState }
  /** What waits goes to other endpoints from now on. */
  | { readonly command: "follow"; readonly upstreams: readonly Followed[]; readonly drainMs: number };

export type ToElder =
  /** The first message: slots of these endpoints are handed out by the new process from now on. */
  | { readonly type: "lead"; readonly limits: readonly EndpointName[] }
  | { readonly type: "command"; readonly id: number; readonly command: ElderCommand }
  | { readonly type: "grant" } & Slots
  | { readonly type: "recall" } & Wanted
  | { readonly type: "down" } & DownHint
  | { readonly type: "report" }
  | { readonly type: "abort" }
  /** The answer to `whole`. */
  | { readonly type: "whole"; readonly id: number; readonly report: Report };

export type ToHeir =
  | { readonly type: "done"; readonly id: number; readonly result: CommandResult }
  | { readonly type: "want" } & Wanted
  | { readonly type: "give" } & Slots
  | { readonly type: "down" } & DownHint
  | { readonly type: "event"; readonly event: WorkerEvent; readonly before: boolean }
  /** The answer to `report`, and once before the end. */
  | { readonly type: "report"; readonly report: Report }
  /** Asks for the sums over both. */
  | { readonly type: "whole"; readonly id: number }
  /** The client that asked the old process for this pause has gone before it was answered. */
  | { readonly type: "resume"; readonly token: string };
