/** The seam between an upstream and the ways of choosing among its endpoints; see `balance/`. */

import type { Endpoint, Need } from "./endpoint.ts";

/** Chooses; neither counts nor connects. One object per upstream, so it may remember its last choice. */
export interface Policy {
  /**
   * An endpoint that can serve `need` (`endpoint.can(need)`), or null when none can.
   *
   * @param key hash of what the request is balanced by, so that equal ones go to the same endpoint as long as it can; null
   *   when it is balanced by nothing, or when a connection is opened for no request in particular
   */
  pick(need: Need, key: number | null): Endpoint | null;
}

/** Makes a policy for a fixed list of endpoints. */
export type PolicyFactory = (endpoints: readonly Endpoint[]) => Policy;
