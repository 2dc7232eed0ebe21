/** A certificate that was renewed counts after a reload; connections that are open stay. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Runtime, SocketEvents } from "../../runtime/contract/contract.ts";
import { rereadable } from "../../src/serve/config_source.ts";
import { readConfig } from "../../src/serve/read_config.ts";
import { serve } from "../../src/serve/serve.ts";
import type { SluicePlane } from "../../src/control/control_plane.ts";
import { adapterFactory } from "../support/adapter.ts";
import { localhostCertificate, testAuthority, wildcardCertificate } from "../support/certificates.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { within } from "../support/watchdog.ts";

const YAML = `
listen: "https://127.0.0.1:0"
control: "off"
tls: {cert: /cert, key: /key}
routes: [{respond: hello}]
`;

/** A connection that was verified for `serverName`, or why there is none; `ask` sends a request on it. */
function dial(
  runtime: Runtime,
  port: number,
  serverName: string,
): Promise<string | { ask(): Promise<string> }> {
  return new Promise((resolve) => {
    let received = "";
    let arrived = () => {};
    runtime.dial({
      address: { kind: "tcp", host: "127.0.0.1", port },
      timeoutMs: 10_000,
      tls: { serverName, verify: true, ca: testAuthority },
    }, {
      opened(socket): SocketEvents {
        const ask = () =>
          new Promise<string>((answered) => {
            arrived = () => received.endsWith("hello") && answered(received);
            received = "";
            const bytes = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            socket.write(bytes, 0, bytes.length);
          });
        resolve({ ask });
        return {
          data(bytes) {
            received += new TextDecoder().decode(bytes);
            arrived();
          },
          drained() {},
          ended: () => socket.close(),
          closed() {},
        };
      },
      failed: ({ code }) => resolve(code),
    });
  });
}

test("reload: a renewed certificate is used, a broken one changes nothing", async () => {
  const runtime = (await adapterFactory())({ onHandlerError: (error) => assert.fail(String(error)) });
  const system = new MemorySystem({
    files: { "/s.yaml": YAML, "/cert": localhostCertificate.cert, "/key": localhostCertificate.key },
  });
  const flags = { config: ["/s.yaml"] };
  const loaded = await readConfig(system, flags);
  assert.ok(loaded.ok);
  let made: SluicePlane | null = null;
  const ready = Promise.withResolvers<number>();
  const ended = serve(runtime, system, loaded.config, {
    source: rereadable(runtime.clock, system, flags, loaded),
    onPlane: (plane) => (made = plane),
    onReady: ([address]) => ready.resolve(address?.kind === "tcp" ? address.port : 0),
  });
  const port = await within(ready.promise, "Sluice to serve");
  const plane = made as SluicePlane | null;
  assert.ok(plane !== null);
  const connect = (name: string) => within(dial(runtime, port, name), "a connection");

  const before = await connect("localhost");
  assert.ok(typeof before === "object");
  assert.match(await within(before.ask(), "an answer"), /hello$/);
  system.files.set("/cert", wildcardCertificate.cert);
  const broken = await plane.reload();
  assert.ok(!broken.ok, "the key is another certificate's");
  assert.ok(typeof await connect("localhost") === "object");
  system.files.set("/key", wildcardCertificate.key);
  const renewed = await plane.reload();
  assert.deepEqual(renewed, { ok: true, generation: 2, changes: ["tls: another certificate"], ignored: [] });
  assert.equal(await connect("localhost"), "tls_certificate_error");
  const after = await connect("a.example.test");
  assert.ok(typeof after === "object");
  for (const connection of [before, after]) {
    assert.match(await within(connection.ask(), "an answer"), /hello$/);
  }
  system.signal("SIGTERM");
  system.signal("SIGTERM");
  assert.equal(await within(ended, "the end"), 0);
});
