/** What programs see of a Sluice that they open: the types of the library. See declarations.ts for the same in words. */

import type { Runtime, System } from "../../runtime/contract/contract.ts";
import type { Status } from "../process/worker/status.ts";

/** What the library runs on. */
export interface Platform {
  /** Each gate has a runtime of its own; what its handlers throw is told to that gate. */
  createRuntime(onHandlerError: (error: unknown) => void): Runtime;
  readonly system: System;
}

export type UpstreamInit = {
  readonly endpoints: string | number | readonly unknown[];
} & Readonly<Record<string, unknown>>;

export interface OpenOptions {
  readonly listen?: string | number | readonly (string | number)[] | undefined;
  readonly upstreams?: Readonly<Record<string, UpstreamInit | string | number>> | undefined;
  readonly routes?: readonly unknown[] | undefined;
  readonly config?: string | undefined;
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** As `sluice status --json` prints it. */
export type GateStatus = Status;

/** A Sluice in this process. */
export interface Gate extends AsyncDisposable {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly closed: Promise<void>;
  status(): GateStatus;
  reload(options: OpenOptions): Promise<void>;
  pause(upstream?: string): Promise<void>;
  resume(upstream?: string): Promise<void>;
  close(drainMs?: number): Promise<void>;
}
