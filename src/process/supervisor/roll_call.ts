/** Questions to all workers under way: each is over when everybody who was asked has answered or is gone. */

interface Call {
  readonly open: Set<number>;
  readonly over: () => void;
}

export class ReportRound {
  readonly #calls = new Set<Call>();

  /** Resolves when all of them have answered; at once when there are none. */
  all(workers: readonly number[]): Promise<void> {
    return new Promise((over) => {
      const call = { open: new Set(workers), over };
      this.#calls.add(call);
      this.#settle(call);
    });
  }

  /** The worker has answered whatever it was asked, or never will. */
  answered(worker: number): void {
    for (const call of this.#calls) {
      call.open.delete(worker);
      this.#settle(call);
    }
  }

  #settle(call: Call): void {
    if (call.open.size > 0) return;
    this.#calls.delete(call);
    call.over();
  }
}
