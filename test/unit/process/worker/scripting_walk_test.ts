/**
 * Any sequence of requests, reloads (good, bad in every way), swaps and upstreams that scripts set: each request is answered by one
 * generation that served while it came, and no generation is left that nobody needs.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ScriptLoadFault } from "../../../../runtime/contract/contract.ts";
import type { ScriptApi } from "../../../../src/script/script_api.ts";
import type { HttpRequest } from "../../../../src/script/script_types.ts";
import type { Peer } from "../../../support/memory_lab.ts";
import { answerOf, PlaneLab } from "../../../support/plane_lab.ts";
import { walkSeeds } from "../../../support/seeds.ts";

const RUNS = 12;
const STEPS = 60;

/** Numbers that follow from a seed (mulberry32). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Asked {
  readonly client: Peer;
  /** Generations that it may be answered by. */
  readonly least: number;
  most: number;
}

for (const seed of walkSeeds(RUNS)) {
  test(`any sequence leaves one generation, and every request with its own (seed ${seed})`, async () => {
    const draw = numbers(seed);
    let made = 0;
    let wrong: "load" | "start" | "later" | null = null;
    const started: number[] = [];
    const stopped: number[] = [];
    let set: ScriptApi["setUpstream"] | null = null;
    const lab = await PlaneLab.start("script: r.ts\nupstreams: {app: {endpoints: 3000}}", {}, {}, {
      "/r.ts": async (apis) => {
        const own = ++made;
        const { to, respond, setUpstream } = apis["sluice"] as unknown as ScriptApi;
        if (wrong === "load") {
          throw new ScriptLoadFault([{ file: "r.ts", line: 1, column: 1, message: "no" }], []);
        }
        await setUpstream("dyn", { endpoints: [3000] });
        return {
          onStart: () => {
            started.push(own);
            if (wrong === "start") throw new Error("not today");
            set = setUpstream;
          },
          onStop: () => void stopped.push(own),
          onRequest: async (request: HttpRequest) => {
            await null;
            return request.path === "/own" ? respond(200, String(own)) : to("dyn", { uri: `/${own}` });
          },
        };
      },
    });
    const [first, second] = [await lab.backend(3000), await lab.backend(3001)];
    const all: Asked[] = [];
    let serving = made;
    const reload = async (how: typeof wrong) => {
      wrong = how;
      // Who comes while it is under way may get either.
      const during: Asked[] = [];
      const done = lab.plane.reload();
      if (draw(2) === 0) during.push({ client: lab.ask("/own"), least: serving, most: made + 1 });
      const { ok } = await lab.done(done);
      assert.equal(ok, how === null);
      if (ok) serving = made;
      for (const each of during) each.most = Math.max(each.most, serving);
      all.push(...during);
      wrong = null;
    };
    for (let step = 0; step < STEPS; step++) {
      switch (draw(8)) {
        case 0:
        case 1:
          all.push({ client: lab.ask(draw(2) === 0 ? "/own" : "/to"), least: serving, most: serving });
          break;
        case 2:
          await reload(null);
          break;
        case 3:
          await reload(draw(2) === 0 ? "load" : "start");
          break;
        case 4:
          first.keeps = second.keeps = draw(2) === 0;
          break;
        case 5:
          first.answer(draw(3));
          second.answer(draw(3));
          break;
        case 6:
          // One that has failed has set nothing that counts; one that is over says so.
          if (set !== null) {
            const setting = (set as ScriptApi["setUpstream"])("dyn", { endpoints: [3000 + draw(2)] });
            await lab.done(setting.catch(() => null));
          }
          break;
        default:
          await lab.pass(draw(400));
      }
      for (const { client, least, most } of all) {
        const underWay = client.received === "" && least === most;
        assert.ok(!underWay || !stopped.includes(least), `seed ${seed}: ${least} was stopped in the middle`);
      }
    }
    first.keeps = second.keeps = false;
    first.answer();
    second.answer();
    await lab.pass(1000);
    for (const { client, least, most } of all) {
      const answer = answerOf(client);
      const match = /^200 (?:300[01]\/)?(\d+)$/.exec(answer);
      assert.ok(match !== null, `seed ${seed}: ${JSON.stringify(answer)}`);
      const own = Number(match[1]);
      assert.ok(own >= least && own <= most, `seed ${seed}: generation ${own}, not ${least} to ${most}`);
    }
    const live = lab.system.scripts.loaded.filter(({ retired }) => !retired);
    assert.equal(live.length, 1, `seed ${seed}`);
    assert.deepEqual(new Set(stopped).size, stopped.length, "stopped once");
    assert.equal(stopped.includes(serving), false);
    await lab.stop();
    assert.ok(stopped.includes(serving));
  });
}
