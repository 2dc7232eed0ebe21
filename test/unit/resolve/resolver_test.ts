/** What names mean, how long, and to whom. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addresses, NameLab } from "../../support/name_lab.ts";

test("both families, IPv6 first", async () => {
  const lab = new NameLab();
  lab.script = addresses(["10.0.0.1", "10.0.0.2"], ["2001:db8::1"]);
  assert.equal(await lab.resolve("App.Test"), "2001:db8::1 10.0.0.1 10.0.0.2");
  assert.deepEqual(lab.asked.sort(), ["app.test A", "app.test AAAA"]);
});

test("IP literals and localhost are nobody's to ask", async () => {
  const lab = new NameLab();
  assert.equal(await lab.resolve("10.1.2.3"), "10.1.2.3");
  assert.equal(await lab.resolve("::ffff:10.1.2.3"), "10.1.2.3");
  for (const name of ["localhost", "LOCALHOST", "localhost.", "app.localhost"]) {
    assert.equal(await lab.resolve(name), "::1 127.0.0.1", name);
  }
  assert.deepEqual(lab.asked, []);
});

test("many ask, one look-up goes out; the answer is kept for its time to live, at most 30 s", async () => {
  for (const [ttl, keptMs] of [[5, 5000], [3600, 30_000], [0, 1000]] as const) {
    const lab = new NameLab();
    lab.script = addresses(["10.0.0.1"], [], ttl);
    await Promise.all(Array.from({ length: 50 }, () => lab.resolve("app.test")));
    assert.equal(lab.asked.length, 2);
    await lab.advance(keptMs - 1);
    await lab.resolve("app.test");
    assert.equal(lab.asked.length, 2, `ttl ${ttl}: kept`);
    await lab.advance(1);
    await lab.resolve("app.test");
    assert.equal(lab.asked.length, 4, `ttl ${ttl}: asked again`);
  }
});

test("that there is no such name is kept for a moment only", async () => {
  const lab = new NameLab();
  assert.equal(await lab.resolve("app.test"), "dns_error");
  assert.equal(await lab.resolve("app.test"), "dns_error");
  assert.equal(lab.asked.length, 2);
  lab.script = addresses(["10.0.0.1"]);
  await lab.advance(250);
  assert.equal(await lab.resolve("app.test"), "10.0.0.1");
});

test("one family that fails does not matter when the other answers", async () => {
  for (const rcode of [2, 3, 5]) {
    const lab = new NameLab();
    lab.script = (question, tcp) =>
      question.type === "AAAA" ? { rcode } : addresses(["10.0.0.1"])(question, tcp);
    assert.equal(await lab.resolve("app.test"), "10.0.0.1", `AAAA: error ${rcode}`);
  }
  const lab = new NameLab();
  lab.script = (question, tcp) => question.type === "A" ? null : addresses([], ["::1"])(question, tcp);
  const began = lab.now;
  assert.equal(await lab.resolve("app.test"), "::1");
  assert.ok(lab.now - began < 3000, "the slower family is not waited for to its end");
});

test("a family that fails for once keeps its addresses", async () => {
  const lab = new NameLab();
  lab.script = addresses(["10.0.0.1"], ["2001:db8::1"], 1);
  assert.equal(await lab.resolve("app.test"), "2001:db8::1 10.0.0.1");
  lab.script = (question, tcp) =>
    question.type === "AAAA" ? { rcode: 2 } : addresses(["10.0.0.2"])(question, tcp);
  await lab.advance(1000);
  assert.equal(await lab.resolve("app.test"), "2001:db8::1 10.0.0.2");
});

test("while name servers fail the last good answer is used, for an hour", async () => {
  const lab = new NameLab({ "/resolv.conf": "nameserver 192.0.2.53\noptions timeout:5 attempts:1" });
  lab.script = addresses(["10.0.0.1"]);
  await lab.resolve("app.test");
  lab.script = () => null;
  await lab.advance(60_000);
  const began = lab.now;
  assert.equal(await lab.resolve("app.test"), "10.0.0.1");
  assert.equal(lab.now - began, 1800, "RFC 8767: after 1.8 s of silence");
  assert.equal(await lab.resolve("app.test"), "10.0.0.1");
  assert.equal(lab.now - began, 1800, "and at once from then on");
  await lab.advance(3_600_000);
  assert.equal(await lab.resolve("app.test"), "dns_timeout");
});

test("that the name is gone counts: no old answer is used then", async () => {
  const lab = new NameLab();
  lab.script = addresses(["10.0.0.1"], [], 1);
  await lab.resolve("app.test");
  lab.script = () => ({ rcode: 3 });
  await lab.advance(1000);
  assert.equal(await lab.resolve("app.test"), "dns_error");
});

test("the hosts file, and its changes", async () => {
  const lab = new NameLab({ "/hosts": "10.0.0.9 app.test app\n" });
  assert.equal(await lab.resolve("app.test"), "10.0.0.9");
  assert.equal(await lab.resolve("app"), "10.0.0.9");
  assert.deepEqual(lab.asked, []);
  lab.system.files.set("/hosts", "10.0.0.8 app.test\n");
  await lab.advance(5000);
  assert.equal(await lab.resolve("app.test"), "10.0.0.8");
});

test("nsswitch.conf: name servers before the hosts file, and neither", async () => {
  const lab = new NameLab({
    "/hosts": "10.0.0.9 app.test\n10.0.0.7 only.test\n",
    "/nsswitch.conf": "hosts: dns files",
  });
  lab.script = (question, tcp) =>
    question.name === "app.test" ? addresses(["10.0.0.1"])(question, tcp) : { rcode: 3 };
  assert.equal(await lab.resolve("app.test"), "10.0.0.1");
  assert.equal(await lab.resolve("only.test"), "10.0.0.7");
});

test("names that only the platform knows are left to it", async () => {
  const lab = new NameLab({
    "/nsswitch.conf": "hosts: files mdns4_minimal [NOTFOUND=return] dns mymachines",
  });
  lab.platform.network.setName("printer.local", ["10.0.0.5"]);
  lab.platform.network.setName("machine", ["10.0.0.6"]);
  assert.equal(await lab.resolve("printer.local"), "10.0.0.5");
  assert.deepEqual(lab.asked, [], "multicast names are not for name servers");
  assert.equal(await lab.resolve("machine"), "10.0.0.6");
  assert.deepEqual(lab.asked.length, 2);
});

test("the search list: until one of the names exists", async () => {
  const lab = new NameLab({
    "/resolv.conf": "nameserver 192.0.2.53\nsearch ns.svc.cluster.local cluster.local\noptions ndots:5\n",
  });
  lab.script = (question, tcp) =>
    question.name === "app.cluster.local" ? addresses(["10.0.0.1"])(question, tcp) : { rcode: 3 };
  assert.equal(await lab.resolve("app"), "10.0.0.1");
  assert.deepEqual(lab.asked.filter((line) => line.endsWith(" A")), [
    "app.ns.svc.cluster.local A",
    "app.cluster.local A",
  ]);
});

test("resolv.conf that changes counts, also when it was missing", async () => {
  const lab = new NameLab();
  lab.system.files.delete("/resolv.conf");
  lab.platform.network.datagramPeers.set("127.0.0.1 53", "refuses");
  lab.script = addresses(["10.0.0.1"]);
  assert.equal(await lab.resolve("app.test"), "dns_error");
  lab.system.files.set("/resolv.conf", "nameserver 192.0.2.53\n");
  await lab.advance(1000);
  assert.equal(await lab.resolve("app.test"), "10.0.0.1");
});

test("servers in turn", async () => {
  const lab = new NameLab({ "/resolv.conf": "nameserver 192.0.2.1\nnameserver 192.0.2.2\noptions rotate\n" });
  const asked: string[] = [];
  for (const host of ["192.0.2.1", "192.0.2.2"]) {
    lab.serve(host, (question, tcp) => {
      asked.push(host);
      return addresses(["10.0.0.1"])(question, tcp);
    });
  }
  for (const name of ["a.test", "b.test"]) await lab.resolve(name);
  assert.deepEqual(new Set(asked).size, 2);
});

test("without such files the platform is asked: once per name, and two at a time", async () => {
  const { createMemoryRuntime } = await import("../../support/memory_runtime.ts");
  const { MemorySystem } = await import("../../support/memory_system.ts");
  const { namedRuntime } = await import("../../../src/resolve/named_runtime.ts");
  const platform = createMemoryRuntime();
  const waiting: (() => void)[] = [];
  const asked: string[] = [];
  const resolve = (name: string): Promise<readonly string[]> => {
    asked.push(name);
    return new Promise((done) => waiting.push(() => done(["10.0.0.1"])));
  };
  const runtime = namedRuntime(Object.assign(Object.create(platform), { resolve }), new MemorySystem());
  const all = ["a", "a", "b", "c", "d", "a"].map((name) => runtime.resolve(`${name}.test`));
  await platform.network.settle();
  assert.deepEqual(asked, ["a.test", "b.test"]);
  waiting.shift()?.();
  await platform.network.settle();
  assert.deepEqual(asked, ["a.test", "b.test", "c.test"]);
  while (waiting.length > 0) {
    waiting.shift()?.();
    await platform.network.settle();
  }
  assert.deepEqual(await Promise.all(all), all.map(() => ["10.0.0.1"]));
  assert.deepEqual(asked, ["a.test", "b.test", "c.test", "d.test"]);
});
