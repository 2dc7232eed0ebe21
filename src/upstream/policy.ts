/** The seam between an upstream and the ways of choosing among its endpoints; see `balance/`. */

import type { Endpoint, Need } from "./endpoint.ts";

/** A request that an endpoint is chosen for. */
export interface Chooser {
  /** There are endpoints that it avoids; it wants a new connection then. Absent = there are none. */
  readonly choosy?: boolean;
  /** Name of the endpoint that it goes to as long as that can be reached. Absent or null = it names none. */
  readonly prefers?: string | null;
  /** It is to go elsewhere, and there is another endpoint for it. */
  avoids?(endpoint: Endpoint): boolean;
}

/** Chooses; neither counts nor connects. One object per upstream, so it may remember its last choice. */
export interface Policy {
  /**
   * An endpoint that can serve `need` (`endpoint.can(need)`), or null when none can.
   *
   * @param key hash of what the request is balanced by, so that equal ones go to the same endpoint as long as it can; null
   *   when it is balanced by nothing, or when a connection is opened for no request in particular
   * @param chooser the request, null when it is none in particular
   */
  pick(need: Need, key: number | null, chooser?: Chooser | null): Endpoint | null;
}

/** A policy by which each key has one endpoint, and nothing but that. */
export interface KeyedPolicy extends Policy {
  /** The endpoint for `key`, whether or not it can take a request now; null when none can be reached. */
  wanted(key: number, chooser?: Chooser | null): Endpoint | null;
}

export function isKeyed(policy: Policy): policy is KeyedPolicy {
  return "wanted" in policy;
}

/** Makes a policy for a fixed list of endpoints. */
export type PolicyFactory = (endpoints: readonly Endpoint[]) => Policy;
