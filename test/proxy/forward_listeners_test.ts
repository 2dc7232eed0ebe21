/** Listeners of the forward proxy beside those for routes, over reloads. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../support/free_port.ts";
import { askOnce } from "../support/raw_client.ts";
import { type Served, serveForward } from "./forward_lab.ts";

interface Scene extends Served {
  /** Status of an answer to GET of a path, GET of a URL of the origin, and CONNECT to it. */
  asked(port: number): Promise<readonly number[]>;
}

/** `ORIGIN` in the configuration is the origin's address. */
async function scene(yaml: string, act: (scene: Scene) => Promise<void>): Promise<void> {
  await serveForward(yaml, {}, async (served) => {
    served.origin.auto(() => "origin");
    const { there } = served;
    const end = "Connection: close\r\n\r\n";
    await act({
      ...served,
      asked: async (at) => {
        const path = await askOnce(at, `GET / HTTP/1.1\r\nHost: a.test\r\n${end}`);
        const url = await askOnce(at, `GET http://${there}/ HTTP/1.1\r\nHost: ${there}\r\n${end}`);
        const tunnel = await askOnce(at, `CONNECT ${there} HTTP/1.1\r\nHost: ${there}\r\n\r\n`, {
          method: "CONNECT",
        });
        return [path.status, url.status, tunnel.status];
      },
    });
  });
}

test("the proxy alone: no other listener, and a path is not for it", async () => {
  await scene('forward: "127.0.0.1:0"\n', async ({ asked, system, plane }) => {
    const port = Number(system.files.get("ports"));
    assert.deepEqual(await asked(port), [400, 200, 200]);
    assert.deepEqual((await plane.status()).listeners, [`forward://127.0.0.1:${port}`]);
  });
});

test("beside routes, on a port of its own: both are in the port file", async () => {
  const yaml = 'listen: "127.0.0.1:0"\nforward: "127.0.0.1:0"\nto: ORIGIN\n';
  await scene(yaml, async ({ asked, system }) => {
    const [routes = 0, proxy = 0] = String(system.files.get("ports")).trim().split("\n").map(Number);
    const [path, , tunnel] = await asked(routes);
    assert.equal(path, 200);
    assert.notEqual(tunnel, 200);
    assert.deepEqual((await asked(proxy)).slice(1), [200, 200]);
  });
});

test("the admin listener is no destination, on whatever port it is", async () => {
  await scene('forward: "127.0.0.1:0"\nadmin: "127.0.0.1:0"\n', async ({ system, port }) => {
    const admin = /status page and metrics on (127\.0\.0\.1:\d+)/.exec(system.stderr)?.[1] ?? "";
    assert.notEqual(admin, "");
    for (const line of [`GET http://${admin}/metrics`, `CONNECT ${admin}`]) {
      const { status } = await askOnce(port, `${line} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.equal(status, 508, line);
    }
  });
});

test("one listener for both, which a reload makes it and takes back", async () => {
  const port = await freePort();
  const reverse = `listen: "127.0.0.1:${port}"\nto: ORIGIN\n`;
  await scene(reverse, async ({ asked, reload }) => {
    assert.notEqual((await asked(port))[2], 200);
    assert.deepEqual(await reload(`${reverse}forward: ${port}\n`), [
      `listen: + forward://127.0.0.1:${port}`,
      `listen: - 127.0.0.1:${port}`,
    ]);
    assert.deepEqual(await asked(port), [200, 200, 200]);
    await reload(`${reverse}forward: {listen: ${port}, deny: "ORIGIN"}\n`);
    assert.deepEqual(await asked(port), [200, 403, 403]);
    await reload(reverse);
    const [path, , tunnel] = await asked(port);
    assert.equal(path, 200);
    assert.notEqual(tunnel, 200);
  });
});
