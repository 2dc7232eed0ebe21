/**
 * The option `exit_with_child`: Sluice ends with the first backend that ends by itself, and exits with its code. Where
 * Sluice is told to stop, the code tells whether the backends stopped well.
 */

import type { CommandExit, SignalName } from "../../runtime/contract/contract.ts";
import { endWords, exitCodeOf, stoppedCodeOf } from "./backend_exit.ts";

export class ExitWithBackend {
  readonly #enabled: boolean;
  /** Of the first command that ended by itself. */
  #ownCode: number | null = null;
  /** Of commands that were told to end with Sluice: 0, or the code of one that was not well. */
  #toldCode = 0;
  readonly #ended = Promise.withResolvers<string>();

  /** @param enabled a reload does not change it */
  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  /** Resolves with a sentence when a command has ended by itself. Never, where the option is off. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** The code that Sluice exits with when it has stopped in order. 0 where the option is off. */
  get code(): number {
    return this.#enabled ? this.#ownCode ?? this.#toldCode : 0;
  }

  /** A command has ended by itself. @returns whether Sluice ends with it */
  endedByItself(upstream: string, how: CommandExit, why: string): boolean {
    if (!this.#enabled) return false;
    this.#ownCode ??= exitCodeOf(how);
    this.#ended.resolve(`the command of ${upstream} ${endWords(why)}`);
    return true;
  }

  /** A command has ended because Sluice ends. */
  stoppedWithSluice(how: CommandExit, told: SignalName): void {
    this.#toldCode ||= stoppedCodeOf(how, told);
  }
}
