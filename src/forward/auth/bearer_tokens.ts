/** Tokens that stand for a user each (RFC 6750 §2.1): `token name` lines. */

import type { Digests } from "../../../runtime/contract/contract.ts";
import { utf8 } from "./secret_bytes.ts";
import { isUserName, type SecretFileProblem, secretLines } from "./secret_file.ts";

/** token68 (RFC 9110 §11.2). */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** Keeps digests only: a token that has been read is nowhere in memory any more. */
export class BearerTokens {
  readonly #users: ReadonlyMap<string, string>;
  readonly #digests: Digests;

  /** @param users by `digestKey` of the token */
  constructor(users: ReadonlyMap<string, string>, digests: Digests) {
    this.#users = users;
    this.#digests = digests;
  }

  get size(): number {
    return this.#users.size;
  }

  /**
   * Whose token it is, null when it is unknown. The time tells about a digest at most, and no guesser can choose the beginning
   * of.
   */
  userOf(token: string): string | null {
    return this.#users.get(digestKey(token, this.#digests)) ?? null;
  }
}

function digestKey(token: string, digests: Digests): string {
  return String.fromCharCode(...digests.digest("sha256", utf8(token)));
}

/** The token of a Proxy-Authorization field; null when it is no Bearer field, or a malformed one. */
export function readBearer(value: string): string | null {
  const [, token = ""] = /^bearer +(\S+)$/i.exec(value) ?? [];
  return TOKEN.test(token) ? token : null;
}

export type BearerResult =
  | { readonly kind: "ok"; readonly tokens: BearerTokens }
  | { readonly kind: "faults"; readonly problems: readonly SecretFileProblem[] };

/** Reads a file. A user may have several tokens. All problems at once. */
export function parseBearerTokens(text: string, digests: Digests): BearerResult {
  const users = new Map<string, string>();
  const problems: SecretFileProblem[] = [];
  for (const { line, text: entry } of secretLines(text)) {
    const [, token = "", user = ""] = /^(\S+)[ \t]+(.+)$/.exec(entry) ?? [];
    if (token === "") {
      problems.push({ line, message: "is not a token and a name" });
    } else if (!TOKEN.test(token)) {
      problems.push({
        line,
        message: "has a token with characters that no token may hold (RFC 6750 section 2.1)",
      });
    } else if (!isUserName(user)) {
      problems.push({ line, message: "has a name that is too long, or holds a colon or control characters" });
    } else {
      const key = digestKey(token, digests);
      if (users.has(key)) problems.push({ line, message: "has a token that stands above already" });
      else users.set(key, user);
    }
  }
  if (problems.length > 0) return { kind: "faults", problems };
  return { kind: "ok", tokens: new BearerTokens(users, digests) };
}
