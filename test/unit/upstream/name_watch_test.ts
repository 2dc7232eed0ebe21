/** Connections to addresses that a name does not mean any more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemorySystem } from "../../support/memory_system.ts";
import { FILES } from "../../support/name_lab.ts";
import { Backend, UpstreamLab } from "../../support/upstream_lab.ts";

async function scene(hosts: string) {
  const system = new MemorySystem({ nameFiles: FILES, files: { [FILES.hosts]: hosts } });
  const lab = new UpstreamLab({ system, hostName: "app.test" });
  const [first, second] = [lab.backend(), new Backend(lab, lab.backend().port, "127.0.0.2")];
  await first.up();
  await second.up();
  const settle = async (ms: number) => {
    // Timers and promises in turn, a second at a time.
    for (let left = ms; left > 0; left -= 1000) {
      lab.advance(Math.min(1000, left));
      await lab.network.settle();
    }
    lab.turn.begin();
    lab.turn.end();
  };
  return { lab, system, first, second, settle };
}

test("a name that moves: idle connections to the old address go, busy ones after their answer", async () => {
  const { lab, system, first, second, settle } = await scene("127.0.0.1 app.test\n");
  const [idle, busy] = lab.asks(2);
  await settle(500);
  idle?.answered();
  await lab.network.settle();
  assert.deepEqual([first.open, lab.endpoint().pool.size], [2, 1]);
  system.files.set(FILES.hosts, "127.0.0.2 app.test\n");
  await settle(8000);
  assert.deepEqual([first.open, lab.endpoint().pool.size], [1, 0]);
  busy?.answered();
  await lab.network.settle();
  assert.equal(first.open, 0);
  const next = lab.ask();
  await lab.network.settle();
  assert.equal(next.connection?.remoteAddress, "127.0.0.2");
  next.answered();
  await settle(8000);
  assert.deepEqual([second.open, lab.endpoint().pool.size], [1, 1], "those to the new one stay");
  lab.upstream.stop();
  await settle(2000);
  lab.assertQuiet();
});

test("a name that cannot be resolved, and one that means more addresses: connections stay", async () => {
  const { lab, system, first, settle } = await scene("127.0.0.1 app.test\n");
  lab.network.datagramPeers.set("127.0.0.1 53", "refuses");
  const waiter = lab.ask();
  await lab.network.settle();
  waiter.answered();
  for (const hosts of ["127.0.0.2 app.test\n127.0.0.1 app.test\n", ""]) {
    system.files.set(FILES.hosts, hosts);
    await settle(8000);
    assert.deepEqual([first.open, lab.endpoint().pool.size], [1, 1]);
  }
  lab.upstream.stop();
  await settle(2000);
});

test("a connection that a newer answer led to is kept, and nobody looks when there is none", async () => {
  const { lab, system, first, settle } = await scene("127.0.0.1 app.test\n");
  const before = lab.ask();
  await lab.network.settle();
  before.answered();
  await settle(2000);
  first.down();
  first.resetAll();
  await lab.network.settle();
  system.files.set(FILES.hosts, "127.0.0.2 app.test\n");
  await settle(6000);
  const after = lab.ask();
  await lab.network.settle();
  after.answered();
  assert.equal(lab.endpoint().pool.size, 1);
  lab.endpoint().pool.clear();
  await settle(1000);
  system.readText = () => assert.fail("a name that nobody uses is looked at");
  await settle(60_000);
});
