/** Policies by the names users type. */

import type { PolicyFactory } from "../policy.ts";
import { FirstUp } from "./first_up.ts";
import { LeastConn } from "./least_conn.ts";
import { RandomChoice } from "./random.ts";
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
} as const satisfies Record<string, PolicyFactory>;
