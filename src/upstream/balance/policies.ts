/** Policies by the names users type. */

import type { PolicyFactory } from "../policy.ts";
import { LeastConn } from "./least_conn.ts";
import { RandomChoice } from "./random.ts";
import { RoundRobin } from "./round_robin.ts";

export const POLICIES = {
  round_robin: (endpoints) => new RoundRobin(endpoints),
  least_conn: (endpoints) => new LeastConn(endpoints),
  random: (endpoints) => new RandomChoice(endpoints),
} as const satisfies Record<string, PolicyFactory>;
