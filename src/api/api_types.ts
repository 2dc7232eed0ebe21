/** What programs see of a Sluice that they open: the types of the library. declarations.ts has the same for users. */

import type { Runtime, System } from "../../runtime/contract/contract.ts";
import type { Asked, AskOptions, RequestHandler, ScriptHooks } from "../script/script_types.ts";

/** What the library runs on. */
export interface Platform {
  /** Each gate has a runtime of its own; what its handlers throw is told to that gate. */
  createRuntime(onHandlerError: (error: unknown) => void): Runtime;
  readonly system: System;
}

/** An endpoint as the file has it. */
export type EndpointInit = string | number | {
  readonly address: string | number;
  readonly weight?: number | string | undefined;
};

export type UpstreamInit =
  & { readonly endpoints: string | number | readonly EndpointInit[] }
  & Readonly<Record<string, unknown>>;

export interface OpenOptions extends ScriptHooks {
  readonly listen?: string | number | readonly (string | number)[] | undefined;
  readonly upstreams?: Readonly<Record<string, UpstreamInit>> | undefined;
  readonly routes?: readonly RouteInit[] | undefined;
  readonly handler?: RequestHandler | undefined;
  readonly config?: string | undefined;
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

export interface RouteInit {
  readonly match?: MatchInit | readonly MatchInit[] | undefined;
  readonly to?: string | number | readonly EndpointInit[] | RequestHandler | undefined;
  readonly respond?: unknown;
  readonly retry?: unknown;
}

export interface MatchInit {
  readonly host?: string | undefined;
  readonly path?: string | undefined;
}

/** The most that is promised of what `sluice status --json` prints; a status has all of that. */
export interface GateStatus {
  readonly state: "starting" | "serving" | "stopping";
  readonly started: string;
  readonly uptime_ms: number;
  readonly generation: number;
  readonly listeners: readonly string[];
  readonly connections: number;
  readonly tunnels: number;
  readonly totals: GateTotals;
  readonly reasons: Readonly<Record<string, number>>;
  readonly upstreams: readonly UpstreamState[];
  readonly routes: readonly RouteState[];
}

export interface GateTotals {
  readonly requests: number;
  readonly by_class: readonly number[];
  readonly failed: number;
  readonly request_bytes: number;
  readonly response_bytes: number;
  readonly retries: number;
  readonly held: number;
}

export interface UpstreamState {
  readonly name: string;
  readonly state: "up" | "down" | "paused";
  readonly paused: PauseState | null;
  readonly waiting: number;
  readonly oldest_wait_ms: number;
  readonly in_flight: number;
  readonly totals: GateTotals;
  readonly endpoints: readonly EndpointState[];
}

export interface PauseState {
  readonly since: string;
  readonly lease_until: string | null;
  readonly owners: readonly {
    readonly owner: string;
    readonly since: string;
    readonly lease_until: string | null;
  }[];
}

export interface EndpointState {
  readonly name: string;
  readonly state: "up" | "down" | "probing" | "draining" | "drained" | "unhealthy";
  readonly in_flight: number;
  readonly idle: number;
  readonly answered: number;
  readonly failures: number;
}

export interface RouteState {
  readonly name: string;
  readonly upstream: string;
  readonly totals: GateTotals;
}

/** A Sluice in this process. */
export interface Gate {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly closed: Promise<void>;
  status(): GateStatus;
  reload(options: OpenOptions): Promise<void>;
  pause(upstream?: string): Promise<void>;
  resume(upstream?: string): Promise<void>;
  ask(upstream: string, how?: AskOptions): Promise<Asked>;
  setUpstream(name: string, how: UpstreamInit): Promise<void>;
  close(drainMs?: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
