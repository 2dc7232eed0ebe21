/** Minutes of load while everything happens that can: changes, pauses, upgrades, and kills of the application. */

import assert from "node:assert/strict";
import { Random } from "../../test/contract/pattern.ts";
import type { SoakBackend } from "./soak_backend.ts";
import { SoakLoad } from "./soak_load.ts";
import { assertWell, compare, rest, type SoakOptions, withScene } from "./soak_scene.ts";
import type { Resources } from "./soak_sluice.ts";

const LIMIT = 30;
const DRAIN_SECONDS = 3;
/** Clients that keep their connection. A Sluice that is replaced closes it when nothing has come for a second. */
const KEPT = 8;
/** How often memory and descriptors are looked at while all of it goes on. */
const SAMPLES = 40;
/**
 * The part of the time in which there are upgrades. One process serves from then on: its memory has the rest of the first half to
 * become what it is under such a load, and the second to stay so.
 */
const UPGRADED = 1 / 3;

/** @param seconds of load */
export function soakServing(options: SoakOptions, seconds: number): Promise<void> {
  return withScene(options, LIMIT, DRAIN_SECONDS, async (scene) => {
    const { sluice, backends, write } = scene;
    const { say } = options;
    const random = new Random(options.seed);
    const clients = { gets: 6, posts: 4, streams: 3, downloads: 3, uploads: 2, leavers: 2, webSockets: 5 };
    const load = new SoakLoad(scene, clients, options.seed);
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
    const names = Object.keys(acts);
    const samples: Resources[] = [];
    const [began, step] = [performance.now(), seconds * 1000 / SAMPLES];
    for (let now = began; now < end; now = performance.now()) {
      // One of each fifty: it takes the longest.
      const upgrade = random.below(50) >= 48 && now < began + seconds * 1000 * UPGRADED;
      const name = upgrade ? "upgrade" : names[random.below(names.length - 1)];
      if (name === undefined) continue;
      await acts[name]?.();
      done.set(name, (done.get(name) ?? 0) + 1);
      await rest(random.below(200));
      if (performance.now() > began + samples.length * step) samples.push(sluice.resources());
    }
    say(`${[...done].map(([name, times]) => `${times} × ${name}`).join(", ")}`);
    say(load.summary);
    const column = (name: "mib" | "descriptors") =>
      samples.map((sample) => sample[name].toFixed(0)).join(" ");
    say(`MiB: ${column("mib")}; descriptors: ${column("descriptors")}`);
    await assertWell(load, scene, LIMIT, say);
    const upgrades = done.get("upgrade") ?? 0;
    assert.ok(
      load.crossed <= KEPT * upgrades,
      `${load.crossed} requests crossed with the end of their connection`,
    );
    const half = samples.slice(samples.length / 2);
    const part = Math.ceil(half.length / 3);
    compare("under load, second half", middle(half.slice(0, part)), middle(half.slice(-part)), LIMIT, say);
  });
}

/** The medians. */
function middle(samples: readonly Resources[]): Resources {
  const of = (name: keyof Resources): number => {
    const sorted = samples.map((sample) => sample[name]).sort((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? 0;
  };
  return { mib: of("mib"), descriptors: of("descriptors"), processes: of("processes") };
}
