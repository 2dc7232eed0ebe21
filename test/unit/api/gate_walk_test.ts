/**
 * Seeded walks: a program pauses, resumes, reloads and closes two gates at random while clients ask. Invariants: no request is
 * lost or answered twice, what a gate holds reaches no backend, options with problems change nothing, and a gate that is closed
 * has nothing open.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Gate, OpenOptions } from "../../../src/api/api_types.ts";
import { Random } from "../../fuzz/support/random.ts";
import type { Peer } from "../../support/memory_lab.ts";
import { GateLab } from "../../support/gate_lab.ts";
import { answerOf } from "../../support/network_lab.ts";
import { walkSeeds } from "../../support/seeds.ts";

const PORTS = [3000, 3001, 3002];
const NAMES = ["a", "b", "c"];

interface Asked {
  readonly client: Peer;
  /** Path, which no other request has. */
  readonly path: string;
}

/** A gate, and what is to be true of it. */
interface Known {
  readonly gate: Gate;
  names: readonly string[];
  /** What a pause of the program holds, with the paths that were asked for since. */
  paused: Map<string, string[]>;
  all: boolean;
  readonly asked: Asked[];
}

function optionsOf(names: readonly string[], hold: string): OpenOptions {
  return {
    listen: "127.0.0.1:0",
    upstreams: Object.fromEntries(names.map((name) => {
      const at = NAMES.indexOf(name);
      return [name, { endpoints: [PORTS[at] ?? 0], max_in_flight: 1 + at }];
    })),
    routes: names.map((name) => ({ match: { path: `/${name}/` }, to: name })),
    options: { hold },
  };
}

async function walk(seed: number): Promise<void> {
  const chance = new Random(seed);
  const random = (below: number) => chance.next(below);
  const some = () => NAMES.filter((_, at) => at === 0 || random(2) === 0);
  const lab = new GateLab();
  for (const port of PORTS) await lab.backend(port);
  const all: Known[] = [];
  for (let at = 0; at < 2; at++) {
    const names = some();
    const gate = await lab.open(optionsOf(names, "60s"));
    all.push({ gate, names, paused: new Map(), all: false, asked: [] });
  }
  let count = 0;
  const pick = <T>(list: readonly T[]): T => chance.pick(list);
  const asks = (known: Known) => {
    const name = pick(known.names);
    const path = `/${name}/${++count}`;
    const client = lab.dial(known.gate.port);
    client.say(`GET ${path} HTTP/1.1\r\nHost: lab\r\n\r\n`);
    known.asked.push({ client, path });
    known.paused.get(name)?.push(path);
  };
  for (let step = 0; step < 60; step++) {
    const known = pick(all);
    const { gate } = known;
    switch (random(6)) {
      case 0:
      case 1:
        for (let times = random(4); times >= 0; times--) asks(known);
        break;
      case 2: {
        const name = random(3) === 0 ? undefined : pick(known.names);
        await lab.done(gate.pause(name));
        for (const each of name === undefined ? known.names : [name]) {
          if (!known.paused.has(each)) known.paused.set(each, []);
        }
        if (name === undefined) known.all = true;
        break;
      }
      case 3: {
        const name = random(3) === 0 ? undefined : pick(known.names);
        await lab.done(gate.resume(name));
        if (name === undefined) known.paused.clear();
        else known.paused.delete(name);
        // It ends for what a reload adds as well: a pause of all of which a part was resumed is one of what is left.
        known.all = false;
        break;
      }
      case 4: {
        const before = gate.status();
        const wrong = lab.done(gate.reload({ ...optionsOf(known.names, "soon"), options: { hold: "soon" } }));
        await assert.rejects(wrong, { name: "ConfigError" });
        assert.equal(gate.status().generation, before.generation);
        assert.deepEqual(
          gate.status().upstreams.map(({ name }) => name),
          before.upstreams.map(({ name }) => name),
        );
        break;
      }
      default: {
        const names = some();
        // Requests that wait for an upstream that is to go stay with it, and end with their time: none is asked for here.
        if (known.names.some((name) => !names.includes(name) && known.paused.has(name))) break;
        await lab.done(gate.reload(optionsOf(names, `${50 + random(20)}s`)));
        if (known.all) {
          for (const name of names) if (!known.names.includes(name)) known.paused.set(name, []);
        }
        known.names = names;
        for (const name of known.paused.keys()) if (!names.includes(name)) known.paused.delete(name);
      }
    }
    if (random(3) === 0) await lab.pass(random(40));
    const reached = new Set(lab.backends.flatMap(({ asked }) => asked));
    for (const each of all) {
      const states = new Map(each.gate.status().upstreams.map(({ name, state }) => [name, state]));
      for (const [name, paths] of each.paused) {
        assert.equal(states.get(name), "paused", `seed ${seed}: ${name}`);
        assert.deepEqual(paths.filter((path) => reached.has(path)), [], `seed ${seed}: let through`);
      }
    }
  }
  for (const { gate } of all) await lab.done(gate.resume());
  await lab.pass(2_000);
  const reached = lab.backends.flatMap(({ asked }) => asked);
  assert.equal(new Set(reached).size, reached.length, `seed ${seed}: a request went twice`);
  for (const { asked } of all) {
    for (const { client, path } of asked) {
      const port = PORTS[NAMES.indexOf(path.charAt(1))];
      assert.equal(answerOf(client), `200 ${port}${path}`, `seed ${seed}`);
    }
  }
  const [first, second] = all;
  await lab.end(...[first, second].flatMap((known) => known === undefined ? [] : [known.gate]));
  await lab.pass(20);
  assert.equal(lab.backends.reduce((open, backend) => open + backend.open, 0), 0, `seed ${seed}: left open`);
}

test("gate walk: no request is lost, whatever a program does with its gates", async () => {
  for (const seed of walkSeeds(25)) await walk(seed);
});
