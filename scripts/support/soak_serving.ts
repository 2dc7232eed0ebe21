/** Minutes of load while everything happens that can: changes, pauses, upgrades, and kills of the application. */

import { Random } from "../../test/contract/pattern.ts";
import type { SoakBackend } from "./soak_backend.ts";
import { SoakLoad } from "./soak_load.ts";
import { assertWell, compare, rest, type SoakOptions, withScene } from "./soak_scene.ts";
import type { Resources } from "./soak_sluice.ts";

const LIMIT = 30;
const DRAIN_SECONDS = 3;

/** @param seconds of load */
export function soakServing(options: SoakOptions, seconds: number): Promise<void> {
  return withScene(options, LIMIT, DRAIN_SECONDS, async (scene) => {
    const { sluice, port, backends, write } = scene;
    const { say } = options;
    const random = new Random(options.seed);
    const clients = { gets: 6, posts: 4, streams: 4, webSockets: 6 };
    const load = new SoakLoad(port, clients);
    const end = performance.now() + seconds * 1000;
    const done = new Map<string, number>();
    let [generation, serving] = [0, 0];
    const used = () => backends[serving] as SoakBackend;
    const acts: Readonly<Record<string, () => Promise<unknown>>> = {
      reload: () => {
        write(generation += 1 + random.below(2));
        return sluice.ask("/reload");
      },
      swap: async () => {
        serving = 1 - serving;
        await sluice.ask("/swap", { to: [String(used().port)], drain_ms: 2000 });
      },
      pause: async () => {
        await sluice.ask("/pause", { wait_idle_ms: 5000, lease_ms: 20_000 }).catch(() => {});
        await rest(random.below(500));
        await sluice.ask("/resume");
      },
      drain: async () => {
        const endpoint = String(used().port);
        await sluice.ask("/drain", { endpoint, window_ms: 2000, wait: random.below(2) === 0 });
        await rest(random.below(300));
        await sluice.ask("/undrain", { endpoint });
      },
      kill: async () => {
        load.noteKill();
        await used().kill();
        await rest(random.below(1000));
        await used().start();
      },
      upgrade: () => sluice.upgrade(),
    };
    // One of each fifty is an upgrade: it takes the longest.
    const names = Object.keys(acts);
    let before: Resources | null = null;
    while (performance.now() < end) {
      const name = random.below(50) < 48 ? names[random.below(names.length - 1)] : "upgrade";
      if (name === undefined) continue;
      await acts[name]?.();
      done.set(name, (done.get(name) ?? 0) + 1);
      await rest(random.below(200));
      if (before === null && performance.now() > end - seconds * 750) before = sluice.resources();
    }
    const under = sluice.resources();
    await assertWell(load, scene, LIMIT, say);
    say(`${[...done].map(([name, times]) => `${times} × ${name}`).join(", ")}`);
    say(load.summary);
    if (before !== null) compare("under load", before, under, LIMIT, say);
  });
}
