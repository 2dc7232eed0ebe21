/** Requests to stop: signals, the verb, an upgrade. The first is graceful, the second means now. */

import type { System } from "../../runtime/contract/contract.ts";

export class StopSignals {
  readonly #first = Promise.withResolvers<string>();
  readonly #second = Promise.withResolvers<void>();
  #count = 0;
  #hurry: string | null = null;
  #replaced = false;
  /** The first signal has come while another process had our place already. */
  onPatience: (name: string) => void = () => {};

  constructor(onSignal: System["onSignal"]) {
    for (const name of ["SIGTERM", "SIGINT"] as const) {
      onSignal(name, () => {
        this.#count++;
        // After an upgrade the first one finds us draining, and asks for nothing else.
        if (this.#count > 1) this.#now(`${name} while stopping`);
        else if (this.#replaced) this.onPatience(name);
        else this.#first.resolve(name);
      });
    }
  }

  /** Why it is to end; gracefully. */
  get first(): Promise<string> {
    return this.#first.promise;
  }

  /** It is to end at once. */
  get second(): Promise<void> {
    return this.#second.promise;
  }

  /** What the second was, null while there is none. */
  get hurry(): string | null {
    return this.#hurry;
  }

  /** Another process has taken our place. */
  get isReplaced(): boolean {
    return this.#replaced;
  }

  /** A verb or the heir asks, without a signal. */
  ask(now: boolean): void {
    this.#count++;
    this.#first.resolve("stop");
    if (now) this.#now("stop --now");
  }

  /** Another process takes our place. That is no request to stop: the first one may still come. */
  replaced(why: string): void {
    this.#replaced = true;
    this.#first.resolve(why);
  }

  #now(what: string): void {
    this.#hurry ??= what;
    this.#second.resolve();
  }
}
