/** Credentials towards parent proxies, and towards origins of the forward proxy's clients: the whole program, in memory. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GuardedServer, type GuardScheme } from "../../support/guarded_server.ts";
import type { Peer } from "../../support/memory_lab.ts";
import { type PlaneBackend, PlaneLab } from "../../support/plane_lab.ts";

const SECRETS = { "/secret": "secret\n", "/other": "other\n" };
const CREDENTIALS = (scheme: string, source = "password_file: /secret") => `
access_log: json
credentials:
  corp:
    scheme: ${scheme}
    user: svc
    ${source}
`;

interface Scene {
  readonly lab: PlaneLab;
  readonly guard: GuardedServer;
  readonly server: PlaneBackend;
  get(url: string, fields?: string): Promise<string>;
  connect(authority: string): Promise<{ readonly client: Peer; readonly answer: string }>;
}

async function withParent(
  schemes: readonly GuardScheme[],
  yaml: string,
  scene: (scene: Scene) => Promise<void>,
  isProxy = true,
): Promise<void> {
  const lab = await PlaneLab.start(yaml, {}, SECRETS);
  const server = await lab.backend(3000);
  const guard = new GuardedServer(server, { svc: "secret", alice: "hers" }, schemes, isProxy);
  const said = async (text: string) => {
    const client = lab.dial(3128);
    client.say(text);
    await lab.until("an answer", () => /\r\n\r\n/.test(client.received), 60_000);
    await lab.pass(5);
    return client;
  };
  await scene({
    lab,
    guard,
    server,
    async get(url, fields = "") {
      const { received } = await said(`GET ${url} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n${fields}\r\n`);
      return `${received.slice(9, 12)} ${received.split("\r\n\r\n")[1]}`;
    },
    async connect(authority) {
      const client = await said(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
      return { client, answer: client.received.split("\r\n")[0] ?? "" };
    },
  });
  await lab.stop();
  assert.ok(!/secret|c2VjcmV0/.test(lab.system.stdout + lab.system.stderr), "a secret was told");
}

const PARENT = `forward:
  listen: 127.0.0.1:3128
  parents: ["http://127.0.0.1:3000 credential=corp"]
${CREDENTIALS("[digest, basic]")}`;

for (const scheme of ["digest", "ntlm", "basic"] as const) {
  const yaml = PARENT.replace("[digest, basic]", scheme);

  test(`${scheme} to a parent: requests and tunnels`, async () => {
    await withParent([scheme], yaml, async ({ guard, get, connect, lab }) => {
      assert.equal(await get("http://a.example/x?y"), "200 svc http://a.example/x?y ");
      const legs = { basic: 1, digest: 2, ntlm: 3 }[scheme];
      assert.equal(guard.asked.length, legs);
      assert.equal(await get("http://b.example/"), "200 svc http://b.example/ ");
      assert.equal(guard.asked.length, legs + 1);
      const { client, answer } = await connect("c.example:443");
      assert.equal(answer, "HTTP/1.1 200 Connection established");
      // A tunnel has a connection of its own, which NTLM has to authenticate.
      assert.equal(guard.asked.length, legs + 1 + (scheme === "ntlm" ? 3 : 1));
      assert.equal(guard.asked.at(-1)?.user, "svc");
      client.socket?.close();
      await lab.pass(300);
      const lines = lab.system.stdout.trim().split("\n").map((line) => JSON.parse(line));
      assert.ok(lines.every(({ credential }) => credential === "corp"), lab.system.stdout);
    });
  });

  test(`${scheme} to a parent: the first request is a CONNECT, and the parent closes with its challenge`, async () => {
    await withParent([scheme], yaml, async ({ guard, connect }) => {
      if (scheme !== "ntlm") guard.closes = true;
      assert.equal((await connect("c.example:443")).answer, "HTTP/1.1 200 Connection established");
    });
  });

  test(`${scheme} to a parent: what it rejects is answered by 502, and it rests for 30 s`, async () => {
    await withParent([scheme], yaml, async ({ guard, get, connect, lab }) => {
      guard.setPassword("svc", "x");
      const answer = await get("http://a.example/");
      assert.match(answer, /^502 .*rejected credential corp/s);
      const asked = guard.asked.length;
      assert.match(await get("http://a.example/"), /^502 .*rejected credential corp a short while ago/s);
      assert.match((await connect("a.example:443")).answer, /^HTTP\/1\.1 502 .*rejected credential corp/);
      assert.equal(guard.asked.length, asked);
      await lab.pass(30_000);
      guard.setPassword("svc", "secret");
      assert.equal(await get("http://a.example/"), "200 svc http://a.example/ ");
      assert.equal(await get("http://a.example/"), "200 svc http://a.example/ ");
    });
  });

  test(`${scheme} to a parent: another password in the file ends the rest at once`, async () => {
    await withParent([scheme], yaml, async ({ guard, get, lab }) => {
      guard.setPassword("svc", "new");
      assert.match(await get("http://a.example/"), /^502 /);
      assert.match(await get("http://a.example/"), /^502 /);
      lab.system.files.set("/secret", "new\n");
      assert.equal(await get("http://a.example/"), "200 svc http://a.example/ ");
    });
  });
}

test("while one parent rests the next one is asked", async () => {
  const yaml = PARENT.replace('credential=corp"]', 'credential=corp", "http://127.0.0.1:3001"]');
  await withParent(["digest"], yaml, async ({ guard, get, lab }) => {
    const other = await lab.backend(3001);
    guard.setPassword("svc", "x");
    assert.match(await get("http://a.example/"), /^502 /);
    assert.equal(await get("http://a.example/"), "200 3001http://a.example/");
    await lab.pass(30_000);
    guard.setPassword("svc", "secret");
    assert.equal(await get("http://a.example/"), "200 svc http://a.example/ ");
    // The other one never heard of it.
    assert.equal(other.asked.length, 1);
  });
});

test("a credential is for its parent only, and stays out of what the origin gets", async () => {
  const yaml = PARENT.replace('credential=corp"]', 'credential=corp", "http://127.0.0.1:3001"]');
  await withParent(["basic"], yaml.replace("[digest, basic]", "basic"), async ({ server, get, lab }) => {
    const heads: string[] = [];
    const other = await lab.backend(3001);
    other.script = (peer, head) => {
      heads.push(head);
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    };
    assert.match(await get("http://a.example/"), /^200 svc/);
    server.down();
    for (const peer of server.peers) peer.socket?.abort();
    await lab.pass(10);
    assert.match(await get("http://a.example/"), /^200 /);
    assert.equal(heads.length, 1);
    assert.ok(!/authorization/i.test(heads[0] ?? ""));
  });
});

test("origins: the credential is for the origin that it is written for", async () => {
  for (const scheme of ["basic", "digest", "ntlm"] as const) {
    const yaml = `forward:
  listen: 127.0.0.1:3128
  credentials: ["http://127.0.0.1:3000=corp"]
${CREDENTIALS(scheme)}`;
    await withParent([scheme, "basic"], yaml, async ({ guard, get, lab }) => {
      const other = new GuardedServer(await lab.backend(3001), { svc: "secret" }, [scheme]);
      assert.equal(await get("http://127.0.0.1:3000/x"), "200 svc /x ");
      assert.equal(await get("http://127.0.0.1:3001/x"), "401 xxxx");
      assert.deepEqual(other.asked.map(({ field }) => field), [""]);
      assert.equal(
        await get("http://127.0.0.1:3000/y", `Authorization: Basic ${btoa("alice:hers")}\r\n`),
        "200 alice /y ",
      );
      assert.equal(await get("http://127.0.0.1:3000/z"), "200 svc /z ");
      assert.equal(
        guard.asked.filter(({ user }) => user === "").length,
        { basic: 0, digest: 1, ntlm: 4 }[scheme],
      );
    }, false);
  }
});

test("origins by way of a parent: what holds for a connection is not tried, and clear text has to be allowed", async () => {
  const yaml = (scheme: string, more: string) =>
    `forward:
  listen: 127.0.0.1:3128
  parents: ["http://127.0.0.1:3000"]
  credentials: ["http://127.0.0.1:80=corp"]
${CREDENTIALS(scheme, `password_file: /secret\n    ${more}`)}`;
  await withParent(["digest"], yaml("digest", "cleartext: true"), async ({ guard, server, get }) => {
    server.script = null;
    void guard;
    assert.match(await get("http://127.0.0.1/"), /^200 /);
  }, false);
  await withParent(["ntlm"], yaml("ntlm", "cleartext: true"), async ({ guard, get }) => {
    assert.equal(await get("http://127.0.0.1/"), "401 xxxx");
    assert.equal(guard.asked.length, 1);
  }, false);
  await withParent(["basic"], yaml("basic", "cleartext: false"), async ({ guard, get }) => {
    assert.equal(await get("http://127.0.0.1/"), "401 xxxx");
    assert.deepEqual(guard.asked.map(({ field }) => field), [""]);
  }, false);
});

test("a reload with another user: connections of the one before serve nobody", async () => {
  for (const scheme of ["ntlm", "digest"] as const) {
    await withParent([scheme], PARENT.replace("[digest, basic]", scheme), async ({ get, lab }) => {
      assert.equal(await get("http://a.example/"), "200 svc http://a.example/ ");
      lab.yaml = lab.yaml.replace("user: svc", "user: alice").replace("/secret", "/hers");
      lab.system.files.set("/hers", "hers");
      const reloaded = await lab.done(lab.plane.reload());
      assert.ok(reloaded.ok, JSON.stringify(reloaded));
      assert.equal(await get("http://a.example/"), "200 alice http://a.example/ ");
      lab.system.files.delete("/hers");
      const failed = await lab.done(lab.plane.reload());
      assert.ok(!failed.ok);
      assert.equal(await get("http://b.example/"), "200 alice http://b.example/ ");
    });
  }
});

test("a parent that asks for nothing that the credential can answer", async () => {
  await withParent(["ntlm"], PARENT, async ({ get, connect }) => {
    assert.match(await get("http://a.example/"), /^502 .*asks for nothing that credential corp can answer/s);
    assert.match((await connect("a.example:443")).answer, /502 .*asks for nothing/);
  });
});

test("explain shows neither the password of a parent's URL nor that of a credential", async () => {
  for (const parent of ["http://u:secret@127.0.0.1:3000", "http://127.0.0.1:3000 credential=corp"]) {
    const yaml = PARENT.replace("http://127.0.0.1:3000 credential=corp", parent).replace(
      "[digest, basic]",
      "basic",
    );
    await withParent(["basic"], yaml, async ({ lab }) => {
      const url = "http://a.example/";
      const told = await lab.done(lab.plane.explain({ method: "GET", url, headers: [], body_bytes: 0 }));
      assert.ok(told.ok);
      const text = JSON.stringify(told.explanation);
      assert.ok(!/secret|sample|dTpz|c3Zj/.test(text), text);
      assert.match(
        text,
        parent.includes("corp")
          ? /Proxy-Authorization: \*\*\* \(credential corp\)/
          : /Proxy-Authorization: \*\*\*"/,
      );
    });
  }
});

for (
  const [what, more] of [
    ["asked directly", ""],
    ["held for", "  hold_direct: [127.0.0.1=5s]\n"],
    ["behind a parent that is away", `  parents: ["http://127.0.0.1:3999", direct]\n`],
  ] as const
) {
  test(`origins ${what}: a reload with another user ends the connections of that user, and no others`, async () => {
    for (const scheme of ["ntlm", "digest", "basic"] as const) {
      const yaml = `forward:
  listen: 127.0.0.1:3128
  credentials: ["http://127.0.0.1:3000=corp", "http://127.0.0.1:3002=same"]
${more}${CREDENTIALS(scheme)}  same:
    scheme: ntlm
    user: svc
    password_file: /secret
`;
      await withParent([scheme], yaml, async ({ get, server, lab }) => {
        const plain = await lab.backend(3001);
        const same = await lab.backend(3002);
        new GuardedServer(same, { svc: "secret" }, ["ntlm"]);
        const ask = async (user: string): Promise<void> => {
          assert.equal(await get("http://127.0.0.1:3000/x"), `200 ${user} /x `);
          assert.match(await get("http://127.0.0.1:3001/x"), /^200 /);
          assert.equal(await get("http://127.0.0.1:3002/x"), "200 svc /x ");
        };
        await ask("svc");
        const before = server.peers.length;
        lab.yaml = lab.yaml.replace(
          "user: svc\n    password_file: /secret",
          "user: alice\n    password_file: /hers",
        );
        lab.system.files.set("/hers", "hers");
        assert.ok((await lab.done(lab.plane.reload())).ok);
        await lab.pass(5);
        assert.equal(server.open, scheme === "ntlm" ? 0 : 1, scheme);
        assert.deepEqual([plain.open, same.open], [1, 1], scheme);
        await ask("alice");
        assert.equal(server.peers.length - before, scheme === "ntlm" ? 1 : 0, scheme);
        assert.deepEqual([plain.peers.length, same.peers.length], [1, 1], scheme);
      }, false);
    }
  });
}

test("a parent among others: a reload with another user ends its connections where they are that user's", async () => {
  for (const scheme of ["ntlm", "digest", "basic"] as const) {
    const yaml = PARENT.replace("[digest, basic]", scheme).replace(
      'credential=corp"]',
      'credential=corp", direct]',
    );
    await withParent([scheme], yaml, async ({ get, server, lab }) => {
      assert.equal(await get("http://a.example/"), "200 svc http://a.example/ ");
      assert.equal(await get("http://b.example/"), "200 svc http://b.example/ ");
      const before = server.peers.length;
      lab.yaml = lab.yaml.replace("user: svc", "user: alice").replace("/secret", "/hers");
      lab.system.files.set("/hers", "hers");
      assert.ok((await lab.done(lab.plane.reload())).ok);
      assert.equal(await get("http://a.example/"), "200 alice http://a.example/ ");
      assert.equal(await get("http://b.example/"), "200 alice http://b.example/ ");
      assert.equal(server.peers.length - before, scheme === "ntlm" ? 2 : 0, scheme);
    });
  }
});
