/**
 * Names that only the platform's resolver knows. It keeps a thread busy for as long as a look-up takes, up to a minute
 * when no server answers, and the threads are those that read files and write logs: so few look-ups go on at a time.
 */

import type { Runtime } from "../../runtime/contract/contract.ts";
import { SocketFailure } from "../../runtime/contract/contract.ts";
import { type NameAnswer, NO_ADDRESS } from "./dns_look_up.ts";

/** Of the four threads that the platforms have. */
const MOST_AT_A_TIME = 2;
/** The platform does not tell how long its answers are good for. */
const TTL_MS = 30_000;

export class PlatformNames {
  readonly #runtime: Runtime;
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Resolves to all that the platform knows of `name`. Never rejects. */
  async lookUp(name: string): Promise<NameAnswer> {
    if (this.#busy >= MOST_AT_A_TIME) await new Promise<void>((next) => this.#waiting.push(next));
    this.#busy++;
    try {
      return answerOf(await this.#runtime.resolve(name));
    } catch (error) {
      if (!(error instanceof SocketFailure)) throw error;
      // Most say that there is no such name in the same words as that they could not ask; the former is the usual case.
      return { ...NO_ADDRESS, failure: { silent: false, detail: error.detail } };
    } finally {
      this.#busy--;
      this.#waiting.shift()?.();
    }
  }
}

function answerOf(addresses: readonly string[]): NameAnswer {
  const family = (six: boolean) => ({
    addresses: addresses.filter((address) => address.includes(":") === six),
    ttlMs: TTL_MS,
  });
  return { four: family(false), six: family(true), failure: null };
}
