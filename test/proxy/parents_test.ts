/** Requests and tunnels by way of parent proxies, over real sockets. */

import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { localhostCertificate } from "../support/certificates.ts";
import { Killer } from "../support/killer.ts";
import { TestProxy } from "../support/proxy.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { type ParentScript, ScriptedParent } from "../support/scripted_parent.ts";
import { within } from "../support/watchdog.ts";
import { watchdogMs } from "../support/watchdog.ts";

/** An echo server, which greets. */
async function echo(): Promise<{ server: Server; port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => socket.write(bytes));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { server, port: (server.address() as AddressInfo).port, sockets };
}

interface Scene {
  readonly parents: readonly ScriptedParent[];
  readonly proxy: TestProxy;
  readonly echoPort: number;
  get(url: string, fields?: string): ReturnType<typeof askOnce>;
  /** The head of the answer, and what comes back when the tunnel is there. */
  connect(
    target?: string,
    fields?: string,
  ): Promise<{ status: number; reason: string; body: string; echoed: string }>;
}

interface SceneOptions {
  readonly yaml?: string;
  readonly forward?: string;
  /** In front of each host, like `user:password@`. */
  readonly userinfo?: string;
  /** One parent more, which speaks TLS. */
  readonly tls?: boolean;
}

async function scene(
  count: number,
  act: (scene: Scene) => Promise<void>,
  { yaml = "", forward = "", userinfo = "", tls = false }: SceneOptions = {},
): Promise<void> {
  const names = ["a", "b", "c"].slice(0, tls ? count + 1 : count);
  const secure = tls ? localhostCertificate : null;
  const parents = await Promise.all(names.map((name) => ScriptedParent.listen(name, null, secure)));
  const { server, port, sockets } = await echo();
  const urls = parents.map(({ url }) => url.replace("//", `//${userinfo}`));
  const proxy = await TestProxy.start(
    `forward: {listen: 3128, parents: [${urls.map((url) => `"${url}"`).join(", ")}]${forward}}\n${yaml}`,
    { forward: true },
  );
  try {
    await act({
      parents,
      proxy,
      echoPort: port,
      get: (url, fields = "") =>
        askOnce(
          proxy.port,
          `GET ${url} HTTP/1.1\r\nHost: ignored.test\r\n${fields}Connection: close\r\n\r\n`,
        ),
      connect: async (target = `127.0.0.1:${port}`, fields = "") => {
        const client = await RawClient.connect(proxy.port);
        try {
          const answer = await client.ask(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${fields}\r\n`);
          const { status, reason } = answer;
          const said = { status, reason, body: answer.text, echoed: "" };
          if (status !== 200) return said;
          await client.send("hello");
          said.echoed = new TextDecoder().decode(await client.inbox.take(5, "the echo"));
          return said;
        } finally {
          client.destroy();
        }
      },
    });
  } finally {
    await proxy.stop();
    for (const parent of parents) await parent.kill();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

test("a request goes on as it came: absolute form, Host of the target, connections shared by all destinations", async () => {
  await scene(1, async ({ parents: [parent], get, proxy }) => {
    const first = await get("http://One.test:80/x?y=%20z");
    assert.equal(first.status, 200);
    assert.equal(first.text, "a was asked for http://One.test:80/x?y=%20z");
    assert.equal((await get("http://two.test/")).status, 200);
    assert.equal(parent?.connections, 1);
    const [one = "", two = ""] = parent?.heads ?? [];
    assert.match(one, /^GET http:\/\/One\.test:80\/x\?y=%20z HTTP\/1\.1\r\nHost: One\.test:80\r\n/i);
    assert.match(one, /^Via: 1\.1 sluice-/m);
    assert.match(two, /^Host: two\.test\r\n/m);
    assert.doesNotMatch(one + two, /^Proxy-Authorization|^Host: ignored/m);
    assert.equal((await proxy.endedAt(0)).endpoint, `127.0.0.1:${parent?.port}`);
  });
});

test("OPTIONS without a path goes on without one", async () => {
  await scene(1, async ({ parents: [parent], proxy }) => {
    const end = "Host: x\r\nConnection: close\r\n\r\n";
    assert.equal((await askOnce(proxy.port, `OPTIONS http://one.test HTTP/1.1\r\n${end}`)).status, 200);
    assert.match(parent?.heads[0] ?? "", /^OPTIONS http:\/\/one\.test HTTP/);
  });
});

test("credentials of the URL go to the parent, the client's do not", async () => {
  const userinfo = "us%65r:p%40ss@";
  await scene(1, async ({ parents: [parent], get, connect }) => {
    const field = "Proxy-Authorization: Basic b3RoZXI6b3RoZXI=\r\n";
    assert.equal((await get("http://one.test/", field)).status, 200);
    assert.equal((await connect(undefined, field)).echoed, "hello");
    for (const head of parent?.heads ?? []) {
      assert.deepEqual(head.match(/^Proxy-Authorization: .*$/gm), [
        `Proxy-Authorization: Basic ${btoa("user:p@ss")}`,
      ]);
    }
    assert.equal(parent?.heads.length, 2);
  }, { userinfo });
});

for (
  const [userinfo, words] of [["", "wants a user and a password"], [
    "u:p@",
    "rejected our credentials",
  ]] as const
) {
  test(`407 of a parent, credentials "${userinfo}": 502, which says who has to do something`, async () => {
    await scene(1, async ({ parents: [parent], get, connect, proxy }) => {
      assert.ok(parent !== undefined);
      parent.script = (_, socket) => {
        socket.write(
          'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="p"\r\nContent-Length: 0\r\n\r\n',
        );
      };
      for (const answer of [await get("http://one.test/"), await connect()]) {
        assert.equal(answer.status, 502);
        assert.match(answer.reason, new RegExp(words));
      }
      assert.equal((await proxy.endedAt(1)).reason, "proxy_configuration_error");
    }, { userinfo });
  });
}

test("CONNECT: bytes both ways, those behind the head of the answer too; framing fields mean nothing", async () => {
  const heads = [
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.0 200 Connection established\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 204 Fine\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n",
    "HTTP/1.1 299 Odd\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
  ];
  await scene(1, async ({ parents: [parent], connect, proxy, echoPort }) => {
    assert.ok(parent !== undefined);
    for (const head of heads) {
      parent.script = (said, socket) => parent.tunnel(said.split(" ")[1] ?? "", socket, head);
      const { status, reason, echoed } = await connect();
      assert.deepEqual([status, reason, echoed], [200, "Connection established", "hello"], head);
    }
    parent.script = (_, socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nearly bird");
    const client = await RawClient.connect(proxy.port);
    await client.ask(`CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n`);
    assert.equal(new TextDecoder().decode(await client.inbox.take(10, "bytes")), "early bird");
    client.destroy();
    const [head = ""] = parent.heads;
    assert.match(
      head,
      new RegExp(`^CONNECT 127\\.0\\.0\\.1:${echoPort} HTTP/1\\.1\r\nHost: 127\\.0\\.0\\.1:${echoPort}\r\n`),
    );
  });
});

test("CONNECT: a client that has ended its sending side before the parent answers still gets what comes", async () => {
  await scene(1, async ({ parents: [parent], proxy }) => {
    assert.ok(parent !== undefined);
    const asked = Promise.withResolvers<() => void>();
    parent.script = (_, socket) => asked.resolve(() => socket.end("HTTP/1.1 200 OK\r\n\r\nlate answer"));
    const client = await RawClient.connect(proxy.port);
    await client.send("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
    await client.halfClose();
    (await within(asked.promise, "the CONNECT"))();
    await client.readUntil("late answer");
    client.destroy();
    assert.equal((await proxy.endedAt(0)).reason, "");
  });
});

test("CONNECT: what a parent refuses with is passed on, and closes", async () => {
  await scene(2, async ({ parents: [a, b], connect, proxy }) => {
    assert.ok(a !== undefined);
    for (const status of [302, 403, 404, 429, 451, 500]) {
      a.script = (_, socket) => {
        socket.write(
          `HTTP/1.1 ${status} Because of me\r\nContent-Type: text/x\r\nRetry-After: 7\r\nProxy-Status: up; error=x\r\n` +
            "Set-Cookie: no\r\nContent-Length: 4\r\n\r\nbody",
        );
      };
      const client = await RawClient.connect(proxy.port);
      const answer = await client.ask("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
      assert.deepEqual([answer.status, answer.reason, answer.text], [status, "Because of me", "body"]);
      assert.equal(answer.field("content-type"), "text/x");
      assert.equal(answer.field("retry-after"), "7");
      assert.equal(answer.field("proxy-status"), "up; error=x");
      assert.equal(answer.field("set-cookie"), undefined);
      assert.equal(answer.field("connection"), "close");
      client.destroy();
    }
    // A body that does not end, and one that is too long.
    a.script = (_, socket) => socket.end("HTTP/1.1 403 No\r\nContent-Length: 40\r\n\r\nhalf");
    assert.equal((await connect()).body, "half");
    a.script = (_, socket) => socket.write(`HTTP/1.1 403 No\r\n\r\n${"x".repeat(200_000)}`);
    assert.equal((await connect()).body.length, 65_536);
    assert.equal(b?.connections, 0);
  });
});

test("the second parent gets what the first cannot do, and the first stays up", async () => {
  await scene(2, async ({ parents: [a, b], connect, get }) => {
    assert.ok(a !== undefined && b !== undefined);
    for (const status of [502, 503, 504]) {
      a.script = (_, socket) => socket.write(`HTTP/1.1 ${status} Away\r\nContent-Length: 0\r\n\r\n`);
      assert.equal((await connect()).echoed, "hello", String(status));
    }
    for (const cut of ["", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nX: y"]) {
      a.script = (_, socket) => socket.end(cut);
      assert.equal((await connect()).echoed, "hello", cut);
    }
    a.script = (_, socket) => socket.write("SSH-2.0-OpenSSH\r\n\r\n");
    assert.equal((await connect()).echoed, "hello");
    a.script = null;
    // It is dialled again when its pause is over, and then it is the first again.
    const deadline = performance.now() + watchdogMs;
    let answer = "";
    while (answer !== "a was asked for http://x.test/" && performance.now() < deadline) {
      answer = (await get("http://x.test/")).text;
    }
    assert.equal(answer, "a was asked for http://x.test/");
  });
});

test("half a head of the only parent is as good as none: it is asked again, but for what must not be repeated", async () => {
  await scene(1, async ({ parents: [parent], connect, get, proxy }) => {
    assert.ok(parent !== undefined);
    for (const cut of ["HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nX: y\r\n"]) {
      parent.script = (_, socket) => {
        parent.script = null;
        socket.end(cut);
      };
      assert.equal((await connect()).echoed, "hello", cut);
      const before: number = parent.heads.length;
      const dies: ParentScript = (_, socket) => {
        parent.script = null;
        socket.end(cut);
      };
      parent.script = dies;
      assert.equal((await get("http://a.test/")).text, "a was asked for http://a.test/", cut);
      parent.script = dies;
      const post =
        "POST http://a.test/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      assert.equal((await askOnce(proxy.port, post)).status, 502);
      assert.equal(parent.heads.length, before + 3);
    }
  });
});

test("a parent that is spoken to in TLS", async () => {
  await scene(0, async ({ connect, get, echoPort }) => {
    assert.equal((await connect(`127.0.0.1:${echoPort}`)).echoed, "hello");
    assert.match((await get("http://x.test/")).text, /^a was asked/);
  }, { tls: true, yaml: "upstream_tls: {verify: false}\n" });
});

test("a 502 that all parents answer is passed on, the last one's", async () => {
  await scene(2, async ({ parents, connect }) => {
    for (const parent of parents) {
      parent.script = (_, socket) => {
        const body = `no route from ${parent.name}`;
        socket.write(`HTTP/1.1 502 ${parent.name}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      };
    }
    const { status, reason, body } = await connect();
    assert.deepEqual([status, reason, body], [502, "b", "no route from b"]);
    assert.deepEqual(parents.map(({ heads }) => heads.length), [1, 1]);
  });
});

test("a parent that keeps silent: the next one after first_byte_timeout", async () => {
  await scene(2, async ({ parents: [a], connect }) => {
    assert.ok(a !== undefined);
    a.script = () => {};
    assert.equal((await connect()).echoed, "hello");
  }, { yaml: "first_byte_timeout: 200ms\n" });
});

test("nobody listens: the next parent at once; none at all: 502 without hold", async () => {
  await scene(2, async ({ parents: [a, b], connect, get }) => {
    await a?.kill();
    assert.equal((await connect()).echoed, "hello");
    assert.match((await get("http://x.test/")).text, /^b was asked/);
    await b?.kill();
    assert.equal((await get("http://x.test/")).status, 502);
    const { status, reason } = await connect();
    assert.equal(status, 502);
    assert.match(reason, /connection refused/);
  }, { yaml: "hold: 0\n" });
});

test("no_parent: the destination itself", async () => {
  await scene(1, async ({ parents: [parent], connect }) => {
    assert.equal((await connect()).echoed, "hello");
    assert.equal(parent?.connections, 0);
  }, { forward: ", no_parent: 127.0.0.0/8" });
});

test("a host that only its address could allow is not left to a parent", async () => {
  await scene(1, async ({ parents: [parent], get }) => {
    const { status, reason } = await get("http://a.test/");
    assert.equal(status, 403);
    assert.match(reason, /only its address/);
    assert.equal((await get("http://b.test/")).status, 200);
    assert.equal(parent?.connections, 1);
  }, { forward: ", allow: [10.0.0.0/8, b.test]" });
});

test("a parent that is killed after every ten answers: 200 requests and 200 tunnels, none fails", async () => {
  await scene(1, async ({ parents: [parent], proxy, echoPort, get }) => {
    assert.ok(parent !== undefined);
    const killer = new Killer([parent]);
    const statuses = new Map<string, number>();
    const count = (what: string) => {
      statuses.set(what, (statuses.get(what) ?? 0) + 1);
      killer.answered();
    };
    const lane = async () => {
      for (let i = 0; i < 50; i++) {
        count(`get ${(await get("http://x.test/")).status}`);
        count(`connect ${await statusOf(proxy.port, `127.0.0.1:${echoPort}`)}`);
      }
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
    await killer.over();
    assert.deepEqual(Object.fromEntries(statuses), { "get 200": 200, "connect 200": 200 });
    assert.ok(killer.kills > 10, `${killer.kills} kills`);
  });
});

/** The status alone: a tunnel ends with the parent that it goes through. */
async function statusOf(port: number, target: string): Promise<number> {
  return (await askOnce(port, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)).status;
}
