/**
 * A machine of states as a literal table: for each state and each event what is done, and the state that follows.
 * Conditions are settled before the table is asked, by who raises the event; so the table alone moves a connection from
 * one state to another.
 */

/** What is done; with the name of the state that follows if it is another one. */
export type Cell<Act extends string, Name extends string> = Act | readonly [Act, Name];

/**
 * Acts of every machine:
 * - `nothing`: the event changes nothing here
 * - `misuse`: a call that is not allowed here, and that would do harm
 * - `never`: the event cannot come here
 */
export type CommonAct = "nothing" | "misuse" | "never";

export type StateTable<Name extends string, Event extends string, Act extends string> = {
  readonly [name in Name]: { readonly [event in Event]: Cell<Act | CommonAct, Name> };
};

/** A cell as it is used. */
export interface Step<Name extends string, Event extends string, Act extends string> {
  readonly event: Event;
  readonly does: Act | CommonAct;
  /** Where it leads, possibly where it began; null where it must not be taken. */
  readonly then: State<Name, Event, Act> | null;
}

/** One state: shared by all connections that are in it. Its name is what is read and what is written, with a space between. */
export type State<Name extends string, Event extends string, Act extends string> =
  & {
    readonly name: Name;
    readonly reading: Name extends `${infer Reading} ${string}` ? Reading : never;
    readonly writing: Name extends `${string} ${infer Writing}` ? Writing : never;
  }
  & { readonly [event in Event]: Step<Name, Event, Act> };

/** Makes the states of a table: a look-up is the read of a property then. */
export function linkStates<Name extends string, Event extends string, Act extends string>(
  table: StateTable<Name, Event, Act>,
): { readonly [name in Name]: State<Name, Event, Act> } {
  const names = Object.keys(table) as Name[];
  const events = Object.keys(table[names[0] as Name]) as Event[];
  type Linked = { -readonly [key in keyof State<Name, Event, Act>]: State<Name, Event, Act>[key] };
  const states = {} as { [name in Name]: Linked };
  for (const name of names) {
    const [reading, writing] = name.split(" ");
    states[name] = { name, reading, writing } as Linked;
  }
  // In one order, so that the engine takes all states for objects of one kind.
  for (const name of names) {
    for (const event of events) {
      const cell = table[name][event];
      const [does, then] = typeof cell === "string" ? [cell, name] : cell;
      const allowed = does !== "misuse" && does !== "never";
      states[name][event] = { event, does, then: allowed ? states[then] : null } as Linked[Event];
    }
  }
  return states;
}

/** A step that must not be taken: a bug of ours. */
export function outOfOrder({ name }: { name: string }, { event }: { event: string }): Error {
  return new Error(`${event} while ${name}`);
}
