/** Which cells of a table of states are used. */

/** The states of a table, linked. */
type States<Name extends string, Event extends string> = {
  readonly [name in Name]: {
    readonly [event in Event]: { readonly event: Event; readonly then: object | null };
  };
};

/**
 * Watches the steps from now on.
 *
 * @returns the cells taken so far, as "event while state"
 */
export function watchSteps<Name extends string, Event extends string>(
  states: States<Name, Event>,
): ReadonlySet<string> {
  const taken = new Set<string>();
  for (const [name, state] of Object.entries<States<Name, Event>[Name]>(states)) {
    for (const step of Object.values<unknown>(state)) {
      if (typeof step !== "object" || step === null || !("event" in step) || !("then" in step)) continue;
      const { then, event } = step;
      Object.defineProperty(step, "then", {
        get: () => {
          taken.add(`${event} while ${name}`);
          return then;
        },
      });
    }
  }
  return taken;
}
