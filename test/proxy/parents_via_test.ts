/** Parents that are reached by way of another proxy: every kind behind every kind. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { localhostCertificate } from "../support/certificates.ts";
import { Killer } from "../support/killer.ts";
import { TestProxy } from "../support/proxy.ts";
import { serveForward } from "./forward_lab.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedParent } from "../support/scripted_parent.ts";
import { ScriptedSocks } from "../support/scripted_socks.ts";

const KINDS = ["http", "https", "socks5h"] as const;
type Kind = typeof KINDS[number];

interface Hop {
  readonly url: string;
  /** What it was asked to connect to, in order. */
  asked(): readonly string[];
  kill(): Promise<void>;
  start(): Promise<void>;
}

async function hop(kind: Kind): Promise<Hop & { readonly proxy: ScriptedParent | ScriptedSocks }> {
  if (kind === "socks5h") {
    const proxy = await ScriptedSocks.listen();
    proxy.login = "us:pw";
    return {
      proxy,
      url: `socks5h://us:pw@127.0.0.1:${proxy.port}`,
      asked: () => proxy.asked.map(({ host, port }) => `${host}:${port}`),
      kill: () => proxy.kill(),
      start: () => proxy.start(),
    };
  }
  const proxy = await ScriptedParent.listen(kind, null, kind === "https" ? localhostCertificate : null);
  return {
    proxy,
    url: proxy.url.replace("//", "//us:pw@"),
    asked: () => proxy.heads.map((head) => head.split(" ")[1] ?? ""),
    kill: () => proxy.kill(),
    start: () => proxy.start(),
  };
}

async function scene(
  kinds: readonly [first: Kind, second: Kind],
  act: (
    hops: readonly [Awaited<ReturnType<typeof hop>>, Awaited<ReturnType<typeof hop>>],
    proxy: TestProxy,
    origin: number,
  ) => Promise<void>,
  yaml = "",
): Promise<void> {
  const hops = [await hop(kinds[0]), await hop(kinds[1])] as const;
  const origin = createServer((request, response) => response.end(`origin: ${request.url}`));
  await new Promise<void>((listening) => origin.listen(0, "127.0.0.1", listening));
  const proxy = await TestProxy.start(
    `forward: {listen: 3128, parents: ["${hops[1].url} via=${
      hops[0].url
    }"]}\nupstream_tls: {verify: false}\n${yaml}`,
    { forward: true },
  );
  try {
    await act(hops, proxy, (origin.address() as AddressInfo).port);
  } finally {
    await proxy.stop();
    for (const each of hops) await each.kill();
    origin.close();
    origin.closeAllConnections?.();
  }
}

async function through(proxy: TestProxy, target: string): Promise<readonly [number, string]> {
  const client = await RawClient.connect(proxy.port);
  try {
    const { status } = await client.ask(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    if (status !== 200) return [status, ""];
    return [status, (await client.ask("GET /in HTTP/1.1\r\nHost: y\r\n\r\n")).text];
  } finally {
    client.destroy();
  }
}

for (const first of KINDS) {
  for (const second of KINDS) {
    test(`${second} by way of ${first}: requests and tunnels, with credentials for each`, async () => {
      await scene([first, second], async ([one, two], proxy, origin) => {
        const target = `127.0.0.1:${origin}`;
        const get = await askOnce(
          proxy.port,
          `GET http://${target}/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        );
        assert.equal(
          get.text,
          second === "socks5h" ? "origin: /x" : `${second} was asked for http://${target}/x`,
        );
        assert.deepEqual(await through(proxy, target), [200, "origin: /in"]);
        const place = new URL(two.url.replace(/^\w+/, "http")).host;
        assert.deepEqual([...new Set(one.asked())], [place]);
        assert.equal(two.asked().at(-1), target);
        for (const { proxy: each } of [one, two]) {
          if (each instanceof ScriptedSocks) assert.ok(each.asked.every(({ login }) => login === "us:pw"));
          else {
            for (const head of each.heads) {
              assert.deepEqual(head.match(/^Proxy-Authorization: .*$/gm), [
                `Proxy-Authorization: Basic ${btoa("us:pw")}`,
              ]);
            }
          }
        }
      });
    });
  }
}

test("a credential of ours for the parent of a rule that is behind another proxy: the first one does not see it", async () => {
  const one = await ScriptedParent.listen("one");
  const two = await ScriptedParent.listen("two");
  const rule = `{host: .a.test, parents: ["${two.url} via=${one.url} credential=corp"]}`;
  const yaml = `forward: {listen: "127.0.0.1:0", ports: all, rules: [${rule}]}\n` +
    "credentials: {corp: {scheme: basic, user: me, password_file: /pw}}\n";
  try {
    await serveForward(yaml, { "/pw": "s3cret" }, async ({ port, plane }) => {
      const url = "http://x.a.test/";
      const { text } = await askOnce(port, `GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert.equal(text, `two was asked for ${url}`);
      const login = `Proxy-Authorization: Basic ${btoa("me:s3cret")}`;
      assert.ok(two.heads.every((head) => head.includes(`\r\n${login}\r\n`)));
      assert.ok(!one.heads.join("").includes("Proxy-Authorization"));
      assert.ok(!JSON.stringify(await plane.status()).includes("s3cret"));
    });
  } finally {
    await one.kill();
    await two.kill();
  }
});

test("the first proxy does not lead there: at once when it has decided, held while the next one is away", async () => {
  await scene(["http", "http"], async ([one, two], proxy, origin) => {
    const first = one.proxy as ScriptedParent;
    first.script = (_, socket) => socket.write("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    const [status] = await through(proxy, `127.0.0.1:${origin}`);
    assert.equal(status, 502);
    assert.equal(two.asked().length, 0);
    first.script = (_, socket) => {
      first.script = null;
      socket.write("HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n");
    };
    assert.deepEqual(await through(proxy, `127.0.0.1:${origin}`), [200, "origin: /in"]);
  }, "hold: 10s\n");
});

test("either proxy is killed under load: none of 60 requests and 60 tunnels fails", async () => {
  await scene(["http", "http"], async (hops, proxy, origin) => {
    const killer = new Killer(hops);
    const statuses = new Map<string, number>();
    const count = (what: string) => {
      statuses.set(what, (statuses.get(what) ?? 0) + 1);
      killer.answered();
    };
    const lane = async () => {
      for (let i = 0; i < 20; i++) {
        const target = `127.0.0.1:${origin}`;
        count(
          `get ${
            (await askOnce(proxy.port, "GET http://x.test/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
              .status
          }`,
        );
        count(
          `connect ${(await askOnce(proxy.port, `CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)).status}`,
        );
      }
    };
    await Promise.all([lane(), lane(), lane()]);
    await killer.over();
    assert.deepEqual(Object.fromEntries(statuses), { "get 200": 60, "connect 200": 60 });
    assert.ok(killer.kills > 3, `${killer.kills} kills`);
  }, "hold: 20s\n");
});
