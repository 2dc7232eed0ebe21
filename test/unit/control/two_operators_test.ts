/**
 * Two operators who do not know of each other: whatever they do at once, no request fails, none is sent twice, limits hold,
 * and in the end nothing is paused, drained or waiting.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../../src/control/plane.ts";
import { Random } from "../../contract/pattern.ts";
import type { Peer } from "../../support/memory_lab.ts";
import { answerOf, type PlaneBackend } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const ROUNDS = 100;
const MAX_IN_FLIGHT = 3;
const EVERY_MS = 20;
const PORTS = [3000, 3001] as const;
/** What an operator may be told because of the other. */
const EXPECTED: readonly RegExp[] = [
  /^swap: busy: /,
  /^(?:drain|undrain): unknown_name: /,
  /^drain: failed: .* was put in use again, or drained anew/,
  /^(?:drain|with-pause): timeout: /,
];

/** Answers each request after up to 100 ms, and counts. */
class CountingBackend {
  most = 0;
  readonly seen = new Map<string, number>();
  #inFlight = 0;

  constructor(backend: PlaneBackend, lab: PlaneLab, random: Random) {
    backend.script = (peer, head) => {
      const target = head.split(" ")[1] ?? "";
      this.seen.set(target, (this.seen.get(target) ?? 0) + 1);
      this.most = Math.max(this.most, ++this.#inFlight);
      lab.clock.setTimer(random.below(100), () => {
        this.#inFlight--;
        peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
      });
    };
  }
}

class Operator {
  readonly surprises: string[] = [];
  done = false;
  readonly #lab: PlaneLab;
  readonly #random: Random;
  readonly #yaml: (queue: number) => string;

  constructor(lab: PlaneLab, random: Random, yaml: (queue: number) => string) {
    this.#lab = lab;
    this.#random = random;
    this.#yaml = yaml;
  }

  async work(): Promise<void> {
    const { plane } = this.#lab;
    const acts: readonly (() => Promise<void>)[] = [
      async () => {
        const paused = await this.#tell("pause", plane.pause("app", 0, 60_000));
        await this.#rest(400);
        if (paused !== null) await this.#tell("resume", plane.resume("app", paused.token));
      },
      async () => {
        const paused = await this.#tell(
          "with-pause",
          plane.pause("app", 2_000, 10_000, undefined, "with_pause"),
        );
        await this.#rest(400);
        if (paused !== null) await this.#tell("resume", plane.resume("app", paused.token));
      },
      async () => {
        const endpoint = this.#endpoint();
        await this.#tell("drain", plane.drain(endpoint, "app", 5_000, this.#random.below(2) === 0));
        await this.#rest(300);
        await this.#tell("undrain", plane.undrain(endpoint, "app"));
      },
      async () => {
        for (const port of this.#random.below(2) === 0 ? PORTS : PORTS.toReversed()) {
          await this.#tell("swap", plane.swap("app", [String(port)], null, 5_000, 5_000));
          await this.#rest(200);
        }
      },
      async () => {
        this.#lab.yaml = this.#yaml(1000 + this.#random.below(50));
        await this.#tell("reload", plane.reload());
      },
    ];
    for (let round = 0; round < ROUNDS; round++) {
      await acts[this.#random.below(acts.length)]?.();
      await this.#rest(100);
    }
    this.done = true;
  }

  #endpoint(): string {
    return `127.0.0.1:${PORTS[this.#random.below(2)]}`;
  }

  async #tell<T>(what: string, answer: Promise<Outcome<T>>): Promise<T | null> {
    const outcome = await answer;
    if (outcome.ok) return outcome;
    const told = `${what}: ${outcome.code}: ${outcome.message}`;
    if (!EXPECTED.some((line) => line.test(told))) this.surprises.push(told);
    return null;
  }

  #rest(most: number): Promise<void> {
    return new Promise((resolve) => this.#lab.clock.setTimer(this.#random.below(most), resolve));
  }
}

for (const seed of [1, 2, 3]) {
  test(`two operators at once, ${ROUNDS} rounds each, under load: seed ${seed}`, async () => {
    const yaml = (queue: number) =>
      `hold: 5m
max_in_flight: ${MAX_IN_FLIGHT}
queue: {size: ${queue}, timeout: 5m}
upstreams: {app: {endpoints: [${PORTS[0]}]}}
routes: [{to: app}]
`;
    const lab = await PlaneLab.start(yaml(1000));
    const random = new Random(seed);
    const backends: CountingBackend[] = [];
    for (const port of PORTS) backends.push(new CountingBackend(await lab.backend(port), lab, random));
    const operators = [seed * 10, seed * 10 + 1].map((own) => new Operator(lab, new Random(own), yaml));
    const working = Promise.all(operators.map((operator) => operator.work()));
    const clients = new Map<string, Peer>();
    let asked = 0;
    const judge = () => {
      for (const [target, client] of clients) {
        const answer = answerOf(client);
        if (answer === "" && client.end === "") continue;
        assert.equal(answer, `200 ${target}`);
        client.socket.abort();
        clients.delete(target);
      }
    };
    while (!operators.every(({ done }) => done)) {
      const target = `/${asked++}`;
      clients.set(target, lab.ask(target, random.below(2) === 0 ? "GET" : "POST"));
      await lab.pass(EVERY_MS);
      judge();
    }
    await working;
    assert.deepEqual(operators.flatMap(({ surprises }) => surprises), []);
    await lab.until("the last answers", () => {
      judge();
      return clients.size === 0;
    });
    for (const { most } of backends) assert.ok(most <= MAX_IN_FLIGHT, `${most} requests in flight`);
    for (let at = 0; at < asked; at++) {
      const times = backends.reduce((sum, { seen }) => sum + (seen.get(`/${at}`) ?? 0), 0);
      assert.equal(times, 1, `request ${at} was sent ${times} times`);
    }
    assert.doesNotMatch(lab.system.stderr, /worker_confused/);
    await lab.pass(10_000);
    const status = await lab.done(lab.plane.status());
    const left = status.upstreams.map(({ paused, waiting, in_flight, endpoints }) => ({
      paused,
      waiting,
      in_flight,
      states: endpoints.map(({ state }) => state),
    }));
    assert.deepEqual(left, [{ paused: null, waiting: 0, in_flight: 0, states: ["up"] }]);
    await lab.stop();
  });
}
