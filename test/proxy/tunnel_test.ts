/** After the 101: bytes both ways, half-closes, resets, silence, and a side that does not read. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RawClient } from "../support/raw_client.ts";
import type { Peer } from "../support/scripted_origin.ts";
import { waitsForReader } from "./bulk.ts";
import { type Lab, message, withLab } from "./lab.ts";

const ASK = message([
  "GET /chat HTTP/1.1",
  "Host: a",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]);
const SWITCH = message([
  "HTTP/1.1 101 Switching Protocols",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
]);

/** An open tunnel. */
async function open({ begin }: Lab): Promise<{ client: RawClient; peer: Peer }> {
  const { client, peer } = await begin(ASK);
  await peer.readRequest();
  await peer.send(SWITCH);
  await client.readUntil("\r\n\r\n");
  return { client, peer };
}

test("a client that has ended still hears the endpoint", () =>
  withLab("", async (lab) => {
    const { client, peer } = await open(lab);
    await client.send("last words");
    await client.halfClose();
    assert.equal(await peer.readToEnd(), "last words");
    await peer.send("goodbye");
    await client.readUntil("goodbye");
    await peer.halfClose();
    assert.equal(await client.untilClosed(), "ended");
    const { reason, detail } = await lab.proxy.endedAt(0);
    assert.equal(reason + detail, "");
  }));

test("an endpoint that has ended still hears the client", () =>
  withLab("", async (lab) => {
    const { client, peer } = await open(lab);
    await peer.send("last words");
    await peer.halfClose();
    assert.equal(await client.readToEnd(), "last words");
    await client.send("goodbye");
    await peer.readUntil("goodbye");
    await client.halfClose();
    assert.equal(await peer.untilClosed(), "ended");
    const { reason, detail } = await lab.proxy.endedAt(0);
    assert.equal(reason + detail, "");
  }));

test("a reset of the client ends the endpoint's side", () =>
  withLab("", async (lab) => {
    const { client, peer } = await open(lab);
    client.reset();
    const end = await peer.readToClose();
    assert.equal(end, lab.proxy.runtime.capabilities.abortSendsReset ? "reset" : "ended");
    const { reason, detail, status } = await lab.proxy.endedAt(0);
    assert.equal(`${status} ${reason} ${detail}`, "101  client_reset");
    assert.equal(lab.proxy.upstream().inFlight, 0);
  }));

test("a reset of the endpoint ends the client's side", () =>
  withLab("", async (lab) => {
    const { client, peer } = await open(lab);
    peer.reset();
    const end = await client.readToClose();
    assert.equal(end, lab.proxy.runtime.capabilities.abortSendsReset ? "reset" : "ended");
    const { reason, detail } = await lab.proxy.endedAt(0);
    assert.equal(`${reason} ${detail}`, "connection_terminated upstream_reset");
  }));

test("a silent tunnel is ended", () =>
  withLab("tunnel_idle_timeout: 100ms", async (lab) => {
    const { client, peer } = await open(lab);
    await peer.readToClose();
    await client.readToClose();
    const { reason, detail } = await lab.proxy.endedAt(0);
    assert.equal(`${reason} ${detail}`, "connection_read_timeout idle");
    assert.equal(lab.proxy.gateway.connections, 0);
  }));

test("a side that ended, beside one that never reads, does not stay for ever", () =>
  withLab("tunnel_idle_timeout: 200ms", async (lab) => {
    const { client, peer } = await open(lab);
    peer.pause();
    await peer.halfClose();
    await client.readToEnd();
    // More than the kernel takes, so that some of it waits in the proxy; then the client leaves in order.
    const sent = client.send(new Uint8Array(24 * 1024 * 1024)).catch(() => {});
    await client.halfClose().catch(() => {});
    const { detail } = await lab.proxy.endedAt(0);
    assert.equal(detail, "idle");
    assert.equal(lab.proxy.upstream().inFlight, 0);
    client.destroy();
    await sent;
  }));

for (const direction of ["up", "down"] as const) {
  test(`bulk data ${direction} a tunnel waits for its reader and arrives whole`, () =>
    withLab("", async (lab) => {
      const { client, peer } = await open(lab);
      await (direction === "up" ? waitsForReader(client, peer) : waitsForReader(peer, client));
    }));
}
