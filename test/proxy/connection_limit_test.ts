/** max_connections: who comes beyond it is told so, and takes nobody's place by being told. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { message, withLab } from "./lab.ts";

const GET = message(["GET / HTTP/1.1", "Host: a"]);

test("a connection beyond max_connections is answered with 503 and closed", () =>
  withLab("max_connections: 2", async ({ origin, connect, proxy }) => {
    origin.auto(() => "ok");
    const [first, second] = [await connect(), await connect()];
    assert.equal((await first.ask(GET)).text, "ok");
    assert.equal((await second.ask(GET)).text, "ok");
    const third = await connect();
    const refused = await third.readResponse();
    assert.equal(refused.status, 503);
    assert.equal(refused.field("Proxy-Status"), "sluice; error=too_many_connections");
    assert.equal(refused.field("Retry-After"), "1");
    assert.equal(refused.field("Connection"), "close");
    assert.equal(await third.readToEnd(), "");
    assert.equal(proxy.ended[2]?.reason, "too_many_connections");
    assert.equal((await first.ask(GET)).text, "ok", "those within are not disturbed");
  }));

test("connections that are being refused do not count", () =>
  withLab("max_connections: 2", async ({ origin, connect, proxy }) => {
    origin.auto(() => "ok");
    const [first, second] = [await connect(), await connect()];
    await first.ask(GET);
    await second.ask(GET);
    // They have their answer, and stay as long as they are let.
    for (let index = 0; index < 3; index++) {
      assert.equal((await (await connect()).readResponse()).status, 503);
    }
    const before = proxy.gateway.connections;
    first.destroy();
    await proxy.until("the first to be gone", () => proxy.gateway.connections < before);
    assert.equal((await (await connect()).ask(GET)).text, "ok");
    assert.equal((await second.ask(GET)).text, "ok");
  }));

test("of very many connections beyond it, most are dropped without an answer", () =>
  withLab("max_connections: 1", async ({ origin, connect, proxy }) => {
    origin.auto(() => "ok");
    const first = await connect();
    await first.ask(GET);
    const refused = await Promise.all(Array.from({ length: 300 }, () => connect()));
    for (const client of refused) await client.readToClose();
    const answered = refused.filter((client) => client.transcript.startsWith("HTTP/1.1 503 ")).length;
    // 256 at a time; some of them may have been over before others came.
    assert.ok(answered >= 256 && answered < 300, `${answered} answered`);
    assert.ok(proxy.gateway.connections <= 257);
    assert.equal((await first.ask(GET)).text, "ok");
  }));
