/** The seam between an upstream and the ways of choosing among its endpoints; see `balance/`. */

import type { Endpoint, Need } from "./endpoint.ts";

/** Chooses; neither counts nor connects. One object per upstream, so it may remember its last choice. */
export interface Policy {
  /** An endpoint that can serve `need` (`endpoint.can(need)`), or null when none can. */
  pick(need: Need): Endpoint | null;
}

/** Makes a policy for a fixed list of endpoints. */
export type PolicyFactory = (endpoints: readonly Endpoint[]) => Policy;
