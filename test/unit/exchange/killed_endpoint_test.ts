/**
 * Endpoints that are killed, whose listening socket outlives their connections: one end must not cost a request more than
 * one of its tries.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KilledBackend } from "../../support/killed_backend.ts";
import { answerOf, PlaneLab } from "../../support/plane_lab.ts";

/** A process is back after this. Milliseconds. */
const BOOT_MS = 100;
/** Longer than it takes to answer, by far. Milliseconds. */
const SLOW_MS = 50;

interface KillLab {
  readonly lab: PlaneLab;
  readonly backend: KilledBackend;
}

async function killLab(yaml: string, act: (lab: KillLab) => Promise<void>): Promise<void> {
  const lab = await PlaneLab.start(`upstreams: {app: {endpoints: 3001}}\nroutes: [{to: app}]\n${yaml}`);
  const backend = await KilledBackend.start(lab.runtime, 3001);
  backend.answerMs = () => SLOW_MS;
  await act({ lab, backend });
  await lab.stop();
}

for (const dyingMs of [0, 1, 20, 60, 190]) {
  for (const pooled of [true, false]) {
    for (const maxInFlight of [0, 1]) {
      const where = pooled ? "a pooled connection" : "a new one";
      const scene = `${where}, gone for good after ${dyingMs} ms, max_in_flight: ${maxInFlight}`;
      test(`a request that meets two kills is answered, one that meets three is not: ${scene}`, () =>
        killLab(`max_in_flight: ${maxInFlight}\n`, async ({ lab, backend }) => {
          for (const kills of [1, 2, 3]) {
            if (pooled) {
              const warm = lab.ask("/warm");
              await lab.until("an answer", () => answerOf(warm) === "200 /warm", 2000);
            }
            const target = `/${kills}`;
            const client = lab.ask(target);
            const times = () => backend.seen.filter((seen) => seen.target === target).length;
            for (let kill = 1; kill <= kills; kill++) {
              await lab.until("the request to be read", () => times() === kill, 3000);
              backend.kill({ dyingMs, awayMs: BOOT_MS });
            }
            await lab.until("an answer", () => client.received !== "", 5000);
            if (kills < 3) assert.equal(answerOf(client), `200 ${target}`);
            else assert.match(client.received, /^HTTP\/1\.1 502 [^]*\nsent [34] times without an answer/);
            await lab.until("the next process", () => backend.alive, 1000);
          }
        }));
    }
  }
}
