/** Credentials, scripts, parents and reloads at the same time. */

// deno-lint-ignore-file no-explicit-any -- what scripts and labs give is not checked here

import assert from "node:assert/strict";
import { test } from "node:test";
import { next, to } from "../../../../src/script/decision.ts";
import { answerOf, PlaneLab } from "../../../support/plane_lab.ts";

{
  for (const script of ["", "script: s.ts\n"]) {
    test(`a parent that has rejected a credential is avoided, ${script === "" ? "no script" : "and there is a script"}`, async () => {
      const lab = await PlaneLab.start(
        `forward:
  listen: 127.0.0.1:3128
  ports: all
  parents: ["http://127.0.0.1:4001 credential=corp", "http://127.0.0.1:4002"]
credentials: {corp: {scheme: basic, user: svc, password_file: /secret}}
listen: "127.0.0.1:0"
to: 3000
${script}`,
        {},
        { "/secret": "secret\n" },
        { "/s.ts": () => ({ onRequest: () => undefined }) },
      );
      const one = await lab.backend(4001);
      await lab.backend(4002);
      one.script = (peer) =>
        peer.say('HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n');
      const get = async () => {
        const client = lab.dial(3128);
        client.say("GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n");
        await lab.pass(500);
        return answerOf(client);
      };
      await get();
      const before = one.peers.length;
      const answer = await get();
      assert.match(answer, /^200 4002/);
      assert.ok(
        one.peers.length - before < 3,
        `${one.peers.length - before} connections to a parent that nobody waits for`,
      );
      await lab.stop();
    });
  }
}

{
  test("add + mirror with a body that comes later: added once", async () => {
    const lab = await PlaneLab.start(
      `upstreams: {a: 3000, b: 3001}\nroutes: [{to: a}]\nscript: s.ts\n`,
      {},
      {},
      { "/s.ts": () => ({ onRequest: () => next({ add: { "x-a": "1" }, mirror: "b" } as never) }) },
    );
    const a = await lab.backend(3000);
    await lab.backend(3001);
    const heads: string[] = [];
    a.script = (peer, head) => {
      heads.push(head);
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    };
    const client = lab.dial();
    client.say("POST /x HTTP/1.1\r\nHost: lab\r\nContent-Length: 4\r\n\r\nab");
    await lab.pass(10);
    client.say("cd");
    await lab.pass(100);
    assert.equal(heads[0]?.match(/x-a: 1/gi)?.length, 1, heads[0] ?? "");
    await lab.stop();
  });
}

{
  for (const route of ["", ", script: r.ts"]) {
    test(`retry: false of the script before the routes, ${route === "" ? "no script" : "a script"} at the route`, async () => {
      const lab = await PlaneLab.start(
        `upstreams: {a: {endpoints: [127.0.0.1:3000], retry: {on: [503]}}}\nroutes: [{to: a${route}}]\nscript: s.ts\n`
          .replace(", retry: {on: [503]}", ""),
        {},
        {},
        {
          "/s.ts": () => ({
            onRequest: () => next({ retry: false, host: "other.test", log: { tag: "t" } } as never),
          }),
          "/r.ts": () => ({ onRequest: () => undefined }),
        },
      );
      const a = await lab.backend(3000);
      const heads: string[] = [];
      a.script = (peer, head) => {
        heads.push(head);
        if (heads.length === 1) peer.socket.abort();
        else peer.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      };
      lab.ask("/x");
      await lab.pass(3000);
      assert.equal(heads.length, 1);
      assert.match(heads[0] ?? "", /Host: other.test/i);
      await lab.stop();
    });
  }
}

{
  for (const what of ["mirror", "ask"]) {
    test(`${what} with an Authorization of a connection: leaves no connection behind`, async () => {
      const lab = await PlaneLab.start(
        `upstreams: {a: 3000, b: 3001}\nroutes: [{to: a}]\nscript: s.ts\n`,
        {},
        {},
        {
          "/s.ts": (apis) => ({
            onRequest: async () => {
              if (what === "mirror") return next({ mirror: "b" });
              await (apis["sluice"] as any).ask("b", { headers: { authorization: "NTLM TlRMTVNTUAADAAAA" } });
              return undefined;
            },
          }),
        },
      );
      await lab.backend(3000);
      const b = await lab.backend(3001);
      for (let i = 0; i < 10; i++) {
        const client = lab.dial();
        client.say(`GET /x HTTP/1.1\r\nHost: lab\r\nAuthorization: NTLM TlRMTVNTUAADAAAA\r\n\r\n`);
        await lab.pass(20);
        client.socket?.close();
        await lab.pass(20);
      }
      await lab.pass(1000);
      assert.ok(b.open <= 1, `${b.open} connections are open for ever`);
      await lab.stop();
    });
  }
}

{
  test("queue_timeout 0: a request for a full endpoint is turned away at once", async () => {
    const lab = await PlaneLab.start(
      `upstreams: {app: {endpoints: [127.0.0.1:3000, 127.0.0.1:3001], max_in_flight: 1, queue: {timeout: 0s}}}\nroutes: [{to: app}]\nscript: s.ts\n`,
      {},
      {},
      { "/s.ts": () => ({ onRequest: () => to("app", { endpoint: "127.0.0.1:3000" } as never) }) },
    );
    const a = await lab.backend(3000);
    await lab.backend(3001);
    a.keeps = true;
    lab.ask("/1");
    await lab.pass(20);
    const second = lab.ask("/2");
    await lab.pass(30_000);
    assert.match(answerOf(second), /^503/);
    await lab.stop();
  });
}

{
  for (
    const how of [{ endpoints: ["127.0.0.1:3001"] }, { endpoints: ["127.0.0.1:3001"], credential: "corp" }, {
      endpoints: ["127.0.0.1:3001"],
      hold: "3s",
    }]
  ) {
    test(`setUpstream ${JSON.stringify(how)}: its credential`, async () => {
      let api: any;
      const lab = await PlaneLab.start(
        `credentials: {corp: {scheme: basic, user: svc, password_file: /secret}}\nupstreams: {app: {endpoints: [127.0.0.1:3000], credential: corp}}\nroutes: [{to: app}]\nscript: s.ts\n`,
        {},
        { "/secret": "secret\n" },
        {
          "/s.ts": (apis) => {
            api = apis["sluice"];
            return { onRequest: () => undefined };
          },
        },
      );
      const b = await lab.backend(3001);
      const heads: string[] = [];
      b.script = (peer, head) => {
        heads.push(head);
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      };
      let words = "";
      await lab.done(
        api.setUpstream("app", how).catch((e: Error) => {
          words = String(e);
        }),
      );
      lab.ask("/x");
      await lab.pass(50);
      // Reload that changes the credential
      lab.yaml = lab.yaml.replace("user: svc", "user: other");
      await lab.done(lab.plane.reload());
      assert.equal(words, "");
      await lab.stop();
    });
  }
}

// A request that is on its way to an upstream when a reload takes that away is served by what it was meant for.
{
  const yaml = (name: string, port: number, more: string, cred = "") =>
    `${more}\ndrain_timeout: 5s\nupstreams: {${name}: {endpoints: [127.0.0.1:${port}]${cred}}}\nroutes: [{to: ${name}ROUTE}]\n`;

  test("baseline: its body is being read", async () => {
    const lab = await PlaneLab.start(yaml("a", 3000, "").replace("ROUTE", ""));
    await lab.backend(3000);
    await lab.backend(3001);
    const client = lab.dial();
    client.say("POST /x HTTP/1.1\r\nHost: lab\r\nContent-Length: 4\r\n\r\nab");
    await lab.pass(10);
    lab.yaml = yaml("b", 3001, "").replace("ROUTE", "");
    assert.ok((await lab.done(lab.plane.reload())).ok);
    await lab.pass(1000);
    client.say("cd");
    await lab.pass(100);
    assert.match(client.received, /^HTTP\/1.1 200/);
    await lab.stop();
  });

  test("its route's script has not decided yet", async () => {
    let go = () => {};
    const lab = await PlaneLab.start(yaml("a", 3000, "").replace("ROUTE", ", script: s.ts"), {}, {}, {
      "/s.ts": () => ({
        onRequest: async ({ path }: { path: string }) => {
          if (path === "/x") await new Promise<void>((done) => go = done);
        },
      }),
    });
    await lab.backend(3000);
    await lab.backend(3001);
    const client = lab.ask("/x");
    await lab.pass(10);
    lab.yaml = yaml("b", 3001, "").replace("ROUTE", ", script: s.ts");
    assert.ok((await lab.done(lab.plane.reload())).ok);
    await lab.pass(1000);
    go();
    await lab.pass(100);
    assert.match(answerOf(client), /^200/);
    await lab.stop();
  });

  test("its token is being made", async () => {
    const more = "credentials: {corp: {scheme: bearer, token_command: [make, token], token_cache: 60s}}";
    const lab = await PlaneLab.start(yaml("a", 3000, more, ", credential: corp").replace("ROUTE", ""));
    await lab.backend(3000);
    await lab.backend(3001);
    const client = lab.ask("/x");
    await lab.pass(10);
    lab.yaml = yaml("b", 3001, "").replace("ROUTE", "");
    assert.ok((await lab.done(lab.plane.reload())).ok);
    await lab.pass(1000);
    lab.system.commands[0]?.print("t0ken\n");
    lab.system.commands[0]?.end({ code: 0 });
    await lab.pass(100);
    assert.match(answerOf(client), /^200/);
    await lab.stop();
  });
}

// A parent's token is being made while a reload gives the rule other parents; back-off over a reload that moves a credential.
{
  for (const mixed of ["", ', "socks5://127.0.0.1:4009"']) {
    for (const method of ["GET", "CONNECT"]) {
      test(`token pending over a reload, ${method}${mixed}`, async () => {
        const yaml = (port: number, n: string) =>
          `listen: "127.0.0.1:0"\nto: 3000\nforward:\n  listen: 127.0.0.1:3128\n  ports: all\n  rules: [{name: ${n}, host: a.test, parents: ["http://127.0.0.1:${port} credential=corp"${mixed}]}]\ncredentials: {corp: {scheme: bearer, token_command: [make, token], token_cache: 60s}}\ndrain_timeout: 5s\n`;
        const lab = await PlaneLab.start(yaml(4001, "one"));
        const one = await lab.backend(4001);
        one.script = (peer, head) =>
          peer.say(
            head.startsWith("CONNECT")
              ? "HTTP/1.1 200 OK\r\n\r\n"
              : "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1",
          );
        await lab.backend(4002);
        const client = lab.dial(3128);
        client.say(
          method === "GET"
            ? "GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n"
            : "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
        );
        await lab.pass(10);
        lab.yaml = yaml(4002, "two");
        const r = await lab.done(lab.plane.reload());
        assert.ok(r.ok, JSON.stringify(r));
        await lab.pass(1500);
        for (const c of lab.system.commands) {
          c.print("t0ken\n");
          c.end({ code: 0 });
        }
        await lab.pass(100);
        assert.match(client.received, /^HTTP\/1.1 200/);
        await lab.stop();
      });
    }
  }
}
