/** Who may use the proxy, over sockets: challenges, credentials, what is remembered, and that nothing tells a secret. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { connectTo, serveForward, transcriptOf, withForward } from "./forward_lab.ts";
import { message } from "./lab.ts";

const PASSWORD = "wonder-land-77";
const TOKEN = "s3sam3-0pen";
const USERS = "alice:$2y$04$ehQ2rhkhYtuH7xckT8DsMOWyB5VuOgnew7z8CWOvRGtBPFxQZzQE6\n";
const TOKENS = `${TOKEN} ci\n`;
const FILES = { "/users": USERS, "/tokens": TOKENS };
const AUTH = "users: /users\ntokens: /tokens";

function basic(user: string, password: string): string {
  return `Proxy-Authorization: Basic ${btoa(`${user}:${password}`)}`;
}

const RIGHT = basic("alice", PASSWORD);
const WRONG = basic("alice", "wrong-land-1");

/** A request of each kind. */
function asked(there: string, ...fields: readonly string[]): readonly string[] {
  return [
    message([`GET http://${there}/ HTTP/1.1`, `Host: ${there}`, "Connection: close", ...fields]),
    connectTo(there, ...fields),
  ];
}

const DENIED: readonly (readonly [what: string, fields: readonly string[], words: string])[] = [
  ["no credentials", [], "credentials are needed"],
  ["credentials for the origin", ["Authorization: Basic YTpi"], "credentials are needed"],
  ["a wrong password", [WRONG], "wrong credentials"],
  ["an unknown user", [basic("mallory", PASSWORD)], "wrong credentials"],
  ["no password", [basic("alice", "")], "wrong credentials"],
  ["an unknown token", ["Proxy-Authorization: Bearer other"], "wrong credentials"],
  ["another scheme", ["Proxy-Authorization: Digest username=alice"], "Proxy-Authorization is malformed"],
  ["no base64", ["Proxy-Authorization: Basic %%%"], "Proxy-Authorization is malformed"],
  ["two lines", [RIGHT, RIGHT], "Proxy-Authorization is malformed"],
];

for (const [what, fields, words] of DENIED) {
  test(`${what}: 407 with a line for each scheme, nothing is dialled, and the end after CONNECT`, () =>
    withForward({ forward: AUTH, files: FILES }, async ({ connect, there, origin, proxy }) => {
      for (const request of asked(there, ...fields)) {
        const client = await connect();
        const early = request.startsWith("CONNECT") ? asked(there, RIGHT).join("") : "";
        await client.send(request + early);
        const transcript = await transcriptOf(client);
        assert.ok(
          transcript.startsWith(`HTTP/1.1 407 Proxy Authentication Required (sluice: ${words})\r\n`),
          transcript,
        );
        assert.match(
          transcript,
          /\r\nProxy-Authenticate: Basic realm="sluice", charset="UTF-8"\r\nProxy-Authenticate: Bearer realm="sluice"\r\n/,
        );
        assert.equal(transcript.split("HTTP/1.1 ").length, 2, "one answer");
        client.destroy();
      }
      await proxy.endedAt(1);
      assert.deepEqual(proxy.ended.map(({ status }) => status), [407, 407]);
      assert.equal(origin.connections, 0);
    }));
}

test("the right password and the right token open both ways, and go no further", () =>
  withForward({ forward: AUTH, files: FILES }, async ({ begin, there, proxy }) => {
    const users = [[RIGHT, "alice"], [`Proxy-Authorization: bearer ${TOKEN}`, "ci"]] as const;
    let index = 0;
    for (const [field, user] of users) {
      const [url = "", tunnel = ""] = asked(there, field, "Authorization: Basic b3JpZ2lu");
      const plain = await begin(url);
      const request = await plain.peer.readRequest();
      assert.equal(request.field("Proxy-Authorization"), undefined);
      assert.equal(request.field("Authorization"), "Basic b3JpZ2lu");
      await plain.peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      assert.equal((await plain.client.readResponse()).status, 200);
      await plain.peer.halfClose();
      assert.equal((await proxy.endedAt(index++)).user, user);
      const { client, peer } = await begin(`${tunnel}early`);
      await client.readUntil("200 Connection established");
      await peer.readUntil("early");
      await client.halfClose();
      await peer.halfClose();
      assert.equal((await proxy.endedAt(index++)).user, user);
    }
  }));

test("each request says who asks: a connection has no user", () =>
  withForward({ forward: AUTH, files: FILES }, async ({ connect, there, origin }) => {
    origin.auto(() => "here");
    const client = await connect();
    const request = (...fields: readonly string[]) =>
      message([`GET http://${there}/ HTTP/1.1`, `Host: ${there}`, ...fields]);
    assert.equal((await client.ask(request())).status, 407);
    assert.equal((await client.ask(request(RIGHT))).text, "here");
    assert.equal((await client.ask(request())).status, 407);
    assert.equal((await client.ask(request(RIGHT))).text, "here");
  }));

test("requests that are sent at once wait for the password, and are answered in order", () =>
  withForward({ forward: AUTH, files: FILES }, async ({ connect, there, origin }) => {
    origin.auto(({ target }) => target);
    const client = await connect();
    const paths = ["/a", "/b", "/c"];
    await client.send(
      paths.map((path) => message([`GET http://${there}${path} HTTP/1.1`, `Host: ${there}`, RIGHT])).join(""),
    );
    for (const path of paths) assert.equal((await client.readResponse()).text, path);
  }));

test("a body that is sent while the password is worked out arrives whole", () =>
  withForward({ forward: AUTH, files: FILES }, async ({ connect, there, origin }) => {
    origin.auto(({ text }) => text);
    const body = "x".repeat(200_000);
    const client = await connect();
    const answer = await client.ask(
      message(
        [`PUT http://${there}/ HTTP/1.1`, `Host: ${there}`, RIGHT, `Content-Length: ${body.length}`],
        body,
      ),
    );
    assert.equal(answer.text, body);
    const other = await connect();
    const lost = other.ask(
      message(
        [`PUT http://${there}/ HTTP/1.1`, `Host: ${there}`, WRONG, `Content-Length: ${body.length}`],
        body,
      ),
    );
    assert.equal((await lost).status, 407, "the answer is not lost in a reset");
  }));

test("a late answer to wrong credentials is not lost in the body that comes before it", () =>
  withForward({ forward: AUTH, files: FILES }, async ({ connect, there, origin }) => {
    const body = "x".repeat(300_000);
    const put = (credentials: string) =>
      message(
        [`PUT http://${there}/ HTTP/1.1`, `Host: ${there}`, credentials, `Content-Length: ${body.length}`],
        body,
      );
    for (let at = 0; at < 7; at++) {
      // Some are known to be wrong at once, and some are not; the last ones are late.
      const credentials = at % 2 === 0 ? basic("alice", `guess ${at}`) : "Proxy-Authorization: Basic !";
      const client = await connect();
      assert.equal((await client.ask(put(credentials))).status, 407);
    }
    assert.equal(origin.connections, 0);
  }));

test("a client that leaves before it is known who asks is told of once", () =>
  withForward({ forward: AUTH, files: FILES }, async ({ connect, there, proxy, origin }) => {
    // Wrong guesses, so that the next answer comes late.
    for (let at = 0; at < 5; at++) {
      const client = await connect();
      await client.ask(asked(there, basic("alice", `guess ${at}`))[0] ?? "");
      client.destroy();
    }
    await proxy.endedAt(4);
    for (const request of asked(there, "Proxy-Authorization: Bearer wrong")) {
      const before = proxy.ended.length;
      const client = await connect();
      await client.send(request);
      await proxy.until("the client", () => proxy.gateway.connections > 0);
      client.reset();
      const { status, reason } = await proxy.endedAt(before);
      assert.deepEqual([status, reason], [0, "client_gone"]);
      await proxy.until("the end", () => proxy.gateway.connections === 0);
      assert.equal(proxy.ended.length, before + 1);
    }
    assert.equal(origin.connections, 0);
  }));

test("guessing is slowed down, the right password is not", () =>
  withForward({ forward: AUTH, files: FILES }, async ({ connect, there, origin }) => {
    origin.auto(() => "here");
    const [right = ""] = asked(there, RIGHT);
    const answers: Promise<number>[] = [];
    const order: string[] = [];
    for (let at = 0; at < 7; at++) {
      const [url = ""] = asked(there, basic("alice", `guess ${at}`));
      const client = await connect();
      answers.push(
        client.ask(url).then(({ status }) => {
          order.push("wrong");
          return status;
        }),
      );
      // Each has been counted before the next one comes.
      if (at < 5) await answers[at];
    }
    const client = await connect();
    assert.equal((await client.ask(right)).text, "here");
    order.push("right");
    assert.deepEqual(await Promise.all(answers), new Array(7).fill(407));
    assert.ok(order.indexOf("right") < 7 && order.lastIndexOf("wrong") === 7, order.join());
  }));

test("clients of certain blocks need not say who they are; without users nobody else may ask", async () => {
  await withForward(
    { forward: `${AUTH}\nclients: [127.0.0.0/8]`, files: FILES },
    async ({ connect, there, origin }) => {
      origin.auto(() => "here");
      const [url = ""] = asked(there);
      assert.equal((await (await connect()).ask(url)).text, "here");
    },
  );
  await withForward({ forward: "clients: [10.0.0.0/8]" }, async ({ connect, there, origin }) => {
    for (const request of asked(there, RIGHT)) {
      const client = await connect();
      await client.send(request);
      assert.match(
        await transcriptOf(client),
        /^HTTP\/1\.1 403 Forbidden \(sluice: this client may not use the proxy\)\r\n/,
      );
      client.destroy();
    }
    assert.equal(origin.connections, 0);
  });
});

test("a destination is judged after the credentials: who may not ask learns nothing", () =>
  withForward({ forward: `${AUTH}\ndeny: [no.test]`, files: FILES }, async ({ connect }) => {
    const said = async (...fields: readonly string[]) => {
      const client = await connect();
      await client.send(connectTo("no.test:443", ...fields));
      return Number((await transcriptOf(client)).slice(9, 12));
    };
    assert.equal(await said(), 407);
    assert.equal(await said(RIGHT), 403);
  }));

const CONFIG = "log_level: debug\naccess_log: json\nforward:\n  listen: 127.0.0.1:0\n" +
  "  users: /users\n  tokens: /tokens\n  deny: [no.test]\n";

test("a reload forgets who was let in", async () => {
  await serveForward(CONFIG, FILES, async ({ port, there, origin, system, reload }) => {
    origin.auto(() => "here");
    const [url = ""] = asked(there, RIGHT);
    assert.equal((await askOnce(port, url)).status, 200);
    assert.equal((await askOnce(port, url)).status, 200, "remembered");
    const kept = await RawClient.connect(port);
    const again = url.replace("Connection: close\r\n", "");
    assert.equal((await kept.ask(again)).status, 200);
    system.files.set("/users", USERS.replace("alice", "bob"));
    await reload(CONFIG);
    assert.equal((await askOnce(port, url)).status, 407);
    assert.equal((await kept.ask(again)).status, 407, "on an open connection too");
    const [bob = ""] = asked(there, basic("bob", PASSWORD));
    assert.equal((await askOnce(port, bob)).status, 200);
    kept.destroy();
  });
});

test("secrets are in no log, answer or status", async () => {
  await serveForward(CONFIG, FILES, async ({ port, there, origin, plane, system, logged }) => {
    origin.auto(() => "here");
    const fields = [
      RIGHT,
      WRONG,
      basic("mallory", PASSWORD),
      `Proxy-Authorization: Bearer ${TOKEN}`,
      `Proxy-Authorization: Bearer ${TOKEN}x`,
      `Proxy-Authorization: Digest ${PASSWORD}`,
    ];
    const requests = fields.flatMap((field) => [
      ...asked(there, field),
      ...asked("no.test:1234", field),
      ...asked(`user:${PASSWORD}@${there}`, field),
      message([`TRACE http://${there}/ HTTP/1.1`, `Host: ${there}`, "Max-Forwards: 0", field]),
      message([`GET http://${there}/ HTTP/1.1`, field]),
      message(["GET / HTTP/1.1", `Host: ${there}`, field]),
    ]);
    // At once, because wrong guesses are answered late.
    const seen = await Promise.all(requests.map(async (request) => {
      const client = await RawClient.connect(port);
      await client.send(request);
      await client.readUntil("\r\n\r\n");
      await client.halfClose();
      await client.readToEnd().catch(() => {});
      client.destroy();
      return client.transcript;
    }));
    const lines = await logged(requests.length);
    assert.equal(lines.length, requests.length, "a line for each");
    const told = [
      ...seen,
      system.stdout,
      system.stderr,
      JSON.stringify(await plane.status()),
      ...origin.peers.map(({ transcript }) => transcript),
    ].join("\n");
    const secrets = [PASSWORD, TOKEN, "wrong-land-1", btoa(`alice:${PASSWORD}`), btoa("alice:wrong-land-1")];
    for (const secret of secrets) {
      const at = told.indexOf(secret);
      assert.equal(at, -1, told.slice(Math.max(0, at - 300), at + 100));
    }
    assert.match(system.stdout, /"user":"alice"/);
    assert.match(system.stdout, /"user":"ci"/);
  });
});

test("a tunnel is one line of the log, at its end, and counted once", async () => {
  await serveForward(CONFIG, FILES, async ({ port, there, origin, plane, logged, system }) => {
    const client = await RawClient.connect(port);
    await client.send(`${connectTo(there, RIGHT)}early`);
    const peer = await origin.accept();
    await client.readUntil("\r\n\r\n");
    await peer.readUntil("early");
    await peer.send("answer");
    await client.readUntil("answer");
    assert.equal(system.stdout, "");
    await client.halfClose();
    await peer.halfClose();
    const [line = "{}", ...others] = await logged(1);
    assert.deepEqual(others, []);
    const told = JSON.parse(line);
    assert.equal(told.method, "CONNECT");
    assert.equal(told.target, there);
    assert.equal(told.status, 200);
    assert.equal(told.user, "alice");
    assert.match(told.endpoint, new RegExp(`^${there} \\(127\\.0\\.0\\.1\\)$`));
    assert.ok(Object.values(told).includes(5) && Object.values(told).includes(6), line);
    client.destroy();
    const { totals, tunnels } = await plane.status();
    assert.deepEqual([totals.requests, totals.request_bytes, totals.response_bytes, tunnels], [1, 5, 6, 0]);
  });
});
