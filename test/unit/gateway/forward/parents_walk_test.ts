/**
 * Clients of a forward proxy ask for hosts that go by parents, directly, or not at all, while the rules change, parents and
 * destinations go away and come back, and clients leave. Whatever the order:
 *
 * - what reaches a parent or a destination for the first time goes where the rules of some configuration since it was asked
 *   lead to, in the list of that rule; what all of them deny reaches nobody
 * - a POST reaches somebody once, unless the connection that it came on was lost before an answer
 * - an answer is that of the client's own request, by somebody who may give it
 * - a request that is held is answered: 200 when somebody comes back, else a 5xx; nobody who stays is forgotten
 * - what is told of each rule adds up, and in the end nothing waits, is open or is counted
 *
 * A failure prints the seed and what was done; SLUICE_TEST_SEED runs one seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../../fuzz/support/random.ts";
import type { Peer } from "../../../support/memory_lab.ts";
import { type PlaneBackend, PlaneLab } from "../../../support/plane_lab.ts";
import { groupName, walkSeedGroups } from "../../../support/seeds.ts";

const SEEDS = 60;
const SEEDS_A_TEST = 15;
const STEPS = 50;
const PARENTS = [4001, 4002, 4003] as const;
const ORIGIN = 3001;
const PROXY_PORT = 3128;
const HOSTS = ["a.one.test", "b.one.test", "two.test", "127.0.0.1"] as const;
const BALANCES = ["order", "round_robin", "least_conn", "random", "source_hash", "host_hash"] as const;

/** What a rule says of its hosts. */
type Way =
  | { readonly kind: "deny" }
  | { readonly kind: "direct" }
  | { readonly kind: "parents"; readonly ports: readonly number[]; readonly balance: string };

/** One configuration: rules for .one.test and for two.test, and what all others do. */
interface World {
  readonly one: Way;
  readonly two: Way;
  readonly rest: Way;
}

interface Asked {
  readonly id: string;
  readonly method: "GET" | "POST" | "CONNECT";
  readonly host: string;
  readonly worlds: World[];
  /** Times at which it has reached somebody. */
  reached: number;
  /** Connections that it was on and that were lost since. */
  lost: number;
  answer: string;
  left: boolean;
}

class Walk {
  readonly random: Random;
  readonly trace: string[] = [];
  lab!: PlaneLab; // set by `open`
  backends: PlaneBackend[] = [];
  world: World;
  readonly asked = new Map<string, Asked>();
  readonly clients = new Map<Asked, Peer>();
  wrong: string | null = null;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.world = this.#drawWorld();
  }

  #drawWorld(): World {
    return { one: this.#drawWay(true), two: this.#drawWay(true), rest: this.#drawWay(false) };
  }

  #drawWay(mayDeny: boolean): Way {
    const { random } = this;
    const drawn = random.next(8);
    if (drawn === 0 && mayDeny) return { kind: "deny" };
    if (drawn <= 2) return { kind: "direct" };
    const ports = PARENTS.filter(() => random.next(3) > 0);
    return { kind: "parents", ports: ports.length > 0 ? ports : [4001], balance: random.pick(BALANCES) };
  }

  get #yaml(): string {
    const { one, two, rest } = this.world;
    const rules = [
      `{name: one, host: .one.test, ${written(one)}}`,
      `{name: two, host: two.test, ${written(two)}}`,
    ];
    if (rest.kind !== "direct") rules.push(`{name: rest, ${written(rest)}}`);
    return `forward:\n  listen: "127.0.0.1:${PROXY_PORT}"\n  ports: all\n  hold_direct: "127.0.0.1=5s"\n  rules:\n${
      rules.map((rule) => `    - ${rule}\n`).join("")
    }hold: 5s\ndrain_timeout: 1s\n`;
  }

  async open(): Promise<void> {
    this.lab = await PlaneLab.start(this.#yaml);
    for (const port of [...PARENTS, ORIGIN]) {
      const backend = await this.lab.backend(port);
      backend.script = (peer, head) => this.#received(port, peer, head);
      this.backends.push(backend);
    }
  }

  // Parents and the destination

  #received(port: number, peer: Peer, head: string): void {
    const [method = "", target = ""] = head.split(" ");
    if (method === "TUNNEL") {
      const request = this.asked.get(target.slice(1));
      if (request === undefined) this.wrong ??= `${port} got ${head}`;
      else this.#judge(request, port);
      peer.say(`tunnel ${target}@${port}\r\n`);
      return;
    }
    const request = this.asked.get(/\r\nX-Id: (\S+)/.exec(head)?.[1] ?? "");
    // A CONNECT has no fields of the client when it goes on; it is known by what comes in its tunnel.
    if (method === "CONNECT") {
      peer.say("HTTP/1.1 200 OK\r\n\r\n");
      return;
    }
    if (request === undefined) {
      this.wrong ??= `${port} got ${JSON.stringify(head)}`;
      return;
    }
    this.#judge(request, port);
    request.reached++;
    if (request.method === "POST" && request.reached > 1 + request.lost) {
      this.wrong ??= `${request.id} came twice`;
    }
    const isParent = port !== ORIGIN;
    if (isParent !== /^http:/.test(target)) this.wrong ??= `${port} was asked for ${target}`;
    const drawn = this.random.next(12);
    if (drawn === 0) {
      request.lost++;
      peer.socket.abort();
      return;
    }
    const text = `${request.id}@${port}`;
    peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  }

  #judge({ id, host, worlds }: Asked, port: number): void {
    const may = worlds.some((world) => {
      const way = wayOf(world, host);
      return way.kind === "parents" ? way.ports.includes(port) : way.kind === "direct" && port === ORIGIN;
    });
    if (!may) this.wrong ??= `${id} for ${host} reached ${port}`;
  }

  // What happens

  #ask(): void {
    const { random } = this;
    const id = `r${this.asked.size + 1}`;
    const method = random.pick(["GET", "GET", "POST", "CONNECT"] as const);
    // Names do not resolve here: only what goes by a parent may have one.
    const host = random.pick(
      HOSTS.filter((each) => each === "127.0.0.1" || wayOf(this.world, each).kind !== "direct"),
    );
    const request: Asked = {
      id,
      method,
      host,
      worlds: [this.world],
      reached: 0,
      lost: 0,
      answer: "",
      left: false,
    };
    this.asked.set(id, request);
    const client = this.lab.dial(PROXY_PORT);
    this.clients.set(request, client);
    const authority = `${host}:${ORIGIN}`;
    const target = method === "CONNECT" ? authority : `http://${authority}/${id}`;
    client.say(
      `${method} ${target} HTTP/1.1\r\nHost: x\r\nX-Id: ${id}\r\n${
        method === "POST" ? "Content-Length: 0\r\n" : ""
      }\r\n`,
    );
    this.trace.push(`${id} ${method} ${host}`);
  }

  #leave(): void {
    const open = [...this.clients].filter(([{ answer, left }]) => answer === "" && !left);
    if (open.length === 0) return;
    const [request, client] = this.random.pick(open);
    request.left = true;
    client.socket.abort();
    this.trace.push(`${request.id} leaves`);
  }

  async #reload(): Promise<void> {
    this.world = this.#drawWorld();
    for (const request of this.asked.values()) if (request.answer === "") request.worlds.push(this.world);
    this.lab.yaml = this.#yaml;
    const outcome = await this.lab.done(this.lab.plane.reload());
    assert.ok(outcome.ok, outcome.ok ? "" : outcome.message);
    this.trace.push(`reload ${JSON.stringify(this.world)}`);
  }

  async #toggle(): Promise<void> {
    const backend = this.random.pick(this.backends);
    if (this.random.once(2)) {
      backend.down();
      for (const peer of backend.peers) if (peer.end === "") peer.socket.abort();
      // What was on its way may have been lost with it.
      for (const request of this.asked.values()) if (request.answer === "") request.lost++;
      this.trace.push(`${backend.port} goes`);
    } else {
      backend.down();
      await backend.up();
      this.trace.push(`${backend.port} is there`);
    }
  }

  #look(): void {
    for (const [request, client] of this.clients) {
      if (request.left || request.answer !== "" || client.received === "") continue;
      const status = client.received.slice(9, 12);
      if (request.method === "CONNECT" && status === "200") {
        if (!client.received.includes("tunnel ")) {
          if (client.end !== "") request.answer = "200 and lost";
          else if (!this.#said.has(request)) {
            this.#said.add(request);
            client.say(`TUNNEL /${request.id} HTTP/1.1\r\n\r\n`);
          }
          continue;
        }
        if (!client.received.includes(`tunnel /${request.id}@`)) {
          this.wrong ??= `${request.id}: ${client.received}`;
        }
      } else if (status === "200" && !client.received.includes(`\r\n\r\n${request.id}@`)) {
        this.wrong ??= `${request.id}: ${client.received}`;
      } else if (
        status === "403" && !request.worlds.some((world) => wayOf(world, request.host).kind === "deny")
      ) {
        this.wrong ??= `${request.id} was denied: ${client.received}`;
      } else if (!["200", "403", "502", "503", "504"].includes(status)) {
        this.wrong ??= `${request.id}: ${client.received}`;
      }
      request.answer = status;
      client.socket.abort();
    }
  }

  readonly #said = new Set<Asked>();

  async run(): Promise<void> {
    await this.open();
    for (let step = 0; step < STEPS && this.wrong === null; step++) {
      const drawn = this.random.next(12);
      if (drawn < 6) this.#ask();
      else if (drawn === 6) this.#leave();
      else if (drawn === 7) await this.#reload();
      else if (drawn < 10) await this.#toggle();
      await this.lab.pass(this.random.pick([0, 5, 5, 50, 400]));
      this.#look();
    }
    for (const backend of this.backends) {
      backend.down();
      await backend.up();
    }
    // Everybody who waits has waited long enough, however often they were lost.
    for (let round = 0; round < 30; round++) {
      await this.lab.pass(500);
      this.#look();
    }
    await this.#end();
  }

  async #end(): Promise<void> {
    assert.equal(this.wrong, null, this.wrong ?? "");
    for (const request of this.asked.values()) {
      if (!request.left) assert.notEqual(request.answer, "", `${request.id} was forgotten`);
    }
    const { forward, upstreams, totals } = await this.lab.done(this.lab.plane.status());
    assert.ok(forward !== undefined);
    assert.deepEqual([forward.waiting, forward.in_flight, forward.tunnels], [0, 0, 0]);
    for (const { name, waiting, in_flight: inFlight } of upstreams) {
      assert.deepEqual([waiting, inFlight], [0, 0], name);
    }
    assert.equal(forward.totals.requests, this.asked.size);
    assert.equal(totals.requests, this.asked.size);
    const byRule = forward.rules.reduce((sum, rule) => sum + rule.totals.requests, 0);
    assert.ok(byRule <= this.asked.size);
    await this.lab.stop();
  }
}

function wayOf({ one, two, rest }: World, host: string): Way {
  return host.endsWith(".one.test") ? one : host === "two.test" ? two : rest;
}

function written(way: Way): string {
  if (way.kind === "deny") return "deny: closed";
  if (way.kind === "direct") return "direct: true";
  return `parents: [${way.ports.map((port) => `"127.0.0.1:${port}"`).join(", ")}], balance: ${way.balance}`;
}

async function walk(seed: number): Promise<void> {
  const walked = new Walk(seed);
  try {
    await walked.run();
  } catch (error) {
    throw new Error(`seed ${seed}\n${walked.trace.join("\n")}`, { cause: error });
  }
}

for (const seeds of walkSeedGroups(SEEDS, SEEDS_A_TEST)) {
  test(`seeds ${groupName(seeds)}`, async () => {
    for (const seed of seeds) await walk(seed);
  });
}
