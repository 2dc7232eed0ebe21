/**
 * Words that Sluice told before 0.2, when an endpoint's state had three vocabularies. For one version they stand beside
 * those of today, so that a search for them still finds the line, and both are understood where they are read.
 */

/** The version that tells and understands only the words of today. */
export const FORMER_WORDS_END = "0.3.0";

/** States of endpoints and upstreams in status: today's word, and what it was. */
const FORMER_STATES: ReadonlyMap<string, string> = new Map([
  ["down", "away"],
  ["probing", "trial"],
]);

/** Events of the log: today's word, and what it was. */
const FORMER_LOG_EVENTS: ReadonlyMap<string, string> = new Map([
  ["endpoint_down", "endpoint_away"],
  ["endpoint_up", "endpoint_back"],
]);

/** All pairs, for the reference: where the word is told, what it is, and what it was. */
export const FORMER_WORDS: readonly (readonly [where: string, word: string, former: string])[] = [
  ...[...FORMER_STATES].map(([word, former]) => ["`state` of status", word, former] as const),
  ...[...FORMER_LOG_EVENTS].map(([word, former]) => ["`event` of the log", word, former] as const),
  ["`endpoint_up` of events", "down_ms", "away_ms"],
];

/** What a state was called; the word of today where it had no other. */
export function formerState(state: string): string {
  return FORMER_STATES.get(state) ?? state;
}

/** Today's word for a state, told in either. */
export function currentState(word: string): string {
  for (const [state, former] of FORMER_STATES) if (former === word) return state;
  return word;
}

/** The field `state` of a JSON object, with the former word beside it where there was another. */
export function stateFields<S extends string>(
  state: S,
): { readonly state: S; readonly state_alias?: string } {
  const former = FORMER_STATES.get(state);
  return former === undefined ? { state } : { state, state_alias: former };
}

/** What an event of the log was called; undefined where it had no other name. */
export function formerLogEvent(event: string): string | undefined {
  return FORMER_LOG_EVENTS.get(event);
}

/** Today's name of an event, told in either. */
export function currentLogEvent(word: string): string {
  for (const [event, former] of FORMER_LOG_EVENTS) if (former === word) return event;
  return word;
}
