/** What a program holds by `Gate.pause`. They are pauses of its own: those of others it neither ends nor begins. */

import type { ControlPlane } from "../control/plane.ts";

export class GatePauses {
  readonly #plane: Pick<ControlPlane, "pause" | "resume">;
  /** Tokens by upstream; "" = all upstreams. */
  readonly #tokens = new Map<string, string>();
  /** What was asked last, and all before that: one after the other, whether or not the program waits. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(plane: Pick<ControlPlane, "pause" | "resume">) {
    this.#plane = plane;
  }

  /**
   * @param upstream null = all, those included that a reload adds
   * @throws RangeError when there is none of that name
   */
  pause(upstream: string | null): Promise<void> {
    return this.#enqueue(() => this.#pause(upstream));
  }

  async #pause(upstream: string | null): Promise<void> {
    const outcome = await this.#plane.pause(upstream, 0, null, undefined, "program");
    if (!outcome.ok) throw new RangeError(outcome.message);
    const key = upstream ?? "";
    const before = this.#tokens.get(key);
    this.#tokens.set(key, outcome.token);
    // Paused without a gap: the former one ends when this one holds.
    if (before !== undefined) await this.#plane.resume(null, before);
  }

  /**
   * @param upstream null = all
   * @throws RangeError when there is none of that name
   */
  resume(upstream: string | null): Promise<void> {
    return this.#enqueue(() => this.#resume(upstream));
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  async #resume(upstream: string | null): Promise<void> {
    const tokens = [...this.#tokens];
    if (upstream === null) this.#tokens.clear();
    else this.#tokens.delete(upstream);
    // Without a token of ours nothing ends, but a wrong name is found.
    const ended = tokens.length === 0 ? [NO_TOKEN] : tokens.map(([, token]) => token);
    for (const token of ended) {
      const outcome = await this.#plane.resume(upstream, token);
      if (!outcome.ok) throw new RangeError(outcome.message);
    }
  }
}

/** Names no pause. */
const NO_TOKEN = "";
