/** Several endpoints: one that fails is left alone while the others serve, and comes back by itself. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestProxy } from "../support/proxy.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async function withTwo(
  yaml: string,
  run: (a: ScriptedOrigin, b: ScriptedOrigin, proxy: TestProxy) => Promise<void>,
): Promise<void> {
  const a = await ScriptedOrigin.listen();
  const b = await ScriptedOrigin.listen();
  const proxy = await TestProxy.start(`to: "${a.address},${b.address}"\n${yaml}`);
  try {
    await run(a, b, proxy);
    assert.deepEqual([...a.autoErrors, ...b.autoErrors], []);
    assert.equal(proxy.upstream().inFlight, 0);
  } finally {
    await proxy.stop();
    await a.close();
    await b.close();
  }
}

test("requests go round the endpoints", async () => {
  await withTwo("", async (a, b, proxy) => {
    a.auto(() => "a");
    b.auto(() => "b");
    const client = await RawClient.connect(proxy.port);
    let said = "";
    for (let i = 0; i < 8; i++) said += (await client.ask(GET)).text;
    assert.match(said, /^(abababab|babababa)$/);
    client.destroy();
  });
});

test("a fresh connection that dies unanswered: the next endpoint gets the request", async () => {
  for (const hold of ["30s", "0"]) {
    await withTwo(`hold: ${hold}`, async (a, b, proxy) => {
      a.auto((_, peer) => {
        peer.reset();
        return null;
      });
      b.auto((request) => `b ${request.method}`);
      const client = await RawClient.connect(proxy.port);
      // Whichever comes first: after two requests both endpoints have been tried.
      for (const method of ["GET", "DELETE", "GET"]) {
        const response = await client.ask(GET.replace("GET", method));
        assert.equal(response.text, `b ${method}`, `hold ${hold}`);
      }
      assert.deepEqual(proxy.events, [`down ${a.address} connection_terminated`]);
      assert.ok(a.connections <= 3, `${a.connections} connections to the bad one`);
      client.destroy();
    });
  }
});

test("an endpoint that is down costs nobody anything, and is used again after its return", async () => {
  for (const close of [false, true]) {
    await withTwo("", async (a, b, proxy) => {
      a.auto(() => ({ body: "a", close }));
      b.auto(() => ({ body: "b", close }));
      const client = await RawClient.connect(proxy.port);
      await client.ask(GET);
      await client.ask(GET);
      await b.stopListening();
      for (const peer of b.peers) peer.destroy();
      await proxy.until("idle connections to go", () => proxy.upstream().endpoints[1]?.pool.size === 0);
      for (let i = 0; i < 10; i++) {
        const response = await client.ask(GET.replace("GET", i % 2 === 0 ? "GET" : "PATCH"));
        assert.deepEqual([response.status, response.text], [200, "a"]);
      }
      assert.deepEqual(proxy.events, [`down ${b.address} connection_refused`]);
      await b.listenAgain();
      const said = new Set<string>();
      await proxy.until("b to serve again", () => {
        void askOnce(proxy.port, GET).then(({ text }) => said.add(text)).catch(() => said.add("failed"));
        return said.has("b");
      });
      await proxy.until("all to end", () => proxy.upstream().inFlight + proxy.upstream().waiting === 0);
      assert.ok(!said.has("failed"));
      assert.equal(proxy.events.at(-1), `up ${b.address}`);
      client.destroy();
    });
  }
});

test("with all endpoints away requests are held, and the first to return serves them", async () => {
  await withTwo("", async (a, b, proxy) => {
    a.auto(() => "a");
    b.auto(() => "b");
    await a.stopListening();
    await b.stopListening();
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(proxy.port)));
    for (const client of clients) await client.send(GET);
    await proxy.until("five to wait", () => proxy.upstream().waiting === 5 && proxy.upstream().allDown);
    await b.listenAgain();
    for (const client of clients) {
      assert.equal((await client.readResponse()).text, "b");
      client.destroy();
    }
    for (const { heldMs } of proxy.ended) assert.ok(heldMs > 0);
  });
});

test("max_in_flight counts for each endpoint", async () => {
  await withTwo("max_in_flight: 2", async (a, b, proxy) => {
    const open = { a: 0, b: 0 };
    const most = { a: 0, b: 0 };
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => release = resolve);
    for (const [name, origin] of [["a", a], ["b", b]] as const) {
      origin.auto(async () => {
        most[name] = Math.max(most[name], ++open[name]);
        await gate;
        open[name]--;
        return name;
      });
    }
    const asked = Array.from({ length: 12 }, () => askOnce(proxy.port, GET));
    await proxy.until(
      "four in flight",
      () => open.a + open.b === 4 && proxy.upstream().waiting === 8,
    );
    release();
    for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
    assert.deepEqual(most, { a: 2, b: 2 });
  });
});
