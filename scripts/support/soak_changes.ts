/** Changes that are repeated until a leak of a few kilobytes in each would show. */

import type { Resources } from "./soak_sluice.ts";
import { compare, get, settled, type SoakOptions, withScene } from "./soak_scene.ts";

/** No load that could come near it. */
const LIMIT = 30;
const DRAIN_SECONDS = 3;

/** How often each change is made. */
export const CHANGES = { reload: 5000, swap: 1000, drain: 1000, renewal: 300, upgrade: 20 } as const;

/** @param share 0 to 1, of the numbers of `CHANGES` */
export function soakChanges(options: SoakOptions, share: number): Promise<void> {
  return withScene(
    options,
    LIMIT,
    DRAIN_SECONDS,
    async ({ sluice, port, backends: [first, second], write }) => {
      const endpoint = String(first.port);
      let generation = 0;
      const acts: Readonly<Record<keyof typeof CHANGES, (nth: number) => Promise<unknown>>> = {
        reload: () => {
          write(generation += 2);
          return sluice.ask("/reload");
        },
        swap: (nth) =>
          sluice.ask("/swap", { to: [String(nth % 2 === 0 ? second.port : first.port)], drain_ms: 1000 }),
        drain: async () => {
          await sluice.ask("/drain", { endpoint, window_ms: 10_000 });
          await sluice.ask("/undrain", { endpoint });
        },
        renewal: () => {
          write(generation += 1);
          return sluice.ask("/reload");
        },
        upgrade: () => sluice.upgrade(),
      };
      for (const name of Object.keys(CHANGES) as (keyof typeof CHANGES)[]) {
        const times = Math.max(4, 2 * Math.round(CHANGES[name] * share / 2));
        const warm = Math.ceil(times / 4);
        let before: Resources | null = null;
        for (let nth = 0; nth < times; nth++) {
          if (nth === warm) before = await settled(sluice, port);
          await acts[name](nth);
          await get(port);
        }
        const after = await settled(sluice, port);
        compare(`${name}, ${times} times`, before as Resources, after, 10, options.say);
      }
    },
  );
}
