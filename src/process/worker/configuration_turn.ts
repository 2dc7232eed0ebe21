/** Changes of what a worker serves, one after the other: those of the supervisor, from `prepare` to their end, and the worker's own. */
export class ConfigurationTurn {
  #last: Promise<void> = Promise.resolve();
  #release: (() => void) | null = null;

  /** Resolves when it is the caller's turn, which lasts until `end`. */
  async begin(): Promise<void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    this.#release = resolve;
  }

  /** May be called when no turn is on. */
  end(): void {
    const release = this.#release;
    this.#release = null;
    release?.();
  }
}
