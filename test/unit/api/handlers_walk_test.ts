/**
 * Seeded walks: requests come to handlers that answer at once, later, or by an upstream that they bring along, while the program
 * gives other handlers, some of them with mistakes. Invariants: each request is answered once, by functions that served between
 * its beginning and its end; each set of functions that has started stops once, after its last request; what has mistakes never serves.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { OpenOptions } from "../../../src/api/api_types.ts";
import type { Peer } from "../../support/memory_lab.ts";
import { GateLab } from "../../support/gate_lab.ts";
import { answerOf } from "../../support/network_lab.ts";
import { Random } from "../../fuzz/support/random.ts";
import { walkSeeds } from "../../support/seeds.ts";

interface Asked {
  readonly client: Peer;
  readonly path: string;
  /** The generation that served when it was asked for. */
  readonly from: number;
}

async function walk(seed: number): Promise<void> {
  const chance = new Random(seed);
  const random = (below: number) => chance.next(below);
  const lab = new GateLab();
  await lab.backend(3000);
  const proxies = [1, 2, 3].map((size) => lab.library.proxy(3000, { max_in_flight: size }));
  const started: number[] = [];
  const stopped: number[] = [];
  const later: (() => void)[] = [];
  /** Requests that functions have and have not answered, by generation. */
  const busy = new Map<number, number>();
  const options = (generation: number, more: OpenOptions = {}): OpenOptions => ({
    listen: "127.0.0.1:0",
    log: lab.log,
    onStart: () => void started.push(generation),
    onStop: () => {
      assert.equal(busy.get(generation) ?? 0, 0, `seed ${seed}: ${generation} stops with requests`);
      stopped.push(generation);
    },
    handler: (request) => {
      const { path } = request;
      const answer = { body: `${generation} ${path}` };
      if (path.startsWith("/now")) return answer;
      const proxy = proxies[Number(path.charAt(6)) - 1];
      if (proxy !== undefined) return proxy(request);
      busy.set(generation, (busy.get(generation) ?? 0) + 1);
      return new Promise((done) =>
        later.push(() => {
          busy.set(generation, (busy.get(generation) ?? 0) - 1);
          done(answer);
        })
      );
    },
    ...more,
  });
  const gate = await lab.open(options(1));
  let generation = 1;
  const asked: Asked[] = [];
  const reached = new Map<string, number>();
  for (let step = 0; step < 80; step++) {
    switch (random(5)) {
      case 0:
      case 1: {
        const path = `${["/now", "/later", "/proxy1", "/proxy2", "/proxy3"][random(5)]}/${asked.length}`;
        asked.push({ client: lab.ask(path), path, from: generation });
        break;
      }
      case 2:
        for (let count = random(3); count >= 0; count--) later.splice(random(later.length + 1), 1)[0]?.();
        break;
      case 3: {
        const wrong: OpenOptions = random(2) === 0
          ? { options: { hold: "soon" } }
          : { onStart: () => Promise.reject(new Error("not this one")) };
        await assert.rejects(lab.done(gate.reload(options(1000 + step, wrong))));
        break;
      }
      default:
        // What comes while it goes on may be answered by either.
        await lab.done(gate.reload(options(generation + 1)));
        generation++;
    }
    if (random(2) === 0) await lab.pass(5 * random(20));
    for (const { client, path } of asked) {
      if (client.received !== "" && !reached.has(path)) reached.set(path, generation);
    }
  }
  for (const act of later.splice(0)) act();
  await lab.pass(2_000);
  for (const act of later.splice(0)) act();
  await lab.pass(2_000);
  for (const { client, path, from } of asked) {
    const answer = answerOf(client);
    if (path.startsWith("/proxy")) {
      assert.equal(answer, `200 3000${path}`, `seed ${seed}`);
      continue;
    }
    const [, by = "", at] = /^200 (\d+) (.*)$/.exec(answer) ?? [];
    assert.equal(at, path, `seed ${seed}: ${answer}`);
    const until = reached.get(path) ?? generation;
    assert.ok(
      Number(by) >= from && Number(by) <= until,
      `seed ${seed}: ${path} by ${by}, not ${from} to ${until}`,
    );
    assert.equal(client.received.split("HTTP/1.1 ").length, 2, `seed ${seed}: answered once`);
  }
  const { backends } = lab;
  const sent = backends.flatMap((backend) => backend.asked);
  assert.equal(new Set(sent).size, sent.length, `seed ${seed}: nothing was sent twice`);
  await lab.end(gate);
  const all = Array.from({ length: generation }, (_, at) => at + 1);
  assert.deepEqual(started, all, `seed ${seed}: started`);
  assert.deepEqual(stopped.toSorted((a, b) => a - b), all, `seed ${seed}: stopped`);
}

test("handlers walk: each request is answered once, by functions that served while it was there", async () => {
  for (const seed of walkSeeds(25)) await walk(seed);
});
