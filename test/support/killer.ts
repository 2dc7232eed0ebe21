/** Kills peers under load by what has been answered and not by the clock: how fast the machine is decides nothing. */

export interface Killable {
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** About what a small program takes to start. */
const AWAY_MS = 20;

export class Killer {
  readonly #victims: readonly Killable[];
  readonly #answers: number;
  #since = 0;
  #killing: Promise<void> | null = null;
  kills = 0;

  /**
   * @param victims killed in turn
   * @param answers between one's return and the next death; more than there are requests at a time, so that each of
   *   those that are lost is served before it is lost again
   */
  constructor(victims: readonly Killable[], answers = 10) {
    this.#victims = victims;
    this.#answers = answers;
  }

  /** A request has been answered. */
  answered(): void {
    if (++this.#since >= this.#answers) this.#killing ??= this.#kill();
  }

  /** Resolves when all of them are there. */
  async over(): Promise<void> {
    await this.#killing;
  }

  async #kill(): Promise<void> {
    // The cast: there is one at least.
    const victim = this.#victims[this.kills % this.#victims.length] as Killable;
    this.kills++;
    await victim.kill();
    await new Promise((soon) => setTimeout(soon, AWAY_MS));
    await victim.start();
    this.#since = 0;
    this.#killing = null;
  }
}
