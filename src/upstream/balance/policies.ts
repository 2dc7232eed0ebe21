/** Policies by the names users type. */

import type { PolicyFactory } from "../policy.ts";
import { avoiding } from "./avoiding.ts";
import { FirstUp } from "./first_up.ts";
import { LeastConn } from "./least_conn.ts";
import { RandomChoice } from "./random.ts";
import { Rendezvous } from "./rendezvous.ts";
import { RoundRobin } from "./round_robin.ts";

export const POLICIES = {
  round_robin: (endpoints) => new RoundRobin(endpoints),
  least_conn: (endpoints) => new LeastConn(endpoints),
  random: (endpoints) => new RandomChoice(endpoints),
} as const satisfies Record<string, PolicyFactory>;

/** Those, and what users do not choose by name. */
export const ALL_POLICIES = {
  ...POLICIES,
  first_up: (endpoints) => new FirstUp(endpoints),
  hash: (endpoints) => new Rendezvous(endpoints),
} as const satisfies Record<string, PolicyFactory>;

/** For endpoints that stand in for each other, as parents of a forward proxy do. */
export const FAILOVER_POLICIES = {
  round_robin: avoiding(POLICIES.round_robin),
  least_conn: avoiding(POLICIES.least_conn),
  random: avoiding(POLICIES.random),
  first_up: ALL_POLICIES.first_up,
  hash: ALL_POLICIES.hash,
} as const satisfies Record<keyof typeof ALL_POLICIES, PolicyFactory>;
