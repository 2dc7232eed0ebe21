/** Whom an upstream tells what happens. */

import type { SocketError } from "../../runtime/contract/contract.ts";
import type { Endpoint } from "./endpoint.ts";

/** What is told of the upstream itself. */
export interface ObservedUpstream {
  readonly name: string;
  /** Requests that wait for a connection. */
  readonly waiting: number;
}

/** Told what happens; must not call back. */
export interface UpstreamObserver {
  endpointDown(upstream: ObservedUpstream, endpoint: Endpoint, error: SocketError): void;
  endpointUp(upstream: ObservedUpstream, endpoint: Endpoint, downMs: number): void;
  /** Requests have begun to wait for an endpoint's return, or for the end of a pause. */
  held?(upstream: ObservedUpstream, waiting: number): void;
  /** None of them waits any more. */
  released?(upstream: ObservedUpstream, heldMs: number): void;
}
