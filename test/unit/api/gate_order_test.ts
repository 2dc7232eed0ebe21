/** What a program asks of its gate happens in that order, whether or not it waits in between. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GateLab } from "../../support/gate_lab.ts";
import { answerOf } from "../../support/network_lab.ts";

// What a program asks of its gate happens in the order in which it was asked, whether or not it waits in between.
{
  test("pause, then resume, without waiting: nothing is paused in the end", async () => {
    const lab = new GateLab();
    await lab.backend(3000);
    const gate = await lab.open({ upstreams: { a: 3000 }, routes: [{ to: "a" }] } as never);
    const both = [gate.pause(), gate.resume()];
    for (const each of both) await lab.done(each);
    const client = lab.ask("/x");
    await lab.pass(1000);
    const answer = answerOf(client);
    await lab.end(gate);
    assert.match(answer, /^200/);
  });

  test("reload that takes an upstream away while it is paused, then resume()", async () => {
    const lab = new GateLab();
    await lab.backend(3000);
    await lab.backend(3001);
    const gate = await lab.open(
      {
        upstreams: { a: 3000, b: 3001 },
        routes: [{ match: { path: "/b/" }, to: "b" }, { to: "a" }],
      } as never,
    );
    await lab.done(gate.pause("b"));
    await lab.done(gate.pause("a"));
    const waits = lab.ask("/x");
    await lab.done(
      gate.reload({ listen: "127.0.0.1:0", upstreams: { a: 3000 }, routes: [{ to: "a" }] } as never),
    );
    await lab.done(gate.resume());
    await lab.pass(1000);
    const answer = answerOf(waits);
    await lab.end(gate);
    assert.match(answer, /^200/);
  });

  test("a reload whose function throws leaves pause and handlers as they were; ask pending over it", async () => {
    const lab = new GateLab();
    await lab.backend(3000);
    const gate = await lab.open(
      { upstreams: { a: 3000 }, routes: [{ to: "a" }], onRequest: async () => {} } as never,
    );
    await lab.done(gate.pause());
    const asked = gate.ask("a").then(({ status }) => status, (e: Error) => String(e));
    const held = lab.ask("/held");
    await lab.pass(20);
    const bad = await lab.done(
      gate.reload({ listen: "127.0.0.1:0", upstreams: { a: "nope:x:y" }, routes: [{ to: "a" }] } as never)
        .then(() => "ok", String),
    );
    assert.notEqual(bad, "ok");
    const good = lab.done(
      gate.reload(
        {
          listen: "127.0.0.1:0",
          upstreams: { a: 3000 },
          routes: [{ to: "a" }],
          onRequest: async () => {},
        } as never,
      ),
    );
    await good;
    await lab.done(gate.resume());
    await lab.pass(1000);
    await lab.done(asked);
    assert.match(answerOf(held), /^200/);
    await lab.end(gate);
  });
}
