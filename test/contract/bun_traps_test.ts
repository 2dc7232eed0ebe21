/**
 * Scenarios for what Bun's native sockets do beyond, or against, their documentation; the list is at the
 * head of runtime/bun/native.ts. All of it is plain contract, so it runs against every adapter.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import * as net from "node:net";
import { test } from "node:test";
import type { ClientTls, Runtime, RuntimeOptions, ServerTls } from "../../runtime/contract/contract.ts";
import { localhostCertificate, testAuthority, wildcardCertificate } from "../support/certificates.ts";
import { type Lab, runScenario } from "./lab.ts";
import { Pattern } from "./pattern.ts";
import { turns } from "./watch.ts";

const harness = { makeRuntime: await adapterFactory(), scenarios: [] };

async function adapterFactory(): Promise<(options: RuntimeOptions) => Runtime> {
  if ("Bun" in globalThis) return (await import("../../runtime/bun/adapter.ts")).createBunRuntime;
  if ("Deno" in globalThis) return (await import("../../runtime/deno/adapter.ts")).createDenoRuntime;
  return (await import("../../runtime/node/adapter.ts")).createNodeRuntime;
}

function scenario(name: string, run: (lab: Lab) => Promise<void>): void {
  test(`bun traps: ${name}`, { timeout: 30_000 }, () => runScenario(harness, { name, run }));
}

const SERVER_TLS: ServerTls = { ...localhostCertificate, alpn: ["http/1.1"] };
const CLIENT_TLS: ClientTls = {
  serverName: "localhost",
  verify: true,
  ca: testAuthority,
  alpn: ["http/1.1"],
};

const TRANSPORTS = [
  { over: "TCP", listen: { tls: null }, dial: { tls: null } },
  { over: "TLS", listen: { tls: SERVER_TLS }, dial: { tls: CLIENT_TLS } },
] as const;

for (const { over, listen, dial } of TRANSPORTS) {
  scenario(`${over}: a reset behind unread bytes brings none of them while paused`, async (lab) => {
    const { client, server } = await lab.pair(listen, dial, { server: (end) => end.pause() });
    client.say("never read");
    await turns();
    client.abort();
    await turns();
    // The watch faults data while paused. Platforms that wait for the bytes to be read tell it now.
    server.resume();
    if (lab.runtime.capabilities.abortSendsReset) await server.whenClosed("reset");
    else await server.until("the drop", () => server.endedSeen || server.closedWith !== null);
  });

  scenario(`${over}: a write that meets a reset while paused ends in closed all the same`, async (lab) => {
    const { client, server } = await lab.pair(listen, dial, { server: (end) => end.pause() });
    client.abort();
    const bytes = new Uint8Array(100);
    while (server.closedWith === null) {
      server.write(bytes);
      await turns(1);
    }
    await server.whenClosed("reset");
  });

  scenario(`${over}: a write that meets a reset is no orderly end`, async (lab) => {
    if (!lab.runtime.capabilities.abortSendsReset) return; // No reset to meet.
    const { client, server } = await lab.pair(listen, dial);
    client.say("before the reset");
    client.abort();
    server.write(new Uint8Array(100));
    server.write(new Uint8Array(100));
    await server.whenClosed("reset");
    assert.equal(server.endedSeen, false);
  });

  scenario(`${over}: bytes and FIN that come together are told apart by a pause in between`, async (lab) => {
    const { client, server } = await lab.pair(listen, dial);
    server.onData = () => server.pause();
    client.offer(new Pattern(31), 20_000);
    client.finish();
    await server.until("data", () => server.receivedBytes > 0);
    await turns();
    assert.equal(server.endedSeen, false);
    server.onData = () => {};
    server.resume();
    assert.equal(server.endedSeen, false, "not inside the call");
    await server.whenEnded();
    assert.equal(server.receivedBytes, client.sentBytes);
  });

  scenario(`${over}: when both have finished, a pause holds back bytes and end in order`, async (lab) => {
    const { client, server } = await lab.pair(listen, dial);
    server.onData = () => server.pause();
    server.finish();
    client.say("the last words");
    client.finish();
    await server.until("data", () => server.receivedBytes > 0);
    await turns();
    server.resume();
    await server.whenClosed("finished");
    assert.equal(server.text, "the last words");
  });

  scenario(`${over}: aborted while bytes and end are held back by a pause`, async (lab) => {
    const { client, server } = await lab.pair(listen, dial);
    server.onData = () => server.pause();
    client.say("the last words");
    client.finish();
    await server.until("data", () => server.receivedBytes > 0);
    await turns();
    server.abort();
    await server.whenClosed("aborted");
  });
}

scenario(
  "TCP: what is written as the last leaves before the reset of a close with unread bytes",
  async (lab) => {
    const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
    client.say("never read");
    await turns();
    const answer = new TextEncoder().encode("answer");
    assert.equal(server.write(answer, 0, answer.length, true), answer.length);
    server.close();
    await client.until("the answer", () => client.text === "answer");
  },
);

scenario("TLS: close with ciphertext stuck sends all of it to a slow reader", async (lab) => {
  const { client, server } = await lab.pair({ tls: SERVER_TLS }, { tls: CLIENT_TLS });
  const pattern = new Pattern(32);
  client.pause();
  client.expects = pattern;
  server.fill(pattern);
  server.close();
  await turns();
  client.resume();
  await client.whenEnded();
  assert.equal(client.receivedBytes, server.sentBytes);
  await server.whenClosed("finished");
});

scenario("TLS: abort after close, while ciphertext is stuck", async (lab) => {
  const { client, server } = await lab.pair({ tls: SERVER_TLS }, { tls: CLIENT_TLS });
  client.pause();
  server.fill(new Pattern(33));
  server.close();
  await turns();
  // Unless the platform found room in the kernel for everything.
  const closed = server.closedWith?.code ?? "aborted";
  server.abort();
  await server.whenClosed(closed);
});

scenario("TLS: close without anything stuck does not wait for the peer", async (lab) => {
  const { client, server } = await lab.pair({ tls: SERVER_TLS }, { tls: CLIENT_TLS });
  client.pause();
  server.say("bye");
  server.close();
  await server.whenClosed("finished");
  client.resume();
  await client.whenEnded();
  assert.equal(client.text, "bye");
});

scenario("TLS: a record that was tampered with is no orderly end", async (lab) => {
  const host = await lab.listen({ tls: SERVER_TLS });
  let toServer: net.Socket | null = null;
  const between = net.createServer((fromClient) => {
    toServer = net.connect(host.port, "127.0.0.1");
    fromClient.pipe(toServer).pipe(fromClient);
    fromClient.on("error", () => {});
    toServer.on("error", () => {});
  });
  lab.defer(() => between.close());
  await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
  const { port } = between.address() as net.AddressInfo;
  const client = await lab.dial({ kind: "tcp", host: "127.0.0.1", port }, { tls: CLIENT_TLS });
  const server = await host.accept();
  client.say("fine");
  await server.whenReceived(4);
  // A record of application data that no key has made.
  const forged = Uint8Array.of(23, 3, 3, 0, 32, ...new Uint8Array(32));
  (toServer as net.Socket | null)?.write(forged);
  await server.whenClosed("failed");
  assert.equal(server.endedSeen, false);
});

scenario("TLS: a certificate chosen by name, and ALPN with it", async (lab) => {
  if (!lab.runtime.capabilities.serverNames) return;
  const names = [{ name: "*.example.test", ...wildcardCertificate }];
  const host = await lab.listen({ tls: { ...SERVER_TLS, names } });
  const tls = { ...CLIENT_TLS, serverName: "shop.example.test" };
  const client = await lab.dial(host.address, { tls });
  const server = await host.accept();
  assert.equal(client.socket.tls?.alpn, "http/1.1");
  assert.equal(server.socket.tls?.serverName, "shop.example.test");
});

scenario("TLS: an address as server name is checked, and not sent as SNI", async (lab) => {
  const host = await lab.listen({ tls: SERVER_TLS });
  await lab.dial(host.address, { tls: { ...CLIENT_TLS, serverName: "127.0.0.1" } });
  const server = await host.accept();
  assert.equal(server.socket.tls?.serverName, "");
  const wrong = await lab.dialFailure(host.address, { tls: { ...CLIENT_TLS, serverName: "127.0.0.2" } });
  assert.equal(wrong.code, "tls_certificate_error");
});

scenario("1,000 refused dials leave no descriptor behind", async (lab) => {
  const host = await lab.listen();
  const address = host.address;
  await host.close();
  const descriptors = (): number => {
    try {
      return readdirSync("/proc/self/fd").length;
    } catch {
      return 0; // Not Linux: only the failures count.
    }
  };
  assert.equal((await lab.dialFailure(address)).code, "connection_refused");
  const before = descriptors();
  for (let i = 0; i < 1000; i++) await lab.dialFailure(address);
  assert.ok(descriptors() <= before + 2, "descriptors leak");
});
