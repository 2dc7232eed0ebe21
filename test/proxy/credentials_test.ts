/** Credentials of ours, over real sockets: challenges are answered on the connection that they have come on. */

import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { GuardedServer, type GuardScheme } from "../support/guarded_server.ts";
import { listenOn } from "../support/listen_on.ts";
import type { Peer } from "../support/memory_lab.ts";
import { MemorySystem } from "../support/memory_system.ts";
import type { PlaneBackend } from "../support/plane_lab.ts";
import { TestProxy } from "../support/proxy.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { message } from "./lab.ts";

interface Scene {
  readonly guard: GuardedServer;
  readonly proxy: TestProxy;
}

/** @param forward it is a parent proxy */
async function withGuard(
  scheme: GuardScheme,
  forward: boolean,
  scene: (scene: Scene) => Promise<void>,
): Promise<void> {
  const scripted: Pick<PlaneBackend, "script"> = { script: null };
  const guard = new GuardedServer(scripted as PlaneBackend, { svc: "secret" }, [scheme], forward);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    const peer = {
      received: "",
      say: (text: string) => socket.write(text, "latin1"),
      socket: { close: () => socket.end() },
    };
    socket.on("data", (bytes) => {
      peer.received += bytes.toString("latin1");
      for (let end = peer.received.indexOf("\r\n\r\n"); end >= 0; end = peer.received.indexOf("\r\n\r\n")) {
        const head = peer.received.slice(0, end + 4);
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (peer.received.length < head.length + length) return;
        peer.received = peer.received.slice(head.length);
        scripted.script?.(peer as unknown as Peer, head);
      }
    });
  });
  const port = await listenOn(server, 0);
  const system = new MemorySystem({ files: { "/secret": "secret" } });
  const where = forward
    ? `forward: {listen: 3128, parents: ["http://127.0.0.1:${port} credential=corp"]}`
    : `to: ${port}\ncredential: corp`;
  const proxy = await TestProxy.start(
    `${where}\ncredentials: {corp: {scheme: ${scheme}, user: svc, password_file: /secret}}\n`,
    { system, forward },
  );
  try {
    await scene({ guard, proxy });
  } finally {
    await proxy.stop();
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((closed) => server.close(() => closed()));
  }
}

for (const scheme of ["basic", "digest", "ntlm"] as const) {
  test(`${scheme}: an origin that asks is answered, and many requests at a time are as well`, async () => {
    await withGuard(scheme, false, async ({ guard, proxy }) => {
      const body = "b".repeat(20_000);
      const first = await askOnce(
        proxy.port,
        message(["POST /a HTTP/1.1", "Host: x", "Content-Length: 20000"], body),
      );
      assert.equal(first.text, `svc /a ${body}`);
      const targets = Array.from({ length: 40 }, (_, at) => `/${at}`);
      const answers = await Promise.all(
        targets.map((target) => askOnce(proxy.port, message([`GET ${target} HTTP/1.1`, "Host: x"]))),
      );
      assert.deepEqual(answers.map(({ text }) => text), targets.map((target) => `svc ${target} `));
      assert.ok(guard.asked.every(({ field, user }) => field !== "" || user !== "" || scheme !== "basic"));
    });
  });

  test(`${scheme}: a parent that asks is answered, for requests and for CONNECT`, async () => {
    await withGuard(scheme, true, async ({ proxy }) => {
      const answer = await askOnce(
        proxy.port,
        message(["GET http://a.example/ HTTP/1.1", "Host: a.example"]),
      );
      assert.equal(answer.text, "svc http://a.example/ ");
      const client = await RawClient.connect(proxy.port);
      await client.send(message(["CONNECT a.example:443 HTTP/1.1", "Host: a.example:443"]));
      assert.match(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 /);
      client.destroy();
    });
  });
}
