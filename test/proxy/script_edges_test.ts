/** Scripts where something else happens at the same time: each was a request that was lost, doubled or not told of. */

// deno-lint-ignore-file no-explicit-any -- what scripts and labs give is not checked here

import assert from "node:assert/strict";
import { test } from "node:test";
import { next, reject, respond, to } from "../../src/script/decision.ts";
import { freePort } from "../support/free_port.ts";
import { answerOf, PlaneLab } from "../support/plane_lab.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptLab } from "../support/script_lab.ts";

// A copy that waits for the body, a `to` after a failure: the plan's `add` is applied twice.
{
  test("mirror and add: a line is added once", async () => {
    await ScriptLab.with(
      { onRequest: () => next({ mirror: "two", add: { "X-More": "m" } }) },
      async ({ origin, port }) => {
        origin.auto(({ fields }) => fields.filter(([n]) => n === "X-More").length + "");
        const client = await RawClient.connect(port);
        await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
        await new Promise((r) => setTimeout(r, 30));
        await client.send("body");
        assert.equal((await client.readResponse()).text, "1");
        client.destroy();
      },
      {
        yaml:
          "upstreams:\n  one: { endpoints: [ORIGIN] }\n  two: { endpoints: [ORIGIN] }\nroutes:\n  - { to: one }\n",
      },
    );
  });
}

// onError `to` after the script has read the body, failing before the replay (no route): body lost.
{
  for (const later of [false, true]) {
    test("a body that was read, no route, to() in onError; later: " + later, async () => {
      const hooks = {
        onRequest: async (r: any) => {
          await r.text();
        },
        onError: () => later ? Promise.resolve(to("two")) : to("two"),
      };
      await ScriptLab.with(hooks, async ({ origin, port, told }) => {
        origin.auto(({ text }) => `got ${text}`);
        const answer = await askOnce(port, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        assert.deepEqual([answer.status, answer.text, told], [200, "got body", []]);
      }, {
        yaml:
          "upstreams:\n  two: { endpoints: [ORIGIN] }\nroutes:\n  - { match: { path: /only }, to: two }\n",
      });
    });
    test("a body in the place of the client's, to() in onError; later: " + later, async () => {
      const { next } = await import("../../src/script/decision.ts");
      const hooks = {
        onRequest: () => next({ body: "other!" }),
        onError: () => later ? Promise.resolve(to("up")) : to("up"),
      };
      await ScriptLab.with(hooks, async ({ origin, port, told }) => {
        origin.auto(({ text }) => `got ${text}`);
        const answer = await askOnce(port, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        assert.deepEqual([answer.status, answer.text, told], [200, "got other!", []]);
      }, {
        yaml:
          `upstreams:\n  down: { endpoints: ["127.0.0.1:${await freePort()}"], hold: 0 }\n  up: { endpoints: [ORIGIN] }\nroutes:\n  - { to: down }\n`,
      });
    });
  }
}

// A client that leaves while onResponse thinks about a response that is not complete: never told.
{
  for (const leaves of ["halfClose", "destroy"] as const) {
    for (const settles of [true, false]) {
      test(`${leaves}, the script ${settles ? "settles then" : "never settles"}`, async () => {
        let go = () => {};
        let asked = false;
        let logged = 0;
        const gate = new Promise<void>((r) => go = r);
        await ScriptLab.with({
          onResponse: async () => {
            asked = true;
            await gate;
          },
          onLog: () => {
            logged++;
          },
        }, async ({ origin, port, proxy }) => {
          const client = await RawClient.connect(port);
          void client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
          const peer = await origin.accept();
          await peer.readUntil("\r\n\r\n");
          await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
          await proxy.until("asked", () => asked);
          await client[leaves]();
          await peer.readToClose();
          if (settles) go();
          await proxy.until("told", () => proxy.ended.length === 1 && logged === 1);
          assert.equal(proxy.ended[0]?.reason, "client_gone");
          client.destroy();
        }, {});
      });
    }
  }
}

// A switch that a script thinks about, whose endpoint resets meanwhile.
{
  for (const settles of [true, false]) {
    test(`the endpoint resets, settles ${settles}`, async () => {
      let go = () => {};
      let asked = false;
      let logged = 0;
      const gate = new Promise<void>((r) => go = r);
      await ScriptLab.with({
        onResponse: async () => {
          asked = true;
          await gate;
        },
        onLog: () => {
          logged++;
        },
      }, async ({ origin, port, proxy }) => {
        const client = await RawClient.connect(port);
        void client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n");
        const peer = await origin.accept();
        await peer.readUntil("\r\n\r\n");
        await peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhi");
        await proxy.until("asked", () => asked);
        peer.reset();
        await client.readToClose().catch(() => {});
        if (settles) go();
        await proxy.until("told", () => proxy.ended.length === 1 && logged === 1);
        client.destroy();
      }, { yaml: "upgrades: chat\n" });
    });
  }
}

// What the global script says of the request (host, retry, key, endpoint, log) is forgotten where the route has a script, too.
{
  test("nested: host and retry of the first script hold", async () => {
    const lab = await PlaneLab.start(
      `script: g.ts\nupstreams:\n  app: { endpoints: ["127.0.0.1:3001"] }\nroutes:\n  - { to: app, script: r.ts }\n`,
      {},
      {},
      {
        "/g.ts": () => ({ onRequest: () => next({ host: "b.test", retry: false, log: { who: "me" } }) }),
        "/r.ts": () => ({ onRequest: () => undefined }),
      },
    );
    const backend = await lab.backend(3001);
    const heads: string[] = [];
    backend.script = (peer, head) => {
      heads.push(head);
      if (heads.length === 1) peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      else peer.socket?.abort?.();
    };
    const first = lab.ask("/1");
    await lab.until("answer", () => answerOf(first) !== "");
    assert.match(heads[0] ?? "", /Host: b\.test\r\n/);
    const second = lab.ask("/2");
    await lab.until("answer", () => answerOf(second) !== "");
    assert.equal(heads.filter((h) => h.startsWith("GET /2")).length, 1);
    await lab.stop();
  });
}

// A script reads the body of a client that waits for 100.
{
  test("Expect: 100-continue and a script that reads the body", async () => {
    await ScriptLab.with({
      onRequest: async (r: any) => {
        await r.text();
      },
    }, async ({ origin, port }) => {
      origin.auto(({ text }) => `got ${text}`);
      const client = await RawClient.connect(port);
      await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
      const interim = await Promise.race([
        client.readUntil("\r\n\r\n"),
        new Promise((r) => setTimeout(r, 1500, "nothing")),
      ]);
      assert.match(String(interim), /100 Continue|72/);
      assert.notEqual(interim, "nothing");
      await client.send("body");
      assert.equal((await client.readResponse()).text, "got body");
      client.destroy();
    });
  });
}

// Chunked, empty, read by a script; and garbage
{
  const wait = (ms: number) => new Promise((r) => setTimeout(r, ms));
  test("an empty chunked body that was read", async () => {
    await ScriptLab.with({
      onRequest: async (r: any) => {
        await r.text();
      },
    }, async ({ origin, port }) => {
      origin.auto(({ text }) => `got ${text}`);
      const client = await RawClient.connect(port);
      await client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
      await wait(30);
      await client.send("0\r\n\r\n");
      assert.equal((await client.readResponse()).text, "got ");
      client.destroy();
    });
  });
  for (const mid of [true, false]) {
    test("garbage in a body that is read later " + mid, async () => {
      await ScriptLab.with({
        onRequest: async (r: any) => {
          await wait(30);
          await r.text();
        },
      }, async ({ origin, port }) => {
        origin.auto(({ text }) => `got ${text}`);
        const client = await RawClient.connect(port);
        await client.send(
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + (mid ? "" : "zzz\r\n"),
        );
        if (mid) {
          await wait(10);
          await client.send("4\r\nbody\r\nzzz\r\n");
        }
        assert.equal((await client.readResponse()).status, 400);
        client.destroy();
      });
    });
  }
}

// A route's handler streams without end; the global script refuses the answer.
{
  test("an inner stream is stopped when an outer script answers instead", async () => {
    let pieces = 0;
    const logs: string[] = [];
    async function* forever() {
      for (;;) {
        pieces++;
        yield "x".repeat(1000);
        await new Promise((r) => setTimeout(r, 1));
      }
    }
    const lab = await PlaneLab.start(
      `script: g.ts\nroutes:\n  - { handle: h.ts }\n`,
      {},
      {},
      {
        "/g.ts": () => ({
          onResponse: () => reject(403),
          onLog: () => {
            logs.push("g");
          },
        }),
        "/h.ts": () => ({
          default: () => respond(200, forever()),
          onLog: () => {
            logs.push("h");
          },
        }),
      },
    );
    const first = lab.ask("/1");
    await lab.until("answer", () => answerOf(first) !== "");
    assert.match(answerOf(first), /^403/);
    await new Promise((r) => setTimeout(r, 50));
    await lab.pass(100);
    const before = pieces;
    await new Promise((r) => setTimeout(r, 50));
    assert.equal(pieces, before);
    assert.deepEqual(logs.sort(), ["g", "h"]);
    await lab.stop();
  });
}

// A reload while a script thinks: the upstream that it names then is gone.
{
  test("a request that a script thinks about while a reload renames its upstream", async () => {
    let go = () => {};
    let n = 0;
    const gate = new Promise<void>((r) => go = r);
    const lab = await PlaneLab.start(
      `script: g.ts\nupstreams:\n  blue: { endpoints: ["127.0.0.1:3001"] }\nroutes:\n  - { to: blue }\n`,
      {},
      {},
      {
        "/g.ts": () => {
          const name = n++ === 0 ? "blue" : "green";
          return {
            onRequest: async () => {
              await gate;
              return to(name);
            },
          };
        },
      },
    );
    await lab.backend(3001);
    await lab.backend(3002);
    const client = lab.ask("/1");
    await lab.pass(20);
    lab.yaml =
      `script: g.ts\nupstreams:\n  green: { endpoints: ["127.0.0.1:3002"] }\nroutes:\n  - { to: green }\n`;
    lab.system.signal("SIGHUP");
    await lab.until("reload", () => n === 2);
    await lab.pass(200);
    go();
    await lab.until("answer", () => answerOf(client) !== "");
    assert.match(answerOf(client), /^200/);
    await lab.stop();
  });
}

// onError names an upstream that is not there: the failure's own page is lost, and the log forgets the exchange.
{
  test("to() an unknown upstream in onError leaves the failure as it is", async () => {
    await ScriptLab.with({ onError: () => to("nowhere") }, async ({ port, told, proxy }) => {
      const answer = await askOnce(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      assert.match(answer.text, /connection_refused/);
      assert.equal(answer.status, 502);
      assert.equal((await proxy.endedAt(0)).reason, "connection_refused");
      assert.equal(told.length, 1);
    }, {
      yaml:
        `upstreams:\n  down: { endpoints: ["127.0.0.1:${await freePort()}"], hold: 0 }\nroutes:\n  - { to: down }\n`,
    });
  });
}

{
  test("Date of an answer stands there once", async () => {
    await ScriptLab.with(
      { default: () => respond(200, "x", { Date: "Tue, 15 Nov 1994 08:12:31 GMT" }) },
      async ({ port }) => {
        const client = await RawClient.connect(port);
        const a = await client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert.equal(a.fields.filter(([n]) => n.toLowerCase() === "date").length, 1);
        client.destroy();
      },
    );
  });
}

// An answer that comes too late (client gone, script.timeout) keeps its stream open for ever.
{
  for (const why of ["timeout", "gone"]) {
    test("the stream of an answer that comes too late is cancelled: " + why, async () => {
      let cancelled = false;
      let asked = false;
      let go = () => {};
      const gate = new Promise<void>((r) => go = r);
      const stream = new ReadableStream({
        pull() {
          return new Promise(() => {});
        },
        cancel() {
          cancelled = true;
        },
      });
      await ScriptLab.with({
        default: async () => {
          asked = true;
          await gate;
          return respond(200, stream as any);
        },
      }, async ({ port, proxy }) => {
        const client = await RawClient.connect(port);
        void client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        await proxy.until("asked", () => asked);
        if (why === "gone") client.destroy();
        await proxy.endedAt(0);
        go();
        await proxy.until("cancelled", () => cancelled);
        client.destroy();
      }, { timeoutMs: why === "gone" ? 60_000 : 30 });
    });
  }
}

// A handler's stream, held by the global script's onResponse, whose client leaves: never told.
{
  const wait = (ms: number) => new Promise((r) => setTimeout(r, ms));
  test("nested: client leaves while the outer script thinks about the handler's stream", async () => {
    const logs: string[] = [];
    let asked = false;
    let go = () => {};
    const gate = new Promise<void>((r) => go = r);
    async function* pieces() {
      yield "a";
      await new Promise(() => {});
    }
    const lab = await PlaneLab.start(`script: g.ts\nroutes:\n  - { handle: h.ts }\n`, {}, {}, {
      "/g.ts": () => ({
        onResponse: async () => {
          asked = true;
          await gate;
        },
        onLog: () => {
          logs.push("g");
        },
      }),
      "/h.ts": () => ({
        default: () => respond(200, pieces()),
        onLog: () => {
          logs.push("h");
        },
      }),
    });
    const client = lab.ask("/");
    await lab.until("asked", () => asked);
    (client.socket as any).abort();
    await lab.pass(50);
    go();
    await wait(5);
    await lab.pass(50);
    assert.deepEqual(logs.sort(), ["g", "h"]);
    await lab.stop();
  });
}

// max_body does not hold for handlers (announced, chunked), nor for what a script reads.
{
  const REQUESTS: Record<string, string> = {
    announced: "Content-Length: 100\r\n\r\n" + "x".repeat(100),
    chunked: "Transfer-Encoding: chunked\r\n\r\n64\r\n" + "x".repeat(100) + "\r\n0\r\n\r\n",
  };
  for (const [name, rest] of Object.entries(REQUESTS)) {
    for (const how of ["pieces", "bytes"]) {
      test(`max_body and a handler: ${name}, ${how}`, async () => {
        let got = 0;
        const read = async (r: any) => {
          if (how === "bytes") got = (await r.bytes()).length;
          else for await (const p of r.body) got += p.length;
          return respond(200, `${got}`);
        };
        await ScriptLab.with({ default: read }, async ({ port, told }) => {
          const client = await RawClient.connect(port);
          const a = await client.ask("POST / HTTP/1.1\r\nHost: a\r\n" + rest);
          assert.deepEqual([a.status, told], [413, []]);
          client.destroy();
        }, { yaml: "max_body: 10B\n" });
      });
    }
  }
}

// Time is up for stopping while onResponse thinks: the client is cut without a word, though all of the answer is here.
{
  for (const hook of ["onRequest", "onResponse", "onError"]) {
    test("stopping while a script thinks gives an answer: " + hook, async () => {
      let asked = false;
      const lab = await PlaneLab.start(
        `script: g.ts\ndrain_timeout: 1s\nupstreams:\n  app: { endpoints: ["127.0.0.1:3001"], hold: 0 }\nroutes:\n  - { to: app }\n`,
        {},
        {},
        {
          "/g.ts": () => ({
            [hook]: () => {
              asked = true;
              return new Promise(() => {});
            },
          }),
        },
      );
      if (hook !== "onError") await lab.backend(3001);
      const client = lab.ask("/1");
      await lab.until("asked", () => asked);
      lab.system.signal("SIGTERM");
      await lab.done(lab.ended);
      assert.match(answerOf(client), hook === "onError" ? /^502 / : /^503 /);
    });
  }
}
