/** How a parent learns who asks: credentials of ours, the client's own, or the name of its user. */

import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { MemorySystem } from "../support/memory_system.ts";
import { FILES } from "../support/name_lab.ts";
import { TestProxy } from "../support/proxy.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { ScriptedParent } from "../support/scripted_parent.ts";
import { ScriptedSocks } from "../support/scripted_socks.ts";
import { serveForward } from "./forward_lab.ts";
import { message } from "./lab.ts";

interface Scene {
  readonly parent: ScriptedParent;
  readonly proxy: TestProxy;
  client(): Promise<RawClient>;
}

const USERS = "alice:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\n";
const ALICE = `Proxy-Authorization: Basic ${btoa("alice:wonder")}`;

/** @param options behind the parent's URL. @param user in front of its host, with @ */
async function scene(
  act: (scene: Scene) => Promise<void>,
  { options = "", user = "", forward = "", yaml = "" } = {},
): Promise<void> {
  const parent = await ScriptedParent.listen();
  parent.challenges = true;
  const system = new MemorySystem({
    nameFiles: FILES,
    files: { [FILES.hosts]: "", [FILES.servers]: "", "/users": USERS, "/pw": "s3cret\nnot this\n" },
  });
  const url = parent.url.replace("//", `//${user}`);
  const proxy = await TestProxy.start(
    `forward: {listen: 3128, parents: ["${url}${options}"]${forward}}\n${yaml}`,
    { system, forward: true },
  );
  const clients: RawClient[] = [];
  try {
    await act({
      parent,
      proxy,
      client: async () => {
        const client = await RawClient.connect(proxy.port);
        clients.push(client);
        return client;
      },
    });
  } finally {
    for (const client of clients) client.destroy();
    await proxy.stop();
    await parent.kill();
  }
}

function get(url: string, ...fields: readonly string[]): string {
  return message([`GET ${url} HTTP/1.1`, "Host: x", ...fields]);
}

function connect(target: string, ...fields: readonly string[]): string {
  return message([`CONNECT ${target} HTTP/1.1`, `Host: ${target}`, ...fields]);
}

/** Wants `field`, by these challenges. */
function wants(parent: ScriptedParent, field: string, ...challenges: readonly string[]): void {
  parent.script = (head, socket) => {
    if (head.includes(`\r\n${field}\r\n`)) parent.answer(head, socket);
    else refuse(socket, ...challenges);
  };
}

function refuse(socket: Socket, ...challenges: readonly string[]): void {
  const lines = challenges.map((challenge) => `Proxy-Authenticate: ${challenge}\r\n`);
  socket.write(`HTTP/1.1 407 Who are you\r\n${lines.join("")}Content-Length: 3\r\n\r\nwho`);
}

const PASS = { options: " login=pass" };

test("pass: the parent's challenges come back, each on its line, and the answer to them goes on", async () => {
  await scene(async ({ parent, proxy }) => {
    wants(parent, ALICE, 'Basic realm="up"', 'Digest realm="up", nonce="n", qop="auth"');
    for (const ask of [get, connect]) {
      const target = ask === get ? "http://a.test/" : "a.test:443";
      const answer = await askOnce(proxy.port, ask(target));
      assert.deepEqual([answer.status, answer.reason, answer.text], [407, "Who are you", "who"]);
      assert.deepEqual(
        answer.fields.filter(([name]) => name.toLowerCase() === "proxy-authenticate").map(([, value]) =>
          value
        ),
        ['Basic realm="up"', 'Digest realm="up", nonce="n", qop="auth"'],
      );
      if (ask === connect) assert.equal(answer.field("connection"), "close");
    }
    assert.equal((await askOnce(proxy.port, get("http://a.test/", ALICE))).status, 200);
    assert.match(parent.heads.at(-1) ?? "", /^Proxy-Authorization: Basic YWxpY2U6d29uZGVy\r$/m);
  }, PASS);
});

test("pass: what the parent says of a login that goes on comes back too; without pass neither", async () => {
  for (const options of [PASS, {}]) {
    await scene(async ({ parent, proxy }) => {
      parent.script = (_, socket) =>
        socket.write(
          'HTTP/1.1 200 OK\r\nProxy-Authentication-Info: nextnonce="n2"\r\nContent-Length: 0\r\n\r\n',
        );
      const answer = await askOnce(proxy.port, get("http://a.test/", ALICE));
      assert.equal(
        answer.field("proxy-authentication-info"),
        options === PASS ? 'nextnonce="n2"' : undefined,
      );
      assert.equal(/proxy-authorization/i.test(parent.heads.join("")), options === PASS);
    }, options);
  }
});

test("pass: a 407 of the destination itself is not a parent's", async () => {
  const origin = await ScriptedOrigin.listen();
  origin.auto(() => ({ status: 407, fields: [["Proxy-Authenticate", "Basic"]] }));
  try {
    await scene(async ({ proxy }) => {
      const answer = await askOnce(proxy.port, get(`http://${origin.address}/`, ALICE));
      assert.equal(answer.status, 502);
    }, { ...PASS, forward: ", no_parent: 127.0.0.0/8" });
  } finally {
    await origin.close();
  }
});

/** NTLM as a parent speaks it: three legs on one connection, which is the user's from then on. */
class NtlmParent {
  readonly legs: string[] = [];
  readonly #known = new Map<Socket, string>();

  constructor(parent: ScriptedParent) {
    parent.script = (head, socket) => {
      const token = /\r\nProxy-Authorization: NTLM (\S+)\r\n/.exec(head)?.[1] ?? "";
      const user = this.#known.get(socket);
      this.legs.push(`${[...this.#sockets(socket)]} ${token === "" ? "-" : token}`);
      if (token.startsWith("one")) refuse(socket, `NTLM two-${token}`);
      else if (token.startsWith("three")) {
        this.#known.set(socket, token.slice("three-".length));
        this.#serve(parent, head, socket, token.slice("three-".length));
      } else if (user !== undefined) this.#serve(parent, head, socket, user);
      else refuse(socket, "NTLM", 'Basic realm="up"');
    };
  }

  #numbers = new Map<Socket, number>();
  *#sockets(socket: Socket): Generator<number> {
    if (!this.#numbers.has(socket)) this.#numbers.set(socket, this.#numbers.size + 1);
    yield this.#numbers.get(socket) ?? 0;
  }

  #serve(parent: ScriptedParent, head: string, socket: Socket, user: string): void {
    if (head.startsWith("CONNECT ")) parent.answer(head, socket);
    else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${user.length}\r\n\r\n${user}`);
  }
}

const NTLM = (token: string) => `Proxy-Authorization: NTLM ${token}`;

test("pass and NTLM: the parent's connection is the client's, and nobody else is answered as that user", async () => {
  await scene(async ({ parent, client }) => {
    const ntlm = new NtlmParent(parent);
    const alice = await client();
    const first = await alice.ask(get("http://a.test/"));
    assert.equal(first.status, 407);
    const second = await alice.ask(get("http://a.test/", NTLM("one-a")));
    assert.equal(second.field("proxy-authenticate"), "NTLM two-one-a");
    assert.notEqual(second.field("connection"), "close");
    assert.equal((await alice.ask(get("http://a.test/", NTLM("three-alice")))).text, "alice");
    // Later ones need not say who they are, and may be for other destinations.
    assert.equal((await alice.ask(get("http://b.test/"))).text, "alice");
    const bob = await client();
    assert.equal((await bob.ask(get("http://a.test/"))).status, 407);
    assert.equal((await bob.ask(get("http://a.test/", NTLM("one-b")))).status, 407);
    assert.equal((await bob.ask(get("http://a.test/", NTLM("three-bob")))).text, "bob");
    assert.equal((await alice.ask(get("http://b.test/"))).text, "alice");
    const nobody = await client();
    assert.equal((await nobody.ask(get("http://b.test/"))).status, 407);
    const [, one = "", three = ""] = ntlm.legs;
    assert.equal(one.split(" ")[0], three.split(" ")[0], ntlm.legs.join(", "));
  }, PASS);
});

test("pass and NTLM for CONNECT: the client's connection stays, the legs go on one of the parent's, then it is a tunnel", async () => {
  const origin = await ScriptedOrigin.listen();
  origin.auto(() => "through");
  try {
    await scene(async ({ parent, client, proxy }) => {
      const ntlm = new NtlmParent(parent);
      const alice = await client();
      const target = origin.address;
      const first = await alice.ask(connect(target));
      assert.equal(first.status, 407);
      assert.notEqual(first.field("connection"), "close");
      const second = await alice.ask(connect(target, NTLM("one-a")));
      assert.equal(second.field("proxy-authenticate"), "NTLM two-one-a");
      assert.equal((await alice.ask(connect(target, NTLM("three-alice")))).status, 200);
      assert.equal((await alice.ask(message(["GET / HTTP/1.1", "Host: x"]))).text, "through");
      assert.deepEqual(ntlm.legs.map((leg) => leg.split(" ")[1]), ["-", "one-a", "three-alice"]);
      const [, one = "", three = ""] = ntlm.legs;
      assert.equal(one.split(" ")[0], three.split(" ")[0], ntlm.legs.join(", "));
      alice.destroy();
      await proxy.endedAt(2);
    }, PASS);
  } finally {
    await origin.close();
  }
});

test("pass and NTLM for CONNECT: bytes behind the head, HTTP/1.0 and a parent that closes end it, without the challenge", async () => {
  await scene(async ({ parent, client }) => {
    new NtlmParent(parent);
    const early = await client();
    const answer = await early.ask(connect("a.test:443") + "early");
    assert.equal(answer.status, 407);
    assert.equal(answer.field("connection"), "close");
    assert.equal(answer.field("proxy-authenticate"), 'Basic realm="up"');
    await early.readToEnd();
    const old = await client();
    const other = await old.ask(connect("a.test:443", "Connection: close"));
    assert.equal(other.field("connection"), "close");
    parent.script = (_, socket) =>
      socket.end(
        "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM abc\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
      );
    const closed = await client();
    const third = await closed.ask(connect("a.test:443", NTLM("one-a")));
    assert.deepEqual([third.status, third.field("connection"), third.field("proxy-authenticate")], [
      407,
      "close",
      undefined,
    ]);
  }, PASS);
});

test("pass and NTLM: the parent goes away between two legs; the client's connection ends, the next one works", async () => {
  await scene(async ({ parent, client }) => {
    new NtlmParent(parent);
    for (const [ask, target] of [[get, "http://a.test/"], [connect, "a.test:443"]] as const) {
      const alice = await client();
      assert.equal((await alice.ask(ask(target, NTLM("one-a")))).status, 407);
      await parent.kill();
      await alice.readToEnd();
      await parent.start();
      const again = await client();
      assert.equal((await again.ask(ask(target, NTLM("one-a")))).status, 407);
      again.destroy();
    }
  }, { ...PASS, yaml: "hold: 5s\n" });
});

test("the name of the client's user, with a password for all", async () => {
  const forward = ", users: /users";
  await scene(async ({ parent, proxy }) => {
    assert.equal((await askOnce(proxy.port, get("http://a.test/"))).status, 407);
    assert.equal((await askOnce(proxy.port, get("http://a.test/", ALICE))).status, 200);
    parent.script = (head, socket) => {
      if (head.startsWith("CONNECT")) socket.write("HTTP/1.1 200 OK\r\n\r\n");
    };
    assert.equal((await askOnce(proxy.port, connect("b.test:443", ALICE))).status, 200);
    assert.equal(parent.heads.length, 2);
    for (const head of parent.heads) {
      assert.deepEqual(head.match(/^Proxy-Authorization: .*$/gm), [
        `Proxy-Authorization: Basic ${btoa("alice:for all")}`,
      ]);
    }
  }, { user: "*:for%20all@", forward, yaml: "hold: 0\n" });
});

test("a password out of a file; the first line counts", async () => {
  await scene(async ({ parent, proxy }) => {
    assert.equal((await askOnce(proxy.port, get("http://a.test/"))).status, 200);
    assert.match(
      parent.heads[0] ?? "",
      new RegExp(`^Proxy-Authorization: Basic ${btoa("us:s3cret")}\r$`, "m"),
    );
  }, { user: "us@", options: " password_file=/pw" });
});

test("a password out of a file for SOCKS", async () => {
  const socks = await ScriptedSocks.listen();
  socks.login = "us:s3cret";
  socks.reply = 5;
  try {
    await serveForward(
      `forward: {listen: "127.0.0.1:0", parents: ["socks5h://us@127.0.0.1:${socks.port} password_file=/pw"]}\n`,
      { "/pw": "s3cret" },
      async ({ port }) => {
        assert.equal((await askOnce(port, connect("a.test:443"))).status, 502);
        assert.equal(socks.asked[0]?.login, "us:s3cret");
      },
    );
  } finally {
    await socks.kill();
  }
});

test("a reload reads the file of a password anew, and one that is not there keeps it from counting", async () => {
  const parent = await ScriptedParent.listen();
  const url = parent.url.replace("//", "//us@");
  const yaml = `forward: {listen: "127.0.0.1:0", parents: ["${url} password_file=/pw"]}\n`;
  try {
    await serveForward(yaml, { "/pw": "one" }, async ({ port, system, plane, reload }) => {
      const told = async () => {
        assert.equal((await askOnce(port, get("http://a.test/"))).status, 200);
        return atob(/Authorization: Basic (\S+)/.exec(parent.heads.at(-1) ?? "")?.[1] ?? "");
      };
      assert.equal(await told(), "us:one");
      system.files.set("/pw", "two");
      assert.equal(await told(), "us:one");
      await reload(yaml);
      assert.equal(await told(), "us:two");
      system.files.delete("/pw");
      const outcome = await plane.reload();
      assert.ok(!outcome.ok);
      assert.match(
        [outcome.message, ...outcome.problems ?? []].join("\n"),
        /password_file \/pw cannot be read/,
      );
      assert.equal(await told(), "us:two");
      assert.ok(!JSON.stringify(await plane.status()).includes("two"));
    });
  } finally {
    await parent.kill();
  }
});

test("a SOCKS proxy that does not let anybody there has decided: no other parent is asked, and it is as well as before", async () => {
  const socks = await ScriptedSocks.listen();
  socks.reply = 2;
  const parent = await ScriptedParent.listen();
  const yaml =
    `forward: {listen: "127.0.0.1:0", parents: ["socks5h://127.0.0.1:${socks.port}", "${parent.url}"]}\n`;
  try {
    await serveForward(yaml, {}, async ({ port }) => {
      for (let round = 1; round <= 3; round++) {
        assert.equal((await askOnce(port, connect("a.test:443"))).status, 403);
        assert.equal((await askOnce(port, get("http://a.test/"))).status, 403);
        assert.equal(socks.asked.length, 2 * round);
      }
      assert.equal(parent.connections, 0);
      socks.reply = 5;
      assert.equal((await askOnce(port, get("http://b.test/"))).text, "a was asked for http://b.test/");
    });
  } finally {
    await socks.kill();
    await parent.kill();
  }
});
