/** Watches files by looking at what they hold, which works wherever files can be read. */

import { type Clock, type System, SystemError, type Timer } from "../../runtime/contract/contract.ts";

const LOOK_MS = 1000;

export class FileWatch {
  readonly #clock: Clock;
  readonly #system: System;
  readonly #paths: () => readonly string[];
  readonly #changed: () => void;
  /** By path: what was there last, and what it was told of. */
  #seen = new Map<string, string>();
  #told = new Map<string, string>();
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
    const paths = [...new Set(this.#paths())];
    const texts = await Promise.all(paths.map((path) => this.#read(path)));
    if (this.#ended) return;
    const now = new Map(paths.map((path, at) => [path, texts[at] ?? ""]));
    // A path that is looked at for the first time has not changed.
    const told = new Map([...now].map(([path, text]) => [path, this.#told.get(path) ?? text]));
    if (sameTexts(now, this.#seen) && !sameTexts(now, told)) {
      this.#told = now;
      this.#changed();
    } else this.#told = told;
    this.#seen = now;
    this.#timer = this.#clock.setTimer(LOOK_MS, () => void this.#look(), true);
  }

  async #read(path: string): Promise<string> {
    try {
      return await this.#system.readText(path);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return `\0${error.code}`;
    }
  }
}

function sameTexts(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([path, text]) => b.get(path) === text);
}
