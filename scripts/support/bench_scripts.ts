/** Scenarios of answers and decisions that come from a program. */

import { small } from "./bench_loads.ts";
import type { Scenario } from "./bench_scenario.ts";

const OF_SCRIPTS = {
  group: "script",
  onDemand: true,
  references: ["nginx", "sluice"],
  direct: false,
} as const;
const C64 = { path: "/small", connections: 64 } as const;

export const SCRIPTS: readonly Scenario[] = [
  {
    ...small(
      "hello",
      "a small answer without an origin, 64 connections: respond: (sluice), a handler with a constant, one with an object",
      C64,
    ),
    ...OF_SCRIPTS,
    part: "answer",
  },
  {
    ...small(
      "script64",
      "c64 without a script (sluice, nginx), and with one that decides nothing, sets three fields, does so " +
        "asynchronously, sets three fields of the response",
      C64,
    ),
    ...OF_SCRIPTS,
    part: "script",
  },
];
