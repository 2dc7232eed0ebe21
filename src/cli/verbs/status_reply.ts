/** The status that a Sluice answers, which may be of the version before. */

import { currentState } from "../../observe/former_words.ts";
import type { EndpointStatus, Status, UpstreamStatus } from "../../process/worker/status.ts";

/**
 * States in today's words, whichever they came in.
 *
 * @throws TypeError when it has no upstreams: it is no status
 */
export function statusOf(reply: object): Status {
  // The casts: whatever else is missing is a Sluice of another age, and shows as such.
  const status = reply as Status;
  return {
    ...status,
    upstreams: status.upstreams.map((upstream) => ({
      ...upstream,
      state: currentState(upstream.state) as UpstreamStatus["state"],
      endpoints: upstream.endpoints.map((endpoint) => ({
        ...endpoint,
        state: currentState(endpoint.state) as EndpointStatus["state"],
      })),
    })),
  };
}
