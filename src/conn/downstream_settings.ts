import type { Http1Limits } from "../http/limits.ts";

/** Deadlines and limits of the client's side; milliseconds. */
export interface DownstreamSettings {
  readonly headTimeoutMs: number;
  readonly bodyIdleTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** A client that has ended its sending side is still answered; otherwise it has left. */
  readonly servesHalfClosed: boolean;
  readonly limits: Http1Limits;
}
