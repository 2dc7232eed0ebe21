/** Listeners of the forward proxy beside those for routes, over reloads. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { serve } from "../../src/serve/serve.ts";
import type { SluicePlane } from "../../src/control/control_plane.ts";
import { rereadable } from "../../src/serve/config_source.ts";
import { readConfig } from "../../src/serve/read_config.ts";
import { adapterFactory } from "../support/adapter.ts";
import { freePort } from "../support/free_port.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { askOnce } from "../support/raw_client.ts";
import { within } from "../support/watchdog.ts";

interface Scene {
  readonly plane: SluicePlane;
  readonly system: MemorySystem;
  readonly origin: number;
  /** Status of an answer to GET of a path, GET of a URL of the origin, and CONNECT to it. */
  asked(port: number): Promise<readonly number[]>;
  /** Serves this from now on. @returns what has changed */
  reload(yaml: string): Promise<readonly string[]>;
}

async function scene(
  yaml: (origin: number) => string,
  act: (scene: Scene) => Promise<void>,
): Promise<void> {
  const runtime = (await adapterFactory())({ onHandlerError: (error) => assert.fail(String(error)) });
  const origin = createServer((request, response) => {
    request.resume();
    response.end("origin");
  });
  await new Promise<void>((listening) => origin.listen(0, "127.0.0.1", listening));
  const port = (origin.address() as AddressInfo).port;
  const system = new MemorySystem({ files: { "/s.yaml": yaml(port) } });
  const flags = { config: ["/s.yaml"], control: ["off"], "port-file": ["ports"] };
  const loaded = await readConfig(system, flags);
  assert.ok(loaded.ok);
  let made: SluicePlane | null = null;
  const ready = Promise.withResolvers<void>();
  const ended = serve(runtime, system, loaded.config, {
    source: rereadable(runtime.clock, system, flags, loaded),
    onPlane: (plane) => (made = plane),
    onReady: () => ready.resolve(),
  });
  await within(ready.promise, "Sluice to serve");
  const plane = made as SluicePlane | null;
  assert.ok(plane !== null);
  const end = "Connection: close\r\n\r\n";
  const there = `127.0.0.1:${port}`;
  try {
    await act({
      plane,
      system,
      origin: port,
      asked: async (at) => {
        const path = await askOnce(at, `GET / HTTP/1.1\r\nHost: a.test\r\n${end}`);
        const url = await askOnce(at, `GET http://${there}/ HTTP/1.1\r\nHost: ${there}\r\n${end}`);
        const tunnel = await askOnce(at, `CONNECT ${there} HTTP/1.1\r\nHost: ${there}\r\n\r\n`, {
          method: "CONNECT",
        });
        return [path.status, url.status, tunnel.status];
      },
      reload: async (text) => {
        system.files.set("/s.yaml", text);
        const outcome = await within(plane.reload(), "the reload");
        assert.ok(outcome.ok, outcome.ok ? "" : [outcome.message, ...outcome.problems ?? []].join("\n"));
        return outcome.changes;
      },
    });
  } finally {
    await plane.stop(true);
    await within(ended, "the end");
    origin.close();
    origin.closeAllConnections?.();
  }
}

test("the proxy alone: no other listener, and a path is not for it", async () => {
  await scene(() => 'forward: "127.0.0.1:0"\n', async ({ asked, system, plane }) => {
    const port = Number(system.files.get("ports"));
    assert.deepEqual(await asked(port), [400, 200, 200]);
    assert.deepEqual((await plane.status()).listeners, [`forward://127.0.0.1:${port}`]);
  });
});

test("beside routes, on a port of its own: both are in the port file", async () => {
  const yaml = (origin: number) => `listen: "127.0.0.1:0"\nforward: "127.0.0.1:0"\nto: ${origin}\n`;
  await scene(yaml, async ({ asked, system }) => {
    const [routes = 0, proxy = 0] = String(system.files.get("ports")).trim().split("\n").map(Number);
    const [path, , tunnel] = await asked(routes);
    assert.equal(path, 200);
    assert.notEqual(tunnel, 200);
    assert.deepEqual((await asked(proxy)).slice(1), [200, 200]);
  });
});

test("one listener for both, which a reload makes it and takes back", async () => {
  const port = await freePort();
  const reverse = (origin: number) => `listen: "127.0.0.1:${port}"\nto: ${origin}\n`;
  await scene(reverse, async ({ asked, origin, reload }) => {
    assert.notEqual((await asked(port))[2], 200);
    assert.deepEqual(await reload(`${reverse(origin)}forward: ${port}\n`), [
      `listen: + forward://127.0.0.1:${port}`,
      `listen: - 127.0.0.1:${port}`,
    ]);
    assert.deepEqual(await asked(port), [200, 200, 200]);
    await reload(`${reverse(origin)}forward: {listen: ${port}, deny: "127.0.0.1:${origin}"}\n`);
    assert.deepEqual(await asked(port), [200, 403, 403]);
    await reload(reverse(origin));
    const [path, , tunnel] = await asked(port);
    assert.equal(path, 200);
    assert.notEqual(tunnel, 200);
  });
});
