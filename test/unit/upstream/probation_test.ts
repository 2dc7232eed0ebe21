/** What proves a new connection to a request that was lost with others, and what does not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type TestWaiter, UpstreamLab } from "../../support/upstream_lab.ts";

const PROBATION_MS = 200;

/** A request in flight, and one that was lost twice and waits while a connection is under probation for it. */
async function scene(): Promise<{ lab: UpstreamLab; busy: TestWaiter; suspect: TestWaiter }> {
  const lab = new UpstreamLab();
  await lab.backend().up();
  const [busy, suspect] = [lab.ask("busy"), lab.ask("suspect")];
  lab.advance(150);
  assert.ok(busy.connection !== null && suspect.connection !== null);
  lab.advance(10);
  suspect.goesLast = true;
  suspect.resetAndRetry(PROBATION_MS);
  lab.run();
  lab.advance(20);
  assert.equal(suspect.connection, null);
  assert.equal(lab.upstream.waiting, 1);
  assert.equal(lab.backend().open, 2, "one in use, one under probation");
  return { lab, busy, suspect };
}

test("a connection that has stood open for long enough is proved", async () => {
  const { lab, suspect } = await scene();
  lab.advance(PROBATION_MS - 40);
  assert.equal(suspect.connection, null);
  lab.advance(40);
  assert.ok(suspect.connection !== null);
});

test("an answer to what was sent since it is open proves it, an answer to an earlier request does not", async () => {
  const { lab, busy, suspect } = await scene();
  // It may have lain in the socket's buffer when its process ended.
  busy.answered(false);
  lab.advance(10);
  assert.equal(suspect.connection, null);
  const later = lab.ask("later");
  lab.advance(110);
  assert.ok(later.connection !== null);
  later.answered();
  lab.advance(10);
  assert.ok(suspect.connection !== null);
});

for (const pooled of [false, true]) {
  test(`when ${pooled ? "a pooled" : "a new"} connection is lost, others prove themselves anew: their ends may be under way`, async () => {
    const { lab, busy, suspect } = await scene();
    lab.advance(PROBATION_MS - 60);
    const { connection, endpoint } = busy;
    assert.ok(connection !== null && endpoint !== null);
    if (pooled) lab.upstream.suspect(endpoint);
    else lab.upstream.failed(connection, endpoint, { code: "connection_terminated", detail: "test" });
    busy.release(false);
    lab.advance(PROBATION_MS - 20);
    assert.equal(suspect.connection, null, "it has stood open for longer than its probation");
    assert.equal(lab.backend().open, 1, "the same connection");
    lab.advance(40);
    assert.ok(suspect.connection !== null);
  });
}

test("an endpoint that goes on losing connections delays what waits for a proved one, but not for ever", async () => {
  const { lab, suspect } = await scene();
  let ms = 0;
  for (; suspect.connection === null; ms += 50) {
    assert.ok(ms < 3000, "it waits for a proof that does not come");
    lab.upstream.suspect(lab.endpoint());
    lab.advance(50);
  }
  assert.ok(ms > 1000, `${ms} ms`);
});
