/** Endpoints by name: a real name server, real sockets, and files that the test writes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { WireAnswer, WireQuestion } from "../support/dns_wire.ts";
import type { ReadResponse } from "../support/http_reader.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { FILES } from "../support/name_lab.ts";
import { NameServer } from "../support/name_server.ts";
import { TestProxy } from "../support/proxy.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

interface Scene {
  readonly server: NameServer;
  readonly system: MemorySystem;
  readonly proxy: TestProxy;
  readonly origin: ScriptedOrigin;
  ask(): Promise<ReadResponse>;
}

/** A proxy whose only endpoint is app.test, and an origin on 127.0.0.1. */
async function withNames(settings: string, run: (scene: Scene) => Promise<void>): Promise<void> {
  const server = await NameServer.open();
  const origin = await ScriptedOrigin.listen();
  origin.auto(() => "here");
  const system = new MemorySystem({ nameFiles: FILES, files: { [FILES.servers]: server.conf } });
  const proxy = await TestProxy.start(`to: app.test:${origin.port}\n${settings}`, { system });
  try {
    const ask = () => askOnce(proxy.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await run({ server, system, proxy, origin, ask });
    assert.deepEqual(origin.autoErrors, []);
  } finally {
    await proxy.stop();
    await origin.close();
    await server.close();
  }
}

const here = (question: WireQuestion): WireAnswer => ({
  answers: question.type === "A" ? [{ name: question.name, type: "A", data: "127.0.0.1" }] : [],
});

test("a name that a server knows", async () => {
  await withNames("", async ({ server, ask }) => {
    server.script = here;
    assert.equal((await ask()).text, "here");
    assert.equal((await ask()).text, "here");
    assert.deepEqual(server.asked.sort(), ["app.test A", "app.test AAAA"], "kept, and asked for once");
  });
});

test("an answer that does not fit into a datagram comes over TCP", async () => {
  await withNames("", async ({ server, ask }) => {
    server.script = (question, tcp) => tcp ? here(question) : { truncated: true };
    assert.equal((await ask()).text, "here");
    assert.ok(server.asked.includes("app.test A tcp"));
  });
});

test("the first address has no route, the second refuses, the third is there", async () => {
  await withNames("", async ({ server, ask }) => {
    server.script = ({ name, type }) => ({
      answers: type === "A"
        ? ["255.255.255.255", "127.0.0.2", "127.0.0.1"].map((data) => ({ name, type: "A" as const, data }))
        : [{ name, type: "AAAA" as const, data: "100::1" }],
    });
    assert.equal((await ask()).text, "here");
  });
});

test("requests wait for a name that does not exist yet", async () => {
  await withNames("", async ({ server, proxy, ask }) => {
    const answer = ask();
    await proxy.until("the endpoint to be down", () => proxy.events.length > 0);
    assert.match(proxy.events[0] ?? "", /^down app\.test:\d+ dns_error$/);
    server.script = here;
    assert.equal((await answer).text, "here");
  });
});

test("without holding: 502 for a name that does not exist, 504 when no server answers", async () => {
  await withNames("hold: 0s\nconnect_timeout: 300ms", async ({ server, ask }) => {
    const absent = await ask();
    assert.equal(absent.status, 502);
    assert.match(absent.field("Proxy-Status") ?? "", /^sluice; error=dns_error/);
    server.script = () => null;
    let silent = absent;
    // For a moment it is remembered that there is no such name.
    while (silent.status === 502) silent = await ask();
    assert.equal(silent.status, 504);
    assert.match(silent.field("Proxy-Status") ?? "", /^sluice; error=dns_timeout/);
  });
});

test("names that nobody answers for hold up no other upstream", async () => {
  const silent = Array.from({ length: 12 }, (_, at) => `s${at}.silent.test:1`).join(", ");
  const settings = `upstreams: {slow: [${silent}]}\nroutes: [{match: {path: /slow}, to: slow}]`;
  await withNames(settings, async ({ server, proxy, ask }) => {
    server.script = (question) => question.name.endsWith("silent.test") ? null : here(question);
    const clients = await Promise.all(Array.from({ length: 24 }, () => RawClient.connect(proxy.port)));
    for (const client of clients) await client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    await proxy.until("all silent names to be asked for", () => {
      return new Set(server.asked.filter((line) => line.includes("silent"))).size === 24;
    });
    assert.equal((await ask()).text, "here");
    for (const client of clients) client.destroy();
  });
});

test("the hosts file, read anew", async () => {
  await withNames("", async ({ server, system, proxy, ask }) => {
    const answer = ask();
    await proxy.until("the endpoint to be down", () => proxy.events.length > 0);
    system.files.set(FILES.hosts, "127.0.0.1 app.test\n");
    assert.equal((await answer).text, "here");
    assert.ok(server.asked.length > 0);
  });
});
