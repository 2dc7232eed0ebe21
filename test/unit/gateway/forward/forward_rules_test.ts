/** Rules of the forward proxy with requests of both kinds: who is asked, what is denied, what is held, over reloads and ends. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { statusText } from "../../../../src/cli/verbs/status_text.ts";
import { renderMetrics } from "../../../../src/admin/render_metrics.ts";
import type { Peer } from "../../../support/memory_lab.ts";
import { answerOf, type PlaneBackend, PlaneLab } from "../../../support/plane_lab.ts";

const PARENTS = [4001, 4002, 4003] as const;
const ORIGIN = 3001;
const USERS = {
  "/users": "alice:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\nbob:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\n",
};
const NAMES = { "inside.test": ["10.0.0.7"], "outside.test": ["127.0.0.1"], "b.corp.test": ["127.0.0.1"] };

/** A parent that answers GET with its port and the target, and whose tunnels do the same for each head. */
function asParent(parent: PlaneBackend): void {
  parent.script = (peer, head) => {
    const [method = "", target = ""] = head.split(" ");
    const text = `${parent.port}${method === "TUNNEL" ? " tunnel " : " "}${target}`;
    if (method === "CONNECT") peer.say("HTTP/1.1 200 OK\r\n\r\n");
    else peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  };
}

async function use(
  forward: string,
  act: (lab: PlaneLab, parents: readonly PlaneBackend[], origin: PlaneBackend) => Promise<void>,
  more = "",
): Promise<void> {
  const lab = await PlaneLab.start(yamlOf(forward, more), NAMES, USERS);
  const parents = await Promise.all(PARENTS.map((port) => lab.backend(port)));
  parents.forEach(asParent);
  await act(lab, parents, await lab.backend(ORIGIN));
  await lab.stop();
}

function yamlOf(forward: string, more: string): string {
  const lines = forward.split("\n").filter((line) => line.trim() !== "").map((line) => `  ${line}\n`);
  return `forward:\n  listen: "127.0.0.1:0"\n  ports: all\n${lines.join("")}${more}`;
}

async function ask(lab: PlaneLab, url: string, user = "", client = lab.dial()): Promise<string> {
  client.received = "";
  client.say(`GET ${url} HTTP/1.1\r\nHost: x\r\n${login(user)}\r\n`);
  await lab.pass(50);
  return answerOf(client);
}

function login(user: string): string {
  return user === "" ? "" : `Proxy-Authorization: Basic ${btoa(`${user}:wonder`)}\r\n`;
}

/** The status and, if there is a tunnel, what its other end says. */
async function connect(lab: PlaneLab, target: string, user = "", client = lab.dial()): Promise<string> {
  begin(client, target, user);
  await lab.pass(50);
  return await through(lab, client);
}

function begin(client: Peer, target: string, user = ""): void {
  client.say(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${login(user)}\r\n`);
}

async function through(lab: PlaneLab, client: Peer): Promise<string> {
  const status = client.received.slice(9, 12);
  if (status !== "200") return status;
  client.received = "";
  client.say("TUNNEL /t HTTP/1.1\r\n\r\n");
  await lab.pass(20);
  const answer = `200 ${answerOf(client).slice(4)}`;
  client.socket.abort();
  return answer;
}

const RULES = `
rules:
  - {name: ads, host: [ads.test, .ads.test], deny: "no ads"}
  - {name: local, cidr: 127.0.0.0/8, port: ${ORIGIN}, direct: true}
  - {name: corp, host: .corp.test, parents: [127.0.0.1:4001]}
  - {name: inside, cidr: 10.0.0.0/8, resolve: true, parents: [127.0.0.1:4002]}
  - {name: alice, user: alice, parents: [127.0.0.1:4003]}
no_parent: direct.test
users: /users
`;

test("each kind of rule, for a request and for CONNECT alike", () =>
  use(RULES, async (lab) => {
    const cases: readonly (readonly [host: string, port: number, user: string, who: string])[] = [
      ["a.corp.test", 80, "bob", "4001"],
      ["b.corp.test", 443, "bob", "4001"],
      ["inside.test", 80, "bob", "4002"],
      ["10.1.1.1", 80, "bob", "4002"],
      ["unknown.test", 80, "alice", "4003"],
      ["outside.test", 8080, "alice", "4003"],
      ["127.0.0.1", ORIGIN, "alice", "direct"],
      ["127.0.0.1", ORIGIN, "bob", "direct"],
    ];
    for (const [host, port, user, who] of cases) {
      const authority = `${host}:${port}`;
      const url = `http://${authority}/x`;
      const direct = who === "direct";
      assert.equal(await ask(lab, url, user), direct ? `200 ${ORIGIN}/x` : `200 ${who} ${url}`, authority);
      const expected = direct ? `200 ${ORIGIN}/t` : `200 ${who} tunnel /t`;
      assert.equal(await connect(lab, authority, user), expected, authority);
    }
  }));

test("denied: the reason of the rule in the phrase, counted for the rule", () =>
  use(RULES, async (lab, parents) => {
    for (const line of ["GET http://x.ads.test/ HTTP/1.1", "CONNECT ads.test:443 HTTP/1.1"]) {
      const client = lab.dial();
      client.say(`${line}\r\nHost: x\r\n${login("bob")}\r\n`);
      await lab.pass(20);
      assert.match(client.received, /^HTTP\/1\.1 403 Forbidden \(sluice: no ads\)\r\n/);
    }
    for (const parent of parents) assert.equal(parent.asked.length, 0);
    await ask(lab, "http://a.corp.test/", "bob");
    const status = await lab.done(lab.plane.status());
    const rules = status.forward?.rules.map(({ name, action, totals, reasons }) => [
      name,
      action,
      totals.requests,
      totals.failed,
      reasons.http_request_denied ?? 0,
    ]);
    assert.deepEqual(rules, [
      ["ads", "deny", 2, 2, 2],
      ["local", "direct", 0, 0, 0],
      ["corp", "parents", 1, 0, 0],
      ["inside", "parents", 0, 0, 0],
      ["alice", "parents", 0, 0, 0],
    ]);
    assert.equal(status.forward?.totals.requests, 3);
    assert.equal(status.forward?.denied.http_request_denied, 2);
    assert.match(statusText(status), /^ {2}rule ads \(deny\): 2 requests$/m);
    const metrics = renderMetrics(status);
    assert.ok(metrics.includes('\nsluice_forward_rule_requests_total{rule="ads",code="4xx"} 2\n'));
    assert.doesNotMatch(metrics, /ads\.test/);
  }));

test("a name that has to be looked up: its client may leave, and a reload meanwhile counts", () =>
  use(RULES, async (lab) => {
    const leaver = lab.dial();
    leaver.say(`GET http://slow.test/ HTTP/1.1\r\nHost: x\r\n${login("bob")}\r\n`);
    leaver.socket.abort();
    await lab.pass(50);
    const client = lab.dial();
    assert.match(await ask(lab, "http://a.test/", "", client), /^407 /);
    client.received = "";
    client.say(`GET http://inside.test/ HTTP/1.1\r\nHost: x\r\n${login("bob")}\r\n`);
    lab.yaml = yamlOf("rules: [{deny: closed}]\nusers: /users", "");
    assert.ok((await lab.done(lab.plane.reload())).ok);
    await lab.pass(50);
    assert.match(answerOf(client), /^(403|200) /);
    assert.match(await ask(lab, "http://inside.test/", "bob"), /^403 /);
  }));

test("a reload keeps ways that are the same, and figures of rules", () =>
  use(RULES, async (lab, [corp]) => {
    await ask(lab, "http://a.corp.test/", "bob");
    assert.equal(corp?.open, 1);
    lab.yaml = yamlOf(RULES.replace("no ads", "none at all"), "");
    assert.ok((await lab.done(lab.plane.reload())).ok);
    await ask(lab, "http://a.corp.test/", "bob");
    assert.equal(corp?.peers.length, 1, "the connection is used again");
    lab.yaml = yamlOf(RULES.replace("name: corp", "name: firm"), "");
    assert.ok((await lab.done(lab.plane.reload())).ok);
    await ask(lab, "http://a.corp.test/", "bob");
    const { forward } = await lab.done(lab.plane.status());
    assert.equal(forward?.totals.requests, 3);
    assert.equal(forward?.rules.find(({ name }) => name === "firm")?.totals.requests, 1);
  }));

test("what waits for the parents of a rule is not sent to those of another one, which has some of them", () =>
  use("rules: [{name: one, host: .one.test, parents: [127.0.0.1:4001]}]", async (lab, parents) => {
    parents[0]?.down();
    const held = lab.dial();
    held.say("GET http://a.one.test/ HTTP/1.1\r\nHost: x\r\n\r\n");
    await lab.pass(50);
    lab.yaml = yamlOf("rules: [{name: two, host: two.test, parents: [127.0.0.1:4001, 127.0.0.1:4002]}]", "");
    assert.ok((await lab.done(lab.plane.reload())).ok);
    assert.equal(await ask(lab, "http://two.test/"), "200 4002 http://two.test/");
    await lab.pass(1000);
    assert.deepEqual(parents[1]?.asked, ["http://two.test/"]);
    await parents[0]?.up();
    await lab.pass(1000);
    assert.equal(answerOf(held), "200 4001 http://a.one.test/");
  }));

for (
  const [balance, spread] of [
    ["order", 1],
    ["round_robin", 3],
    ["least_conn", 3],
    ["random", 3],
    ["source_hash", 1],
    ["user_hash", 1],
    ["host_hash", 3],
  ] as const
) {
  test(`balance ${balance}: requests and tunnels, and what becomes of them when a parent is away`, () => {
    const list = PARENTS.map((port) => `127.0.0.1:${port}`).join(", ");
    return use(`parents: [${list}]\nbalance: ${balance}\nusers: /users`, async (lab, parents) => {
      const hosts = Array.from({ length: 30 }, (_, at) => `h${at}.test`);
      const round = async (settled = true) => {
        const who = new Map<string, string>();
        for (const host of hosts) {
          const by = /^200 (\d+)/.exec(await ask(lab, `http://${host}/`, "bob"))?.[1] ?? "none";
          who.set(host, by);
          const tunnel = /^200 (\d+)/.exec(await connect(lab, `${host}:443`, "bob"))?.[1] ?? "none";
          assert.notEqual(tunnel, "none");
          if (settled && (balance.endsWith("_hash") || balance === "order")) assert.equal(tunnel, by, host);
        }
        return who;
      };
      const first = await round();
      assert.equal(new Set(first.values()).size, spread);
      const gone = parents.find(({ port }) => String(port) === first.get("h0.test"));
      gone?.down();
      for (const peer of gone?.peers ?? []) peer.socket.abort();
      await lab.pass(50);
      const second = await round();
      assert.ok(![...second.values()].includes(String(gone?.port)));
      if (balance === "host_hash") {
        for (const [host, by] of first) {
          if (by !== String(gone?.port)) assert.equal(second.get(host), by, host);
        }
      }
      if (!balance.endsWith("_hash")) return;
      await gone?.up();
      await lab.pass(2000);
      // The first ones may go before it is known that it is back.
      await round(false);
      await lab.pass(2000);
      assert.deepEqual(await round(), first);
    });
  });
}

test("weights: three quarters go to the one that has three quarters of the weight", () =>
  use(
    `parents: ["127.0.0.1:4001 weight=3", 127.0.0.1:4002]\nbalance: round_robin`,
    async (lab, [heavy, light]) => {
      for (let i = 0; i < 40; i++) assert.match(await ask(lab, `http://h${i}.test/`), /^200 /);
      assert.deepEqual([heavy?.asked.length, light?.asked.length], [30, 10]);
    },
  ));

const HOLD = `hold_direct: {"127.0.0.1:${ORIGIN}": 10s}`;

test("hold_direct: a request and a CONNECT wait for a destination that refuses, others do not", () =>
  use(HOLD, async (lab, _, origin) => {
    origin.down();
    const get = lab.dial();
    get.say(`GET http://127.0.0.1:${ORIGIN}/x HTTP/1.1\r\nHost: x\r\n\r\n`);
    const tunnel = lab.dial();
    begin(tunnel, `127.0.0.1:${ORIGIN}`);
    assert.match(await ask(lab, "http://127.0.0.1:3999/"), /^502 /);
    assert.equal(await connect(lab, "127.0.0.1:3999"), "502");
    await lab.pass(5000);
    assert.equal(get.received + tunnel.received, "");
    const { forward } = await lab.done(lab.plane.status());
    assert.equal(forward?.waiting, 2);
    await origin.up();
    await lab.pass(1000);
    assert.equal(answerOf(get), `200 ${ORIGIN}/x`);
    assert.equal(await through(lab, tunnel), `200 ${ORIGIN}/t`);
    // And for good: nothing is left.
    await lab.pass(100);
    assert.equal((await lab.done(lab.plane.status())).forward?.waiting, 0);
  }));

test("hold_direct: the time is over, 503 with the reason; a rule's own hold counts before it", () =>
  use(
    `${HOLD}\nrules: [{name: short, host: outside.test, direct: true, hold: 2s}]`,
    async (lab, _, origin) => {
      origin.down();
      const clients = ["127.0.0.1", "outside.test"].map((host) => {
        const tunnel = lab.dial();
        begin(tunnel, `${host}:${ORIGIN}`);
        return tunnel;
      });
      await lab.pass(2500);
      assert.deepEqual(clients.map(({ received }) => received.slice(9, 12)), ["", "503"]);
      await lab.pass(8000);
      for (const { received, end } of clients) {
        assert.match(received, /^HTTP\/1\.1 503 .*\r\n(?:.*\r\n)*Retry-After: /);
        assert.notEqual(end, "");
      }
    },
  ));

test("hold_direct × clients that leave, a reload, a crowd beyond the queue, the end", () =>
  use(
    HOLD,
    async (lab, _, origin) => {
      origin.down();
      const held = Array.from({ length: 8 }, (_, at) => {
        const client = lab.dial();
        if (at % 2 === 0) begin(client, `127.0.0.1:${ORIGIN}`);
        else client.say(`GET http://127.0.0.1:${ORIGIN}/${at} HTTP/1.1\r\nHost: x\r\n\r\n`);
        return client;
      });
      await lab.pass(100);
      const status = async () => (await lab.done(lab.plane.status())).forward;
      // Four places for each kind.
      assert.equal((await status())?.waiting, 6);
      assert.deepEqual(held.map(({ received }) => received.slice(9, 12)), [
        "",
        "",
        "",
        "",
        "",
        "",
        "503",
        "503",
      ]);
      held[0]?.socket.abort();
      held[1]?.socket.abort();
      await lab.pass(20);
      assert.equal((await status())?.waiting, 4);
      // What waits goes on waiting by the configuration that it came with.
      lab.yaml = yamlOf("deny: [nothing.test]", "queue: {size: 3}\n");
      assert.ok((await lab.done(lab.plane.reload())).ok);
      assert.equal((await status())?.waiting, 4);
      await origin.up();
      await lab.pass(1000);
      assert.equal(await through(lab, held[2] as Peer), `200 ${ORIGIN}/t`);
      assert.equal(answerOf(held[3] as Peer), `200 ${ORIGIN}/3`);
      assert.equal((await status())?.waiting, 0);
    },
    "queue: {size: 3}\n",
  ));

test("hold_direct × stop: who waits is answered when the time is up", async () => {
  const lab = await PlaneLab.start(yamlOf(HOLD, "drain_timeout: 1s\n"));
  const clients = [lab.dial(), lab.dial()] as const;
  begin(clients[0], `127.0.0.1:${ORIGIN}`);
  clients[1].say(`GET http://127.0.0.1:${ORIGIN}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
  await lab.pass(50);
  lab.system.signal("SIGTERM");
  await lab.pass(3000);
  for (const { received } of clients) assert.match(received, /^HTTP\/1\.1 503 /);
  await lab.done(lab.ended);
  assert.match(lab.system.stderr, /2 requests dropped/);
});
