/**
 * Random sequences of kills (-9) of two backends, fast and slow ones, with requests of all kinds under way, pools of all
 * sizes, reloads, pauses and drains. Whatever the order:
 *
 * - what may be repeated and was lost by fewer than three kills is answered by a backend
 * - no process reads a request more often than kills explain, and one that must not be repeated is read once at most
 * - whatever is not answered by a backend says why, and was lost by a kill
 * - a backend never has more requests than `max_in_flight`, and in the end nothing waits or is in flight
 *
 * A failure prints the seed and what was done; SLUICE_TEST_SEED runs one seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../fuzz/support/random.ts";
import { KilledBackend } from "../../support/killed_backend.ts";
import type { Peer } from "../../support/memory_lab.ts";
import { answerOf, PlaneLab } from "../../support/plane_lab.ts";
import { groupName, walkSeedGroups } from "../../support/seeds.ts";

const SEEDS = 120;
const SEEDS_A_TEST = 20;
const STEPS = 60;
const PORTS = [3001, 3002] as const;
/** Default of `retry.unanswered_tries`. */
const TRIES = 3;
/** Requests and answers are looked at so often. Milliseconds. */
const SIGHT_MS = 5;

interface Asked {
  readonly peer: Peer;
  readonly method: string;
  readonly target: string;
}

class Walk {
  readonly random: Random;
  readonly trace: string[] = [];
  lab!: PlaneLab; // set by `open`
  readonly backends: KilledBackend[] = [];
  /** Those without an answer. */
  open: Asked[] = [];
  /** Connections of clients that rest. */
  readonly resting: Peer[] = [];
  readonly #limit: number;
  readonly #unanswered: boolean;
  paused = false;
  #serial = 0;
  answered = 0;
  crashed = 0;
  /** How many of the requests that each backend has read `#aim` has looked at. */
  #looked = [0, 0];
  #ending = false;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.#limit = this.random.pick([0, 0, 1, 3]);
    this.#unanswered = this.random.once(4);
  }

  async start(): Promise<void> {
    this.lab = await PlaneLab.start(this.#yaml());
    for (const port of PORTS) {
      const backend = await KilledBackend.start(this.lab.runtime, port);
      // By its number: which requests are slow does not depend on when they come.
      backend.answerMs = (target) => [0, 3, 20, 70, 150, 300][Number(target.slice(1)) % 6] ?? 0;
      this.backends.push(backend);
    }
  }

  #yaml(): string {
    const { random } = this;
    const endpoints = random.pick([PORTS[0], PORTS[1], `[${PORTS}]`]);
    return `upstreams: {app: {endpoints: ${endpoints}}}
routes: [{to: app}]
hold: 120s
drain_timeout: 120s
queue: {timeout: 120s}
max_in_flight: ${this.#limit}
pool: {size: ${random.pick([0, 1, 2, 16])}}
retry: ${this.#unanswered ? "unanswered" : "idempotent"}
`;
  }

  get now(): number {
    return this.lab.clock.now();
  }

  async step(): Promise<void> {
    const { random, lab } = this;
    switch (random.next(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        for (let count = random.pick([1, 1, 1, 3, 8]); count > 0; count--) this.#ask();
        break;
      case 5:
      case 6:
        this.#kill();
        break;
      case 7:
        // Those are hit that have just been read.
        this.#ask();
        this.#kill();
        break;
      case 8:
        if (random.once(3)) await this.#change();
        break;
      default:
        await this.pass(random.pick([5, 5, 10, 50, 120, 400]));
    }
    lab.runtime.network.run();
    this.see();
  }

  #ask(): void {
    const { random, lab } = this;
    const method = random.pick(["GET", "GET", "GET", "PUT", "POST"]);
    const target = `/${++this.#serial}`;
    const peer = (random.once(2) ? this.resting.shift() : undefined) ?? lab.dial();
    peer.received = "";
    this.open.push({ peer, method, target });
    peer.say(
      `${method} ${target} HTTP/1.1\r\nHost: a\r\n${method === "GET" ? "" : "Content-Length: 0\r\n"}\r\n`,
    );
    lab.runtime.network.run();
    this.trace.push(`${this.now} ${method} ${target}`);
  }

  /** @param victims default: by chance */
  #kill(victims?: readonly KilledBackend[]): void {
    const { random } = this;
    victims ??= random.once(4) ? this.backends : [random.pick(this.backends)];
    const dyingMs = random.pick([0, 1, 5, 30, 100, 190]);
    const awayMs = random.pick([null, 1, 10, 50, 300]);
    const spread = random.once(2);
    for (const victim of victims) {
      if (!victim.alive) continue;
      victim.kill({ dyingMs, awayMs, endMs: () => spread ? random.next(dyingMs + 1) : 0 });
      const port = PORTS[this.backends.indexOf(victim)];
      this.trace.push(`${this.now} kill ${port}, ${dyingMs} ms, away ${awayMs}${spread ? ", spread" : ""}`);
    }
  }

  async #change(): Promise<void> {
    const { random, lab } = this;
    const { plane } = lab;
    const what = random.pick(["reload", "reload", "pause", "drain", "undrain"] as const);
    this.trace.push(`${this.now} ${what}`);
    const endpoint = `127.0.0.1:${random.pick(PORTS)}`;
    if (what === "reload") {
      lab.yaml = this.#yaml();
      assert.ok((await lab.done(plane.reload())).ok);
    } else if (what === "pause") {
      if (this.paused) await lab.done(plane.resume(null));
      else await lab.done(plane.pause(null, 0, 600_000));
      this.paused = !this.paused;
    } else if (what === "drain") await lab.done(plane.drain(endpoint, null, 120_000, false));
    else await lab.done(plane.undrain(endpoint, null));
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= SIGHT_MS) {
      await this.lab.pass(Math.min(SIGHT_MS, left));
      this.see();
      this.#aim();
    }
  }

  /** Often a process is killed that has just read what one other process has read before. */
  #aim(): void {
    this.backends.forEach((backend, at) => {
      const fresh = backend.seen.slice(this.#looked[at]);
      this.#looked[at] = backend.seen.length;
      const again = fresh.some(({ target }) => this.#timesRead(target) === 2);
      if (again && !this.#ending && !this.random.once(3)) this.#kill([backend]);
    });
  }

  #timesRead(target: string): number {
    const times = ({ seen }: KilledBackend) => seen.filter((each) => each.target === target).length;
    return this.backends.reduce((sum, each) => sum + times(each), 0);
  }

  /** Looks at the answers that have come. */
  see(): void {
    for (const asked of this.open) {
      if (asked.peer.received === "" && asked.peer.end === "") continue;
      const { peer, method, target } = asked;
      const what = `${method} ${target}: ${peer.received}${peer.end}`;
      const losses = this.backends.map((backend) => backend.lossesOf(target));
      // A kill of its own for each attempt that no backend knows of.
      const sent = Number(/\nsent (\d+) times/.exec(peer.received)?.[1] ?? 1);
      const kills = losses.reduce((left, { kills, attempts }) => left + kills - attempts, sent);
      const repeatable = method !== "POST" || this.#unanswered;
      const read = this.#timesRead(target);
      const known = losses.reduce((sum, each) => sum + each.kills, 0);
      assert.ok(read <= (repeatable ? 1 + known : 1), `${what}\nread ${read} times, ${known} kills`);
      if (answerOf(peer) === `200 ${target}`) this.answered++;
      else {
        assert.match(peer.received, /^HTTP\/1\.1 502 /, what);
        assert.ok(kills >= (repeatable ? TRIES : 1), `${what}\n${kills} kills`);
        if (repeatable) {
          assert.match(peer.received, /\nsent [34] times without an answer/, what);
          this.crashed++;
        } else assert.match(peer.received, /reason: not_idempotent/, what);
      }
      if (peer.end === "" && !/\r\nConnection: close\r\n/i.test(peer.received)) this.resting.push(peer);
    }
    this.open = this.open.filter(({ peer }) => peer.received === "" && peer.end === "");
  }

  async end(): Promise<void> {
    const { lab } = this;
    this.#ending = true;
    if (this.paused) await lab.done(lab.plane.resume(null));
    for (const port of PORTS) await lab.done(lab.plane.undrain(`127.0.0.1:${port}`, null));
    for (let rounds = 0; this.open.length > 0 && rounds < 600; rounds++) await this.pass(100);
    assert.deepEqual(this.open.map(({ method, target }) => `${method} ${target}`), [], "without an answer");
    for (const { most } of this.backends) {
      if (this.#limit > 0) assert.ok(most <= this.#limit, `${most} requests at a time`);
    }
    const status = await lab.done(lab.plane.status());
    for (const { waiting, in_flight } of status.upstreams) assert.deepEqual([waiting, in_flight], [0, 0]);
    await lab.stop();
  }
}

async function run(seed: number): Promise<Walk> {
  const walk = new Walk(seed);
  await walk.start();
  try {
    for (let step = 0; step < STEPS; step++) await walk.step();
    await walk.end();
  } catch (error) {
    throw new Error(`seed ${seed}\n${walk.trace.join("\n")}`, { cause: error });
  }
  return walk;
}

for (const seeds of walkSeedGroups(SEEDS, SEEDS_A_TEST)) {
  test(`kills in any order lose nothing: ${groupName(seeds)}`, async () => {
    let [answered, crashed, buried] = [0, 0, 0];
    for (const seed of seeds) {
      const walk = await run(seed);
      answered += walk.answered;
      crashed += walk.crashed;
      for (const backend of walk.backends) buried += backend.buried;
    }
    if (seeds.length < SEEDS_A_TEST) return;
    const what = `${answered} answered, ${buried} buried, ${crashed} met ${TRIES} kills`;
    assert.ok(answered > 20 * SEEDS_A_TEST && buried > 0 && crashed < answered / 5, what);
  });
}
