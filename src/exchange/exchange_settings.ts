/** What an exchange is told of its upstream when it begins. */

import type { StreamSource } from "../upstream/stream_source.ts";
import type { HostHeader } from "./forward_request.ts";
import type { UpstreamCredentials } from "./login.ts";

/** How requests to one upstream are treated; times in milliseconds, sizes in bytes. */
export interface ExchangeSettings {
  readonly upstream: StreamSource;
  readonly requestBufferBytes: number;
  /** Its endpoints take a limited number of requests at a time. */
  readonly slotsLimited: boolean;
  readonly firstByteTimeoutMs: number;
  readonly bodyIdleTimeoutMs: number;
  readonly tunnelIdleTimeoutMs: number;
  /** Bytes a second at least, from and to a client; 0 = any. */
  readonly bodyRate: number;
  readonly hostHeader: HostHeader;
  /**
   * Its endpoints stand in for each other in their order, and what fails is not theirs: a request that one has answered
   * with a failure goes on to the next, never to the same again. Absent = false.
   */
  readonly failsOver?: boolean;
  /** Its endpoints are proxies that ask clients themselves who they are. Absent = false. */
  readonly passesLogin?: boolean;
  /** Absent = none. */
  readonly credentials?: UpstreamCredentials;
}
