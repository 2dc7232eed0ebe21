/** Scenarios of answers and decisions that come from a program. */

import { rampStep, small } from "./bench_loads.ts";
import type { Scenario } from "./bench_scenario.ts";

const OF_SCRIPTS = {
  group: "script",
  onDemand: true,
  references: ["nginx", "sluice"],
  direct: false,
} as const;
const C64 = { path: "/small", connections: 64 } as const;

const HELLO_USERS = [10, 25, 50, 75, 100, 150, 200, 250, 300, 350, 400, 450, 500, 750, 1000, 1500, 2000];

/** No figures of it are in the summary: there is a table of its own, with a row for each step. */
const HELLO_RAMP: readonly Scenario[] = HELLO_USERS.map((users) => ({
  ...rampStep(`hello-ramp${users}`, users, "/hello"),
  ...OF_SCRIPTS,
  group: "hello-ramp",
  part: "answer",
  summary: [],
}));

export const SCRIPTS: readonly Scenario[] = [
  {
    ...small(
      "hello",
      "12 bytes without an origin, 64 connections: respond: (sluice), a handler with a constant, one with an object, the library",
      { path: "/hello", connections: 64 },
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
  ...HELLO_RAMP,
];
