/** Destinations of the forward proxy over reloads, and its own addresses, which are none. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway } from "../../../../src/gateway/gateway.ts";
import type { Snapshot } from "../../../../src/gateway/snapshot.ts";
import type { Peer } from "../../../support/memory_lab.ts";
import { collect } from "../../../support/collector.ts";
import { answerOf, type PlaneBackend } from "../../../support/network_lab.ts";
import { PlaneLab } from "../../../support/plane_lab.ts";

const ORIGIN = 3001;

function yamlOf(deny = "", more = ""): string {
  return `forward:\n  listen: "127.0.0.1:0"\n${deny === "" ? "" : `  deny: "${deny}"\n`}${more}`;
}

async function use(
  yaml: string,
  body: (lab: PlaneLab, origin: PlaneBackend) => Promise<void>,
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  const lab = await PlaneLab.start(yaml, {}, files);
  const origin = await lab.backend(ORIGIN);
  await body(lab, origin);
  await lab.stop();
}

function ask(client: Peer, url = `http://127.0.0.1:${ORIGIN}/x`, more = ""): void {
  client.say(`GET ${url} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`);
}

async function reload(lab: PlaneLab, yaml: string): Promise<void> {
  lab.yaml = yaml;
  const outcome = await lab.done(lab.plane.reload());
  assert.ok(outcome.ok, outcome.ok ? "" : outcome.message);
}

async function asked(lab: PlaneLab, client: Peer, url?: string, more?: string): Promise<string> {
  client.received = "";
  ask(client, url, more);
  await lab.pass(10);
  return answerOf(client);
}

test("a reload of other things keeps connections to destinations", () =>
  use(yamlOf(), async (lab, origin) => {
    const client = lab.dial();
    for (let round = 1; round <= 3; round++) {
      assert.equal(await asked(lab, client), "200 3001/x");
      await reload(lab, yamlOf("", `keep_alive_timeout: ${60 + round}s\n`));
    }
    assert.equal(origin.peers.length, 1);
    assert.equal(origin.open, 1);
  }));

test("what is denied by a reload is denied to open connections, and idle connections to it are closed", () =>
  use(yamlOf(), async (lab, origin) => {
    const client = lab.dial();
    assert.equal(await asked(lab, client), "200 3001/x");
    assert.equal(origin.open, 1);
    await reload(lab, yamlOf(`127.0.0.1:${ORIGIN}`));
    await lab.pass(5);
    assert.equal(origin.open, 0);
    assert.match(await asked(lab, client), /^403 /);
  }));

test("a request under way ends by what it began with, and its connection is closed soon after", () =>
  use(yamlOf(), async (lab, origin) => {
    const timers = lab.clock.pendingTimers;
    origin.keeps = true;
    const client = lab.dial();
    ask(client);
    await lab.pass(10);
    await reload(lab, yamlOf("private"));
    await lab.pass(3000);
    origin.answer();
    await lab.pass(10);
    assert.equal(answerOf(client), "200 3001/x");
    await lab.pass(2000);
    assert.equal(origin.open, 0);
    client.socket.abort();
    // Deadlines of connections are swept now and then.
    await lab.pass(60_000);
    assert.ok(lab.clock.pendingTimers <= timers, `${lab.clock.pendingTimers} timers, ${timers} before`);
  }));

test("a proxy that is taken away leaves no connections", () =>
  use(`listen: "127.0.0.1:0"\nto: 3001\nforward: 3128\n`, async (lab, origin) => {
    const client = lab.dial(3128);
    assert.equal(await asked(lab, client), "200 3001/x");
    await reload(lab, `listen: "127.0.0.1:0"\nto: 3001\n`);
    await lab.pass(5);
    assert.equal(origin.open, 0);
    assert.match(await asked(lab, client), /^403 /);
  }));

test("passwords that were right stay known while the file is the same", () =>
  use(
    yamlOf("", "  users: /users\n"),
    async (lab) => {
      const client = lab.dial();
      const login = `Proxy-Authorization: Basic ${btoa("alice:wonder")}\r\n`;
      assert.match(await asked(lab, client), /^407 /);
      assert.equal(await asked(lab, client, undefined, login), "200 3001/x");
      await reload(lab, yamlOf("private", "  users: /users\n"));
      client.received = "";
      ask(client, undefined, login);
      lab.runtime.network.run();
      // At once: a password that has to be worked out takes a turn.
      assert.equal(answerOf(client), "200 3001/x");
      lab.system.files.set("/users", "bob:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\n");
      await reload(lab, yamlOf("private", "  users: /users\n"));
      assert.match(await asked(lab, client, undefined, login), /^407 /);
    },
    { "/users": "alice:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\n" },
  ));

test("who asks is judged by the file that is in use when the password is known", () => {
  // Others in each round: what a file says of a user is worked out once.
  const fileOf = (round: number) =>
    [`new${round}`, `old${round + 1}`].map((user) => `${user}:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\n`).join("");
  return use(
    yamlOf("", "  users: /users\n"),
    async (lab, origin) => {
      const original = Gateway.prototype.use;
      let clients: Peer[] = [];
      let round = 1;
      // At the last moment of the old configuration.
      Gateway.prototype.use = function (snapshot) {
        clients = [`new${round}`, `old${round}`].map((user) => {
          const client = lab.dial();
          ask(client, undefined, `Proxy-Authorization: Basic ${btoa(`${user}:wonder`)}\r\n`);
          lab.runtime.network.run();
          assert.equal(client.received, "", "the password is being worked out");
          return client;
        });
        original.call(this, snapshot);
      };
      try {
        for (; round < 4; round++) {
          lab.system.files.set("/users", fileOf(round));
          await reload(lab, yamlOf("", "  users: /users\n"));
          await lab.pass(20);
          assert.deepEqual(clients.map((client) => answerOf(client).slice(0, 3)), ["200", "407"]);
          assert.equal(origin.asked.length, round);
        }
        await reload(lab, `listen: "127.0.0.1:0"\nto: 3001\n`);
        await lab.pass(20);
        for (const client of clients) assert.match(answerOf(client), /^403 /);
        assert.equal(origin.asked.length, 3);
      } finally {
        Gateway.prototype.use = original;
      }
    },
    { "/users": fileOf(0) },
  );
});

test("the proxy itself is no destination, also on a port that the system has chosen", () =>
  use(yamlOf(), async (lab) => {
    const [port = 0] = lab.ports;
    const client = lab.dial();
    assert.match(await asked(lab, client, `http://127.0.0.1:${port}/`), /^508 /);
    client.received = "";
    client.say(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    await lab.pass(10);
    assert.match(answerOf(client), /^508 /);
  }));

test("on all addresses it is none by those of the interfaces", () =>
  use(`forward: {listen: "*:3128", open: true, allow: [loopback, private]}\n`, async (lab) => {
    lab.system.interfaces = ["10.1.2.3"];
    const client = lab.dial(3128);
    assert.match(await asked(lab, client, "http://10.1.2.3:3128/"), /^508 /);
    assert.match(await asked(lab, client, "http://127.0.0.1:3128/"), /^508 /);
  }));

for (
  const [what, yamlAt] of [
    ["change nothing of it", (round: number) => yamlOf("", `keep_alive_timeout: ${60 + round}s\n`)],
    ["change where clients may go", (round: number) => yamlOf(`10.0.${round >> 8}.${round & 255}`)],
  ] as const
) {
  test(`a thousand reloads that ${what} pile up neither memory nor timers nor connections`, {
    timeout: 60_000,
  }, async () => {
    const ROUNDS = 1000;
    const worlds: WeakRef<Snapshot>[] = [];
    const original = Gateway.prototype.use;
    Gateway.prototype.use = function (snapshot) {
      worlds.push(new WeakRef(snapshot));
      original.call(this, snapshot);
    };
    try {
      await use(yamlOf(), async (lab, origin) => {
        const client = lab.dial();
        assert.equal(await asked(lab, client), "200 3001/x");
        const timers = lab.clock.pendingTimers;
        for (let round = 1; round <= ROUNDS; round++) {
          await reload(lab, yamlAt(round));
          client.received = "";
          ask(client);
          lab.runtime.network.run();
          assert.equal(answerOf(client), "200 3001/x");
        }
        await lab.pass(10);
        assert.equal(worlds.length, ROUNDS);
        assert.equal(origin.open, 1);
        assert.ok(lab.clock.pendingTimers <= timers + 1, `${lab.clock.pendingTimers}, ${timers} before`);
        await collect();
        const kept = worlds.filter((ref) => ref.deref() !== undefined).length;
        // What the stack or a register still names; see retained_snapshots_test.ts.
        assert.ok(kept <= 20, `${kept} worlds of ${ROUNDS} are kept`);
      });
    } finally {
      Gateway.prototype.use = original;
    }
  });
}
