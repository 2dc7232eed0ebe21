/** Orders under way: who has not answered yet, and what the others said. */

import type { CommandResult } from "../worker/messages.ts";

interface Entry {
  readonly open: Set<number>;
  readonly results: CommandResult[];
  readonly settled: (results: readonly CommandResult[]) => void;
}

export class CommandBook {
  readonly #entries = new Map<number, Entry>();
  #lastId = 0;

  /**
   * @param workers who gets the order; `send` is told its number
   * @returns what they answered; of those that are gone before they did there is nothing
   */
  issue(workers: readonly number[], send: (id: number) => void): Promise<readonly CommandResult[]> {
    const id = ++this.#lastId;
    return new Promise((settled) => {
      const entry = { open: new Set(workers), results: [], settled };
      this.#entries.set(id, entry);
      send(id);
      this.#settle(id, entry);
    });
  }

  done(worker: number, id: number, result: CommandResult): void {
    const entry = this.#entries.get(id);
    if (entry?.open.delete(worker) !== true) return;
    entry.results.push(result);
    this.#settle(id, entry);
  }

  /** The worker answers nothing any more. */
  gone(worker: number): void {
    for (const [id, entry] of this.#entries) if (entry.open.delete(worker)) this.#settle(id, entry);
  }

  #settle(id: number, entry: Entry): void {
    if (entry.open.size > 0) return;
    this.#entries.delete(id);
    entry.settled(entry.results);
  }
}
