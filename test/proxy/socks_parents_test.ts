/** Requests and tunnels by way of SOCKS5 proxies, and lists of several kinds of parents. */

import assert from "node:assert/strict";
import { createServer as createOrigin } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { freePort } from "../support/free_port.ts";
import { Killer } from "../support/killer.ts";
import { TestProxy } from "../support/proxy.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedParent } from "../support/scripted_parent.ts";
import { ScriptedSocks } from "../support/scripted_socks.ts";

interface Scene {
  readonly socks: ScriptedSocks;
  readonly parent: ScriptedParent;
  readonly proxy: TestProxy;
  readonly origin: number;
  get(url: string): ReturnType<typeof askOnce>;
  /** Status, reason phrase, and the status of a request through the tunnel, 0 without one. */
  connect(target: string): Promise<readonly [status: number, reason: string, inner: number]>;
}

/** @param parents with SOCKS, SOCKSH and HTTP for the URLs of the scene's */
async function scene(parents: string, act: (scene: Scene) => Promise<void>, yaml = ""): Promise<void> {
  const socks = await ScriptedSocks.listen();
  const parent = await ScriptedParent.listen();
  const origin = createOrigin((request, response) => response.end(`origin: ${request.url}`));
  await new Promise<void>((listening) => origin.listen(0, "127.0.0.1", listening));
  const list = parents.replace("SOCKSH", `socks5h://127.0.0.1:${socks.port}`)
    .replace("SOCKS", `socks5://127.0.0.1:${socks.port}`).replace(
      "LOGIN",
      `socks5h://us:pw@127.0.0.1:${socks.port}`,
    )
    .replace("HTTP", parent.url);
  const proxy = await TestProxy.start(`forward: {listen: 3128, parents: [${list}]}\n${yaml}`, {
    forward: true,
  });
  const port = (origin.address() as AddressInfo).port;
  try {
    await act({
      socks,
      parent,
      proxy,
      origin: port,
      get: (url) => askOnce(proxy.port, `GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
      connect: async (target) => {
        const client = await RawClient.connect(proxy.port);
        try {
          const { status, reason } = await client.ask(
            `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`,
          );
          const inner = status === 200 ? (await client.ask("GET /in HTTP/1.1\r\nHost: y\r\n\r\n")).status : 0;
          return [status, reason, inner];
        } finally {
          client.destroy();
        }
      },
    });
  } finally {
    await proxy.stop();
    await socks.kill();
    await parent.kill();
    origin.close();
    origin.closeAllConnections?.();
  }
}

const DONE = [200, "Connection established", 200];

test("socks5h gets names, the origin gets paths; connections are kept for their destination", async () => {
  await scene("SOCKSH", async ({ socks, origin, get, connect }) => {
    assert.equal((await get(`http://one.test:${origin}/x`)).text, "origin: /x");
    assert.equal((await get(`http://one.test:${origin}/y`)).text, "origin: /y");
    assert.equal((await get(`http://two.test:${origin}/z`)).text, "origin: /z");
    assert.deepEqual(await connect(`one.test:${origin}`), DONE);
    assert.deepEqual(socks.asked.map(({ host }) => host), ["one.test", "two.test", "one.test"]);
    assert.deepEqual(await connect(`127.0.0.1:${origin}`), DONE);
    assert.equal(socks.asked.at(-1)?.host, "127.0.0.1");
  });
});

test("socks5 gets addresses", async () => {
  await scene("SOCKS", async ({ socks, origin, get, connect }) => {
    assert.equal((await get(`http://localhost:${origin}/x`)).text, "origin: /x");
    assert.deepEqual(await connect(`localhost:${origin}`), DONE);
    for (const { host } of socks.asked) assert.match(host, /^127\.0\.0\.1$|^0\.0\.0/);
  });
});

test("user and password; a wrong one is told at once", async () => {
  await scene("LOGIN", async ({ socks, origin, connect }) => {
    socks.login = "us:pw";
    assert.deepEqual(await connect(`one.test:${origin}`), DONE);
    assert.equal(socks.asked[0]?.login, "us:pw");
    socks.login = "us:other";
    const [status] = await connect(`two.test:${origin}`);
    assert.equal(status, 503);
  });
});

test("replies: what the proxy says of the destination is told at once, although requests are held", async () => {
  await scene("SOCKSH", async ({ socks, get, connect }) => {
    const statuses: Record<number, number> = {
      1: 502,
      2: 403,
      3: 502,
      4: 502,
      5: 502,
      6: 504,
      7: 502,
      8: 502,
      99: 502,
    };
    for (const [reply, wanted] of Object.entries(statuses)) {
      socks.reply = Number(reply);
      const [status, reason] = await connect(`r${reply}.test:443`);
      assert.equal(status, wanted, `reply ${reply}`);
      assert.match(reason, /\(sluice: /);
      assert.equal((await get(`http://r${reply}.test/`)).status, wanted);
    }
    socks.reply = 5;
    // The second one finds the destination down.
    assert.equal((await connect("r5.test:443"))[0], 502);
    socks.reply = 4;
    assert.match((await connect("gone.test:443"))[1], /no such host/);
  }, "hold: 20s\n");
});

test("several kinds: in their order", async () => {
  await scene("SOCKSH, HTTP, direct", async ({ socks, parent, origin, get, connect }) => {
    assert.deepEqual(await connect(`one.test:${origin}`), DONE);
    assert.equal(parent.connections, 0);
    await socks.kill();
    assert.deepEqual(await connect(`two.test:${origin}`), DONE);
    assert.equal(
      (await get(`http://two.test:${origin}/`)).text,
      `a was asked for http://two.test:${origin}/`,
    );
    parent.script = (_, socket) => socket.write("HTTP/1.1 502 no\r\nContent-Length: 0\r\n\r\n");
    assert.deepEqual(await connect(`localhost:${origin}`), DONE);
    parent.script = null;
    await parent.kill();
    assert.equal((await get(`http://localhost:${origin}/d`)).text, "origin: /d");
    assert.deepEqual(await connect(`localhost:${origin}`), DONE);
    // Nobody waits where the destination itself is in the list.
    const [status, reason] = await connect(`localhost:${await freePort()}`);
    assert.equal(status, 502);
    assert.match(reason, /connection refused/);
  });
});

test("a request that was lost on its way to the destination itself goes to a proxy as a proxy is asked", async () => {
  const lossy = createServer((socket) => socket.once("data", () => socket.destroy()));
  await new Promise<void>((listening) => lossy.listen(0, "127.0.0.1", listening));
  const { port } = lossy.address() as AddressInfo;
  try {
    await scene("direct, HTTP", async ({ parent, get }) => {
      const url = `http://127.0.0.1:${port}/x`;
      assert.equal((await get(url)).text, `a was asked for ${url}`);
      assert.match(parent.heads[0] ?? "", new RegExp(`^GET ${url} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`));
    });
  } finally {
    lossy.close();
  }
});

test("a SOCKS proxy that is killed after every ten answers: none of 60 requests and 60 tunnels fails", async () => {
  await scene("SOCKSH", async ({ socks, origin, get, proxy }) => {
    const killer = new Killer([socks]);
    const seen = new Set<number>();
    const target = `one.test:${origin}`;
    const lane = async () => {
      for (let i = 0; i < 20; i++) {
        seen.add((await get(`http://${target}/`)).status);
        killer.answered();
        seen.add((await askOnce(proxy.port, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)).status);
        killer.answered();
      }
    };
    await Promise.all([lane(), lane(), lane()]);
    await killer.over();
    assert.deepEqual([...seen], [200]);
    assert.ok(killer.kills > 3, `${killer.kills} kills`);
  });
});
