/**
 * Clients of a forward proxy ask, send bodies in pieces, open tunnels and leave, while the file of its users, what is denied
 * and the number of tunnels change, destinations reset connections, and the proxy is taken away and comes back. Requests also
 * come in the last moment of a configuration. Whatever the order:
 *
 * - what reaches a destination for the first time was asked for by somebody who is in the file, and for what is allowed, by
 *   the configuration that is in use at that moment; with a body in pieces, by one that was while its end was waited for
 * - no destination sees a password, and a POST reaches it once
 * - an answer is that of the client's own request, and what a tunnel carries comes back in it
 * - there are never more tunnels than are allowed when one is opened
 * - everybody who stays is answered, each request is counted once, and in the end nothing is left
 *
 * A failure prints the seed and what was done; SLUICE_TEST_SEED runs one seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway } from "../../../../src/gateway/gateway.ts";
import { Random } from "../../../fuzz/support/random.ts";
import type { Peer } from "../../../support/memory_lab.ts";
import { PlaneLab } from "../../../support/plane_lab.ts";
import { groupName, walkSeedGroups } from "../../../support/seeds.ts";

const SEEDS = 100;
const SEEDS_A_TEST = 20;
const STEPS = 60;
const PORTS = [3001, 3002, 3003] as const;
const USERS = ["alice", "bob", "carol"] as const;
/** Of "wonder". */
const HASH = "{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=";
const PROXY_PORT = 3128;

/** What the configuration says. */
interface World {
  /** Whether there is a proxy at all. */
  readonly on: boolean;
  readonly users: readonly string[];
  readonly denied: readonly number[];
  readonly maxTunnels: number;
}

type Method = "GET" | "POST" | "CONNECT";

/** A request of a client. */
interface Asked {
  readonly id: string;
  readonly method: Method;
  readonly port: number;
  /** With the right password; "" = says nothing that is right. */
  readonly user: string;
  /** By which it may be decided. */
  worlds: World[];
  /** Most tunnels that have been allowed since it was asked. */
  mostTunnels: number;
  /** Bytes of the body that have not been sent. */
  left: string;
  answer: string;
}

class Client {
  readonly peer: Peer;
  now: Asked | null = null;
  inTunnel = false;
  /** Messages in the tunnel that have not come back. */
  owed = "";

  constructor(peer: Peer) {
    this.peer = peer;
  }
}

class Walk {
  readonly random: Random;
  readonly trace: string[] = [];
  lab!: PlaneLab; // set by `open`
  world: World = { on: true, users: ["alice", "bob"], denied: [], maxTunnels: 3 };
  clients: Client[] = [];
  readonly requests = new Map<string, Asked>();
  /** How often a request has reached a destination. */
  readonly reached = new Map<string, number>();
  readonly statuses = new Map<string, number>();
  wrong: string | null = null;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  get #yaml(): string {
    const { on, denied, maxTunnels } = this.world;
    const rest = `listen: "127.0.0.1:0"\nto: 3001\ndrain_timeout: 1s\n`;
    if (!on) return rest;
    const deny = denied.map((port) => `"127.0.0.1:${port}"`).join(", ");
    return `${rest}forward: {listen: "127.0.0.1:${PROXY_PORT}", users: /users, deny: [${deny}], ` +
      `max_tunnels: ${maxTunnels}}\n`;
  }

  get #usersFile(): string {
    return this.world.users.map((user) => `${user}:${HASH}\n`).join("");
  }

  async open(): Promise<void> {
    this.lab = await PlaneLab.start(this.#yaml, {}, { "/users": this.#usersFile });
    for (const port of PORTS) {
      const backend = await this.lab.backend(port);
      backend.script = (peer, head) => this.#received(port, peer, head);
    }
  }

  // At a destination

  #received(port: number, peer: Peer, head: string): void {
    const [method = "", target = ""] = head.split(" ");
    if (method === "TUNNEL") {
      peer.say(`echo ${target}\r\n`);
      return;
    }
    // What is left of a body has no end of a head in it.
    const request = this.requests.get(/\r\nX-Id: (\S+)/.exec(head)?.[1] ?? "");
    if (request === undefined) {
      this.wrong ??= `${port} got ${JSON.stringify(head)}`;
      return;
    }
    const { id } = request;
    const before = this.reached.get(id) ?? 0;
    this.reached.set(id, before + 1);
    if (before === 0) this.#judge(request, port);
    else if (method === "POST") this.wrong ??= `${id} came twice`;
    if (/proxy-authorization/i.test(head)) this.wrong ??= `${id} told ${port} its password`;
    const text = `${id}@${port}`;
    peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  }

  #judge({ id, user, port: wanted, worlds }: Asked, port: number): void {
    const allows = ({ on, users, denied }: World) => on && users.includes(user) && !denied.includes(port);
    if (!worlds.some(allows)) this.wrong ??= `${id} of "${user}" reached ${port}`;
    if (port !== wanted) this.wrong ??= `${id} reached ${port} instead of ${wanted}`;
  }

  // Clients

  #client(): Client {
    const client = new Client(this.lab.dial(PROXY_PORT));
    this.clients.push(client);
    return client;
  }

  #ask(): void {
    const { random } = this;
    const free = this.clients.filter(({ now, inTunnel, peer }) =>
      now === null && !inTunnel && peer.end === ""
    );
    const client = random.once(3) || free.length === 0 ? this.#client() : random.pick(free);
    if (client.peer.end !== "") return; // Nobody listens there at the moment.
    const method = random.pick(["GET", "GET", "POST", "CONNECT"] as const);
    const port = random.pick(PORTS);
    const claimed = random.pick([...USERS, ...USERS, ""]);
    const isRight = claimed !== "" && !random.once(6);
    const id = `r${this.requests.size + 1}`;
    const body = method === "POST" ? "b".repeat(random.pick([0, 10, 3000])) : "";
    const { world } = this;
    const user = isRight ? claimed : "";
    const mostTunnels = world.maxTunnels;
    const asked: Asked = { id, method, port, user, worlds: [world], mostTunnels, left: body, answer: "" };
    this.requests.set(id, asked);
    client.now = asked;
    const there = `127.0.0.1:${port}`;
    const target = method === "CONNECT" ? there : `http://${there}/${id}`;
    const login = btoa(`${claimed}:${isRight ? "wonder" : "blunder"}`);
    const length = method === "POST" ? `Content-Length: ${body.length}\r\n` : "";
    client.peer.say(
      `${method} ${target} HTTP/1.1\r\nHost: ${there}\r\nX-Id: ${id}\r\n${length}` +
        (claimed === "" ? "" : `Proxy-Authorization: Basic ${login}\r\n`) + "\r\n",
    );
    if (random.once(2)) this.#send(client);
    this.trace.push(`${id} ${method} ${port} ${claimed}${isRight ? "" : "?"}`);
  }

  /** Sends more of the body. */
  #send({ peer, now }: Client, most = Infinity): void {
    if (now === null || peer.end !== "") return;
    peer.say(now.left.slice(0, most));
    now.left = now.left.slice(most);
  }

  /** Reads what has come. */
  #read(client: Client): void {
    const { peer } = client;
    if (client.inTunnel) {
      if (!client.owed.startsWith(peer.received) && peer.end === "") {
        this.wrong ??= `a tunnel gave ${JSON.stringify(peer.received)} instead of ${client.owed}`;
      }
      client.owed = client.owed.slice(peer.received.length);
      peer.received = "";
      return;
    }
    const { now } = client;
    const end = peer.received.indexOf("\r\n\r\n");
    if (end < 0) return;
    if (now === null) {
      this.wrong ??= `an answer to nothing: ${peer.received}`;
      return;
    }
    const head = peer.received.slice(0, end);
    const status = Number(head.slice(9, 12));
    const isTunnel = now.method === "CONNECT" && status === 200;
    const length = isTunnel ? 0 : Number(/\r\nContent-Length: (\d+)/.exec(head)?.[1] ?? 0);
    if (peer.received.length < end + 4 + length) return;
    const body = peer.received.slice(end + 4, end + 4 + length);
    peer.received = peer.received.slice(end + 4 + length);
    now.answer = String(status);
    this.statuses.set(now.answer, (this.statuses.get(now.answer) ?? 0) + 1);
    client.now = null;
    client.inTunnel = isTunnel;
    const open = this.#tunnels.length;
    if (isTunnel && open > now.mostTunnels) {
      this.wrong ??= `${now.id} is tunnel ${open} of ${now.mostTunnels}`;
    }
    if (status === 200 && !isTunnel && body !== `${now.id}@${now.port}`) {
      this.wrong ??= `${now.id} was answered ${body}`;
    }
    // The rest of a body is not a request: who has been answered before its end starts anew.
    if (now.left !== "" || /\r\nConnection: close/.test(head)) peer.socket.abort();
  }

  get #tunnels(): Client[] {
    return this.clients.filter(({ inTunnel, peer }) => inTunnel && peer.end === "");
  }

  #settle(): void {
    this.lab.runtime.network.run();
    for (const client of this.clients) this.#read(client);
    this.clients = this.clients.filter(({ peer }) => peer.end === "");
    assert.equal(this.wrong, null);
  }

  // Operators

  /** The proxy goes by another configuration from now on. */
  #enter(world: World): void {
    this.world = world;
    for (const { now } of this.clients) {
      // The end of a small body is waited for before anybody is asked.
      if (now === null) continue;
      now.worlds = now.left === "" ? [world] : [...now.worlds, world];
      now.mostTunnels = Math.max(now.mostTunnels, world.maxTunnels);
    }
  }

  async #change(): Promise<void> {
    const { random, lab } = this;
    const before = this.world;
    let after: World = before;
    switch (random.next(5)) {
      case 0:
        after = { ...before, on: !before.on };
        break;
      case 1:
      case 2:
        after = { ...before, users: USERS.filter(() => random.once(2)) };
        break;
      case 3:
        after = { ...before, denied: PORTS.filter(() => random.once(3)) };
        break;
      default:
        after = { ...before, maxTunnels: random.pick([1, 2, 5]) };
    }
    const { use } = Gateway.prototype;
    const asks = random.next(4);
    const change = () => {
      // In the last moment, so that passwords are being worked out while it changes.
      for (let left = asks; left > 0; left--) this.#ask();
      lab.runtime.network.run();
      this.#enter(after);
    };
    Gateway.prototype.use = function (snapshot) {
      change();
      use.call(this, snapshot);
    };
    try {
      this.world = after;
      lab.system.files.set("/users", this.#usersFile);
      lab.yaml = this.#yaml;
      this.world = before;
      const outcome = await lab.done(lab.plane.reload());
      assert.ok(outcome.ok, JSON.stringify(outcome));
    } finally {
      Gateway.prototype.use = use;
      // Nothing that the proxy goes by may have changed.
      if (this.world !== after) this.#enter(after);
    }
    const { on, users, denied, maxTunnels } = after;
    this.trace.push(`[${on ? "on" : "off"} ${users} -${denied} ${maxTunnels}]`);
  }

  async step(): Promise<void> {
    const { random, lab, clients } = this;
    const some = clients.length === 0 ? null : random.pick(clients);
    switch (random.next(14)) {
      case 0:
      case 1:
      case 2:
        await this.#change();
        break;
      case 3:
      case 4:
        if (some !== null) this.#send(some, random.pick([1, 500, Infinity]));
        break;
      case 5: {
        const tunnel = this.#tunnels[random.next(this.#tunnels.length || 1)];
        if (tunnel === undefined) break;
        const word = `t${random.next(1000)}`;
        tunnel.owed += `echo ${word}\r\n`;
        tunnel.peer.say(`TUNNEL ${word} x\r\n\r\n`);
        break;
      }
      case 6:
        if (some === null) break;
        this.trace.push(`${some.now?.id ?? "one"} leaves`);
        if (random.once(2)) some.peer.socket.abort();
        else some.peer.socket.close();
        break;
      case 7: {
        const peer = this.#someOrigin();
        this.trace.push("a destination resets");
        peer?.socket.abort();
        break;
      }
      case 8:
        await lab.pass(random.pick([5, 50, 1500]));
        break;
      default:
        this.#ask();
    }
    this.#settle();
    if (random.once(2)) await lab.pass(5);
    this.#settle();
  }

  #someOrigin(): Peer | undefined {
    const { random, lab } = this;
    const open = lab.backends.flatMap(({ peers }) => peers.filter(({ end }) => end === ""));
    return open[random.next(open.length || 1)];
  }

  async end(): Promise<void> {
    const { lab } = this;
    for (const client of this.clients) this.#send(client);
    await lab.pass(3000);
    this.#settle();
    const waiting = this.clients.flatMap(({ now }) => now === null ? [] : [now.id]);
    assert.deepEqual(waiting, [], "everybody who has stayed is answered");
    for (const { owed } of this.#tunnels) assert.equal(owed, "", "what was said in a tunnel has come back");
    for (const { peer } of this.clients) peer.socket.abort();
    await lab.pass(100);
    if (!this.world.on) {
      this.world = { ...this.world, on: true };
      lab.yaml = this.#yaml;
      assert.ok((await lab.done(lab.plane.reload())).ok);
    }
    const { totals, connections, tunnels, forward } = await lab.done(lab.plane.status());
    assert.equal(totals.requests, this.requests.size, "each request is counted once");
    const left = [connections, tunnels, forward?.tunnels, forward?.in_flight, forward?.waiting];
    assert.deepEqual(left, [0, 0, 0, 0, 0], "nothing is left");
    await lab.stop();
  }
}

async function walk(seed: number): Promise<ReadonlyMap<string, number>> {
  const walk = new Walk(seed);
  try {
    await walk.open();
    for (let step = 0; step < STEPS; step++) await walk.step();
    await walk.end();
    return walk.statuses;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: ${why}\n${walk.trace.join(", ")}`, { cause: error });
  }
}

for (const seeds of walkSeedGroups(SEEDS, SEEDS_A_TEST)) {
  test(`users, destinations and the proxy come and go, and every request is decided by what is in use: ${groupName(seeds)}`, async () => {
    const statuses = new Map<string, number>();
    for (const seed of seeds) {
      for (const [status, count] of await walk(seed)) {
        statuses.set(status, (statuses.get(status) ?? 0) + count);
      }
    }
    if (seeds.length === SEEDS_A_TEST) {
      for (const status of ["200", "403", "407"]) {
        assert.ok((statuses.get(status) ?? 0) > 10, `few ${status}`);
      }
    }
  });
}
