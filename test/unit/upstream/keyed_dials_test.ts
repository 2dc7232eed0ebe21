/** A waiter that goes anywhere gets one dial, however many wait for another endpoint. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { to } from "../../../src/script/decision.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

// Dials for nobody: keyed waiters of a full endpoint hide the dial that is under way for another one.
test("one waiter without a key gets one dial, however many wait for another endpoint", async () => {
  const lab = await PlaneLab.start(
    `upstreams: {app: {endpoints: [127.0.0.1:3000, 127.0.0.1:3001], max_in_flight: 20}}\nroutes: [{to: app}]\nscript: s.ts\nconnect_timeout: 60s\n`,
    {},
    {},
    {
      "/s.ts": () => ({
        onRequest: ({ path }: { path: string }) =>
          path.startsWith("/b")
            ? to("app", { endpoint: "127.0.0.1:3001" } as never)
            : path.startsWith("/a")
            ? to("app", { endpoint: "127.0.0.1:3000" } as never)
            : to("app"),
      }),
    },
  );
  const a = await lab.backend(3000);
  const b = await lab.backend(3001);
  a.keeps = b.keeps = true;
  // A is full.
  for (let i = 0; i < 20; i++) {
    lab.ask("/a");
    await lab.pass(20);
  }
  await lab.pass(500);
  // B has shown that it serves many.
  for (let i = 0; i < 8; i++) {
    lab.ask("/b");
    await lab.pass(150);
  }
  // Connecting to B takes its time.
  lab.runtime.network.blackhole({ kind: "tcp", host: "127.0.0.1", port: 3001 });
  lab.ask("/x");
  await lab.pass(5);
  const status = async () => JSON.stringify(await lab.plane.status()).match(/"dialing":\d+/g)?.join();
  for (let i = 0; i < 10; i++) {
    lab.ask("/a/more");
    await lab.pass(5);
  }
  const last = await status();
  const most = Math.max(...(last?.match(/\d+/g) ?? []).map(Number));
  await lab.stop();
  assert.ok(most <= 1, `${most} dials for one request`);
});
