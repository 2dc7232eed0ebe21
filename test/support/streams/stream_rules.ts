/**
 * Watches that the users of a stream keep to its interface: nothing is called after its end, heads come once and before
 * bodies. What is broken is noted, and fails the test that asks.
 */

export class StreamRules {
  readonly #name: string;
  readonly #violations: string[];
  #ended = "";

  /** @param violations where broken rules are noted */
  constructor(name: string, violations: string[]) {
    this.#name = name;
    this.#violations = violations;
  }

  get ended(): boolean {
    return this.#ended !== "";
  }

  /** `what` is called, which is allowed if `allowed`, and never after the end. */
  call(what: string, allowed: boolean): void {
    if (this.ended) this.#violations.push(`${this.#name}: ${what} after ${this.#ended}`);
    else if (!allowed) this.#violations.push(`${this.#name}: ${what} at the wrong time`);
  }

  /** `what` ends the stream. */
  end(what: string, allowed: boolean): void {
    this.call(what, allowed);
    if (!this.ended) this.#ended = what;
  }
}
