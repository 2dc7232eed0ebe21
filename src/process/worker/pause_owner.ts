/** Who can hold the requests of an upstream on purpose. Each owner ends its own pauses and no others. */

/**
 * - `operator`: the verb `pause`, the status page, or a client of the control socket
 * - `with_pause`: a running `sluice with-pause`
 * - `restart`: a restart of the command of the upstream
 * - `idle_stop`: the stop of a command that no request uses
 * - `program`: the program that has opened Sluice as a library
 * - `upgrade`: `max_in_flight` while the Sluice that was replaced still has requests under way
 */
export type PauseOwner = "operator" | "with_pause" | "program" | "restart" | "idle_stop" | "upgrade";

/** The owners that a client of the control socket can pause as. */
export const ASKING_OWNERS = ["operator", "with_pause"] as const satisfies readonly PauseOwner[];

export function isPauseOwner(word: string): word is PauseOwner {
  return Object.hasOwn(OWNER_WORDS, word);
}

/** Says by whom upstreams are held: "app is still paused by with-pause, api by an upgrade". */
export function heldWords(
  held: readonly { readonly upstream: string; readonly owner: PauseOwner }[],
): string {
  const owners = new Map<string, string[]>();
  for (const { upstream, owner } of held) {
    const words = owners.get(upstream) ?? [];
    if (!words.includes(OWNER_WORDS[owner])) words.push(OWNER_WORDS[owner]);
    owners.set(upstream, words);
  }
  const [first, ...others] = Array.from(owners, ([name, words]) => [name, words.join(" and ")] as const);
  if (first === undefined) return "nothing is paused";
  return `${first[0]} is still paused by ${first[1]}${
    others.map(([name, by]) => `, ${name} by ${by}`).join("")
  }`;
}

/** For people, after "paused by". */
export const OWNER_WORDS: Readonly<Record<PauseOwner, string>> = {
  operator: "an operator",
  with_pause: "with-pause",
  program: "the program",
  restart: "a restart",
  idle_stop: "an idle stop",
  upgrade: "an upgrade",
};
