/**
 * Authentication that holds for a connection instead of a request: NTLM and Negotiate (RFC 4559), which carries NTLM or
 * Kerberos. A server takes every later request on such a connection for one of the same user, whether or not it has
 * an Authorization field. RFC 9110 §11.7.1 knows nothing of the kind; servers do it all the same.
 */

import { Field, isMasked, maskOf } from "./field.ts";
import type { Head } from "./head.ts";
import { TABLE_STRIDE } from "./head.ts";
import { equalsIgnoringCase } from "../bytes/text.ts";
import type { ForwardedFields } from "./forwarded_fields.ts";
import { fieldSection, joinedSections } from "./own_fields.ts";

/**
 * Lower-case beginnings of the schemes. A scheme that merely begins so is treated alike: a connection that is set
 * aside for nothing costs little, one that is shared by mistake gives a user's identity away.
 */
const SCHEMES = ["ntlm", "nego", "kerberos"] as const;

/** The fields in which a server asks for authentication. */
const CHALLENGES = maskOf(Field.wwwAuthenticate, Field.proxyAuthenticate);

/**
 * What a response asks for or goes on with.
 *
 * - `none`: no scheme of a connection
 * - `offered`: the name of one, as an invitation
 * - `token`: one with a token, so that a handshake is under way, or over, on this connection
 */
export type ConnectionChallenge = "none" | "offered" | "token";

/**
 * Beginnings of tokens that begin a handshake, in base64: NTLM's NEGOTIATE_MESSAGE ([MS-NLMP] 2.2.1.1) and the initial token of
 * GSS-API, whose first octet is 0x60 (RFC 2743 §3.1).
 */
const FIRST_TOKENS = ["TlRMTVNTUAAB", "Y"] as const;

/** The fields with credentials for an origin, and those for an origin and a proxy. */
const CREDENTIALS = maskOf(Field.authorization);
const ALL_CREDENTIALS = maskOf(Field.authorization, Field.proxyAuthorization);

/**
 * Whether a request authenticates the connection that it is sent on. Any Authorization line counts.
 *
 * @param byProxy it is sent to a proxy, with its Proxy-Authorization
 */
export function authenticatesConnection(head: Head, byProxy = false): boolean {
  return anyCredentials(head, byProxy, (text, at) => hasScheme(text, at));
}

/** Whether a request may be the answer to a challenge: it has a token, which does not begin a handshake. */
export function answersChallenge(head: Head, byProxy = false): boolean {
  return anyCredentials(head, byProxy, (text, at, end) => {
    const token = /^\S+[ \t]+(\S.*)$/.exec(text.slice(at, end))?.[1] ?? "";
    return hasScheme(text, at) && token !== "" && !FIRST_TOKENS.some((first) => token.startsWith(first));
  });
}

/** Looks at the value of each line of credentials, which is `text` from `at` to `end`. */
function anyCredentials(
  head: Head,
  byProxy: boolean,
  found: (text: string, at: number, end: number) => boolean,
): boolean {
  const mask = byProxy ? ALL_CREDENTIALS : CREDENTIALS;
  if ((head.known & mask) === 0) return false;
  const { table, text } = head;
  for (let at = 0; at < table.length; at += TABLE_STRIDE) {
    if (!isMasked(table[at + 4] as number, mask)) continue;
    if (found(text, table[at + 2] as number, table[at + 3] as number)) return true;
  }
  return false;
}

/** Looks at all challenges of a response, of an origin and of a proxy. */
export function connectionChallenge(head: Head): ConnectionChallenge {
  let found: ConnectionChallenge = "none";
  if ((head.known & CHALLENGES) === 0) return found;
  for (let index = 0; index < head.count; index++) {
    if (!isMasked(head.id(index), CHALLENGES)) continue;
    for (const challenge of challengesOf(head.value(index))) {
      if (!hasScheme(challenge, 0)) continue;
      if (/[ \t]/.test(challenge)) return "token";
      found = "offered";
    }
  }
  return found;
}

/**
 * Fields without the challenges of connections; others stay, at the end. For an answer after which the
 * connection ends: what the client would say next makes sense on this connection only.
 */
export function withoutConnectionChallenges(fields: ForwardedFields): ForwardedFields {
  const { from, dropMask, dropNames } = fields;
  const passedOn = CHALLENGES & ~dropMask;
  const kept: (readonly [string, string])[] = [];
  for (let index = 0; index < from.count; index++) {
    if (!isMasked(from.id(index), passedOn)) continue;
    const name = from.name(index);
    if (dropNames?.has(name.toLowerCase()) === true) continue;
    const challenges = challengesOf(from.value(index));
    const others = challenges.filter((challenge) => !hasScheme(challenge, 0));
    if (others.length === 0 && challenges.length > 0) continue;
    kept.push([name, others.length === challenges.length ? from.value(index) : others.join(", ")]);
  }
  return {
    ...fields,
    dropMask: dropMask | CHALLENGES,
    added: joinedSections(fields.added, fieldSection(...kept)),
  };
}

/**
 * The challenges of one field value that are not those of a connection; "" when none is left. For an answer after which
 * the connection ends.
 */
export function plainChallenges(value: string): string {
  return challengesOf(value).filter((challenge) => !hasScheme(challenge, 0)).join(", ");
}

function hasScheme(text: string, at: number): boolean {
  return SCHEMES.some((scheme) => equalsIgnoringCase(text, at, scheme));
}

/**
 * The challenges of one field value (RFC 9110 §11.6.1), each as it stands there. Commas separate challenges as well as
 * the parameters of one: an element that begins with `name=` belongs to the challenge before it.
 */
function challengesOf(value: string): string[] {
  const challenges: string[] = [];
  for (const element of value.match(/(?:"(?:[^"\\]|\\.)*"?|[^",])+/g) ?? []) {
    const text = element.trim();
    if (text === "") continue;
    if (challenges.length > 0 && /^[^\s="]+[ \t]*=(?!=*$)/.test(text)) {
      challenges.push(`${challenges.pop()}, ${text}`);
    } else challenges.push(text);
  }
  return challenges;
}
