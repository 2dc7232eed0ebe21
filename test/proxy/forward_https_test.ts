/** https:// URLs that clients ask for in absolute form: fetched in TLS with the origin, verified, and never in clear. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { localhostCertificate, otherAuthority, testAuthority } from "../support/certificates.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { FILES as NAMES } from "../support/name_lab.ts";
import { TestProxy } from "../support/proxy.ts";
import { askOnce } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { ScriptedParent } from "../support/scripted_parent.ts";
import { message } from "./lab.ts";

async function scene(
  forward: string,
  more: string,
  act: (ask: (url: string) => ReturnType<typeof askOnce>, origin: ScriptedOrigin) => Promise<void>,
): Promise<void> {
  const origin = await ScriptedOrigin.listen({ tls: localhostCertificate });
  origin.auto((request) => `${request.method} ${request.target} for ${request.field("host")}`);
  const system = new MemorySystem({
    nameFiles: NAMES,
    files: {
      [NAMES.hosts]: "127.0.0.1 localhost other.test\n",
      [NAMES.servers]: "",
      "/ca.pem": testAuthority,
      "/other.pem": otherAuthority,
    },
  });
  const proxy = await TestProxy.start(`forward: {listen: 3128${forward}}\n${more}`, {
    system,
    forward: true,
  });
  try {
    await act(
      (url) => askOnce(proxy.port, message([`GET ${url} HTTP/1.1`, "Host: x", "Connection: close"])),
      origin,
    );
  } finally {
    await proxy.stop();
    await origin.close();
  }
}

const CA = "upstream_tls: {ca: /ca.pem}\n";

test("by its name, in TLS; connections are kept apart from those in clear", () =>
  scene(", https: true", CA, async (ask, origin) => {
    const { port } = origin;
    for (let round = 0; round < 2; round++) {
      const answer = await ask(`https://localhost:${port}/x?y`);
      assert.deepEqual([answer.status, answer.text], [200, `GET /x?y for localhost:${port}`]);
    }
    assert.equal(origin.peers.length, 1);
    // Nobody speaks plain HTTP there.
    assert.equal((await ask(`http://localhost:${port}/x`)).status, 502);
  }));

test("a certificate of somebody else, or for another name: 502 that says so, at once, and not a byte of the request", async () => {
  for (const [ca, host] of [["/other.pem", "localhost"], ["/ca.pem", "other.test"]] as const) {
    await scene(', https: true, hold_direct: "*=20s"', `upstream_tls: {ca: ${ca}}\n`, async (ask, origin) => {
      const { status, reason } = await ask(`https://${host}:${origin.port}/x`);
      assert.equal(status, 502);
      assert.match(reason, /its certificate is not valid/);
      assert.deepEqual(origin.autoErrors, []);
    });
  }
});

test("501 unless it is wanted", () =>
  scene("", CA, async (ask, origin) => {
    const { status, reason } = await ask(`https://localhost:${origin.port}/x`);
    assert.equal(status, 501);
    assert.match(reason, /use CONNECT for https/);
    assert.equal(origin.peers.length, 0);
  }));

test("held for while it is away, as others are", () =>
  scene(", https: true, hold_direct: localhost=20s", CA, async (ask, origin) => {
    await origin.stopListening();
    const answer = ask(`https://localhost:${origin.port}/late`);
    await origin.listenAgain();
    assert.equal((await answer).text, `GET /late for localhost:${origin.port}`);
  }));

test("not by way of a parent", async () => {
  const parent = await ScriptedParent.listen();
  try {
    await scene(
      `, https: true, parents: ["${parent.url}"], no_parent: localhost`,
      CA,
      async (ask, origin) => {
        const answer = await ask("https://a.test/");
        assert.equal(answer.status, 501);
        assert.match(answer.reason, /use CONNECT for https/);
        assert.equal((await ask(`https://localhost:${origin.port}/`)).status, 200);
        assert.equal(parent.connections, 0);
      },
    );
  } finally {
    await parent.kill();
  }
});
