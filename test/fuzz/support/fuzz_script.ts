/** A script that decides at random, at once or later by the clock of the case: nothing of it may show in what clients and origins get. */

import { next, pass, reject } from "../../../src/script/decision.ts";
import { Script } from "../../../src/script/script.ts";
import type { Verdict } from "../../../src/script/script_types.ts";
import type { FakeClock } from "../../support/fake_clock.ts";
import type { Random } from "./random.ts";

const CHANGED = next({ headers: { "X-Script": "1", "X-Gone": null }, add: { "X-Script-Too": ["a", "b"] } });
const PASSED = pass({ headers: { "X-Passed": "1", Server: null } });
const REFUSED = reject(403, "a script says no");

/** Settled by the clock, without the engine's queue of promises: a case runs within one turn of it. */
class Later {
  readonly #clock: FakeClock;
  readonly #ms: number;
  readonly #value: Verdict | Error;

  constructor(clock: FakeClock, ms: number, value: Verdict | Error) {
    this.#clock = clock;
    this.#ms = ms;
    this.#value = value;
  }

  then(done: (value: Verdict) => void, failed: (error: unknown) => void): void {
    const value = this.#value;
    this.#clock.setTimer(this.#ms, () => {
      if (value instanceof Error) failed(value);
      else done(value);
    });
  }
}

/** @param behaves it neither refuses nor fails, so that every request is answered by its origin */
export function randomScript(random: Random, clock: FakeClock, behaves: boolean): Script {
  const timeoutMs = behaves ? 10_000 : random.pick([50, 1000, 10_000]);
  /** The value, sooner or later; too late now and then. */
  const given = (value: Verdict | Error): Promise<Verdict> | Verdict => {
    if (random.once(2)) {
      if (value instanceof Error) throw value;
      return value;
    }
    const ms = behaves ? random.next(40) : random.pick([0, 0, 1, 20, 500, 20_000]);
    // The cast: whoever waits for it only calls `then`.
    return new Later(clock, ms, value) as unknown as Promise<Verdict>;
  };
  const spoilt = (values: readonly (Verdict | Error)[]): Verdict | Error =>
    random.pick(
      behaves || !random.once(4)
        ? values
        : [new Error("a script fails"), REFUSED, "nonsense" as unknown as undefined],
    );
  const hooks = {
    onRequest: () => given(spoilt([undefined, CHANGED, next()])),
    onResponse: () => given(spoilt([undefined, PASSED])),
    onError: () => given(spoilt([undefined, PASSED])),
    onLog: () => {
      if (!behaves && random.once(4)) throw new Error("a script fails at the end");
    },
  };
  const exports = Object.fromEntries(Object.entries(hooks).filter(() => random.once(2)));
  return new Script("fuzz.ts", { onRequest: hooks.onRequest, ...exports }, {
    timeoutMs,
    passesOnError: random.once(2),
    guard: null,
    note: null,
  });
}
