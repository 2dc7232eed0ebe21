/**
 * Clients of a forward proxy ask anonymously and with logins of their own for hosts that go by two parents. Each parent gets the
 * client's login (`login=pass`), a credential of ours (Basic, Digest, NTLM) or nothing, as its rule says, while reloads change that
 * and the credential, parents are drained, reset or end connections, forget nonces, and connections become tunnels. Whatever the order:
 *
 * - a parent gets the login of a client, or one of ours, only where some configuration since the request was made says so for that
 *   parent and that host, and lets nobody in by a connection that is somebody else's
 * - no proof of Digest comes twice, and a POST is let in once
 * - every request of a client that stays is answered, once, with its own answer; a challenge comes through only where logins do
 * - nothing is told of a secret, and in the end nothing is left
 *
 * A failure prints the seed and what was done; SLUICE_TEST_SEED runs one seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../fuzz/support/random.ts";
import { type Asked, GuardedServer, type GuardScheme } from "../../support/guarded_server.ts";
import type { Peer } from "../../support/memory_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";
import { groupName, walkSeedGroups } from "../../support/seeds.ts";

const SEEDS = 60;
const SEEDS_A_TEST = 10;
const STEPS = 60;
const PORTS = [4001, 4002] as const;
const RULES = ["one", "two"] as const;
const OURS = ["svc", "svd"] as const;
const PASSWORDS: Readonly<Record<string, string>> = { alice: "password-of-alice", bob: "password-of-bob" };

type Mode = "pass" | "corp" | "none";
type Rule = typeof RULES[number];

/** One configuration: which parents a rule has, in order, and what each is told. */
interface World {
  readonly user: string;
  readonly rules: Readonly<Record<Rule, readonly (readonly [port: number, mode: Mode])[]>>;
}

interface Request {
  readonly id: string;
  readonly rule: Rule;
  readonly method: "GET" | "POST" | "CONNECT" | "UPGRADE";
  /** "" = anonymous. */
  readonly user: string;
  readonly peer: Peer;
  readonly worlds: World[];
  letIn: number;
  left: boolean;
  over: boolean;
}

class Walk {
  readonly random: Random;
  readonly trace: string[] = [];
  readonly scheme: "basic" | "digest" | "ntlm";
  readonly requests = new Map<string, Request>();
  readonly #proofs = new Set<string>();
  readonly guards = new Map<number, GuardedServer>();
  lab!: PlaneLab; // set by `run`
  world: World;
  #secrets = 0;
  #rotten = false;
  /** Requests that were let in as us, and as the client. */
  asUs = 0;
  asThemselves = 0;
  answered = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.scheme = this.random.pick(["basic", "digest", "digest", "ntlm"] as const);
    this.world = this.#drawWorld();
  }

  #drawWorld(): World {
    const { random } = this;
    // All or none of a rule's parents get logins of clients.
    const parents = () => {
      const modes: readonly Mode[] = random.once(2) ? ["pass"] : ["corp", "corp", "none"];
      return (random.once(2) ? PORTS : [...PORTS].reverse()).slice(0, 1 + random.next(2))
        .map((port) => [port, random.pick(modes)] as const);
    };
    return { user: random.pick(OURS), rules: { one: parents(), two: parents() } };
  }

  get #yaml(): string {
    const { user, rules } = this.world;
    const options = { pass: " login=pass", corp: " credential=corp", none: "" };
    const lines = RULES.map((rule) => {
      const parents = rules[rule].map(([port, mode]) => `"http://127.0.0.1:${port}${options[mode]}"`);
      return `    - {name: ${rule}, host: .${rule}.test, parents: [${parents.join(", ")}], balance: ${
        this.random.pick(["order", "round_robin"])
      }}\n`;
    });
    return `forward:
  listen: 127.0.0.1:3128
  ports: all
  rules:
${lines.join("")}access_log: json
hold: 2s
drain_timeout: 1s
credentials: {corp: {scheme: ${this.scheme}, user: ${user}, password_file: /secret}}
`;
  }

  async run(): Promise<void> {
    const { random } = this;
    this.lab = await PlaneLab.start(this.#yaml, {}, { "/secret": "secret0" });
    const schemes: readonly GuardScheme[] = this.scheme === "basic" ? ["basic"] : [this.scheme, "basic"];
    for (const port of PORTS) {
      const backend = await this.lab.backend(port);
      const guard = new GuardedServer(
        backend,
        { svc: "secret0", svd: "secret0", ...PASSWORDS },
        schemes,
        true,
      );
      const answer = backend.script;
      backend.script = (peer, head) => {
        const what = random.next(10);
        if (this.#rotten && what === 0) peer.socket.abort();
        else answer?.(peer, head);
        if (this.#rotten && what === 1) peer.socket.close();
      };
      this.guards.set(port, guard);
    }
    for (let step = 0; step < STEPS; step++) await this.#step();
    this.#rotten = false;
    this.trace.push("end");
    for (const port of PORTS) await this.lab.done(this.lab.plane.undrain(`127.0.0.1:${port}`, null));
    await this.lab.pass(6000);
    this.#judge();
    for (const { id, method, over, left, peer } of this.requests.values()) {
      assert.ok(over || left, `${method} ${id} was forgotten: ${peer.received}`);
      // Of a tunnel whose other side has ended it may be half open.
      peer.socket.abort();
    }
    await this.lab.pass(1500);
    const { forward, upstreams } = await this.lab.done(this.lab.plane.status());
    assert.deepEqual(
      [forward?.waiting, forward?.in_flight, forward?.tunnels],
      [0, 0, 0],
      "something is left",
    );
    for (const { name, waiting, in_flight: inFlight } of upstreams) {
      assert.deepEqual([waiting, inFlight], [0, 0], `something is left of ${name}`);
    }
    await this.lab.stop();
    const told = this.lab.system.stdout + this.lab.system.stderr;
    assert.ok(!/secret\d|password-of|c2VjcmV0|cGFzc3dvcmQ/.test(told), "a secret was told");
  }

  async #step(): Promise<void> {
    const { random, lab } = this;
    const what = random.next(20);
    if (what < 9) this.#ask();
    else if (what === 9) {
      this.#rotten = !this.#rotten;
      this.trace.push(`parents are ${this.#rotten ? "" : "not "}rotten`);
    } else if (what === 10) {
      this.trace.push("other nonces");
      for (const guard of this.guards.values()) guard.renew();
    } else if (what === 11) {
      this.trace.push("connections reset");
      for (const { peers } of lab.backends) {
        for (const peer of peers) if (peer.end === "" && random.once(3)) peer.socket.abort();
      }
    } else if (what === 12) this.#newSecret();
    else if (what < 15) await this.#reload();
    else if (what === 15) {
      const port = random.pick(PORTS);
      this.trace.push(`drain ${port}`);
      await lab.done(lab.plane.drain(`127.0.0.1:${port}`, null, random.pick([50, 500]), false));
    } else if (what === 16) {
      this.trace.push("undrain");
      for (const port of PORTS) await lab.done(lab.plane.undrain(`127.0.0.1:${port}`, null));
    } else if (what === 17) this.#leave();
    else await lab.pass(random.pick([1, 5, 50, 500]));
    lab.runtime.network.run();
    if (random.once(2)) await lab.pass(random.pick([1, 5]));
    this.#judge();
  }

  #newSecret(): void {
    const secret = `secret${++this.#secrets}`;
    this.trace.push(`password ${secret}`);
    for (const guard of this.guards.values()) for (const user of OURS) guard.setPassword(user, secret);
    this.lab.system.files.set("/secret", secret);
  }

  async #reload(): Promise<void> {
    this.world = this.#drawWorld();
    this.trace.push(`reload ${JSON.stringify(this.world)}`);
    for (const request of this.requests.values()) if (!request.over) request.worlds.push(this.world);
    this.lab.yaml = this.#yaml;
    const outcome = await this.lab.done(this.lab.plane.reload());
    assert.ok(outcome.ok, JSON.stringify(outcome));
  }

  #ask(): void {
    const { random } = this;
    const id = `r${this.requests.size + 1}`;
    const rule = random.pick(RULES);
    const method = random.pick(["GET", "GET", "POST", "CONNECT", "UPGRADE"] as const);
    const user = random.pick(["", "alice", "bob"]);
    const peer = this.lab.dial(3128);
    const worlds = [this.world];
    this.requests.set(id, { id, rule, method, user, peer, worlds, letIn: 0, left: false, over: false });
    this.trace.push(`${method} ${id} to ${rule} of ${user === "" ? "nobody" : user}`);
    const login = user === "" ? "" : `Proxy-Authorization: Basic ${btoa(`${user}:${PASSWORDS[user]}`)}\r\n`;
    const authority = `${id}.${rule}.test:80`;
    const line = method === "CONNECT"
      ? `CONNECT ${authority}`
      : `${method === "POST" ? method : "GET"} http://${authority}/`;
    const more = method === "POST"
      ? "Content-Length: 4\r\n"
      : method === "UPGRADE"
      ? "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      : "";
    peer.say(
      `${line} HTTP/1.1\r\nHost: ${authority}\r\n${login}${more}\r\n${method === "POST" ? "body" : ""}`,
    );
  }

  #leave(): void {
    const open = [...this.requests.values()].filter(({ peer, left }) => peer.end === "" && !left);
    if (open.length === 0) return;
    const request = this.random.pick(open);
    this.trace.push(`${request.id} leaves`);
    request.left = true;
    request.peer.socket.abort();
  }

  #judge(): void {
    for (const [port, guard] of this.guards) {
      for (const asked of guard.asked.splice(0)) this.#came(port, asked);
    }
    for (const request of this.requests.values()) this.#read(request);
  }

  #came(port: number, { target, field, user }: Asked): void {
    const request = this.requests.get(/(r\d+)\.(?:one|two)\.test/.exec(target)?.[1] ?? "");
    assert.ok(request !== undefined, `${port} was asked for ${target}`);
    const { id, rule, worlds, method } = request;
    const told = worlds.flatMap((world) =>
      world.rules[rule].filter(([at]) => at === port).map(([, mode]) => ({ mode, user: world.user }))
    );
    assert.ok(told.length > 0, `${id} came to ${port}`);
    const may = (who: string): boolean =>
      told.some(({ mode, user: ours }) =>
        mode === "pass" ? who === request.user : mode === "corp" && who === ours
      );
    for (const who of [userOf(field), user]) {
      assert.ok(who === "" || may(who), `${port} took ${id} of ${request.user} for one of ${who}`);
    }
    // The first message of NTLM names nobody.
    assert.ok(
      field === "" || userOf(field) !== "" || told.some(({ mode }) => mode === "corp"),
      `${id}: ${field}`,
    );
    if (field.startsWith("Digest ")) {
      const proof = /(?<=[ ,])(?:nonce|cnonce|nc)="?\w+/g;
      const count = `${port} ${(field.match(proof) ?? []).join(" ")}`;
      assert.ok(!this.#proofs.has(count), `${id} came with a count that had been used`);
      this.#proofs.add(count);
    }
    if (user === "") return;
    request.letIn++;
    assert.ok(method !== "POST" || request.letIn === 1, `${id} was let in twice`);
    if (user === request.user) this.asThemselves++;
    else this.asUs++;
  }

  #read(request: Request): void {
    const { id, peer, worlds, rule, method, left } = request;
    const heads = peer.received.match(/HTTP\/1\.1 \d\d\d [^]*?\r\n\r\n/g) ?? [];
    assert.ok(heads.length <= 1, `${id} was answered ${heads.length} times`);
    const [head] = heads;
    if (head === undefined) {
      assert.ok(peer.end === "" || left, `${id} ended without an answer`);
      return;
    }
    const length = /\r\nContent-Length: (\d+)\r\n/i.exec(head)?.[1];
    const body = peer.received.slice(head.length);
    if (length !== undefined && body.length < Number(length)) return;
    if (request.over) return;
    request.over = true;
    this.answered++;
    const status = head.slice(9, 12);
    const passes = worlds.some((world) => world.rules[rule].some(([, mode]) => mode === "pass"));
    assert.ok(passes || !/\r\nProxy-Authenticate:/i.test(head), `${id} was told a challenge: ${head}`);
    const good = method === "UPGRADE" ? "101" : "200";
    assert.ok([good, ...(passes ? ["407"] : []), "502", "503", "504"].includes(status), `${id}: ${head}`);
    if (status !== "200" || method === "CONNECT") return;
    assert.match(
      body,
      new RegExp(`^\\w+ http://${id}\\.${rule}\\.test:80/ ${method === "POST" ? "body" : ""}$`),
      id,
    );
  }
}

/** Who a value of Proxy-Authorization speaks of; "" = nobody, or it does not say. */
function userOf(field: string): string {
  if (field.startsWith("Basic ")) return atob(field.slice(6)).split(":")[0] ?? "";
  const digest = /^Digest username="([^"]*)"/.exec(field)?.[1];
  if (digest !== undefined) return digest;
  if (!field.startsWith("NTLM ")) return "";
  const bytes = Uint8Array.from(atob(field.slice(5)), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  if (view.getUint32(8, true) !== 3) return "";
  const from = view.getUint32(40, true);
  return String.fromCharCode(...new Uint16Array(bytes.slice(from, from + view.getUint16(36, true)).buffer));
}

async function walk(seed: number): Promise<Walk> {
  const walk = new Walk(seed);
  try {
    await walk.run();
  } catch (error) {
    console.error(`seed ${seed}, ${walk.scheme}\n${walk.trace.join("\n")}`);
    throw error;
  }
  return walk;
}

for (const seeds of walkSeedGroups(SEEDS, SEEDS_A_TEST)) {
  test(`logins of clients and of ours stay where they belong, seeds ${groupName(seeds)}`, async () => {
    let [answered, asUs, asThemselves] = [0, 0, 0];
    for (const seed of seeds) {
      const done = await walk(seed);
      answered += done.answered;
      asUs += done.asUs;
      asThemselves += done.asThemselves;
    }
    // Else the walks prove nothing.
    const enough = answered > 100 && asUs > 30 && asThemselves > 30;
    assert.ok(enough || seeds.length < SEEDS_A_TEST, `${answered} ${asUs} ${asThemselves}`);
  });
}
