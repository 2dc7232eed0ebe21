/** Requests that Sluice sends with a credential of its own to an upstream's endpoints: the whole program, in memory. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Explanation } from "../../../src/serve/explain/explanation.ts";
import { GuardedServer, type GuardScheme } from "../../support/guarded_server.ts";
import type { Peer } from "../../support/memory_lab.ts";
import { answerOf, PlaneLab } from "../../support/plane_lab.ts";

interface Scene {
  readonly lab: PlaneLab;
  readonly guard: GuardedServer;
  /** What a request is answered. */
  ask(target: string, fields?: string, body?: string, client?: Peer): Promise<string>;
}

/** @param scheme of the credential `corp`, which is `svc`, `secret` */
async function withGuard(
  schemes: readonly GuardScheme[],
  scheme: string,
  scene: (scene: Scene) => Promise<void>,
  more = "",
): Promise<void> {
  const secret = scheme === "bearer" ? "token_file: /secret" : "user: svc\n    password_file: /secret";
  const yaml = `to: 3000
credential: corp
access_log: json
credentials:
  corp:
    scheme: ${scheme}
    ${secret}
${more}`;
  const lab = await PlaneLab.start(yaml, {}, { "/secret": "secret\n" });
  const guard = new GuardedServer(await lab.backend(3000), { svc: "secret", alice: "hers" }, schemes);
  await scene({
    lab,
    guard,
    async ask(target, fields = "", body = "", client = lab.dial()) {
      client.received = "";
      const method = body === "" ? "GET" : "POST";
      client.say(
        `${method} ${target} HTTP/1.1\r\nHost: lab\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`,
      );
      await lab.until("an answer", () => /\r\n\r\n/.test(client.received), 40_000);
      await lab.pass(5);
      return answerOf(client);
    },
  });
  await lab.stop();
  assert.ok(!/secret|c2VjcmV0/.test(lab.system.stdout + lab.system.stderr), "a secret was told");
}

function records(lab: PlaneLab): { credential?: string; attempts: number; status: number; reason: string }[] {
  return lab.system.stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

for (const scheme of ["basic", "bearer"] as const) {
  test(`${scheme} is sent at once`, async () => {
    await withGuard([scheme], scheme, async ({ guard, lab, ask }) => {
      assert.equal(await ask("/a"), "200 svc /a ");
      const field = scheme === "basic" ? `Basic ${btoa("svc:secret")}` : "Bearer secret";
      assert.deepEqual(guard.asked.map((each) => each.field), [field]);
      await lab.pass(200);
      assert.deepEqual(records(lab).map(({ credential, attempts }) => [credential, attempts]), [["corp", 1]]);
    });
  });
}

for (const scheme of ["digest", "ntlm"] as const) {
  test(`${scheme}: the challenge is answered, and later requests are not challenged`, async () => {
    await withGuard([scheme, "basic"], `[${scheme}, basic]`, async ({ guard, lab, ask }) => {
      assert.equal(await ask("/a"), "200 svc /a ");
      const before = guard.asked.length;
      assert.equal(before, scheme === "digest" ? 2 : 3);
      assert.equal(await ask("/b"), "200 svc /b ");
      assert.equal(guard.asked.length, before + 1);
      assert.equal(new Set(guard.asked.map(({ connection }) => connection)).size, 1);
      await lab.pass(200);
      assert.deepEqual(records(lab).map(({ credential, attempts }) => [credential, attempts]), [
        ["corp", before],
        ["corp", 1],
      ]);
      const status = await lab.plane.status();
      assert.deepEqual(status.credentials, [{ name: "corp", used: 2, challenged: before - 1, rejected: 0 }]);
      assert.equal(status.totals.retries, 0);
    });
  });

  test(`${scheme}: a body is sent again as a whole`, async () => {
    await withGuard([scheme], scheme, async ({ guard, ask }) => {
      const body = "b".repeat(60_000);
      assert.equal(await ask("/a", "", body), `200 svc /a ${body}`);
      assert.ok(guard.asked.every((asked) => asked.body === body && asked.method === "POST"));
    });
  });

  test(`${scheme}: of a body that is too large to be kept, the challenge is the client's`, async () => {
    await withGuard([scheme], scheme, async ({ guard, ask }) => {
      assert.equal(await ask("/a", "", "b".repeat(5000)), "401 xxxx");
      assert.equal(guard.asked.length, 1);
    }, "request_buffer: 4KiB\n");
  });

  test(`${scheme}: connections that end with their challenge`, async () => {
    await withGuard([scheme], scheme, async ({ guard, ask }) => {
      guard.closes = true;
      // NTLM cannot go on without its connection.
      assert.equal(await ask("/a"), scheme === "digest" ? "200 svc /a " : "401 xxxx");
    });
  });

  test(`${scheme}: a wrong password is rejected once, and told`, async () => {
    await withGuard([scheme], scheme, async ({ guard, lab, ask }) => {
      guard.setPassword("svc", "another");
      assert.equal(await ask("/a"), "401 xxxx");
      const { credentials, endpoints } = await lab.plane.status().then(({ credentials, upstreams }) => ({
        credentials,
        endpoints: upstreams[0]?.endpoints,
      }));
      assert.equal(credentials?.[0]?.rejected, 1);
      assert.equal(endpoints?.[0]?.pinned, 0);
    });
  });

  test(`${scheme}: a password that was replaced meanwhile is read when the old one is rejected`, async () => {
    await withGuard([scheme], scheme, async ({ guard, lab, ask }) => {
      assert.equal(await ask("/a"), "200 svc /a ");
      guard.setPassword("svc", "another");
      guard.renew();
      guard.forgetSessions();
      lab.system.files.set("/secret", "another");
      assert.equal(await ask("/b"), "200 svc /b ");
    });
  });

  test(`${scheme}: a challenge with a large body costs a connection, not more`, async () => {
    await withGuard([scheme], scheme, async ({ guard, ask }) => {
      guard.padding = 100_000;
      const answer = await ask("/a");
      if (scheme === "digest") {
        assert.equal(answer, "200 svc /a ");
        assert.deepEqual(guard.asked.map(({ connection }) => connection), [1, 2]);
      } else assert.match(answer, /^401 x+$/);
    });
  });
}

test("the strongest scheme that is asked for is taken", async () => {
  await withGuard(["basic", "digest"], "[basic, digest, ntlm]", async ({ guard, ask }) => {
    assert.equal(await ask("/a"), "200 svc /a ");
    assert.deepEqual(guard.asked.map(({ field }) => field.split(" ")[0]), ["", "Digest"]);
    guard.schemes = ["basic"];
    assert.equal(await ask("/b"), "200 svc /b ");
    assert.equal(guard.asked.at(-1)?.field.split(" ")[0], "Basic");
  });
});

test("a scheme that the credential does not have is not answered", async () => {
  await withGuard(["basic"], "[digest, ntlm]", async ({ guard, ask }) => {
    assert.equal(await ask("/a"), "401 xxxx");
    assert.deepEqual(guard.asked.map(({ field }) => field), [""]);
  });
});

test("Digest: nonces that go stale, and those that are told ahead", async () => {
  for (const algorithm of ["MD5", "SHA-256", "MD5-sess", "SHA-256-sess"]) {
    await withGuard(["digest"], "digest", async ({ guard, ask }) => {
      guard.algorithm = algorithm;
      assert.equal(await ask("/1"), "200 svc /1 ");
      guard.renew();
      assert.equal(await ask("/2"), "200 svc /2 ");
      assert.equal(guard.asked.length, 4);
      guard.rotates = true;
      for (const target of ["/3", "/4", "/5?a=b"]) assert.equal(await ask(target), `200 svc ${target} `);
      assert.equal(guard.asked.length, 7);
    });
  }
});

test("Digest: a nonce that is stale again is answered once more, and not for ever", async () => {
  await withGuard(["digest"], "digest", async ({ guard, ask }) => {
    assert.equal(await ask("/1"), "200 svc /1 ");
    guard.renewsBefore = 2;
    assert.equal(await ask("/2"), "200 svc /2 ");
    assert.equal(guard.asked.length, 5);
    guard.renewsBefore = 100;
    assert.equal(await ask("/3"), "401 xxxx");
    assert.equal(guard.asked.length, 8);
  });
});

test("a client's own Authorization goes as it is, and nothing else does", async () => {
  for (const scheme of ["basic", "digest", "ntlm"] as const) {
    await withGuard([scheme, "basic"], scheme, async ({ guard, ask }) => {
      assert.equal(await ask("/a"), "200 svc /a ");
      const own = `Basic ${btoa("alice:hers")}`;
      assert.equal(await ask("/b", `Authorization: ${own}\r\n`), "200 alice /b ");
      assert.equal(guard.asked.at(-1)?.field, own);
      // Nor on a connection that is known as us.
      assert.equal(await ask("/c", "Authorization: Basic eDp5\r\n"), "401 xxxx");
      assert.equal(guard.asked.at(-1)?.field, "Basic eDp5");
      assert.equal(await ask("/d"), "200 svc /d ");
    });
  }
});

test("NTLM: a request with an Authorization never goes on a connection that is authenticated as us", async () => {
  await withGuard(["ntlm"], "ntlm", async ({ guard, ask }) => {
    assert.equal(await ask("/a"), "200 svc /a ");
    const used = guard.asked.at(-1)?.connection;
    guard.ignores = true;
    assert.equal(await ask("/b", "Authorization: Other x\r\n"), "401 xxxx");
    assert.notEqual(guard.asked.at(-1)?.connection, used);
  });
});

test("a client that has authenticated on its connection goes on as itself", async () => {
  await withGuard(["ntlm"], "ntlm", async ({ guard, lab, ask }) => {
    const client = lab.dial();
    await ask("/1", "Authorization: NTLM TlRMTVNTUAABAAAAB4IIoAAAAAAAAAAAAAAAAAAAAAA=\r\n", "", client);
    assert.equal(guard.asked.at(-1)?.user, "");
    const { connection } = guard.asked.at(-1) ?? {};
    await ask("/2", "", "", client);
    assert.deepEqual([guard.asked.at(-1)?.connection, guard.asked.at(-1)?.field], [connection, ""]);
    // Others do not.
    assert.equal(await ask("/3"), "200 svc /3 ");
    assert.notEqual(guard.asked.at(-1)?.connection, connection);
  });
});

test("Expect: 100-continue: the challenge costs no body", async () => {
  await withGuard(["digest"], "digest", async ({ guard, lab }) => {
    const client = lab.dial();
    client.say("POST /a HTTP/1.1\r\nHost: lab\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    await lab.until("an answer", () => client.received !== "", 5000);
    assert.equal(answerOf(client), "200 svc /a ");
    assert.deepEqual(guard.asked.map(({ user, body, connection }) => [user, body, connection]), [
      ["", "", 1],
      ["svc", "", 2],
    ]);
  });
});

test("explain names the credential, and shows no secret", async () => {
  for (const scheme of ["basic", "digest", "ntlm"]) {
    await withGuard(["basic"], scheme, async ({ lab }) => {
      const told = await lab.done(lab.plane.explain({ method: "GET", url: "/", headers: [], body_bytes: 0 }));
      assert.ok(told.ok);
      const { forwarded } = told.explanation as Explanation;
      assert.equal(forwarded?.credential, "corp");
      const fields = forwarded?.fields.filter((line) => /^authorization:/i.test(line));
      assert.deepEqual(fields, scheme === "basic" ? ["Authorization: *** (credential corp)"] : []);
      const own = await lab.done(
        lab.plane.explain({ method: "GET", url: "/", headers: ["Authorization: Basic x"], body_bytes: 0 }),
      );
      assert.ok(own.ok);
      const explained = (own.explanation as Explanation).forwarded;
      assert.equal(explained?.credential, "");
      assert.ok(explained?.fields.includes("Authorization: Basic x"));
    });
  }
});

test("a token file that changes is used soon, and at once after it was rejected", async () => {
  await withGuard(["bearer"], "bearer", async ({ guard, lab, ask }) => {
    assert.equal(await ask("/a"), "200 svc /a ");
    lab.system.files.set("/secret", "second");
    guard.setPassword("svc", "second");
    assert.equal(await ask("/b"), "200 svc /b ");
    assert.deepEqual(guard.asked.map(({ field }) => field), [
      "Bearer secret",
      "Bearer secret",
      "Bearer second",
    ]);
    lab.system.files.set("/secret", "third");
    await lab.pass(2000);
    await ask("/c");
    await lab.pass(100);
    guard.setPassword("svc", "third");
    assert.equal(await ask("/d"), "200 svc /d ");
    assert.equal(guard.asked.length, 5);
  });
});

/** A request that is under way while another configuration comes, and is sent again after that. */
async function overReload(before: string, after: string, next: string[]): Promise<readonly string[]> {
  const text = (more: string) =>
    `upstreams: {app: {endpoints: 3000${more}}}\nroutes: [{to: app}]\nretry: unanswered\n${
      more === ""
        ? ""
        : `credentials: {corp: {scheme: ntlm, user: ${more.split(" #")[1]}, password_file: /secret}}\n`
    }`.replace(/ #\w+/, "");
  const lab = await PlaneLab.start(text(before), {}, { "/secret": "secret" });
  const backend = await lab.backend(3000);
  new GuardedServer(backend, { svc: "secret", svd: "secret" }, ["ntlm"]);
  const answer = backend.script;
  let held: Peer | null = null;
  backend.script = (peer, head) => {
    if (held === null && head.includes("/first")) held = peer;
    else answer?.(peer, head);
  };
  const answers: string[] = [];
  const first = lab.ask("/first");
  await lab.until("the first request", () => held !== null, 5000);
  lab.yaml = text(after);
  assert.ok((await lab.done(lab.plane.reload())).ok);
  const said = async (target: string, client = lab.ask(target)) => {
    await lab.until("an answer", () => client.received !== "", 5000);
    await lab.pass(5);
    answers.push(answerOf(client));
  };
  for (const target of next.slice(0, -1)) await said(target);
  (held as unknown as Peer).socket.abort();
  await said("/first", first);
  await said(next.at(-1) ?? "");
  await lab.stop();
  return answers;
}

test("a request of a former user that is sent again leaves its connection to nobody", async () => {
  assert.deepEqual(await overReload(", credential: corp #svc", ", credential: corp #svd", ["/second"]), [
    "200 svc /first ",
    "200 svd /second ",
  ]);
});

test("a request from before there was a credential gets no connection that is authenticated as us", async () => {
  assert.deepEqual(await overReload("", ", credential: corp #svc", ["/second", "/third"]), [
    "200 svc /second ",
    "401 xxxx",
    "200 svc /third ",
  ]);
});

test("a request from while there was a credential leaves its connection to nobody", async () => {
  assert.deepEqual(await overReload(", credential: corp #svc", "", ["/second", "/third"]), [
    "401 xxxx",
    "200 svc /first ",
    "401 xxxx",
  ]);
});

test("a token that a command has to make: requests wait for it, and are told when it cannot be had", async () => {
  const yaml = `to: 3000
credential: corp
credentials: {corp: {scheme: bearer, token_command: [make, token], token_cache: 60s}}
`;
  const lab = await PlaneLab.start(yaml);
  const guard = new GuardedServer(await lab.backend(3000), { svc: "one", svd: "two" }, ["bearer"]);
  const told = async (client: Peer) => {
    await lab.until("an answer", () => client.received !== "", 5000);
    await lab.pass(5);
    return answerOf(client);
  };
  const clients = [lab.ask("/1"), lab.ask("/2")];
  await lab.pass(50);
  assert.deepEqual([lab.system.commands.length, guard.asked.length], [1, 0]);
  lab.system.commands[0]?.print("one\n");
  lab.system.commands[0]?.end({ code: 0 });
  assert.deepEqual([await told(clients[0] as Peer), await told(clients[1] as Peer)], [
    "200 svc /1 ",
    "200 svc /2 ",
  ]);
  // One that is rejected before its time is made anew.
  guard.setPassword("svc", "none");
  const rejected = lab.ask("/3");
  await lab.until("another command", () => lab.system.commands.length === 2, 5000);
  lab.system.commands[1]?.print("two\n");
  lab.system.commands[1]?.end({ code: 0 });
  assert.equal(await told(rejected), "200 svd /3 ");
  await lab.pass(61_000);
  const late = lab.ask("/4");
  await lab.pass(50);
  const gone = lab.ask("/5");
  await lab.pass(5);
  gone.socket.abort();
  lab.system.commands[2]?.end({ code: 1 });
  assert.match(await told(late), /^502 /);
  assert.match(late.received, /credential corp: the token command make ended with code 1/);
  assert.equal(guard.asked.filter(({ target }) => target === "/4" || target === "/5").length, 0);
  await lab.stop();
});

test("Digest: a server that gives one nonce to several workers and counts it is answered all the same", async () => {
  // Two credentials know as little of each other as those of two workers.
  const yaml = `upstreams: {a: {endpoints: 3000, credential: one}, b: {endpoints: 3000, credential: two}}
routes: [{match: {path: /a/}, to: a}, {to: b}]
credentials: {${
    ["one", "two"].map((name) => `${name}: {scheme: digest, user: svc, password_file: /secret}`).join(", ")
  }}
`;
  const lab = await PlaneLab.start(yaml, {}, { "/secret": "secret" });
  const guard = new GuardedServer(await lab.backend(3000), { svc: "secret" }, ["digest"]);
  guard.sharesNonces = true;
  for (let round = 0; round < 5; round++) {
    for (const target of [`/a/${round}`, `/b/${round}`]) {
      const client = lab.ask(target);
      await lab.until("an answer", () => client.received !== "", 5000);
      assert.equal(answerOf(client), `200 svc ${target} `);
    }
  }
  const proofs = guard.asked.map(({ field }) => field).filter((field) => field !== "");
  assert.equal(new Set(proofs.map((field) => /cnonce="\w+".*nc=\w+/.exec(field)?.[0])).size, proofs.length);
  await lab.stop();
});
