/**
 * What the supervisor and its workers tell each other: JSON values over a channel that keeps their order.
 * With one worker the channel is a pair of functions in one process, else it joins two processes.
 *
 *     worker      hello            listening              done, report, want, give, down, event …   closed, stopped
 *     supervisor         start …             command, grant, recall, down, report, stop, abort
 *
 * Upstreams and endpoints go by their names in the configuration.
 */

import type { Address } from "../../../runtime/contract/contract.ts";
import type { Config } from "../../config/values/config.ts";
import type { ReasonCode } from "../../exchange/reason.ts";
import type { ChosenSockets } from "../shared/chosen_sockets.ts";
import type { Report } from "./report.ts";

/** Both sides are the same program, unless its file was replaced meanwhile: then this tells. */
export const PROTOCOL = 7;

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
export interface DownHint extends EndpointName {
  readonly code: string;
  readonly detail: string;
}

/** What was asked for and stays so until it is taken back: a worker that replaces another is told at its start. */
export interface DesiredState {
  /** Upstreams. */
  readonly paused: readonly string[];
  readonly drained: readonly EndpointName[];
  /** A client wants to hear of events. */
  readonly watched: boolean;
}

/** Another configuration. */
export interface Change {
  readonly config: Config;
  /** Where to listen, in the order of the configuration; null = not known yet. */
  readonly listen: readonly (Address | null)[];
  /** Scripts are loaded anew, also where the configuration names the same ones. */
  readonly scriptsAnew: boolean;
}

/**
 * What a worker can be asked to do. It answers each with `done` once it is done, and not before: a verb is answered
 * when all workers have. One that needs files or sockets may be overtaken by a later one.
 */
export type WorkerCommand =
  | { readonly command: "pause" | "resume"; readonly upstreams: readonly string[] }
  | { readonly command: "drain"; readonly windowMs: number } & EndpointName
  | { readonly command: "undrain" } & EndpointName
  | { readonly command: "watch"; readonly watched: boolean }
  /** Opens the log files anew: what was logged before is in the old ones, and nothing more goes there. */
  | { readonly command: "reopen" }
  /** Makes ready for another configuration whatever can fail. */
  | { readonly command: "prepare" } & Change
  /**
   * Goes over to it, and stops accepting where it does not listen any more. In the same step it goes over to what is desired
   * from then on: what is paused or drained under another name, or reached in another way, lets no request through. Slots
   * of endpoints that were not there, or had no limit, are granted afterwards.
   */
  | { readonly command: "commit"; readonly drainMs: number } & Pick<DesiredState, "paused" | "drained">
  | { readonly command: "rollback" };

/** Orders that are not about the configuration: participants that are no workers carry them out as well. */
export type CommonCommand = Exclude<WorkerCommand, { readonly command: "prepare" | "commit" | "rollback" }>;

export type CommandResult =
  | {
    readonly ok: true;
    /** After `prepare`: what it listens on. */
    readonly addresses?: readonly Address[];
    /** After `prepare`: clients get another certificate. */
    readonly certificate?: boolean;
    /** After `prepare`: upstreams that are there already and are to be others. */
    readonly upstreams?: readonly string[];
    /** After `prepare`: all files of scripts. */
    readonly scriptFiles?: readonly string[];
  }
  | { readonly ok: false; readonly failure: StartFailure };

/** What a worker tells while a client watches. */
export type WorkerEvent =
  | { readonly event: "endpoint_down"; readonly reason: string; readonly detail: string } & EndpointName
  | { readonly event: "endpoint_up"; readonly down_ms: number } & EndpointName
  | { readonly event: "held"; readonly upstream: string; readonly waiting: number }
  | { readonly event: "released"; readonly upstream: string; readonly held_ms: number }
  | {
    readonly event: "failed";
    readonly reason: ReasonCode;
    readonly status: number;
    readonly method: string;
    readonly target: string;
    readonly detail: string;
  } & EndpointName
  | { readonly event: "dropped"; readonly count: number };

export type ToWorker =
  | {
    readonly type: "start";
    readonly place: WorkerPlace;
    readonly config: Config;
    /** What the others listen on; null = be the first, and choose where the configuration leaves a choice. */
    readonly listen: readonly Address[] | null;
    /** Slots held from the start. Endpoints with `max_in_flight` that are not named here: none. */
    readonly slots: readonly Slots[];
    readonly desired: DesiredState;
    /** The one in whose place it is had to be ended: a script did not come to an end. */
    readonly suspected: boolean;
    /** Where this Sluice listens besides: its admin listener. Missing from supervisors of earlier versions. */
    readonly besides?: readonly Address[];
  }
  | { readonly type: "command"; readonly id: number; readonly command: WorkerCommand }
  | { readonly type: "grant" } & Slots
  | { readonly type: "recall" } & Wanted
  | { readonly type: "down" } & DownHint
  | { readonly type: "report" }
  | { readonly type: "stop"; readonly drainMs: number }
  | { readonly type: "abort" };

export type ToSupervisor =
  | { readonly type: "hello"; readonly protocol: number; readonly pid: number }
  | {
    readonly type: "listening";
    readonly addresses: readonly Address[];
    readonly sockets: ChosenSockets;
    /** All files of scripts. */
    readonly scriptFiles: readonly string[];
  }
  /** It is alive. Now and again, where there are scripts. `note`: the address of its ScriptNote; 0 = it has none that can be read. */
  | { readonly type: "beat"; readonly note: number }
  /** It cannot serve, and waits to be ended. */
  | { readonly type: "failed"; readonly failure: StartFailure }
  | { readonly type: "done"; readonly id: number; readonly result: CommandResult }
  /** `before`: it is not new, but no client was watching. */
  | { readonly type: "event"; readonly event: WorkerEvent; readonly before: boolean }
  | { readonly type: "want" } & Wanted
  | { readonly type: "give" } & Slots
  | { readonly type: "down" } & DownHint
  /** The answer to `report` and, before it begins, to `stop`. */
  | { readonly type: "report"; readonly report: Report }
  /** It has been told to stop, and accepts no connection any more. */
  | { readonly type: "closed" }
  /** Nothing is open any more; the process ends. `dropped`: requests that were cut off. */
  | {
    readonly type: "stopped";
    readonly report: Report;
    readonly dropped: number;
    /** All lines of the access log have been written. */
    readonly logged: boolean;
  };

/**
 * Why a worker cannot serve or do what it was commanded: `bind` is about an address, `system` about a file, `script` about a
 * script, which is a part of the configuration.
 */
export interface StartFailure {
  readonly kind: "bind" | "system" | "script";
  /** Several lines where a script has several faults. */
  readonly message: string;
  /** Files of scripts: when one of them changes it may work. */
  readonly scriptFiles?: readonly string[];
}
