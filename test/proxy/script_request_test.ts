/** Scripts and handlers: what becomes of requests. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { next, reject, respond, to, tunnel } from "../../src/script/decision.ts";
import type { HttpRequest, OnRequest } from "../../src/script/script_types.ts";
import type { FieldLine } from "../support/http_reader.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptLab } from "../support/script_lab.ts";
import { acrossChunks } from "../support/wire.ts";

const field = ({ fields }: { readonly fields: readonly FieldLine[] }, name: string): string | null =>
  fields.find(([each]) => each.toLowerCase() === name)?.[1] ?? null;
const get = (target = "/", more = "") => `GET ${target} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`;
const post = (body: string, more = "") =>
  `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;
const later = async <T>(value: T): Promise<T> => {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return value;
};

/** The same script, answering at once and later. */
function bothWays(name: string, hook: OnRequest, act: (lab: ScriptLab) => Promise<void>): void {
  test(`${name}, at once`, () => ScriptLab.with({ onRequest: hook }, act));
  test(`${name}, later`, () =>
    ScriptLab.with({ onRequest: async (request) => await later(await hook(request)) }, act));
  // Whoever watches stands between client and exchange.
  test(`${name}, and watches`, () =>
    ScriptLab.with({ onRequest: hook, onError: () => {}, onLog: () => {} }, act));
}

bothWays("nothing is decided: as the routes say", () => {}, async ({ origin, port, proxy }) => {
  origin.auto(({ method, target, text }) => `${method} ${target} ${text}`);
  const client = await RawClient.connect(port);
  for (let i = 0; i < 3; i++) {
    assert.equal((await client.ask(get("/x?y"))).text, "GET /x?y ");
    assert.equal((await client.ask(post("hello"))).text, "POST / hello");
  }
  client.destroy();
  assert.equal((await proxy.endedAt(5)).status, 200);
  assert.equal(proxy.ended.length, 6);
});

bothWays(
  "fields, target and method are changed",
  (request) =>
    next({
      headers: { "X-Set": "1", "x-gone": null, "X-Two": ["a", "b"] },
      add: { "X-More": "m" },
      uri: "/other?q",
      method: request.method === "GET" ? "DELETE" : "PUT",
      host: "b.test:81",
    }),
  async ({ origin, port }) => {
    const seen: string[][] = [];
    origin.auto((request) => {
      seen.push([request.method, request.target, ...request.fields.map(([n, v]) => `${n}: ${v}`)]);
      return "ok";
    });
    const client = await RawClient.connect(port);
    const answer = await client.ask(
      get("/x", "X-Gone: 1\r\nX-Stays: s\r\nX-Set: 0\r\nX-GONE: 2\r\nX-Two: 0\r\nConnection: X-Set\r\n"),
    );
    assert.equal(answer.text, "ok");
    await client.ask(post("body"));
    client.destroy();
    const [first = [], second = []] = seen;
    assert.deepEqual(first.slice(0, 2), ["DELETE", "/other?q"]);
    const fields = first.slice(2).filter((line) => /^(x-(set|gone|two|more|stays)|host):/i.test(line));
    assert.deepEqual(fields.sort(), [
      "Host: b.test:81",
      "X-More: m",
      "X-Set: 1",
      "X-Stays: s",
      "X-Two: a",
      "X-Two: b",
    ]);
    assert.deepEqual(second.slice(0, 2), ["PUT", "/other?q"]);
  },
);

bothWays(
  "an answer of its own",
  () => respond(201, "hello world\n", { "Content-Length": "12", "X-Y": "z" }),
  async ({ port, proxy }) => {
    const client = await RawClient.connect(port);
    for (const request of [get(), post("x".repeat(1000)), get()]) {
      const answer = await client.ask(request);
      assert.equal(answer.status, 201);
      assert.equal(answer.text, "hello world\n");
      assert.equal(field(answer, "x-y"), "z");
      assert.equal(field(answer, "content-length"), "12");
    }
    const head = await client.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(field(head, "content-length"), "12");
    assert.equal(head.text, "");
    client.destroy();
    assert.deepEqual((await proxy.endedAt(3)).local, true);
  },
);

test("an object, a Response, and a handler by itself", async () => {
  const answers: unknown[] = [
    { code: 202, headers: [["A", "1"], ["A", "2"]], body: "plain" },
    { body: new Uint8Array([65, 66]) },
    { status: 204 },
    new Response("made", { status: 203, headers: { "X-R": "r" } }),
  ];
  await ScriptLab.with({ default: () => answers.shift() }, async ({ port, told }) => {
    const client = await RawClient.connect(port);
    const first = await client.ask(get());
    assert.deepEqual([first.status, first.text], [202, "plain"]);
    assert.equal(first.fields.filter(([name]) => name === "A").length, 2);
    assert.equal((await client.ask(get())).text, "AB");
    assert.equal((await client.ask(get())).status, 204);
    const last = await client.ask(get());
    assert.deepEqual([last.status, last.text, field(last, "x-r")], [203, "made", "r"]);
    client.destroy();
    assert.deepEqual(told, []);
  });
});

test("fetch: Request and Response of the platform", async () => {
  const fetch = async (request: Request) =>
    new Response(
      `${request.method} ${new URL(request.url).pathname} ${request.headers.get("x-a")} ${await request
        .text()}`,
    );
  await ScriptLab.with({ default: { fetch } }, async ({ port, told }) => {
    const client = await RawClient.connect(port);
    assert.equal((await client.ask(get("/p?q", "X-A: 1\r\n"))).text, "GET /p 1 ");
    assert.equal((await client.ask(post("the body", "X-A: 2\r\n"))).text, "POST / 2 the body");
    client.destroy();
    assert.deepEqual(told, []);
  });
});

test("what scripts see of a request", async () => {
  let seen: unknown;
  const onRequest = (r: HttpRequest) => {
    seen = {
      method: r.method,
      uri: r.uri,
      path: r.path,
      q: r.query.get("q"),
      host: r.host,
      scheme: r.scheme,
      accept: r.headers.get("ACCEPT"),
      all: r.headers.all("x-a"),
      has: [r.headers.has("x-a"), r.headers.has("x-b")],
      pairs: [...r.headers].length,
      peer: r.peer,
      client: r.client,
      upgrade: r.upgrade,
      bodyBytes: r.bodyBytes,
      cookie: [r.cookie("a"), r.cookie("b"), r.cookie("c")],
      under: [r.under("/x"), r.under("/x/"), r.under("/y"), r.under("/")],
      version: r.version,
    };
    return respond(204);
  };
  await ScriptLab.with({ onRequest }, async ({ port }) => {
    await askOnce(
      port,
      get(
        "/x/%7Ey?q=1&r",
        'Accept: a\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=1; b="two"\r\nX-Forwarded-For: 9.9.9.9\r\n',
      ),
    );
    assert.deepEqual(seen, {
      method: "GET",
      uri: "/x/%7Ey?q=1&r",
      path: "/x/~y",
      q: "1",
      host: "a.test",
      scheme: "http",
      accept: "a",
      all: ["1", "2"],
      has: [true, false],
      pairs: 6,
      peer: "127.0.0.1",
      client: "127.0.0.1",
      upgrade: null,
      bodyBytes: 0,
      cookie: ["1", "two", null],
      under: [true, true, false, true],
      version: "1.1",
    });
  });
});

test("a rule about a path cannot be walked around: two readings are 400", async () => {
  const onRequest = (r: HttpRequest) => r.under("/admin") ? reject(403, "no") : undefined;
  await ScriptLab.with({ onRequest }, async ({ port, origin, told }) => {
    origin.auto(() => "origin");
    for (
      const [target, status] of [["/admin/x", 403], ["/public", 200], ["/%61dmin", 403], [
        "/./admin//../secret",
        400,
      ], ["/public/..%2Fadmin", 400]] as const
    ) {
      assert.equal((await askOnce(port, get(target))).status, status, target);
    }
    assert.deepEqual(told, []);
  });
});

bothWays("a refusal", () => reject(429, "slow down", { "Retry-After": "3" }), async ({ port, proxy }) => {
  const answer = await askOnce(port, post("x"));
  assert.equal(answer.status, 429);
  assert.match(answer.text, /slow down/);
  assert.equal(field(answer, "retry-after"), "3");
  assert.match(field(answer, "proxy-status") ?? "", /http_request_denied/);
  assert.equal((await proxy.endedAt(0)).reason, "http_request_denied");
});

const TWO =
  "upstreams:\n  one: { endpoints: [ORIGIN] }\n  two: { endpoints: [ORIGIN] }\nroutes:\n  - { to: one }\n";

test("to an upstream by its name, and to one that is not there", async () => {
  const onRequest = (r: HttpRequest) => to(r.path.slice(1), { headers: { "X-To": r.path } });
  await ScriptLab.with({ onRequest }, async ({ port, origin, proxy, told }) => {
    origin.auto((request) => field(request, "x-to") ?? "");
    const client = await RawClient.connect(port);
    assert.equal((await client.ask(get("/two"))).text, "/two");
    assert.equal((await client.ask(get("/one"))).text, "/one");
    const none = await client.ask(get("/three"));
    assert.equal(none.status, 500);
    assert.match(field(none, "proxy-status") ?? "", /script_error/);
    assert.equal((await client.ask(get("/one"))).text, "/one");
    client.destroy();
    assert.deepEqual(told.map(({ words }) => words), ["there is no upstream three"]);
    assert.equal(proxy.upstream("two").inFlight, 0);
  }, { yaml: TWO });
});

test("tunnel is for requests that switch protocols", async () => {
  await ScriptLab.with({ onRequest: () => tunnel("one") }, async ({ port, origin }) => {
    const answer = await askOnce(port, get());
    assert.equal(answer.status, 426);
    assert.equal(field(answer, "upgrade"), "websocket");
    const client = await RawClient.connect(port);
    await client.send(get("/", "Connection: Upgrade\r\nUpgrade: chat\r\n"));
    const peer = await origin.accept();
    await peer.readUntil("\r\n\r\n");
    await peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhi");
    await client.readUntil("hi");
    client.destroy();
  }, { yaml: `upgrades: chat\n${TWO}` });
});

test("a body that is read goes on, whole or in part", async () => {
  const reads: OnRequest[] = [
    async (r) => {
      assert.equal(await r.text(), "0123456789");
      assert.equal(await r.text(), "0123456789");
    },
    async (r) => {
      await assert.rejects(r.bytes(4), /more than 4 bytes/);
    },
    async (r) => void await r.bytes(4).catch(() => {}),
    async (r) => next({ headers: { "X-Length": String((await r.bytes()).length) } }),
  ];
  for (
    const framing of [
      "Content-Length: 10\r\n\r\n0123456789",
      "Transfer-Encoding: chunked\r\n\r\n3\r\n012\r\n7\r\n3456789\r\n0\r\n\r\n",
    ]
  ) {
    for (const onRequest of reads) {
      for (const watches of [{}, { onError: () => {} }]) {
        await ScriptLab.with({ onRequest, ...watches }, async ({ port, origin, told }) => {
          origin.auto(({ text }) => text);
          const client = await RawClient.connect(port);
          const head = "POST / HTTP/1.1\r\nHost: a\r\n";
          assert.equal((await client.ask(head + framing)).text, "0123456789");
          // Byte by byte.
          for (const byte of head + framing) await client.send(byte);
          assert.equal((await client.readResponse()).text, "0123456789");
          client.destroy();
          assert.deepEqual(told, []);
        });
      }
    }
  }
});

test("another body goes in its place", async () => {
  await ScriptLab.with({ onRequest: () => next({ body: "other" }) }, async ({ port, origin }) => {
    origin.auto(({ text, fields }) => `${text} ${fields.find(([n]) => n === "Content-Length")?.[1]}`);
    // Of this one nobody waits for the end: its connection may close behind the answer.
    assert.equal((await askOnce(port, post("x".repeat(100_000)))).text, "other 5");
    const client = await RawClient.connect(port);
    for (const request of [post(""), get(), post("y")]) {
      assert.equal((await client.ask(request)).text, "other 5");
    }
    client.destroy();
  });
});

test("a handler streams both ways, no faster than each side", async () => {
  async function* echo(r: HttpRequest) {
    for await (const piece of r.body) yield piece;
  }
  await ScriptLab.with({ default: (r: HttpRequest) => ({ body: echo(r) }) }, async ({ port, told }) => {
    const client = await RawClient.connect(port);
    await client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    await client.readUntil(acrossChunks("one"));
    await client.send("3\r\ntwo\r\n");
    await client.readUntil(acrossChunks("two"));
    await client.send("0\r\n\r\n");
    await client.readUntil("0\r\n\r\n");
    client.destroy();
    assert.deepEqual(told, []);
  });
});

test("pieces are asked for only while the client takes them, and no more once it has left", async () => {
  let asked = 0;
  let ended = false;
  async function* endless() {
    try {
      for (;;) {
        asked++;
        yield new Uint8Array(64 * 1024);
      }
    } finally {
      ended = true;
    }
  }
  await ScriptLab.with({ default: () => ({ body: endless() }) }, async ({ port, proxy }) => {
    const client = await RawClient.connect(port, { paused: true });
    await client.send(get());
    // The buffers of two sockets take some megabytes; an endless source would go on for ever.
    let before = -1;
    while (asked !== before || asked === 0) {
      before = asked;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(asked < 1000, `${asked} pieces`);
    client.destroy();
    await proxy.until("the end", () => ended);
    assert.equal((await proxy.endedAt(0)).reason, "client_gone");
  });
});

test("a body that fails in the middle is cut, and the next request is fine", async () => {
  async function* broken() {
    yield "some";
    throw new Error("oh");
  }
  await ScriptLab.with(
    { default: (r: HttpRequest) => r.path === "/x" ? { body: broken() } : "no" },
    async ({ port, told, proxy }) => {
      const client = await RawClient.connect(port);
      await client.send(get("/x"));
      await client.readUntil("some");
      await client.readToEnd();
      assert.doesNotMatch(client.transcript, /\r\n0\r\n/);
      assert.deepEqual(told, [{ kind: "failed", phase: "body", words: "oh" }]);
      assert.equal((await proxy.endedAt(0)).reason, "script_error");
      assert.equal((await askOnce(port, get())).status, 500);
      assert.match(told[1]?.words ?? "", /"no" is no decision/);
    },
  );
});

test("what is thrown, rejected or given back wrongly is 500, and told", async () => {
  const bad: (() => unknown)[] = [
    () => {
      throw new Error("thrown");
    },
    () => Promise.reject(new Error("rejected")),
    () => "upstream",
    () => 7,
    () => respond(200, "x", { "Content-Length": "5" }),
    () => ({ status: 99 }),
    () => ({ headers: { "Transfer-Encoding": "chunked" } }),
    () => ({ headers: { "X-A": "a\r\nX-B: b" } }),
    () => ({ headers: { "X-A": "a".repeat(1_000_000) } }),
    () => next({ headers: { "Content-Length": "1" } }),
    () => to("", {}),
  ];
  let at = 0;
  await ScriptLab.with({ onRequest: () => bad[at++]?.() as undefined }, async ({ port, told, origin }) => {
    origin.auto(() => "fine");
    const client = await RawClient.connect(port);
    for (const _ of bad) assert.equal((await client.ask(get())).status, 500);
    assert.equal((await client.ask(get())).text, "fine");
    client.destroy();
    assert.equal(told.length, bad.length);
    assert.ok(told.every(({ kind, phase }) => kind === "failed" && phase === "onRequest"));
  });
});

test("a promise that never settles is 504, its signal aborted", async () => {
  let signal: AbortSignal | undefined;
  const onRequest = (r: HttpRequest) => {
    signal = r.signal;
    return r.path === "/x" ? new Promise<undefined>(() => {}) : undefined;
  };
  await ScriptLab.with({ onRequest }, async ({ port, told, origin }) => {
    origin.auto(() => "fine");
    const client = await RawClient.connect(port);
    const answer = await client.ask(get("/x"));
    assert.equal(answer.status, 504);
    assert.match(field(answer, "proxy-status") ?? "", /script_timeout/);
    assert.equal(signal?.aborted, true);
    assert.equal((await client.ask(get())).text, "fine");
    client.destroy();
    assert.deepEqual(told.map(({ kind }) => kind), ["timedOut"]);
  }, { timeoutMs: 50 });
});

test("a client that leaves while the script thinks", async () => {
  let signal: AbortSignal | undefined;
  const onRequest = (r: HttpRequest) => {
    signal = r.signal;
    return new Promise<undefined>(() => {});
  };
  await ScriptLab.with({ onRequest }, async ({ port, proxy, told }) => {
    const client = await RawClient.connect(port);
    await client.send(get());
    await proxy.until("it", () => signal !== undefined);
    client.destroy();
    await proxy.until("its end", () => signal?.aborted === true);
    assert.equal((await proxy.endedAt(0)).reason, "client_gone");
    assert.deepEqual(told, []);
  });
});

test("retry: false is sent once only", async () => {
  await ScriptLab.with(
    { onRequest: (r) => next({ retry: r.path === "/again" }) },
    async ({ port, origin }) => {
      const times = new Map<string, number>();
      origin.auto(({ target }, peer) => {
        const count = (times.get(target) ?? 0) + 1;
        times.set(target, count);
        if (count > 1) return "second";
        peer.reset();
        return null;
      });
      assert.equal((await askOnce(port, get("/again"))).text, "second");
      assert.equal((await askOnce(port, get("/once"))).status, 502);
      assert.equal(times.get("/once"), 1);
    },
  );
});

test("a copy goes to another upstream, with the body, and its answer is dropped", async () => {
  await ScriptLab.with(
    { onRequest: () => next({ mirror: "two", headers: { "X-C": "1" } }) },
    async ({ port, origin, proxy }) => {
      const seen: string[] = [];
      origin.auto(({ method, text, fields }) => {
        seen.push(`${method} ${text} ${fields.some(([n]) => n === "X-C")}`);
        return "answer";
      });
      const client = await RawClient.connect(port);
      assert.equal((await client.ask(get())).text, "answer");
      assert.equal((await client.ask(post("body"))).text, "answer");
      await proxy.until("the copies", () => seen.length === 4);
      client.destroy();
      assert.deepEqual(seen.sort(), ["GET  true", "GET  true", "POST body true", "POST body true"]);
    },
    { yaml: TWO },
  );
});

test("a response that was fetched is passed on without what concerned its own connection", async () => {
  const gzipped = gzipSync("hello");
  let port = 0;
  await ScriptLab.with({ default: () => fetch(`http://127.0.0.1:${port}/`) }, async (lab) => {
    port = lab.origin.port;
    lab.origin.auto(() => ({
      fields: [["Content-Encoding", "gzip"], ["Keep-Alive", "timeout=5"], ["Connection", "keep-alive"], [
        "X-Y",
        "z",
      ]],
      body: gzipped,
    }));
    const answer = await askOnce(lab.port, get());
    assert.deepEqual([answer.status, answer.text, field(answer, "x-y")], [200, "hello", "z"]);
    assert.equal(field(answer, "content-encoding"), null);
    assert.deepEqual(lab.told, []);
  });
});
