/**
 * A client that leaves while it is not read from, because of what it has sent: its place in the queue or its slot is free, although
 * its FIN or reset stands behind bytes that nobody wants.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { adapterFactory } from "../support/adapter.ts";
import { memoryLab } from "../support/memory_lab.ts";
import type { RawClient } from "../support/raw_client.ts";
import { message, withLab } from "./lab.ts";

const { endWhilePaused } = (await adapterFactory())({ onHandlerError: () => {} }).capabilities;
const options = {
  skip: endWhilePaused ? false : "capability: endWhilePaused, paused sockets are not looked at here",
};

const H = "Host: a";
/**
 * More than is read, and no more than the kernel has room for behind that: a FIN that has to wait in the client's kernel until ours
 * has room is seen by nobody.
 */
const UPLOAD = message(["POST / HTTP/1.1", H, "Content-Length: 4000000"]) + "x".repeat(100_000);
const PIPELINED = message(["GET / HTTP/1.1", H]).repeat(3500);

const LEAVE = {
  "FIN": (client: RawClient) => void client.halfClose(),
  "reset": (client: RawClient) => client.reset(),
  "close": (client: RawClient) => client.destroy(),
} as const;

for (const [how, leave] of Object.entries(LEAVE)) {
  for (const [what, request] of [["a large body", UPLOAD], ["pipelined requests", PIPELINED]] as const) {
    for (const setting of ["abort", "finish"]) {
      test(
        `leaves with a ${how} while held, ${what}; client_half_close: ${setting}`,
        options,
        () =>
          withLab(`queue: {size: 1}\nclient_half_close: ${setting}`, async ({ origin, proxy, connect }) => {
            await origin.stopListening();
            const client = await connect();
            await client.send(request);
            await proxy.until(
              "the request to be held",
              () => proxy.upstream().waiting === 1 && proxy.events.length > 0,
            );
            leave(client);
            const { status, reason } = await proxy.endedAt(0);
            assert.equal(`${status} ${reason}`, "0 client_gone");
            await proxy.until("it to be gone", () => proxy.gateway.connections === 0);
            assert.equal(proxy.upstream().waiting, 0);
            assert.equal(proxy.upstream().bufferedBytes, 0);
          }),
      );
    }
  }

  test(
    `leaves with a ${how} while its request is served, pipelined requests`,
    options,
    () =>
      withLab("max_in_flight: 1", async ({ begin, origin, proxy, connect }) => {
        const { client, peer } = await begin(PIPELINED);
        await peer.readUntil("\r\n\r\n");
        const next = await connect();
        await next.send(message(["GET /next HTTP/1.1", H]));
        await proxy.until("the next to wait", () => proxy.upstream().waiting === 1);
        leave(client);
        const served = await origin.accept();
        assert.equal((await served.readRequest()).target, "/next");
        await served.respond({ body: "ok" });
        assert.equal((await next.readResponse()).text, "ok");
        assert.equal((await proxy.endedAt(0)).reason, "client_gone");
      }),
  );
}

test(
  "leaves a tunnel with a reset whose other side does not read",
  options,
  () =>
    withLab("", async ({ begin, proxy }) => {
      const { client, peer } = await begin(
        message([
          "GET / HTTP/1.1",
          H,
          "Connection: Upgrade",
          "Upgrade: websocket",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]),
      );
      await peer.readUntil("\r\n\r\n");
      await peer.send(
        message([
          "HTTP/1.1 101 Switching Protocols",
          "Connection: Upgrade",
          "Upgrade: websocket",
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        ]),
      );
      await client.readUntil("\r\n\r\n");
      peer.pause();
      // A frame of 100 MB begins.
      const begun = client.send(new Uint8Array([0x82, 127, 0, 0, 0, 0, 6, 0, 0, 0])).then(() =>
        client.send(new Uint8Array(50_000_000))
      ).catch(() => {});
      await proxy.until("bytes to be under way", () => proxy.gateway.tunnels === 1);
      for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
      client.reset();
      await begun;
      await proxy.until(
        "both sides to be gone",
        () => proxy.gateway.tunnels === 0 && proxy.gateway.connections === 0,
      );
      assert.equal((await proxy.endedAt(0)).detail, "client_reset");
    }),
);

test("an upload that has come whole, behind it FIN, is served with client_half_close: finish", async () => {
  const size = 200_000;
  const sizes = { receiveBufferBytes: 300_000, sendBufferBytes: 300_000 };
  for (const setting of ["finish", "abort"]) {
    const yaml = `to: 3001\nclient_half_close: ${setting}\n`;
    const { runtime, dial, origins, proxy } = await memoryLab(yaml, sizes, (peer) => {
      peer.onData = null;
      peer.socket.pause();
    });
    // What the kernels hold for the endpoint is full, and so the client is not read from.
    const client = dial();
    client.say(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${5 * size}\r\n\r\n`);
    for (let part = 0; part < 5; part++) client.say("x".repeat(size));
    runtime.network.run();
    client.socket.finish();
    runtime.network.run();
    const [peer] = origins;
    assert.ok(peer);
    if (setting === "abort") {
      assert.equal(proxy.ended[0]?.reason, "client_gone");
      continue;
    }
    assert.equal(proxy.ended.length, 0);
    peer.socket.resume();
    runtime.network.run();
    assert.equal(peer.received.split("\r\n\r\n")[1]?.length, 5 * size);
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    runtime.network.run();
    assert.match(client.received, /ok$/);
    assert.equal(proxy.ended[0]?.reason, "");
  }
});
