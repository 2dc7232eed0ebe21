/**
 * What can be asked of a running Sluice. The control socket, the admin listener and the signals ask; the
 * supervisor and what it was given answer. Nothing here knows of sockets, JSON or exit codes.
 */

import type { ControlEvent } from "./event.ts";
import type { PauseOwner } from "../process/worker/pause_owner.ts";
import type { OwnedPause, Status } from "../process/worker/status.ts";

/**
 * Why something was not done; stable, for scripts.
 * - `unknown_name`: no such upstream or endpoint; the message lists those there are
 * - `ambiguous_name`: an endpoint of that name is in several upstreams; say which
 * - `invalid`: what was asked for makes no sense; for a reload: the configuration has problems
 * - `not_possible`: this Sluice, platform or configuration cannot do it; the message says why
 * - `unhealthy`: new endpoints did not become ready
 * - `timeout`: the condition did not come true in time; what was done (a pause, say) stays done
 * - `busy`: another operation of this kind is under way
 * - `replaced`: another process has taken the place of this one; connect again to ask that
 * - `failed`: anything else
 */
export type RefusalCode =
  | "unknown_name"
  | "ambiguous_name"
  | "invalid"
  | "not_possible"
  | "unhealthy"
  | "timeout"
  | "busy"
  | "replaced"
  | "failed";

export interface Refusal {
  readonly ok: false;
  readonly code: RefusalCode;
  /** A sentence for people: the place, and what to do. */
  readonly message: string;
  /** Further lines, one problem each. */
  readonly problems?: readonly string[];
}

export type Outcome<T = Record<never, never>> = ({ readonly ok: true } & T) | Refusal;

/** Where the work of a verb stands when it waits for requests to end. */
export interface Quiet {
  readonly in_flight: number;
  readonly waiting: number;
}

export interface Resumed extends Quiet {
  /** Pauses that this has ended. */
  readonly ended: number;
  /** Pauses by which upstreams that were to be resumed are still held. */
  readonly still_paused: readonly (OwnedPause & { readonly upstream: string })[];
}

export interface ReloadDone {
  readonly generation: number;
  /** What is different now, one line each; empty = nothing. */
  readonly changes: readonly string[];
  /** What differs but cannot be changed while running, one line each. */
  readonly ignored: readonly string[];
  /** What is allowed but probably not meant, or will not work for long, one line each. Left out when there is none. */
  readonly warnings?: readonly string[];
}

/** What a new endpoint is asked before it takes over. */
export interface HealthQuestion {
  /** Answered with 200 to 399. */
  readonly path: string;
  /** Host field; null = what requests of the upstream have, as far as that is known, else the endpoint's address. */
  readonly host: string | null;
}

export interface ControlPlane {
  status(): Promise<Status>;

  /** Calls `heard` for each event from now on. @returns ends it */
  watch(heard: (event: ControlEvent) => void): () => void;

  /**
   * Holds new requests of an upstream (null = of all) and waits until those in flight have ended; tunnels live for as
   * long as they like, and are not waited for. A request is held for `hold`, 30 s at least.
   *
   * Every pause is one of its own, with an owner, a token and a lease, and an upstream is held while any of them
   * names it. So of several pauses the one that lasts longest counts, and one without a lease outlives all leases.
   * A pause of all upstreams is one of those that a reload adds, too.
   *
   * @param waitIdleMs how long to wait for them; 0 = not at all. Refused as `timeout`, an operator's pause stays,
   *   any other is over
   * @param leaseMs resumes by itself then; null = never
   * @param signal aborted when whoever asked has gone while it waits: then this pause is ended at once, and nobody
   *   reads the answer
   * @param owner default: an operator
   * @returns `token`: names this pause for `resume` and `renew`
   */
  pause(
    upstream: string | null,
    waitIdleMs: number,
    leaseMs: number | null,
    signal?: AbortSignal,
    owner?: PauseOwner,
  ): Promise<Outcome<Quiet & { readonly token: string }>>;

  /**
   * Ends the pauses of operators, or the one that `token` names. Requests that no pause holds any more go, oldest first,
   * as fast as the endpoints take them. Nothing paused is fine.
   */
  resume(upstream: string | null, token?: string): Promise<Outcome<Resumed>>;

  /** Begins the lease of a pause anew. Refused as `unknown_name` when that pause is over. */
  renew(token: string, leaseMs: number): Promise<Outcome>;

  /**
   * Sends an endpoint no new request, closes its idle connections, ends its WebSockets with Close 1001 spread
   * over `windowMs`, and whatever is left when that is over.
   *
   * @param upstream null = find it by the endpoint's name
   * @param wait answer when nothing of it is open any more, instead of at once
   */
  drain(
    endpoint: string,
    upstream: string | null,
    windowMs: number,
    wait: boolean,
  ): Promise<Outcome<{ readonly in_flight: number }>>;

  undrain(endpoint: string, upstream: string | null): Promise<Outcome>;

  /**
   * Replaces all endpoints of an upstream in one step: the new ones must accept connections (and answer
   * `health` with 200 to 399), then they take over, then the old ones drain. It lasts until the configuration
   * itself names other endpoints.
   *
   * @param addresses as `--to` takes them
   * @param timeoutMs for getting ready; refused as `unhealthy` afterwards, nothing has changed then
   */
  swap(
    upstream: string | null,
    addresses: readonly string[],
    health: HealthQuestion | null,
    timeoutMs: number,
    drainMs: number,
  ): Promise<Outcome<{ readonly generation: number; readonly from: readonly string[] }>>;

  /**
   * Waits until an endpoint can be reached (`healthy`; paused or not, it is dialled unless a connection to it is open),
   * or nothing is in flight and no request waits (`idle`; tunnels do not count).
   *
   * @param signal aborted when the client that asked has gone: the answer has no reader
   */
  wait(
    upstream: string | null,
    what: "healthy" | "idle",
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Outcome>;

  /**
   * Reads the configuration anew. Refused as `invalid`, nothing has changed. While another change is under way it is
   * done next, once for all who have asked meanwhile.
   */
  reload(): Promise<Outcome<ReloadDone>>;

  /** Starts the command of an upstream (null = of all that have one) anew; requests are held meanwhile. */
  restart(upstream: string | null, timeoutMs: number): Promise<Outcome<{ readonly pids: readonly number[] }>>;

  /**
   * Replaces the running program by `binary` (null = its own file) without a gap.
   *
   * @returns the new process's id, once it serves and this one accepts no connection any more
   */
  upgrade(binary: string | null, timeoutMs: number): Promise<Outcome<{ readonly pid: number }>>;

  /** Begins to end: gracefully, or at once. The answer goes out before the end. */
  stop(now: boolean): Promise<Outcome<{ readonly connections: number }>>;

  /** What would become of a request; see explain.ts for the shape. */
  explain(request: ExplainRequest): Promise<Outcome<{ readonly explanation: unknown }>>;

  /** New log files of the same names. */
  reopenLogs(): Promise<Outcome>;
}

export interface ExplainRequest {
  readonly method: string;
  /** `http://host/path`, or a path; for CONNECT `host:port`. */
  readonly url: string;
  /** Field lines, "Name: value". */
  readonly headers: readonly string[];
  /** Length of its body; null = chunked. */
  readonly body_bytes: number | null;
  /** Through the forward proxy: as this user, who has said so. */
  readonly user?: string;
  /** Through the forward proxy: the name is looked up, and its addresses are judged. Default: nobody hears of it. */
  readonly resolve?: boolean;
}
