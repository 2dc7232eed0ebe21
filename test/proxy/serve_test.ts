/** Serving as a process does it: ready signals, files for scripts, a graceful end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load_config.ts";
import { serve } from "../../src/serve/serve.ts";
import type { SluicePlane } from "../../src/control/control_plane.ts";
import { adapterFactory } from "../support/adapter.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { within } from "../support/watchdog.ts";

/** Serves; resolves when it is ready. `ended` resolves with the exit code. */
async function start(
  system: MemorySystem,
  more: Readonly<Record<string, string[]>> = {},
): Promise<{ readonly ended: Promise<number>; readonly plane: SluicePlane }> {
  const own = { listen: ["127.0.0.1:0"], control: ["off"], "port-file": ["port"], "pid-file": ["pid"] };
  const loaded = loadConfig({
    flags: { to: ["127.0.0.1:9"], ...own, ...more },
    env: {},
    file: null,
  });
  assert.ok(loaded.ok);
  const runtime = (await adapterFactory())({ onHandlerError: (error) => assert.fail(String(error)) });
  let ended: Promise<number> = Promise.resolve(-1);
  let made: SluicePlane | null = null;
  await within(
    new Promise<void>((ready) => {
      ended = serve(runtime, system, loaded.config, {
        onPlane: (plane) => (made = plane),
        onReady: () => ready(),
      });
    }),
    "to be ready",
  );
  assert.ok(made !== null);
  return { ended, plane: made };
}

test("the files it wrote are gone after the end", async () => {
  const system = new MemorySystem();
  const { ended } = await start(system);
  assert.match(String(system.files.get("port")), /^\d+\n$/);
  assert.equal(system.files.get("pid"), `${system.pid}\n`);
  system.signal("SIGTERM");
  assert.equal(await within(ended, "the end"), 0);
  assert.equal(system.files.size, 0);
});

test("files that a successor has written meanwhile stay", async () => {
  const system = new MemorySystem();
  const { ended } = await start(system);
  system.files.set("port", "4711\n");
  system.files.delete("pid");
  system.signal("SIGTERM");
  assert.equal(await within(ended, "the end"), 0);
  assert.deepEqual([...system.files], [["port", "4711\n"]]);
});

/** What a stop does to a Sluice with a request in flight and an idle client. */
async function stopped(
  system: MemorySystem,
  flags: Readonly<Record<string, string[]>>,
  stop: (plane: SluicePlane, finish: () => Promise<void>) => Promise<void> | void,
): Promise<number> {
  const origin = await ScriptedOrigin.listen();
  const { ended, plane } = await start(system, { to: [origin.address], "access-log": ["json"], ...flags });
  const port = Number(system.files.get("port"));
  const clients = [await RawClient.connect(port), await RawClient.connect(port)] as const;
  try {
    const [asking] = clients;
    await asking.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const peer = await origin.accept();
    await peer.readRequest();
    await stop(plane, async () => {
      await peer.respond({ body: "done" });
      assert.equal((await asking.readResponse()).text, "done");
    });
    return await within(ended, "the end");
  } finally {
    for (const client of clients) client.destroy();
    await origin.close();
  }
}

/** The access log has one line, with that reason. */
function assertLogged(system: MemorySystem, reason: string): void {
  const lines = system.stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as { reason: string });
  assert.deepEqual(lines.map((line) => line.reason), [reason]);
}

test("a second signal that drops a request: exit code 1, and the log says how many", async () => {
  const system = new MemorySystem();
  const code = await stopped(system, {}, () => {
    system.signal("SIGTERM");
    system.signal("SIGINT");
  });
  assert.equal(code, 1);
  assert.match(system.stderr, / error sluice: SIGINT while stopping: 1 request dropped\n/);
  assertLogged(system, "shutting_down");
});

test("stop --now that drops a request: the same", async () => {
  const system = new MemorySystem();
  const code = await stopped(system, {}, async (plane) => void await plane.stop(true));
  assert.equal(code, 1);
  assert.match(system.stderr, / error sluice: stop --now: 1 request dropped\n/);
  assertLogged(system, "shutting_down");
});

test("a second signal with nothing but idle clients: 0", async () => {
  const system = new MemorySystem();
  const code = await stopped(system, {}, async (_plane, finish) => {
    await finish();
    system.signal("SIGTERM");
    system.signal("SIGTERM");
  });
  assert.equal(code, 0);
  assert.doesNotMatch(system.stderr, /dropped/);
  assertLogged(system, "");
});

test("the end of the drain time is a stop in order, and the log says what it has cost", async () => {
  const system = new MemorySystem();
  const code = await stopped(
    system,
    { "drain-timeout": ["50ms"] },
    () => void system.signal("SIGTERM"),
  );
  assert.equal(code, 0);
  assert.match(system.stderr, / warn sluice: drain_timeout is over: 1 request dropped\n/);
  assertLogged(system, "shutting_down");
});

test("the access log has the client's port, whoever ends the connection and however", async () => {
  const origin = await ScriptedOrigin.listen();
  const system = new MemorySystem();
  const { ended } = await start(system, {
    to: [origin.address],
    "access-log": ["json"],
    "pool-size": ["0"],
  });
  const port = Number(system.files.get("port"));
  const answered = async (request: string) => {
    const client = await RawClient.connect(port);
    await client.send(request);
    const peer = await origin.accept();
    await peer.readRequest();
    await peer.respond({ body: "done" });
    await client.readResponse();
    client.destroy();
  };
  const refused = async (request: string) => {
    const client = await RawClient.connect(port);
    assert.equal((await client.ask(request)).status, 400);
    client.destroy();
  };
  try {
    await answered("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await answered("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await answered("GET / HTTP/1.0\r\n\r\n");
    await refused("GET / HTTP/1.1\r\n\r\n");
    await refused("no HTTP\r\n\r\n");
  } finally {
    system.signal("SIGTERM");
    await within(ended, "the end");
    await origin.close();
  }
  const lines = system.stdout.trimEnd().split("\n").map((line) =>
    JSON.parse(line) as { client_port: number }
  );
  assert.equal(lines.length, 5);
  for (const line of lines) assert.ok(line.client_port > 0, JSON.stringify(line));
});
