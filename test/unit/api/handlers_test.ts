/** Handlers and hooks of a program: where they stand, what they may bring along, and what becomes of them in reloads. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, OpenError } from "../../../src/api/api_error.ts";
import type { OpenOptions } from "../../../src/api/api_types.ts";
import type { HttpRequest } from "../../../src/script/script_types.ts";
import type { Peer } from "../../support/memory_lab.ts";
import { GateLab } from "../../support/gate_lab.ts";
import { answerOf } from "../../support/network_lab.ts";

const listen = "127.0.0.1:0";

test("handlers: hello world, with its own Content-Length", async () => {
  const lab = new GateLab();
  const gate = await lab.done(lab.library.serve(listen, () => ({
    code: 200,
    headers: { "Content-Length": "12" },
    body: "hello world\n",
  })));
  lab.ports = [gate.port];
  const client = lab.ask("/");
  await lab.pass(10);
  assert.match(client.received, /^HTTP\/1\.1 200 OK\r\n/);
  assert.equal(client.received.match(/Content-Length: 12\r\n/g)?.length, 1);
  assert.ok(client.received.endsWith("\r\n\r\nhello world\n"));
  await lab.end(gate);
});

test("handlers: one answers what routes leave over, and a route may have one", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  const gate = await lab.open({
    upstreams: { app: { endpoints: [3000] } },
    routes: [
      { match: { path: "/app/" }, to: "app" },
      { match: { path: "/own/" }, to: ({ path }) => ({ body: `own ${path}` }) },
      { match: { path: "/carried/" }, to: lab.library.proxy(3000) },
      { match: { path: "/fixed" }, respond: { status: 200, body: "fixed" } },
    ],
    handler: ({ path }) => ({ status: 404, body: `nothing at ${path}` }),
  });
  const clients = ["/app/1", "/own/1", "/carried/1", "/fixed", "/else"].map((path) => lab.ask(path));
  await lab.pass(20);
  assert.deepEqual(clients.map(answerOf), [
    "200 3000/app/1",
    "200 own /own/1",
    "200 3000/carried/1",
    "200 fixed",
    "404 nothing at /else",
  ]);
  // What is known from the start is a route like any other, and changes nothing later.
  assert.equal(gate.status().generation, 1);
  await lab.end(gate);
});

test("handlers: an upstream of proxy is made once, however many requests come to it first", async () => {
  const lab = new GateLab();
  const backend = await lab.backend(3000);
  const { proxy, router } = lab.library;
  const gate = await lab.open({
    handler: router({
      "/api/": proxy(3000, { max_in_flight: 2 }),
      "/later/": proxy([3001], { hold: "20s" }),
    }),
  });
  backend.keeps = true;
  const clients = Array.from({ length: 5 }, (_, at) => lab.ask(`/api/${at}`));
  await lab.pass(500);
  assert.deepEqual(gate.status().upstreams.map(({ in_flight, waiting }) => [in_flight, waiting]), [[2, 3]]);
  assert.equal(gate.status().generation, 2);
  backend.keeps = false;
  backend.answer();
  await lab.pass(100);
  assert.deepEqual(clients.map(answerOf), clients.map((_, at) => `200 3000/api/${at}`));
  // Held like any other: its endpoint is not there yet.
  const held = lab.ask("/later/1");
  await lab.pass(5_000);
  assert.equal(answerOf(held), "");
  await lab.backend(3001);
  await lab.pass(1_000);
  assert.equal(answerOf(held), "200 3001/later/1");
  assert.equal(gate.status().generation, 3);
  await lab.end(gate);
});

test("handlers: proxies of one program in several gates, and a pause of what they bring along", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  const handler = lab.library.proxy(3000);
  const gates = [await lab.open({ handler }), await lab.open({ handler })];
  const [first, second] = gates;
  assert.ok(first !== undefined && second !== undefined);
  await lab.done(first.pause());
  const clients = gates.map(({ port }) => {
    const client = lab.dial(port);
    client.say("GET /x HTTP/1.1\r\nHost: lab\r\n\r\n");
    return client;
  });
  await lab.pass(100);
  assert.deepEqual(clients.map(answerOf), ["", "200 3000/x"]);
  await lab.done(first.resume());
  await lab.pass(100);
  assert.deepEqual(clients.map(answerOf), ["200 3000/x", "200 3000/x"]);
  await lab.end(first, second);
});

test("handlers: options of proxy are checked when it is called", () => {
  const { proxy } = new GateLab().library;
  assert.throws(() => proxy("x y", { max_in_flight: -1, hol: "1s" }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(error.problems.map((line) => line.split(":")[0]), [
      "proxy.max_in_flight",
      "proxy.hol",
      "proxy.endpoints",
    ]);
    return true;
  });
  assert.throws(() => proxy([]), { name: "ConfigError" });
  assert.throws(() => proxy("auto"), { name: "ConfigError" });
  assert.ok(Object.isFrozen(proxy(3000)));
});

test("handlers: a proxy that cannot be made is a 500 of that request alone", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  const { proxy, router } = lab.library;
  const ports: number[] = [];
  // Its own address: only the gate can know.
  const itself = (request: HttpRequest) => proxy(`127.0.0.1:${ports[0]}`)(request);
  const gate = await lab.open({
    listen: "127.0.0.1:7070",
    handler: router({ "/api/": proxy(3000), "/me": itself }),
  });
  ports.push(gate.port);
  const clients = ["/me", "/api/1", "/me"].map((path) => lab.ask(path));
  await lab.pass(100);
  assert.deepEqual(clients.map((client) => answerOf(client).slice(0, 3)), ["500", "200", "500"]);
  assert.ok(lab.lines.some((line) => line.includes("is Sluice itself")), lab.lines.join("\n"));
  const again = lab.ask("/api/2");
  await lab.pass(100);
  assert.equal(answerOf(again), "200 3000/api/2");
  await lab.end(gate);
});

test("hooks: each in its place, and what they keep for later phases", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  const { pass, next } = lab.library;
  const told: string[] = [];
  const options: OpenOptions = {
    upstreams: { app: { endpoints: [3000], hold: "100ms" }, away: { endpoints: [3009], hold: "100ms" } },
    routes: [{ match: { path: "/away" }, to: "away" }, { to: "app" }],
    onStart: () => void told.push("start"),
    onRequest(request) {
      request.state.seen = this.onLog === options.onLog;
      return next({ headers: { "X-Seen": "1" } });
    },
    onResponse: ({ status }) => pass({ headers: { "X-Was": String(status) } }),
    onError: ({ reason }) => ({ status: 200, body: `instead of ${reason}` }),
    onLog: ({ status }, { state, uri }) => void told.push(`${uri} ${status} ${state.seen}`),
    onStop: () => void told.push("stop"),
  };
  const gate = await lab.open(options);
  const [ok, away] = [lab.ask("/1"), lab.ask("/away")];
  await lab.pass(500);
  assert.equal(answerOf(ok), "200 3000/1");
  assert.match(ok?.received ?? "", /X-Was: 200\r\n/);
  assert.equal(answerOf(away), "200 instead of hold_timeout");
  await lab.end(gate);
  assert.deepEqual(told, ["start", "/1 200 true", "/away 200 true", "stop"]);
});

test("hooks: a reload has the new ones start and the old ones stop; an upstream made on the way does neither", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  const told: string[] = [];
  const generation = (name: string, more: OpenOptions = {}): OpenOptions => ({
    listen,
    log: lab.log,
    onStart: () => void told.push(`start ${name}`),
    onStop: () => void told.push(`stop ${name}`),
    handler: lab.library.router({ "/api/": lab.library.proxy(3000) }, () => ({ body: name })),
    ...more,
  });
  const gate = await lab.open(generation("one"));
  const clients = [lab.ask("/api/1"), lab.ask("/")];
  await lab.pass(50);
  assert.deepEqual(clients.map(answerOf), ["200 3000/api/1", "200 one"]);
  assert.deepEqual(told, ["start one"]);
  const faulty = { onStart: () => Promise.reject(new Error("not today")) };
  await assert.rejects(lab.done(gate.reload(generation("two", faulty))), (error) => {
    return error instanceof OpenError && error.message.includes("not today");
  });
  await assert.rejects(lab.done(gate.reload(generation("three", { options: { hold: 1 } }))), {
    name: "ConfigError",
  });
  // The next upstream that is met: the functions that serve are those of the beginning.
  const still = lab.ask("/");
  await lab.pass(50);
  assert.equal(answerOf(still), "200 one");
  assert.deepEqual(told, ["start one"]);
  await lab.done(gate.reload(generation("four")));
  const after = lab.ask("/");
  await lab.pass(1_000);
  assert.equal(answerOf(after), "200 four");
  assert.deepEqual(told, ["start one", "start four", "stop one"]);
  await lab.end(gate);
  assert.deepEqual(told, ["start one", "start four", "stop one", "stop four"]);
});

test("hooks: a request keeps the functions that it has begun with", async () => {
  const lab = new GateLab();
  const waiting = Promise.withResolvers<void>();
  const gate = await lab.open({
    handler: async () => {
      await waiting.promise;
      return { body: "one" };
    },
  });
  const client = lab.ask("/");
  await lab.pass(10);
  await lab.done(gate.reload({ listen, handler: () => ({ body: "two" }) }));
  const next = lab.ask("/");
  await lab.pass(10);
  assert.deepEqual([client, next].map(answerOf), ["", "200 two"]);
  waiting.resolve();
  await lab.pass(10);
  assert.equal(answerOf(client), "200 one");
  await lab.end(gate);
});

test("hooks: what keeps onStart from ending well keeps the gate from being", async () => {
  const lab = new GateLab();
  const opening = lab.library.open({
    listen,
    handler: () => ({}),
    onStart: () => {
      throw new Error("no database");
    },
  });
  await assert.rejects(
    lab.done(opening),
    (error) => error instanceof OpenError && /no database/.test(error.message),
  );
  await lab.end();
});

test("handlers: a WinterTC app, and close while an answer is made", async () => {
  const lab = new GateLab();
  const slow = Promise.withResolvers<void>();
  const gate = await lab.open({
    fetch: async (request) => {
      await slow.promise;
      return new Response(`${request.method} ${new URL(request.url).pathname}`);
    },
  });
  const client = lab.ask("/app");
  await lab.pass(20);
  const closing = gate.close(10_000);
  await lab.pass(100);
  assert.equal(answerOf(client), "");
  slow.resolve();
  await lab.done(closing);
  assert.match(client.received, /^HTTP\/1\.1 200 [^]*GET \/app/);
  await lab.end(gate);
});

test("handlers: what they throw is told with its place, and nothing is printed", async () => {
  const lab = new GateLab();
  const gate = await lab.open({
    handler: () => {
      throw new TypeError("broken");
    },
  });
  const client = lab.ask("/x");
  await lab.pass(10);
  assert.match(answerOf(client), /^500 /);
  const line = lab.lines.find((each) => each.includes("script_error")) ?? "";
  assert.match(line, /TypeError: broken .*at=\S*handlers_test\.ts:\d+:\d+ .*GET \/x/);
  await lab.end(gate);
});

test("options: functions that are none, and hooks beside a file", async () => {
  const lab = new GateLab();
  const wrong = { handler: 5, onRequest: "x", onStart: {} } as unknown as OpenOptions;
  assert.deepEqual((await lab.problems(wrong)).slice(0, 3).map((line) => line.split(":")[0]), [
    "handler",
    "onStart",
    "onRequest",
  ]);
  const both = {
    handler: () => ({}),
    onLog: () => {},
    options: { script: { file: "route.ts", timeout: "1s" } },
  };
  assert.match((await lab.problems(both))[0] ?? "", /^options\.script: there are hooks already/);
  const all = await lab.problems({ handler: () => ({}), routes: [{ respond: 200 }] });
  assert.match(all[0] ?? "", /^handler: matches the same as routes\[0\]/);
  const named = { upstreams: { "proxy-1": { endpoints: [3000] } }, handler: lab.library.proxy(3000) };
  const clash = { ...named, upstreams: { [`proxy-${numberOf(named.handler)}`]: { endpoints: [3000] } } };
  assert.match((await lab.problems(clash))[0] ?? "", /is what proxy\(\) has named its own/);
  await lab.end();
});

/** Of the upstream that a handler brings along. */
function numberOf(handler: (request: HttpRequest) => unknown): string {
  // The cast: it looks at no request.
  const { upstream } = handler({} as HttpRequest) as { readonly upstream: string };
  return upstream.replace("proxy-", "");
}

test("handlers: a stream that never ends is cut when the time to drain is over, and its source is told", async () => {
  const lab = new GateLab();
  let over = false;
  const aborted: string[] = [];
  const gate = await lab.open({
    handler: ({ signal }) => {
      signal.addEventListener("abort", () => aborted.push("aborted"));
      return {
        body: (async function* () {
          try {
            for (let count = 0;; count++) {
              yield `${count} `;
              await new Promise<void>((done) => void lab.clock.setTimer(50, done));
            }
          } finally {
            over = true;
          }
        })(),
      };
    },
  });
  const client = lab.ask("/");
  await lab.pass(200);
  assert.match(client.received, /0 \r\n[^]*1 \r\n/);
  await lab.done(gate.close(100), 2_000);
  await lab.pass(100);
  assert.ok(!client.received.endsWith("0\r\n\r\n"), "a body that was cut does not look complete");
  assert.deepEqual([over, aborted], [true, ["aborted"]]);
  await lab.end(gate);
});

test("handlers: a pause holds what a handler sends on, and answers of its own go out", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  const { router, to } = lab.library;
  const gate = await lab.open({
    upstreams: { app: { endpoints: [3000] } },
    handler: router({ "/app/": () => to("app") }, () => ({ body: "own" })),
  });
  await lab.done(gate.pause("app"));
  const clients = [lab.ask("/app/1"), lab.ask("/")];
  await lab.pass(100);
  assert.deepEqual(clients.map(answerOf), ["", "200 own"]);
  assert.equal(gate.status().upstreams[0]?.waiting, 1);
  await lab.done(gate.resume());
  await lab.pass(100);
  assert.equal(answerOf(clients[0] as Peer), "200 3000/app/1");
  await lab.end(gate);
});

test("tools: ask goes through an upstream of the gate, and with several gates open it says which", async () => {
  const lab = new GateLab();
  await lab.backend(3000);
  const { ask } = lab.library;
  await assert.rejects(ask("app"), /no gate is open yet/);
  const answering: OpenOptions = {
    upstreams: { app: { endpoints: [3000] } },
    handler: async () => ({ body: `asked ${(await ask("app", { uri: "/inner" })).text()}` }),
  };
  const gate = await lab.open(answering);
  const client = lab.ask("/");
  await lab.pass(100);
  assert.equal(answerOf(client), "200 asked 3000/inner");
  await assert.rejects(lab.done(gate.ask("nobody")), /no upstream/);
  await lab.done(gate.setUpstream("more", { endpoints: [3000] }));
  assert.equal((await lab.done(gate.ask("more", { uri: "/set" }))).text(), "3000/set");
  const other = await lab.open({ upstreams: { app: { endpoints: [3000] } } });
  await assert.rejects(ask("app"), /several gates are open/);
  await assert.rejects(other.ask("app"), /no handler and no hook/);
  await lab.end(gate, other);
});

test("tools: a line of the program is in the log of each gate", async () => {
  const lab = new GateLab();
  const gate = await lab.open({ handler: () => ({}) });
  lab.library.log("hello", { count: 1, list: [1, 2] });
  assert.ok(
    lab.lines.some((line) => /info program: hello count=1 list="\[1,2\]"/.test(line)),
    lab.lines.join("\n"),
  );
  await lab.end(gate);
});
