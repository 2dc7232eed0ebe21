/**
 * Random sequences of everything that can be done to a Sluice on purpose, with requests of all kinds under way. Whatever
 * the order:
 *
 * - no request reaches a backend while anybody pauses it
 * - a backend never has more requests than `max_in_flight`, whatever reloads call it
 * - a request is cut only at the end of a drain that began after it and was not called off
 * - when nobody pauses any more every request is answered, and each is counted once
 *
 * A failure prints the seed and what was done; SLUICE_TEST_SEED runs one seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pause } from "../../../src/control/pauses.ts";
import { Random } from "../../fuzz/support/random.ts";
import type { Peer } from "../../support/memory_lab.ts";
import { answerOf, type PlaneBackend } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";
import { groupName, walkSeedGroups } from "../../support/seeds.ts";

const SEEDS = 150;
const SEEDS_A_TEST = 25;
const STEPS = 40;
/** Deadlines are looked at so often, and cut connections take a moment. */
const GRACE_MS = 100;
/** `drain_timeout` of the configuration. */
const SIDE_DRAIN_MS = 400;

type Kind = "main" | "side";

/** A request that a backend has and has not answered. */
interface Pending {
  readonly port: number;
  readonly peer: Peer;
  readonly target: string;
  readonly since: number;
}

interface Held {
  readonly kinds: Set<Kind>;
  readonly owner: "operator" | "other";
  /** Infinity = none. A pause counts as over a little before, and as begun when that is certain. */
  until: number;
  readonly token: string;
  readonly inner: Pause | null;
}

class Walk {
  readonly random: Random;
  readonly trace: string[] = [];
  lab!: PlaneLab; // set by `open`
  readonly backends = new Map<number, PlaneBackend>();
  pending: Pending[] = [];
  /** When a backend got a request first. */
  readonly first = new Map<string, number>();
  readonly clients: { readonly peer: Peer; readonly target: string }[] = [];
  held: Held[] = [];
  /** By port: drains whose window is not over, and the last one whose window was. */
  readonly drains = new Map<number, { readonly at: number; readonly endAt: number }[]>();
  readonly waiting: Promise<unknown>[] = [];
  // What is configured.
  name = "app";
  main: readonly number[] = [3000, 3001];
  swapped: readonly number[] | null = null;
  side = true;
  sideGoneAt = -Infinity;
  sideBackAt = -Infinity;
  readonly limit: number;
  wrong: string | null = null;
  asked = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.limit = this.random.pick([0, 1, 2]);
  }

  get now(): number {
    return this.lab.clock.now();
  }

  yaml(): string {
    const limit = `max_in_flight: ${this.limit}`;
    const side = this.side ? `, side: {endpoints: [3002], ${limit}}` : "";
    const route = this.side
      ? ", {match: {path: /side}, to: side}"
      : ", {match: {path: /side}, respond: none}";
    return `upstreams: {${this.name}: {endpoints: [${this.main}], ${limit}}${side}}\n` +
      `routes: [{to: ${this.name}}${route}]\ndrain_timeout: ${SIDE_DRAIN_MS}ms\nhold: 10m\nqueue: {timeout: 10m}`;
  }

  async open(): Promise<void> {
    this.lab = await PlaneLab.start(this.yaml());
    for (const port of [3000, 3001, 3002, 3003, 3004]) {
      const backend = await this.lab.backend(port);
      backend.script = (peer, head) => this.#received(port, peer, head);
      this.backends.set(port, backend);
    }
  }

  #received(port: number, peer: Peer, head: string): void {
    const target = head.split(" ")[1] ?? "";
    const kind: Kind = target.startsWith("/side") ? "side" : "main";
    this.#settle();
    const pauses = this.held.filter(({ kinds, until }) => kinds.has(kind) && this.now < until - GRACE_MS);
    if (pauses.length > 0) this.wrong ??= `${target} has passed a pause at ${port}`;
    const busy = this.pending.filter((each) => each.port === port).length;
    if (this.limit > 0 && busy >= this.limit) this.wrong ??= `${busy + 1} requests at ${port}`;
    // One that is cut may be sent again, where there is nothing else to the same one, whose time is up.
    const first = `${port}${target}`;
    this.first.set(first, this.first.get(first) ?? this.now);
    this.pending.push({ port, peer, target, since: this.first.get(first) ?? 0 });
  }

  /** Takes out what was cut, if it may have been. */
  #settle(): void {
    this.pending = this.pending.filter(({ port, peer, target, since }) => {
      if (peer.end === "") return true;
      const drains = this.drains.get(port) ?? [];
      const due = drains.some(({ at, endAt }) => since <= at + GRACE_MS && this.now >= endAt - GRACE_MS);
      // What waited for an upstream that was taken away is let go, and drained when all of it has been.
      const gone = port === 3002 && since < this.sideBackAt &&
        Math.min(this.now, this.sideBackAt) >= Math.max(since, this.sideGoneAt) + SIDE_DRAIN_MS - GRACE_MS;
      if (!due && !gone) this.wrong ??= `${target} was cut at ${port}, which nobody drains`;
      return false;
    });
  }

  #drain(ports: readonly number[], windowMs: number): void {
    for (const port of ports) {
      const open = (this.drains.get(port) ?? []).filter(({ endAt }) => endAt <= this.now);
      this.drains.set(port, [...open, { at: this.now, endAt: this.now + windowMs }]);
    }
  }

  /** Adds a drain to those that are not called off by it. */
  #drainAlso(ports: readonly number[], windowMs: number): void {
    for (const port of ports) {
      this.drains.set(port, [...this.drains.get(port) ?? [], { at: this.now, endAt: this.now + windowMs }]);
    }
  }

  #callOff(ports: readonly number[]): void {
    for (const port of ports) {
      this.drains.set(
        port,
        (this.drains.get(port) ?? []).filter(({ endAt }) => endAt <= this.now + GRACE_MS),
      );
    }
  }

  get serving(): readonly number[] {
    return this.swapped ?? this.main;
  }

  kindsOf(upstream: string | null): Set<Kind> {
    if (upstream === null) return new Set(["main", "side"]);
    return new Set<Kind>([upstream === "side" ? "side" : "main"]);
  }

  #someUpstream(): string | null {
    return this.random.pick([null, this.name, ...(this.side ? ["side"] : [])]);
  }

  async step(): Promise<void> {
    const { random, lab } = this;
    const action = random.pick(
      [
        "ask",
        "ask",
        "ask",
        "ask",
        "answer",
        "answer",
        "answer",
        "pass",
        "pass",
        "pause",
        "with",
        "inner",
        "resume",
        "end",
        "end",
        "renew",
        "drain",
        "undrain",
        "swap",
        "rename",
        "side",
        "reload",
      ] as const,
    );
    this.trace.push(action);
    switch (action) {
      case "ask": {
        const kind = random.pick(["", "", "/side"]);
        const target = `${kind}/${++this.asked}`;
        this.clients.push({ peer: lab.ask(target, random.pick(["GET", "POST"])), target });
        break;
      }
      case "answer": {
        const pending = this.pending[random.next(this.pending.length || 1)];
        if (pending !== undefined) this.#answer(pending);
        break;
      }
      case "pass":
        await lab.pass(random.pick([5, 50, 300, 600]));
        break;
      case "pause":
      case "with": {
        const upstream = this.#someUpstream();
        const leaseMs = action === "with" ? random.pick([300, 2000]) : random.pick([null, 1000]);
        const owner = action === "with" ? "with_pause" : "operator";
        const waitMs = random.pick([0, 0, 0, 200]);
        const before = this.now;
        const asked = lab.plane.pause(upstream, waitMs, leaseMs, undefined, owner);
        const outcome = await lab.done(asked);
        this.trace.push(`${upstream} ${leaseMs} ${outcome.ok}`);
        if (!outcome.ok) {
          if (owner === "operator" && outcome.code === "timeout" && leaseMs === null) {
            this.#hold(upstream, "operator", Infinity, "", null);
          }
          break;
        }
        this.#hold(
          upstream,
          owner === "operator" ? "operator" : "other",
          leaseMs === null ? Infinity : before + leaseMs,
          outcome.token,
          null,
        );
        break;
      }
      case "inner": {
        const upstream = this.#someUpstream() ?? this.name;
        const { pause, told } = lab.plane.pauses.begin(random.pick(["restart", "upgrade"]), [upstream], null);
        await lab.done(told);
        this.#hold(upstream, "other", Infinity, pause.token, pause);
        break;
      }
      case "resume": {
        const upstream = this.#someUpstream();
        const kinds = this.kindsOf(upstream);
        for (const each of this.held) {
          if (each.owner === "operator") { for (const kind of kinds) each.kinds.delete(kind); }
        }
        this.held = this.held.filter((each) => each.kinds.size > 0);
        await lab.done(lab.plane.resume(upstream));
        break;
      }
      case "end": {
        const held = this.held[random.next(this.held.length || 1)];
        if (held === undefined) break;
        this.held = this.held.filter((each) => each !== held);
        if (held.inner !== null) await lab.done(lab.plane.pauses.end(held.inner, null));
        else if (held.token !== "") await lab.done(lab.plane.resume(null, held.token));
        else this.held.push(held);
        break;
      }
      case "renew": {
        const held = this.held.find(({ until, token }) => until < Infinity && token !== "");
        if (held === undefined || held.until <= this.now) break;
        const before = this.now;
        const outcome = await lab.done(lab.plane.renew(held.token, 1500));
        if (outcome.ok) held.until = before + 1500;
        break;
      }
      case "drain": {
        const port = random.pick(this.serving);
        const windowMs = random.pick([100, 500]);
        this.#drain([port], windowMs);
        const wait = random.once(3);
        await lab.done(lab.plane.drain(`127.0.0.1:${port}`, this.name, windowMs, wait));
        // The next drain begins anew; this one may have run out.
        break;
      }
      case "undrain": {
        const port = random.pick(this.serving);
        await lab.done(lab.plane.undrain(`127.0.0.1:${port}`, this.name));
        this.#callOff([port]);
        break;
      }
      case "swap": {
        const before = this.serving;
        const to = random.pick([[3000, 3001], [3003], [3003, 3004], [3000]]);
        const windowMs = random.pick([100, 500]);
        const outcome = await lab.done(lab.plane.swap(this.name, to.map(String), null, 1000, windowMs));
        this.trace.push(`${to} ${outcome.ok}`);
        if (!outcome.ok) break;
        this.#went(before, to, windowMs);
        this.swapped = String(to) === String(this.main) ? null : to;
        break;
      }
      case "rename":
        this.name = this.name === "app" ? "web" : "app";
        await this.#reload();
        break;
      case "side": {
        this.side = !this.side;
        if (!this.side) { for (const each of this.held) if (!each.kinds.delete("side")) continue; }
        this.held = this.held.filter((each) => each.kinds.size > 0);
        await this.#reload();
        if (this.side) {
          this.sideBackAt = this.now;
          this.#callOff([3002]);
        } else {
          this.sideGoneAt = this.now;
          this.sideBackAt = Infinity;
        }
        break;
      }
      case "reload":
        await this.#reload();
        break;
      default:
        action satisfies never;
    }
    await lab.pass(5);
    this.#settle();
    assert.equal(this.wrong, null);
  }

  #went(before: readonly number[], after: readonly number[], windowMs: number): void {
    this.#drainAlso(before.filter((port) => !after.includes(port)), windowMs);
    this.#callOff(after.filter((port) => !before.includes(port)));
  }

  #hold(
    upstream: string | null,
    owner: Held["owner"],
    until: number,
    token: string,
    inner: Pause | null,
  ): void {
    const kinds = this.kindsOf(upstream);
    if (!this.side) kinds.delete("side");
    this.held.push({ kinds, owner, until, token, inner });
  }

  async #reload(): Promise<void> {
    this.lab.yaml = this.yaml();
    const outcome = await this.lab.done(this.lab.plane.reload());
    assert.ok(outcome.ok, JSON.stringify(outcome));
  }

  #answer(pending: Pending): void {
    this.pending = this.pending.filter((each) => each !== pending);
    if (pending.peer.end !== "") return;
    const text = `${pending.port}${pending.target}`;
    pending.peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  }

  /** Nobody pauses or drains any more, and backends answer: so is everybody. */
  async end(): Promise<void> {
    const { lab } = this;
    for (let held = this.held.pop(); held !== undefined; held = this.held.pop()) {
      const { inner, token } = held;
      if (inner !== null) await lab.done(lab.plane.pauses.end(inner, null));
      else if (token !== "") await lab.done(lab.plane.resume(null, token));
    }
    await lab.done(lab.plane.resume(null));
    await lab.pass(2500);
    const paused = (await lab.done(lab.plane.status())).upstreams.filter(({ paused }) => paused !== null);
    assert.deepEqual(paused, [], "every pause has been ended, or its lease has");
    for (const port of this.serving) {
      await lab.done(lab.plane.undrain(`127.0.0.1:${port}`, this.name));
      this.#callOff([port]);
    }
    for (let round = 0; round < 200 && this.#unanswered().length > 0; round++) {
      this.#settle();
      for (const pending of [...this.pending]) this.#answer(pending);
      await lab.pass(50);
      assert.equal(this.wrong, null);
    }
    assert.deepEqual(this.#unanswered(), [], "everybody is answered");
    const { totals } = await lab.done(lab.plane.status());
    assert.equal(totals.requests, this.clients.length, "each is counted once");
    await lab.stop();
  }

  #unanswered(): string[] {
    return this.clients.filter(({ peer }) => answerOf(peer) === "" && peer.end === "").map(({ target }) =>
      target
    );
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
    throw new Error(`seed ${seed} (max_in_flight ${walk.limit}): ${why}\n${walk.trace.join(", ")}`, {
      cause: error,
    });
  }
}

for (const seeds of walkSeedGroups(SEEDS, SEEDS_A_TEST)) {
  test(`whatever is done on purpose in whichever order, pauses, limits, drains and counts hold: ${groupName(seeds)}`, async () => {
    for (const seed of seeds) await walk(seed);
  });
}
