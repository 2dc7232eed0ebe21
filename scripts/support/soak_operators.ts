/**
 * Two operators who do not know of each other, at once and in random order, under load that waits for slots all the time.
 * What one of them may be told because of the other is known; all else is a failure, and so is every request that fails.
 */

import assert from "node:assert/strict";
import { Random } from "../../test/contract/pattern.ts";
import { SoakLoad } from "./soak_load.ts";
import { assertWell, rest, type Scene, type SoakOptions, withScene } from "./soak_scene.ts";

/** WebSockets keep theirs, so that the other clients share what is left. */
const LIMIT = 6;
const CLIENTS = { gets: 5, posts: 4, streams: 2, downloads: 0, uploads: 0, leavers: 0, webSockets: 2 };
const UPGRADE_MS = 60_000;
const UPGRADE_GRACE_MS = 5000;
/** Longer than all pauses that may follow each other without a gap. */
export const PATIENT_DRAIN_SECONDS = 20;

const AGAIN_MS = 50;

/** What an operator may be told because of the other. */
const EXPECTED: readonly RegExp[] = [
  /^\/(?:swap|reload|drain|pause) .*"busy"/,
  /^\/(?:drain|undrain) .*"unknown_name"/,
  /^\/drain .* was put in use again, or drained anew/,
  /^\/(?:drain|pause) .*"timeout"/,
  /^\/upgrade .*(?:"busy"|about to end)/,
];

class Operator {
  readonly surprises: string[] = [];
  readonly #scene: Scene;
  readonly #random: Random;

  constructor(scene: Scene, random: Random) {
    this.#scene = scene;
    this.#random = random;
  }

  async work(rounds: number, done: Map<string, number>): Promise<void> {
    const acts: Readonly<Record<string, () => Promise<void>>> = {
      pause: () => this.#pause({ lease_ms: 30_000 }, 400),
      with_pause: () => this.#pause({ wait_idle_ms: 3000, lease_ms: 13_000, owner: "with_pause" }, 300),
      drain: async () => {
        const endpoint = this.#port();
        await this.#tell("/drain", {
          endpoint,
          upstream: "app",
          window_ms: 5000,
          wait: this.#random.below(2) === 0,
        });
        await rest(this.#random.below(200));
        await this.#tell("/undrain", { endpoint, upstream: "app" });
      },
      swap: async () => {
        for (const to of [this.#port(), this.#port()]) {
          await this.#tell("/swap", { to: [to], drain_ms: 5000 });
          await rest(this.#random.below(200));
        }
      },
      reload: async () => {
        // Even: the certificate stays, of which the other one may have written half.
        this.#scene.write(2 * this.#random.below(1000));
        await this.#tell("/reload", {});
      },
      upgrade: async () => void await this.#tell("/upgrade", { timeout_ms: UPGRADE_MS }),
    };
    const names = Object.keys(acts);
    for (let round = 0; round < rounds; round++) {
      const name = names[this.#random.below(names.length)] as string;
      await acts[name]?.();
      done.set(name, (done.get(name) ?? 0) + 1);
      await rest(this.#random.below(100));
    }
  }

  async #pause(how: object, most: number): Promise<void> {
    const told = await this.#tell("/pause", { upstream: "app", ...how });
    await rest(this.#random.below(most));
    if (told !== null) {
      await this.#tell("/resume", { upstream: "app", token: (JSON.parse(told) as Paused).token });
    }
  }

  #port(): string {
    return String(this.#scene.backends[this.#random.below(2)]?.port);
  }

  /** The answer; null when it is a refusal. */
  async #tell(path: string, body: object): Promise<string | null> {
    try {
      return await this.#scene.sluice.ask(path, body);
    } catch (error) {
      const told = error instanceof Error ? error.message : String(error);
      // It says to ask again: the process that has taken its place, or after the upgrade that is under way.
      if (/"replaced"/.test(told) || (/"busy"/.test(told) && /^\/(?:undrain|resume) /.test(told))) {
        await rest(AGAIN_MS);
        return await this.#tell(path, body);
      }
      if (!EXPECTED.some((line) => line.test(told))) this.surprises.push(told);
      // An operator's pause that has not become idle in time stays.
      if (path === "/pause") await this.#scene.sluice.ask("/resume", {}).catch(() => {});
      return null;
    }
  }
}

interface Paused {
  readonly token: string;
}

/**
 * @param rounds of each operator
 * @param drainSeconds what a Sluice that is replaced gets to end. With less than all pauses last that may follow each
 *   other without a gap, what it holds is cut
 */
export function soakOperators(options: SoakOptions, rounds: number, drainSeconds: number): Promise<void> {
  return withScene(options, LIMIT, drainSeconds, async (scene) => {
    const load = new SoakLoad(scene, CLIENTS);
    const done = new Map<string, number>();
    const operators = [0, 1].map((nth) => new Operator(scene, new Random(options.seed + nth)));
    await Promise.all(operators.map((operator) => operator.work(rounds, done)));
    const surprises = operators.flatMap((operator) => operator.surprises);
    assert.equal(surprises.length, 0, `${surprises.length} surprises: ${surprises.slice(0, 5).join("; ")}`);
    // The last upgrade holds requests for as long as the Sluice before it has some.
    const paused = async () => (await scene.sluice.status()).upstreams.map((each) => each.paused);
    const end = performance.now() + drainSeconds * 1000 + UPGRADE_GRACE_MS;
    while ((await paused()).some((each) => each !== null) && performance.now() < end) await rest(50);
    assert.deepEqual(await paused(), [null], "what is paused in the end");
    await assertWell(load, scene, LIMIT, options.say);
    options.say([...done].map(([name, times]) => `${times} × ${name}`).join(", "));
    options.say(load.summary);
  });
}
