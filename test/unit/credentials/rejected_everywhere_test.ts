/** A credential that none of several hops takes: each of them rejects a request once, however its turns come. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GuardedServer, type GuardScheme, ntlmChallenge } from "../../support/guarded_server.ts";
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

const MANY = Array.from({ length: 40 }, (_, index) => 4001 + index);
const DIGEST = "credentials: {corp: {scheme: digest, user: svc, password_file: /secret}}\n";
const MANY_ORIGINS = `to: [${MANY.join(", ")}]\ncredential: corp\n${DIGEST}`;
const MANY_PARENTS = `forward: {listen: 127.0.0.1:8080, ports: all, balance: round_robin, parents: [${
  MANY.map((port) => `"http://127.0.0.1:${port} credential=corp"`).join(", ")
}]}\n${DIGEST}`;

interface ManyLab {
  readonly lab: PlaneLab;
  readonly guards: readonly GuardedServer[];
  /** @returns the status that it is answered with */
  ask(method: string): Promise<string>;
}

/** Each challenge leads to another endpoint: where there are more of them than of anything that is counted. */
async function manyLab(origins: boolean, secret: string, closes: boolean): Promise<ManyLab> {
  const lab = await PlaneLab.start(origins ? MANY_ORIGINS : MANY_PARENTS, {}, { "/secret": secret });
  const guards: GuardedServer[] = [];
  for (const port of MANY) {
    const guard = new GuardedServer(await lab.backend(port), { svc: "right" }, ["digest"], !origins);
    guard.closes = closes;
    guards.push(guard);
  }
  const ask = async (method: string) => {
    const client = lab.dial();
    const target = origins ? "/" : "http://far.test/";
    client.say(`${method} ${target} HTTP/1.1\r\nHost: far.test\r\nContent-Length: 0\r\n\r\n`);
    await lab.until("an answer", () => /\r\n\r\n/.test(client.received), 5000);
    return answerOf(client).slice(0, 3);
  };
  return { lab, guards, ask };
}

test("a request is not tried with what was rejected at each of many endpoints", async () => {
  const { lab, guards, ask } = await manyLab(true, "wrong", true);
  assert.equal(await ask("GET"), "401");
  const logins = guards.flatMap(({ asked }) => asked).filter(({ field }) => field !== "");
  assert.equal(logins.length, 1);
  await lab.stop();
});

for (const origins of [true, false]) {
  for (const [method, closes] of [["GET", true], ["POST", false]] as const) {
    const scene = `${origins ? "origins" : "parents"}, ${method}, ${
      closes ? "challenges that close" : "connections that stay"
    }`;
    test(`with the right password a request gets through, however many challenge it first: ${scene}`, async () => {
      const { lab, guards, ask } = await manyLab(origins, "right", closes);
      for (let request = 0; request < 3; request++) assert.equal(await ask(method), "200");
      // Nonces that have become too old are no failures to log in either.
      for (const guard of guards) guard.renewsBefore = 1;
      for (let request = 0; request < 3; request++) assert.equal(await ask(method), "200");
      await lab.stop();
    });
  }
}

test("handshakes that come to nothing at each of many endpoints are not begun for ever", async () => {
  const lab = await PlaneLab.start(MANY_ORIGINS.replace("scheme: digest", "scheme: ntlm"), {}, {
    "/secret": "right",
  });
  let begun = 0;
  for (const port of MANY) {
    const backend = await lab.backend(port);
    backend.script = (peer, head) => {
      if (!/^authorization: ntlm /im.test(head)) {
        peer.say("HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      begun++;
      // Never to its end.
      peer.say(`HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM ${ntlmChallenge()}\r\nContent-Length: 9\r\n\r\n`);
      peer.socket.close();
    };
  }
  const client = lab.dial();
  client.say("GET / HTTP/1.1\r\nHost: lab\r\n\r\n");
  await lab.until("an answer", () => /\r\n\r\n/.test(client.received), 5000);
  assert.match(answerOf(client), /^401 /);
  assert.ok(begun > 1 && begun <= 17, `${begun} handshakes`);
  await lab.stop();
});
