/**
 * Challenges as servers and proxies write them (RFC 9110 §11.6.1): a list of schemes, each with one token or with
 * parameters. Commas separate challenges as well as parameters, so only a whole value has a meaning: one that does not
 * fit the grammar asks for nothing.
 */

export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** "" when there is none. */
  readonly token: string;
  /** By lower-case name; quotes and escapes are gone. */
  readonly params: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
/** Up to the end of the challenge: what goes on is a parameter. */
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const EQUALS = /[ \t]*=[ \t]*/y;
// deno-lint-ignore no-control-regex -- control characters are what must not be in it
const QUOTED = /"((?:[^"\\\u0000-\u0008\u000a-\u001f\u007f]|\\[\t\u0020-\u007e\u0080-\u00ff])*)"/y;
const SPACES = /[ \t]+/y;
/** Between two elements of a list; empty ones are left out (RFC 9110 §5.6.1). */
const COMMAS = /[ \t]*(?:,[ \t]*)+/y;
/** More are not looked at: nobody offers as many. */
const MOST = 32;

/** Where the reading of a value has come to. */
interface Place {
  readonly text: string;
  at: number;
}

/**
 * The challenges of several field lines, in their order. Never throws; linear.
 *
 * @param values of each WWW-Authenticate or Proxy-Authenticate line
 */
export function parseChallenges(values: readonly string[]): Challenge[] {
  return values.flatMap((value) => parseValue(value) ?? []).slice(0, MOST);
}

/** Null when the value is malformed anywhere. */
function parseValue(text: string): Challenge[] | null {
  const place: Place = { text, at: 0 };
  const challenges: Challenge[] = [];
  take(place, COMMAS);
  while (place.at < text.length) {
    const challenge = parseChallenge(place);
    if (challenge === null) return null;
    challenges.push(challenge);
    const before = place.at;
    take(place, COMMAS);
    if (place.at === before && take(place, SPACES) !== null && place.at < text.length) return null;
    if (place.at === before && place.at < text.length) return null;
  }
  return challenges;
}

function parseChallenge(place: Place): Challenge | null {
  const scheme = take(place, TOKEN)?.toLowerCase();
  if (scheme === undefined) return null;
  const params = new Map<string, string>();
  const end = place.at;
  if (take(place, SPACES) === null) return { scheme, token: "", params };
  const token = take(place, TOKEN68);
  if (token !== null) return { scheme, token, params };
  if (place.at >= place.text.length || place.text[place.at] === ",") {
    place.at = end;
    return { scheme, token: "", params };
  }
  for (;;) {
    const before = place.at;
    const name = take(place, TOKEN)?.toLowerCase();
    if (name === undefined || take(place, EQUALS) === null) {
      // Behind a comma it is the next challenge.
      if (params.size === 0) return null;
      place.at = lastComma(place.text, before);
      return { scheme, token: "", params };
    }
    const value = parseParamValue(place);
    // A parameter that occurs twice has no meaning (RFC 9110 §11.2).
    if (value === null || params.has(name)) return null;
    params.set(name, value);
    const after = place.at;
    if (take(place, COMMAS) === null || place.at >= place.text.length) {
      place.at = after;
      return { scheme, token: "", params };
    }
  }
}

/** Where the separator in front of `at` begins. */
function lastComma(text: string, at: number): number {
  while (at > 0 && /[ \t,]/.test(text[at - 1] as string)) at--;
  return at;
}

function parseParamValue(place: Place): string | null {
  const quoted = take(place, QUOTED);
  if (quoted !== null) return quoted.slice(1, -1).replace(/\\(.)/gs, "$1");
  return take(place, TOKEN);
}

/** What matches here, which is passed then; null = nothing does. */
function take(place: Place, pattern: RegExp): string | null {
  pattern.lastIndex = place.at;
  const match = pattern.exec(place.text);
  if (match === null) return null;
  place.at = pattern.lastIndex;
  return match[0];
}
