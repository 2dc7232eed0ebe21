/**
 * Lends objects that every request needs one of: most requests are over before many more have begun, so that a few objects
 * serve thousands of connections, and those that rest have none.
 */

/** Objects kept at most. */
const MOST_KEPT = 64;

export class ObjectPool<T extends object> {
  readonly #kept: T[] = [];
  readonly #make: () => T;

  constructor(make: () => T) {
    this.#make = make;
  }

  /** One that is as its last borrower left it. */
  borrow(): T {
    return this.#kept.pop() ?? this.#make();
  }

  /** The caller forgets it. */
  giveBack(object: T): void {
    if (this.#kept.length < MOST_KEPT) this.#kept.push(object);
  }
}
