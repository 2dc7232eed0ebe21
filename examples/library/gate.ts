/** A deployment: requests wait at the gate while the backend is replaced, and none is lost. */

import { ConfigError, open } from "sluice";

await using gate = await open({
  listen: 8080,
  upstreams: { app: { endpoints: [3000], max_in_flight: 10, queue: { size: 1000 } } },
  options: { hold: "30s" },
  log: console.error,
});
console.log(`listening on ${gate.addresses}`);

await gate.pause("app"); // new requests wait; those under way end
const inFlight = () => gate.status().upstreams[0]?.in_flight ?? 0;
while (inFlight() > 0) await new Promise((done) => setTimeout(done, 10));

// Here the backend would be stopped, migrated and started again, on another port, say.
try {
  await gate.reload({ listen: 8080, upstreams: { app: { endpoints: [3000], max_in_flight: 20 } } });
} catch (error) {
  // All or nothing: with a mistake in the options everything is as it was.
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.problems.join("\n"));
}
await gate.resume("app"); // what has waited goes, oldest first
const { generation, totals } = gate.status();
console.log(`generation ${generation}, ${totals.requests} requests`);
