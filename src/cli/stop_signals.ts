/** Requests to stop: signals, the verb, an upgrade. The first is graceful, the second means now. */

import type { System } from "../../runtime/contract.ts";

export interface StopSignals {
  readonly first: Promise<string>;
  readonly second: Promise<void>;
  /** What the second was, null while there is none. */
  readonly hurry: string | null;
  /** Somebody asks without a signal. */
  ask(now: boolean): void;
  /** Another process has taken our place. */
  replaced(why: string): void;
  isReplaced(): boolean;
}

export function stopSignals(system: System): StopSignals {
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<void>();
  let count = 0;
  let hurry: string | null = null;
  const now = (what: string) => {
    hurry ??= what;
    second.resolve();
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    system.onSignal(name, () => {
      count++;
      if (count === 1) first.resolve(name);
      else now(`${name} while stopping`);
    });
  }
  const ask = (atOnce: boolean) => {
    count++;
    first.resolve("stop");
    if (atOnce) now("stop --now");
  };
  let gone = false;
  const replaced = (why: string) => {
    gone = true;
    count++;
    first.resolve(why);
  };
  return {
    first: first.promise,
    second: second.promise,
    get hurry() {
      return hurry;
    },
    ask,
    replaced,
    isReplaced: () => gone,
  };
}
