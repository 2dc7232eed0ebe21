/**
 * The contract of `runtime/contract/contract.ts` as tests: one suite, run unchanged against every adapter. What an
 * adapter cannot do is a flag in its `capabilities`, and the suite then asserts what the flag says.
 */
import { test } from "node:test";
import { type Harness, runScenario, type Scenario, type ScenarioGroup } from "./lab.ts";
import { connectScenarios } from "./connect_scenarios.ts";
import { misuseScenarios } from "./misuse_scenarios.ts";
import { peerScenarios } from "./peer_scenarios.ts";
import { securePeerScenarios } from "./secure_peer_scenarios.ts";
import { secureScenarios } from "./secure_scenarios.ts";
import { socketScenarios } from "./socket_scenarios.ts";
import { tlsEndScenarios } from "./tls_end_scenarios.ts";
import { tlsScenarios } from "./tls_scenarios.ts";
import { unixScenarios } from "./unix_scenarios.ts";

export type { Harness, ScenarioGroup } from "./lab.ts";

/** Above the watchdog of a scenario, so that the scenario can say what it was waiting for. */
const TEST_TIMEOUT_MS = 30_000;

const SCENARIOS = {
  sockets: [...connectScenarios, ...socketScenarios, ...misuseScenarios],
  peers: peerScenarios,
  unix: unixScenarios,
  tls: [...tlsScenarios, ...tlsEndScenarios],
  secure: secureScenarios,
  securePeers: securePeerScenarios,
} as const satisfies Record<ScenarioGroup, readonly Scenario[]>;

/** Registers the tests of the groups that `harness` can run. */
export function contractSuite(harness: Harness): void {
  for (const group of harness.scenarios) {
    for (const scenario of SCENARIOS[group] as readonly Scenario[]) {
      test(`${group}: ${scenario.name}`, { timeout: TEST_TIMEOUT_MS }, () => runScenario(harness, scenario));
    }
  }
}
