/** A credential that none of several hops takes: each of them rejects a request once, however its turns come. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GuardedServer, type GuardScheme } from "../../support/guarded_server.ts";
import { answerOf, PlaneLab } from "../../support/plane_lab.ts";

const PORTS = [4001, 4002, 4003] as const;
/** Without credentials, with them, and with those of a file that may have changed meanwhile. */
const MOST_SENDINGS = 3;

const ORIGINS = `to: [${PORTS.join(", ")}]\ncredential: corp\n`;
const PARENTS = `forward:
  listen: 127.0.0.1:8080
  ports: all
  parents: [${PORTS.map((port) => `"http://127.0.0.1:${port} credential=corp"`).join(", ")}]
  balance: round_robin
`;

for (
  const [what, yaml, target] of [["origins", ORIGINS, "/"], ["parents", PARENTS, "http://far.test/"]] as const
) {
  for (const scheme of ["basic", "digest", "ntlm"] as const) {
    for (const method of ["GET", "POST"]) {
      for (const keeps of [true, false]) {
        const connections = keeps ? "connections that stay" : "a connection for each";
        test(`${what} that reject us: ${scheme}, ${method}, ${connections}`, async () => {
          const schemes: readonly GuardScheme[] = [scheme];
          const lab = await PlaneLab.start(
            `${yaml}credentials: {corp: {scheme: ${scheme}, user: svc, password_file: /secret}}\n`,
            {},
            { "/secret": "old" },
          );
          const guards: GuardedServer[] = [];
          for (const port of PORTS) {
            const guard = new GuardedServer(
              await lab.backend(port),
              { svc: "new" },
              schemes,
              what === "parents",
            );
            guard.closes = !keeps;
            guards.push(guard);
          }
          for (let request = 0; request < 4; request++) {
            const client = lab.dial();
            const body = method === "POST" ? "body" : "";
            client.say(
              `${method} ${target} HTTP/1.1\r\nHost: far.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
            );
            await lab.until("an answer", () => /\r\n\r\n/.test(client.received), 40_000);
            assert.match(answerOf(client), what === "parents" ? /^502 / : /^401 /);
            for (const guard of guards) {
              const sendings = guard.asked.splice(0).length;
              assert.ok(sendings <= MOST_SENDINGS * (scheme === "ntlm" ? 2 : 1), `${sendings} sendings`);
            }
          }
          await lab.stop();
        });
      }
    }
  }
}

test("a request is not tried with what was rejected at each of many endpoints", async () => {
  const ports = Array.from({ length: 40 }, (_, index) => 4001 + index);
  const lab = await PlaneLab.start(
    `to: [${
      ports.join(", ")
    }]\ncredential: corp\ncredentials: {corp: {scheme: digest, user: svc, password_file: /secret}}\n`,
    {},
    { "/secret": "old" },
  );
  const guards: GuardedServer[] = [];
  for (const port of ports) {
    const guard = new GuardedServer(await lab.backend(port), { svc: "new" }, ["digest"]);
    guard.closes = true;
    guards.push(guard);
  }
  const client = lab.dial();
  client.say("GET / HTTP/1.1\r\nHost: lab\r\n\r\n");
  await lab.until("an answer", () => /\r\n\r\n/.test(client.received), 40_000);
  assert.match(answerOf(client), /^401 /);
  const sendings = guards.reduce((sum, { asked }) => sum + asked.length, 0);
  assert.equal(sendings, 17, "the first, and sixteen answers to challenges");
  await lab.stop();
});
