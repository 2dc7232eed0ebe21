/** Watches files by looking at what they hold, which works wherever files can be read. */

import { type Clock, type System, SystemError, type Timer } from "../../runtime/contract/contract.ts";

const LOOK_MS = 1000;

export class FileWatch {
  readonly #clock: Clock;
  readonly #system: System;
  readonly #paths: () => readonly string[];
  readonly #changed: () => void;
  /** What was there last, and what it was told of. */
  #seen: string | null = null;
  #told: string | null = null;
  #timer: Timer | null = null;
  #ended = false;

  /**
   * Begins at once.
   *
   * @param paths asked anew each time
   * @param changed called when they hold something else and have done so for two looks: a program that writes
   *   them in several steps is done by then
   */
  constructor(clock: Clock, system: System, paths: () => readonly string[], changed: () => void) {
    this.#clock = clock;
    this.#system = system;
    this.#paths = paths;
    this.#changed = changed;
    void this.#look();
  }

  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const texts = await Promise.all(this.#paths().map((path) => this.#read(path)));
    if (this.#ended) return;
    const now = texts.join("\n\0\n");
    this.#told ??= now;
    if (now === this.#seen && now !== this.#told) {
      this.#told = now;
      this.#changed();
    }
    this.#seen = now;
    this.#timer = this.#clock.setTimer(LOOK_MS, () => void this.#look(), true);
  }

  async #read(path: string): Promise<string> {
    try {
      return `${path}\n${await this.#system.readText(path)}`;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return `${path}: ${error.code}`;
    }
  }
}
