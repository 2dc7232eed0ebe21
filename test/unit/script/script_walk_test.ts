/**
 * Seeded walks: a script that decides at once or later, asks, copies and changes responses, while the operator reloads it, also
 * with faults in it, pauses, drains and swaps upstreams, and clients leave. Whatever the order:
 *
 * - nothing reaches an upstream that is paused, also no copy and no request of the script's own
 * - what is sent comes to each upstream once
 * - a request is decided, looked at and told of by the script that it began with, and told of once
 * - a script that has started stops once, after its last request; one with faults never serves
 * - when nobody pauses any more everybody is answered, as decided, and counted once
 *
 * A failure prints the seed and what was done; SLUICE_TEST_SEED runs one seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ScriptApi } from "../../../src/script/script_api.ts";
import type { HttpRequest } from "../../../src/script/script_types.ts";
import { Random } from "../../fuzz/support/random.ts";
import type { Peer } from "../../support/memory_lab.ts";
import type { MemoryExports } from "../../support/memory_scripts.ts";
import { answerOf } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";
import { groupName, walkSeedGroups } from "../../support/seeds.ts";

const SEEDS = 60;
const SEEDS_A_TEST = 20;
const STEPS = 60;
/** Nothing is cut within a walk. */
const NEVER_MS = 3_600_000;
const KINDS = ["plain", "to", "side", "later", "own", "slow", "ask", "copy", "seen"] as const;
type Kind = typeof KINDS[number];
type Upstream = "app" | "side";

interface Asked {
  readonly peer: Peer;
  readonly kind: Kind;
  readonly target: string;
  readonly generation: number;
  left: boolean;
}

class Walk {
  readonly random: Random;
  readonly trace: string[] = [];
  lab!: PlaneLab; // set by `open`
  readonly clients: Asked[] = [];
  /** What backends have and have not answered. */
  pending: { readonly peer: Peer; readonly text: string }[] = [];
  /** How often a target came to an upstream. */
  readonly came = new Map<string, number>();
  readonly paused = new Set<Upstream>();
  /** Promises of scripts that a step settles. */
  thinking: (() => void)[] = [];
  /** By target: generations that were asked, and by which phase. */
  readonly asked = new Map<string, string[]>();
  readonly stopped: number[] = [];
  /** Generations that were loaded, and those that have served. */
  loads = 0;
  readonly served: number[] = [];
  broken = false;
  serving: readonly number[] = [3000, 3001];
  wrong: string | null = null;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  get generation(): number {
    return this.served.at(-1) ?? 0;
  }

  #module: MemoryExports = (apis) => {
    // The cast: that is what a worker gives.
    const { ask, next, pass, to } = apis["sluice"] as unknown as ScriptApi;
    const own = ++this.loads;
    const isBroken = this.broken;
    const app = to("app", { headers: { "X-Generation": `${own}` } });
    const side = to("side");
    const copy = next({ mirror: "side" });
    const later = <T>(value: T) => new Promise<T>((done) => this.thinking.push(() => done(value)));
    const note = (phase: string, { path }: HttpRequest) => {
      const phases = this.asked.get(path) ?? [];
      this.asked.set(path, [...phases, `${phase} ${own}`]);
      if (this.stopped.includes(own)) this.wrong ??= `${path} came to ${own}, which has stopped`;
    };
    const decide = (request: HttpRequest) => {
      note("request", request);
      const { path } = request;
      switch (path.split("/")[1] as Kind) {
        case "to":
          return app;
        case "side":
          return side;
        case "later":
          return later(app);
        case "own":
          return { body: `own ${own}` };
        case "slow":
          return later({ body: `own ${own}` });
        case "copy":
          return copy;
        case "ask":
          return ask("side", { uri: `${path}/inner`, timeoutMs: NEVER_MS })
            .then(({ status, text }) => ({ body: `${status} ${text()}` }));
        default:
          return undefined;
      }
    };
    return {
      onStart: () => {
        if (isBroken) throw new Error("as asked for");
      },
      onStop: () => {
        if (this.stopped.includes(own)) this.wrong ??= `${own} stops twice`;
        this.stopped.push(own);
      },
      onRequest: decide,
      onResponse: (_: unknown, request: HttpRequest) => {
        note("response", request);
        const changed = pass({ headers: { "X-Seen": `${own}` } });
        return request.path.startsWith("/seen") ? later(changed) : changed;
      },
      onLog: (_: unknown, request: HttpRequest) => note("log", request),
    };
  };

  async open(): Promise<void> {
    this.lab = await PlaneLab.start(
      "upstreams: {app: {endpoints: [3000, 3001]}, side: {endpoints: [3002]}}\nroutes: [{to: app}]\n" +
        "hold: 1h\nqueue: {timeout: 1h}\ndrain_timeout: 1h\nscript: {file: route.ts, timeout: 1h}",
      {},
      {},
      { "/route.ts": this.#module },
    );
    this.served.push(this.loads);
    for (const port of [3000, 3001, 3002, 3003]) {
      const backend = await this.lab.backend(port);
      const upstream = port === 3002 ? "side" : "app";
      backend.script = (peer, head) => {
        const target = head.split(" ")[1] ?? "";
        if (this.paused.has(upstream)) this.wrong ??= `${target} has passed the pause of ${upstream}`;
        const key = `${upstream} ${target}`;
        this.came.set(key, (this.came.get(key) ?? 0) + 1);
        if (this.came.get(key) !== 1) this.wrong ??= `${target} comes twice to ${upstream}`;
        const [, generation = ""] = /\r\nX-Generation: (\d+)\r\n/.exec(head) ?? [];
        this.pending.push({ peer, text: `${upstream}${target} ${generation}` });
      };
    }
  }

  async step(): Promise<void> {
    const { random, lab } = this;
    const action = random.pick(
      [
        ...["ask", "ask", "ask", "ask", "answer", "answer", "answer", "settle", "settle", "pass"] as const,
        ...["leave", "reload", "reload", "broken", "pause", "resume", "drain", "undrain", "swap"] as const,
      ],
    );
    this.trace.push(action);
    switch (action) {
      case "ask": {
        const kind = random.pick(KINDS);
        const target = `/${kind}/${this.clients.length + 1}`;
        const { generation } = this;
        this.clients.push({ peer: lab.ask(target, "POST"), kind, target, generation, left: false });
        break;
      }
      case "answer":
        this.#answer(random.next(this.pending.length || 1));
        break;
      case "settle":
        for (const settle of this.thinking.splice(random.next(this.thinking.length || 1), 1)) settle();
        break;
      case "pass":
        await lab.pass(random.pick([5, 50, 120]));
        break;
      case "leave": {
        const one = this.#waiting()[0];
        if (one === undefined || !random.once(2)) break;
        one.left = true;
        one.peer.socket.abort();
        break;
      }
      case "reload":
      case "broken": {
        this.broken = action === "broken";
        const { ok } = await lab.done(lab.plane.reload());
        assert.equal(ok, !this.broken);
        if (ok) this.served.push(this.loads);
        break;
      }
      case "pause": {
        const upstream = random.pick(["app", "side"] as const);
        await lab.done(lab.plane.pause(upstream, 0, null, undefined, "operator"));
        this.paused.add(upstream);
        break;
      }
      case "resume": {
        const upstream = random.pick(["app", "side"] as const);
        this.paused.delete(upstream);
        await lab.done(lab.plane.resume(upstream));
        break;
      }
      case "drain":
        await lab.done(lab.plane.drain(`127.0.0.1:${random.pick(this.serving)}`, "app", NEVER_MS, false));
        break;
      case "undrain":
        for (const port of this.serving) await lab.done(lab.plane.undrain(`127.0.0.1:${port}`, "app"));
        break;
      case "swap": {
        const to = random.pick([[3000, 3001], [3003], [3000]]);
        const { ok } = await lab.done(lab.plane.swap("app", to.map(String), null, 1000, NEVER_MS));
        if (ok) this.serving = to;
        break;
      }
      default:
        action satisfies never;
    }
    await lab.pass(5);
    this.#check();
  }

  #answer(at: number): void {
    const [one] = this.pending.splice(at, 1);
    if (one === undefined || one.peer.end !== "") return;
    one.peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${one.text.length}\r\n\r\n${one.text}`);
  }

  #waiting(): Asked[] {
    return this.clients.filter(({ peer, left }) => !left && peer.received === "" && peer.end === "");
  }

  #check(): void {
    for (const { target, generation, left } of this.clients) {
      const phases = this.asked.get(target) ?? [];
      for (const phase of phases) {
        if (!phase.endsWith(` ${generation}`)) this.wrong ??= `${target} of ${generation}: ${phases}`;
      }
      const logs = phases.filter((phase) => phase.startsWith("log")).length;
      if (logs > 1) this.wrong ??= `${target} is told of ${logs} times`;
      if (logs === 0 && !left && this.stopped.includes(generation)) {
        this.wrong ??= `${generation} has stopped before ${target} was over`;
      }
    }
    assert.equal(this.wrong, null);
  }

  /** Nobody pauses or drains any more, and backends and scripts answer: so is everybody. */
  async end(): Promise<void> {
    const { lab } = this;
    this.paused.clear();
    await lab.done(lab.plane.resume(null));
    for (const port of this.serving) await lab.done(lab.plane.undrain(`127.0.0.1:${port}`, "app"));
    const isBusy = () => this.#waiting().length + this.pending.length + this.thinking.length > 0;
    for (let round = 0; round < 100 && isBusy(); round++) {
      while (this.pending.length > 0) this.#answer(0);
      for (const settle of this.thinking.splice(0)) settle();
      await lab.pass(50);
      this.#check();
    }
    for (const { peer, kind, target, generation, left } of this.clients) {
      if (!left) {
        assert.equal(answerOf(peer), expected(kind, target, generation));
        const isOwn = kind === "own" || kind === "slow" || kind === "ask";
        assert.equal(peer.received.includes(`\r\nX-Seen: ${generation}\r\n`), !isOwn, target);
      }
      // A copy is given up after 10 s, which no walk lasts.
      if (kind === "copy") assert.equal(this.came.get(`side ${target}`), 1, target);
      const phases = this.asked.get(target) ?? [];
      assert.equal(phases.filter((phase) => phase.startsWith("log")).length, 1, `${target}: ${phases}`);
    }
    const { totals } = await lab.done(lab.plane.status());
    const inner = [...this.came.keys()].filter((key) =>
      key.endsWith("/inner") || key.startsWith("side /copy")
    );
    assert.equal(totals.requests, this.clients.length + inner.length, "each is counted once");
    await lab.stop();
    assert.deepEqual(this.stopped.toSorted((a, b) => a - b), this.served, "each that served has stopped");
  }
}

function expected(kind: Kind, target: string, generation: number): string {
  switch (kind) {
    case "to":
    case "later":
      return `200 app${target} ${generation}`;
    case "side":
      return `200 side${target} `;
    case "own":
    case "slow":
      return `200 own ${generation}`;
    case "ask":
      return `200 200 side${target}/inner `;
    default:
      return `200 app${target} `;
  }
}

async function walk(seed: number): Promise<void> {
  const walk = new Walk(seed);
  try {
    await walk.open();
    for (let step = 0; step < STEPS; step++) await walk.step();
    await walk.end();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: ${why}\n${walk.trace.join(", ")}`, { cause: error });
  }
}

for (const seeds of walkSeedGroups(SEEDS, SEEDS_A_TEST)) {
  test(`scripts hold to their requests whatever an operator does: ${groupName(seeds)}`, async () => {
    for (const seed of seeds) await walk(seed);
  });
}
