/** Scripts and what comes back: responses that are changed or replaced, failures that are answered, records of the end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { next, pass, reject, respond, to } from "../../src/script/decision.ts";
import type { HttpRequest, LogRecord, OnResponse } from "../../src/script/script_types.ts";
import { freePort } from "../support/free_port.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptLab } from "../support/script_lab.ts";

const get = (target = "/", more = "") => `GET ${target} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`;
const post = (body: string) =>
  `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const later = async <T>(value: T): Promise<T> => {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return value;
};

function bothWays(name: string, hook: OnResponse, act: (lab: ScriptLab) => Promise<void>): void {
  test(`${name}, at once`, () => ScriptLab.with({ onResponse: hook }, act));
  test(`${name}, later`, () =>
    ScriptLab.with({ onResponse: async (a, r) => await later(await hook(a, r)) }, act));
}

const ANSWERS = [
  "HTTP/1.1 200 OK\r\nServer: old\r\nX-Up: 1\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nServer: old\r\nX-Up: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nServer: old\r\nX-Up: 1\r\nConnection: X-Frame-Options\r\nContent-Length: 5\r\n\r\nhello",
];

bothWays(
  "fields and status of a response are changed",
  () =>
    pass({
      status: 203,
      headers: { Server: null, "X-Frame-Options": "DENY", "X-Up": ["a", "b"] },
      add: { "X-Add": "+" },
    }),
  async ({ origin, port, told, proxy }) => {
    const client = await RawClient.connect(port);
    for (let round = 0; round < 2; round++) {
      for (const answer of ANSWERS) {
        for (const splits of [false, true]) {
          await client.send(get());
          const peer = await origin.accept();
          await peer.readUntil("\r\n\r\n");
          if (splits) await peer.dribble(answer);
          else await peer.send(answer);
          await peer.halfClose();
          const got = await client.readResponse();
          assert.deepEqual([got.status, got.text], [203, "hello"]);
          assert.equal(got.field("Server"), undefined);
          assert.equal(got.field("X-Frame-Options"), "DENY");
          assert.deepEqual(got.all("X-Up"), ["a", "b"]);
          assert.equal(got.field("X-Add"), "+");
        }
      }
    }
    client.destroy();
    assert.deepEqual(told, []);
    assert.equal((await proxy.endedAt(11)).reason, "");
  },
);

bothWays("nothing is said about a response", () => {}, async ({ origin, port }) => {
  origin.auto(({ text }) => text + "x".repeat(300_000));
  const client = await RawClient.connect(port);
  for (const body of ["", "b".repeat(500_000)]) {
    assert.equal((await client.ask(post(body))).bodyBytes, body.length + 300_000);
  }
  client.destroy();
});

bothWays(
  "another answer in place of the endpoint's",
  ({ status, headers, endpoint }) => {
    assert.notEqual(endpoint, "");
    return headers.has("x-internal")
      ? respond(200, `was ${status}`, { "X-Own": "1" })
      : reject(502, "not for you");
  },
  async ({ origin, port, proxy, told }) => {
    const client = await RawClient.connect(port);
    const asked = client.ask(get());
    const peer = await origin.accept();
    await peer.readUntil("\r\n\r\n");
    await peer.send("HTTP/1.1 500 Oh\r\nX-Internal: secret\r\nContent-Length: 1000000\r\n\r\nsecret");
    const answer = await asked;
    assert.deepEqual([answer.status, answer.text, answer.field("X-Own")], [200, "was 500", "1"]);
    assert.equal(answer.field("X-Internal"), undefined);
    const again = client.ask(get());
    const other = await origin.accept();
    await other.readUntil("\r\n\r\n");
    await other.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert.equal((await again).status, 502);
    client.destroy();
    await proxy.until("both", () => proxy.ended.length === 2);
    assert.deepEqual(proxy.ended.map(({ status }) => status), [200, 502]);
    assert.equal(proxy.upstream().inFlight, 0);
    assert.deepEqual(told, []);
  },
);

for (const passesOnError of [false, true]) {
  const hooks: OnResponse[] = [
    () => {
      throw new Error("oh");
    },
    () => Promise.reject(new Error("oh")),
    () => to("default"),
    () => 1 as unknown as undefined,
    () => new Promise<undefined>(() => {}),
  ];
  test(`a hook that fails: ${passesOnError ? "the response goes on" : "502"}`, async () => {
    for (const onResponse of hooks) {
      await ScriptLab.with({ onResponse }, async ({ origin, port, told, proxy }) => {
        origin.auto(() => "secret");
        const answer = await askOnce(port, get());
        const never = onResponse === hooks.at(-1);
        if (passesOnError && !never) assert.deepEqual([answer.status, answer.text], [200, "secret"]);
        else assert.deepEqual([answer.status, answer.text.includes("secret")], [never ? 504 : 502, false]);
        assert.equal(told.length, 1);
        assert.equal((await proxy.endedAt(0)).status, answer.status);
        assert.equal(proxy.upstream().inFlight, 0);
      }, { timeoutMs: 50, passesOnError });
    }
  });
}

test("a slow verdict does not gather a whole response", async () => {
  let go = () => {};
  const gate = new Promise<void>((resolve) => go = resolve);
  await ScriptLab.with({ onResponse: () => gate }, async ({ origin, port }) => {
    const client = await RawClient.connect(port);
    await client.send(get());
    const peer = await origin.accept();
    await peer.readUntil("\r\n\r\n");
    const size = 64 * 1024 * 1024;
    await peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
    let sent = 0;
    const sending = (async () => {
      for (const piece = new Uint8Array(1024 * 1024); sent < size; sent += piece.length) {
        await peer.send(piece);
      }
    })();
    let before = -1;
    while (sent !== before) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(sent < size / 2, `${sent} bytes`);
    go();
    client.record = false;
    assert.equal((await client.readResponse({ onBody: () => {} })).bodyBytes, size);
    await sending;
    client.destroy();
  });
});

test("an endpoint that breaks off while the script thinks: the client sees it", async () => {
  let go = () => {};
  const gate = new Promise<void>((resolve) => go = resolve);
  await ScriptLab.with({ onResponse: () => gate }, async ({ origin, port, proxy }) => {
    const client = await RawClient.connect(port);
    await client.send(get());
    const peer = await origin.accept();
    await peer.readUntil("\r\n\r\n");
    await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
    await proxy.until("the answer", () => proxy.upstream().inFlight === 1);
    peer.reset();
    await client.readToClose();
    assert.equal(client.transcript.includes("100\r\n\r\nsome" + "x"), false);
    go();
    assert.equal((await proxy.endedAt(0)).reason, "http_response_incomplete");
    client.destroy();
  });
});

test("a switch of protocols is changed, at once and later, and what is said meanwhile is in order", async () => {
  const edited = pass({ headers: { "X-Switched": "1" } });
  const hooks: [OnResponse, boolean][] = [
    [() => edited, true],
    [() => {}, true],
    [() => later(edited), true],
    [() => later(undefined), true],
    [() => respond(403, "no"), false],
    [() => later(respond(403, "no")), false],
    [() => Promise.reject(new Error("oh")), false],
  ];
  for (const [onResponse, goes] of hooks) {
    await ScriptLab.with({ onResponse }, async ({ origin, port, proxy }) => {
      const client = await RawClient.connect(port);
      await client.send(get("/", "Connection: Upgrade\r\nUpgrade: chat\r\n"));
      const peer = await origin.accept();
      await peer.readUntil("\r\n\r\n");
      await peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhi");
      if (goes) {
        await client.readUntil("hi");
        await client.send("up");
        await peer.readUntil("up");
        await peer.send("down");
        await client.readUntil("down");
        await peer.halfClose();
        await client.halfClose();
      } else {
        assert.ok((await client.readResponse()).status >= 403);
        await peer.readToClose();
        client.destroy();
      }
      await proxy.until("its end", () => proxy.ended.length === 1 && proxy.upstream().inFlight === 0);
    }, { yaml: "upgrades: chat\n" });
  }
});

test("a client that leaves while a script thinks about a switch", async () => {
  for (const leaves of ["halfClose", "destroy"] as const) {
    let asked = false;
    const onResponse = () => {
      asked = true;
      return new Promise<undefined>(() => {});
    };
    await ScriptLab.with({ onResponse }, async ({ origin, port, proxy }) => {
      const client = await RawClient.connect(port);
      await client.send(get("/", "Connection: Upgrade\r\nUpgrade: chat\r\n"));
      const peer = await origin.accept();
      await peer.readUntil("\r\n\r\n");
      await peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhi");
      await proxy.until("the question", () => asked);
      await client[leaves]();
      await peer.readToClose();
      await proxy.until("its end", () => proxy.ended.length === 1 && proxy.upstream().inFlight === 0);
      client.destroy();
    }, { yaml: "upgrades: chat\n" });
  }
});

const DOWN = (port: number, more = "hold: 0") =>
  `upstreams:\n  down: { endpoints: ["127.0.0.1:${port}"], ${
    more.replace("\n", ", ")
  } }\n  up: { endpoints: [ORIGIN] }\nroutes:\n  - { to: down }\n`;

for (const isLater of [false, true]) {
  const wait = <T>(value: T): T | Promise<T> => isLater ? later(value) : value;
  test(`a failure is answered by the script, ${isLater ? "later" : "at once"}`, async () => {
    const seen: unknown[] = [];
    const onError = (
      { reason, status, sent }: { reason: string; status: number; sent: boolean },
      r: HttpRequest,
    ) => {
      seen.push([reason, status, sent]);
      switch (r.path) {
        case "/page":
          return wait(respond(503, "<h1>down</h1>", { "Content-Type": "text/html" }));
        case "/elsewhere":
          return wait(to("up", { headers: { "X-Fallback": "1" } }));
        case "/changed":
          return wait(pass({ headers: { "X-Why": reason } }));
        default:
          return wait(undefined);
      }
    };
    await ScriptLab.with({ onError }, async ({ origin, port, proxy, told }) => {
      origin.auto((request) => `${request.method} ${request.text} ${request.field("X-Fallback")}`);
      const client = await RawClient.connect(port);
      const page = await client.ask(get("/page"));
      assert.deepEqual([page.status, page.text, page.field("Content-Type")], [
        503,
        "<h1>down</h1>",
        "text/html",
      ]);
      const elsewhere = await client.ask(
        `POST /elsewhere HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody`,
      );
      assert.deepEqual([elsewhere.status, elsewhere.text], [200, "POST body 1"]);
      assert.equal((await client.ask(get("/changed"))).field("X-Why"), "connection_refused");
      assert.match((await client.ask(get("/"))).text, /connection_refused/);
      client.destroy();
      assert.deepEqual(told, []);
      await proxy.until("all", () => proxy.ended.length === 4);
      assert.deepEqual(proxy.ended.map(({ status, reason }) => [status, reason]), [
        [503, "connection_refused"],
        [200, ""],
        [502, "connection_refused"],
        [502, "connection_refused"],
      ]);
      assert.ok(
        seen.every((each) => JSON.stringify(each) === '["connection_refused",502,false]'),
        JSON.stringify(seen),
      );
    }, { yaml: DOWN(await freePort()) });
  });
}

test("what an endpoint may have seen does not go elsewhere", async () => {
  await ScriptLab.with({ onError: () => to("default") }, async ({ origin, port, told }) => {
    origin.auto((_, peer) => {
      peer.reset();
      return null;
    });
    assert.equal((await askOnce(port, post("x"))).status, 502);
    assert.match(told[0]?.words ?? "", /may have seen/);
  });
});

test("failures before there is a route come to the script, too", async () => {
  await ScriptLab.with(
    { onError: ({ reason }) => respond(404, `none: ${reason}`) },
    async ({ port, proxy }) => {
      const client = await RawClient.connect(port);
      const answer = await client.ask(get("/nowhere"));
      assert.deepEqual([answer.status, answer.text], [404, "none: no_route"]);
      assert.equal((await client.ask(get("/x/y"))).text, "none: connection_refused");
      client.destroy();
      await proxy.until("both", () => proxy.ended.length === 2);
      assert.deepEqual(proxy.ended.map(({ reason }) => reason), ["no_route", "connection_refused"]);
    },
    {
      yaml:
        `upstreams:\n  down: { endpoints: ["127.0.0.1:${await freePort()}"], hold: 0 }\n  o: { endpoints: [ORIGIN] }\nroutes:\n  - { match: { path: /x }, to: down }\n`,
    },
  );
});

test("every request is told of once, whatever became of it", async () => {
  const records: [string, LogRecord][] = [];
  const hooks = {
    onRequest: (r: HttpRequest) => {
      r.state["seen"] = r.id;
      if (r.path === "/own") return respond(201, "own");
      if (r.path === "/no") return reject(403);
      if (r.path === "/later") return later(next());
      return undefined;
    },
    onLog: (l: LogRecord, r: HttpRequest) => {
      assert.equal(r.state["seen"], r.id);
      assert.ok(r.id > 0);
      records.push([r.path, l]);
    },
  };
  await ScriptLab.with(hooks, async ({ origin, port, told, proxy }) => {
    origin.auto(() => "origin");
    const client = await RawClient.connect(port);
    for (const path of ["/own", "/no", "/later", "/"]) await client.ask(get(path));
    await proxy.until("all", () => records.length === 4);
    assert.deepEqual(
      records.map(([path, { status, reason, attempts }]) => [path, status, reason, attempts]),
      [
        ["/own", 201, "", 0],
        ["/no", 403, "http_request_denied", 0],
        ["/later", 200, "", 1],
        ["/", 200, "", 1],
      ],
    );
    assert.equal(records[3]?.[1].responseBytes, 6);
    client.destroy();
    assert.deepEqual(told, []);
  });
});

test("103 Early Hints go before the answer", async () => {
  const hooks = {
    default: async (r: HttpRequest) => {
      r.earlyHints({ Link: "</a.css>; rel=preload" });
      return await later({ body: "late" });
    },
  };
  await ScriptLab.with(hooks, async ({ port, told }) => {
    const client = await RawClient.connect(port);
    const answer = await client.ask(get());
    assert.equal(answer.text, "late");
    assert.deepEqual(
      answer.interim.map(({ status, fields }) => [status, fields.find(([n]) => n === "Link")?.[1]]),
      [
        [103, "</a.css>; rel=preload"],
      ],
    );
    client.destroy();
    assert.deepEqual(told, []);
  });
});
