/** Keys, named endpoints, slots, credentials, endpoints that come and go: nobody is forgotten, no limit is passed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { next } from "../../../../src/script/decision.ts";
import { Random } from "../../../fuzz/support/random.ts";
import type { Peer } from "../../../support/memory_lab.ts";
import { answerOf, PlaneLab } from "../../../support/plane_lab.ts";
import { walkSeeds } from "../../../support/seeds.ts";

// Keys, endpoints that are named, slots, credentials, endpoints that come and go: nobody is forgotten, no limit is passed.
{
  const PORTS = [3000, 3001, 3002];
  for (const seed of walkSeeds(40)) {
    test(`keys and endpoints that come and go, seed ${seed}`, async () => {
      const random = new Random(seed);
      const max = 1 + random.next(3);
      const policy = random.pick(["round_robin", "least_conn", "random"] as const);
      const yaml = `credentials: {corp: {scheme: [basic, digest], user: svc, password_file: /secret}}
hold: 20s
drain_timeout: 1s
upstreams: {app: {endpoints: [${
        PORTS.map((p) => `127.0.0.1:${p}`)
      }], policy: ${policy}, max_in_flight: ${max}, queue: {timeout: 10m}, credential: corp}}
routes: [{to: app}]
script: s.ts
`;
      const lab = await PlaneLab.start(yaml, {}, { "/secret": "secret\n" }, {
        "/s.ts": () => ({
          onRequest: ({ path }: { path: string }) => {
            const [, kind, value = ""] = path.split("/");
            if (kind === "key") return next({ key: value } as never);
            if (kind === "end") {
              return next({ endpoint: `127.0.0.1:${value}` } as never);
            }
            if (kind === "own") return next({ headers: { authorization: "Basic b3du" } } as never);
            return undefined;
          },
        }),
      });
      const trace: string[] = [];
      const pending: { peer: Peer; port: number; target: string }[] = [];
      let wrong = "";
      const up = new Set(PORTS);
      for (const port of PORTS) {
        const b = await lab.backend(port);
        b.script = (peer, head) => {
          const target = head.split(" ")[1] ?? "";
          const auth = /\r\nAuthorization: (\S+ \S+)/i.exec(head)?.[1] ?? "";
          if (target.startsWith("/own") !== (auth === "Basic b3du")) wrong ||= `${target} with ${auth}`;
          if (auth === "") {
            peer.say('HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n');
            return;
          }
          pending.push({ peer, port, target });
          const n = pending.filter((p) => p.port === port && p.peer.end === "").length;
          if (n > max) wrong ||= `${n} at ${port}, max ${max}`;
        };
      }
      const clients: { peer: Peer; left: boolean; target: string }[] = [];
      for (let step = 0; step < 120; step++) {
        const drawn = random.next(20);
        if (drawn < 9) {
          const target = random.pick([
            `/key/${random.next(4)}`,
            `/end/${random.pick(PORTS)}`,
            "/any",
            "/own",
            `/end/nobody`,
          ]) + `/${clients.length}`;
          clients.push({ peer: lab.ask(target), left: false, target });
          trace.push(`ask ${target}`);
        } else if (drawn < 14) {
          const one = pending.splice(random.next(Math.max(1, pending.length)), 1)[0];
          if (one !== undefined && one.peer.end === "") {
            one.peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${one.target.length}\r\n\r\n${one.target}`);
          }
          trace.push(`answer ${one?.port} ${one?.target}`);
        } else if (drawn === 14) {
          const port = random.pick(PORTS);
          if (up.delete(port)) {
            const b = lab.backends[PORTS.indexOf(port)]!;
            b.down();
            if (random.next(2) === 0) {
              for (const peer of b.peers) if (peer.end === "") peer.socket.abort();
            }
            for (let i = pending.length - 1; i >= 0; i--) {
              if (pending[i]!.port === port && b.peers.every((p) => p !== pending[i]!.peer || p.end !== "")) {
                pending.splice(i, 1);
              }
            }
            trace.push(`down ${port}`);
          }
        } else if (drawn === 15) {
          const port = random.pick(PORTS);
          if (!up.has(port)) {
            up.add(port);
            await lab.backends[PORTS.indexOf(port)]!.up();
            trace.push(`up ${port}`);
          }
        } else if (drawn === 16) {
          const c = clients[random.next(Math.max(1, clients.length))];
          if (c !== undefined && !c.left && c.peer.received === "") {
            c.left = true;
            c.peer.socket.abort();
            trace.push(`leaves ${c.target}`);
          }
        } else if (drawn === 17) {
          trace.push("reload");
          const r = await lab.done(lab.plane.reload());
          assert.ok(r.ok);
        } else await lab.pass(random.pick([5, 5, 50, 500]));
      }
      for (const port of PORTS) if (!up.has(port)) await lab.backends[PORTS.indexOf(port)]!.up();
      for (let round = 0; round < 400; round++) {
        for (const one of pending.splice(0)) {
          if (one.peer.end === "") {
            one.peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${one.target.length}\r\n\r\n${one.target}`);
          }
        }
        await lab.pass(50);
      }
      const forgotten = clients.filter((c) => !c.left && c.peer.received === "" && c.peer.end === "");
      const ctx = `seed ${seed}: ${trace.slice(-30).join("; ")}`;
      assert.equal(wrong, "", ctx);
      assert.deepEqual(forgotten.map((c) => c.target), [], ctx);
      for (const c of clients) {
        if (!c.left && answerOf(c.peer).startsWith("200")) {
          assert.equal(answerOf(c.peer), `200 ${c.target}`, ctx);
        }
      }
      const status = JSON.stringify(await lab.plane.status());
      assert.ok(!/secret|c2VjcmV0/.test(status + lab.system.stdout + lab.system.stderr));
      assert.deepEqual(status.match(/"(waiting|in_flight|dialing)":[1-9]\d*/g), null, ctx);
      await lab.stop();
    });
  }
}
