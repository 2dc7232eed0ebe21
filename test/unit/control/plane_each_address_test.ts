/** Names whose addresses are endpoints, of a whole Sluice in memory. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const YAML = `
listen: "127.0.0.1:4000"
upstreams:
  app: {endpoints: [app.test:3000], each_address: true}
`;

async function endpoints(lab: PlaneLab): Promise<readonly string[]> {
  const status = await lab.done(lab.plane.status());
  return status.upstreams.flatMap((upstream) => upstream.endpoints.map(({ name }) => name));
}

test("each address is an endpoint, and the endpoints follow the name", async () => {
  const lab = await PlaneLab.start(YAML, { "app.test": ["127.0.0.3", "127.0.0.2"] });
  lab.watch();
  for (const host of ["127.0.0.2", "127.0.0.3", "127.0.0.4"]) await lab.backend(3000, host);
  assert.deepEqual(await endpoints(lab), ["127.0.0.2:3000", "127.0.0.3:3000"]);
  const heads: string[] = [];
  for (let i = 0; i < 4; i++) {
    const client = lab.ask(`/${i}`);
    await lab.pass(200);
    heads.push(answerOf(client));
  }
  assert.equal(heads.filter((text) => text.startsWith("200")).length, 4);
  assert.deepEqual(lab.reached().sort(), ["127.0.0.2", "127.0.0.3"]);
  // Another order is no change.
  lab.runtime.network.setName("app.test", ["127.0.0.2", "127.0.0.3"]);
  await lab.pass(3000);
  assert.deepEqual(lab.names(), []);
  lab.runtime.network.setName("app.test", ["127.0.0.4", "127.0.0.3"]);
  await lab.pass(3000);
  assert.deepEqual(await endpoints(lab), ["127.0.0.3:3000", "127.0.0.4:3000"]);
  assert.deepEqual(lab.names(), ["readdressed"]);
  // A name that cannot be resolved for a while changes nothing.
  lab.runtime.network.setName("app.test", []);
  await lab.pass(3000);
  assert.deepEqual(await endpoints(lab), ["127.0.0.3:3000", "127.0.0.4:3000"]);
  assert.equal((await lab.done(lab.plane.status())).generation, 1, "nobody has loaded anything");
  await lab.stop();
});

test("a name that does not resolve at the start is one endpoint until it does", async () => {
  const lab = await PlaneLab.start(YAML, {});
  await lab.backend(3000, "127.0.0.2");
  assert.deepEqual(await endpoints(lab), ["app.test:3000"]);
  const held = lab.ask();
  await lab.pass(1000);
  assert.equal(answerOf(held), "");
  lab.runtime.network.setName("app.test", ["127.0.0.2"]);
  await lab.pass(3000);
  assert.deepEqual(await endpoints(lab), ["127.0.0.2:3000"]);
  assert.match(answerOf(held), /^200/);
  await lab.stop();
});

test("what is in flight at an address that goes may end; a reload and a swap know the name", async () => {
  const lab = await PlaneLab.start(YAML, { "app.test": ["127.0.0.2"], "other.test": ["127.0.0.4"] });
  const old = await lab.backend(3000, "127.0.0.2");
  await lab.backend(3000, "127.0.0.3");
  await lab.backend(3000, "127.0.0.4");
  old.keeps = true;
  const inFlight = lab.ask("/slow");
  await lab.pass(100);
  lab.runtime.network.setName("app.test", ["127.0.0.3"]);
  await lab.pass(3000);
  old.answer();
  await lab.pass(100);
  assert.equal(answerOf(inFlight), "200 3000/slow");
  const reloaded = await lab.done(lab.plane.reload());
  assert.ok(reloaded.ok);
  assert.deepEqual(reloaded.changes, []);
  const swapped = await lab.done(lab.plane.swap("app", ["other.test:3000"], null, 5000, 5000));
  assert.ok(swapped.ok);
  assert.deepEqual(swapped.from, ["app.test:3000"]);
  assert.deepEqual(await endpoints(lab), ["127.0.0.4:3000"]);
  lab.runtime.network.setName("app.test", ["127.0.0.2"]);
  await lab.pass(3000);
  assert.ok((await lab.done(lab.plane.reload())).ok);
  assert.deepEqual(await endpoints(lab), ["127.0.0.4:3000"], "the swap stands: the file says what it said");
  const back = await lab.done(lab.plane.swap("app", ["app.test:3000"], null, 5000, 5000));
  assert.ok(back.ok);
  assert.deepEqual(lab.plane.handoverState().swapped, []);
  await lab.stop();
});
