/** What may not be sent twice is not sent into the queue of a process that is ending, as far as one can know. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KilledBackend } from "../../support/killed_backend.ts";
import { answerOf, PlaneLab } from "../../support/plane_lab.ts";

/** Longer than it takes to answer, by far. Milliseconds. */
const SLOW_MS = 50;

interface Scene {
  readonly lab: PlaneLab;
  readonly backend: KilledBackend;
  post(target: string): ReturnType<PlaneLab["dial"]>;
}

async function withBackend(yaml: string, act: (scene: Scene) => Promise<void>): Promise<void> {
  const lab = await PlaneLab.start(`upstreams: {app: {endpoints: 3001}}\nroutes: [{to: app}]\n${yaml}`);
  const backend = await KilledBackend.start(lab.runtime, 3001);
  backend.answerMs = (target) => target.startsWith("/slow") ? SLOW_MS : 0;
  const post = (target: string) => {
    const client = lab.dial();
    client.say(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
    lab.runtime.network.run();
    return client;
  };
  await act({ lab, backend, post });
  await lab.stop();
}

for (const dyingMs of [1, 5, 20]) {
  for (const pooled of [true, false]) {
    for (const limit of [0, 1]) {
      const where = pooled ? "a pooled connection" : "a new one";
      test(`POSTs that come while a process ends: ${where} was lost, gone after ${dyingMs} ms, max_in_flight: ${limit}`, () =>
        withBackend(`max_in_flight: ${limit}\n`, async ({ lab, backend, post }) => {
          if (pooled) {
            const warm = lab.ask("/warm");
            await lab.until("an answer", () => answerOf(warm) === "200 /warm", 2000);
          }
          const slow = lab.ask("/slow");
          await lab.until("the request to be read", () => backend.seen.at(-1)?.target === "/slow", 2000);
          // One waits already, where there is one slot.
          const posts = limit === 1 ? [post("/waits")] : [];
          backend.kill({ dyingMs, awayMs: 100 });
          await lab.pass(0);
          for (let ms = 0; ms <= dyingMs + 2; ms++) {
            posts.push(post(`/${ms}`));
            await lab.pass(1);
          }
          await lab.until("all answers", () => posts.every(({ received }) => received !== ""), 5000);
          for (const client of posts) assert.match(answerOf(client), /^200 /, client.received);
          await lab.until("the first one's", () => answerOf(slow) === "200 /slow", 2000);
          for (const { method, target } of backend.seen) {
            const times = backend.seen.filter((seen) => seen.target === target).length;
            assert.ok(method !== "POST" || times === 1, `${target} was read ${times} times`);
          }
        }));
    }
  }
}
