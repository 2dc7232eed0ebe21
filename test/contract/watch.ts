/** What every part of a scenario reports to, and a way to wait for conditions instead of for time. */
import { setImmediate } from "node:timers";

/** Collects what the contract forbids, and knows whether a method of the adapter is running. */
export class Watch {
  readonly violations: string[] = [];
  /** Name of the adapter's method that is running, or "". */
  #inside = "";

  /** Calls the adapter; no event may fire before it returns. */
  call<T>(name: string, body: () => T): T {
    const outer = this.#inside;
    this.#inside = name;
    try {
      return body();
    } finally {
      this.#inside = outer;
    }
  }

  /** To be called first in every event. */
  eventFired(name: string): void {
    if (this.#inside !== "") this.violation(`${name} fired inside ${this.#inside}`);
  }

  violation(what: string): void {
    // The first ones tell; a flood would hide them.
    if (this.violations.length < 20) this.violations.push(what);
  }
}

interface Waiter {
  readonly what: string;
  readonly done: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Something whose conditions can be awaited; they are looked at after each of its events. */
export class Waiting {
  #waiters: Waiter[] = [];

  /** Resolves once `done` answers true; `what` is for the report when that never comes. */
  until(what: string, done: () => boolean): Promise<void> {
    if (done()) return Promise.resolve();
    const over = this.over();
    if (over !== "") return Promise.reject(new Error(`${this.name()} will never see ${what}: ${over}`));
    return new Promise((resolve, reject) => this.#waiters.push({ what, done, resolve, reject }));
  }

  /** Looks at all conditions again. Promises resolve later, so this is safe inside an event. */
  check(): void {
    if (this.#waiters.length === 0) return;
    const over = this.over();
    this.#waiters = this.#waiters.filter((waiter) => {
      if (waiter.done()) waiter.resolve();
      else if (over === "") return true;
      else waiter.reject(new Error(`${this.name()} will never see ${waiter.what}: ${over}`));
      return false;
    });
  }

  get pending(): string[] {
    return this.#waiters.map((waiter) => `${this.name()}: ${waiter.what}`);
  }

  /** Why nothing more will happen here, or "": then waiting fails at once instead of at the watchdog. */
  over(): string {
    return "";
  }

  name(): string {
    return "";
  }
}

/** A few turns of the event loop: what was due before has happened after them. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** How long `poll` waits before it is a failure: below the watchdog of a scenario. */
const PATIENCE_MS = 10_000;

/** For conditions that no event of an endpoint announces. */
export async function poll(what: string, done: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!done()) {
    if (performance.now() > end) throw new Error(`never came: ${what}`);
    await turns(1);
  }
}
