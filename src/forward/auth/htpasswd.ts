/** Users and the hashes of their passwords, as `htpasswd` keeps them: `user:hash` lines. */

import type { DigestName, Digests } from "../../../runtime/contract/contract.ts";
import { parsePasswordHash, type PasswordHash } from "./password_hash.ts";
import { isUserName, type SecretFileProblem, secretLines } from "./secret_file.ts";

export class Htpasswd {
  readonly #hashes: ReadonlyMap<string, PasswordHash>;
  readonly #all: readonly PasswordHash[];

  constructor(hashes: ReadonlyMap<string, PasswordHash>) {
    this.#hashes = hashes;
    this.#all = [...hashes.values()];
  }

  get size(): number {
    return this.#all.length;
  }

  /** Names, in the order of the file. */
  get users(): readonly string[] {
    return [...this.#hashes.keys()];
  }

  /**
   * Whether user and password belong together; see `PasswordHash.verify`. For a user who is not there the password is tried
   * with the hash of another one, so that the time does not tell who is.
   *
   * @param chance 0 to 1 (excluded): which other one; the same for the same name, or repeated questions tell
   */
  *verify(user: string, password: Uint8Array, chance: number, digests: Digests): Generator<void, boolean> {
    const hash = this.#hashes.get(user);
    const tried = hash ?? this.#all[Math.floor(chance * this.#all.length)];
    if (tried === undefined) return false;
    const fits = yield* tried.verify(password, digests);
    return fits && hash !== undefined;
  }
}

export type HtpasswdResult =
  | { readonly kind: "ok"; readonly users: Htpasswd }
  | { readonly kind: "faults"; readonly problems: readonly SecretFileProblem[] };

/**
 * Reads a file. bcrypt, `$apr1$`, `{SHA}`, `$5$` and `$6$` are understood; plain text and DES are refused. What follows a
 * second colon is ignored, as Apache does.
 *
 * @returns all problems at once
 */
export function parseHtpasswd(text: string, digests: Digests): HtpasswdResult {
  const hashes = new Map<string, PasswordHash>();
  const problems: SecretFileProblem[] = [];
  for (const { line, text: entry } of secretLines(text)) {
    const [user = "", hashText] = entry.split(":", 2);
    if (hashText === undefined) {
      problems.push({ line, message: "is not user:hash" });
    } else if (!isUserName(user)) {
      problems.push({
        line,
        message: "has no user name, or one that is too long or holds control characters",
      });
    } else if (hashes.has(user)) {
      problems.push({ line, message: `names the user ${user} a second time` });
    } else {
      const hash = parsePasswordHash(hashText);
      if (typeof hash === "string") problems.push({ line, message: `the password of ${user} ${hash}` });
      else if (hash.digest !== null && isMissing(hash.digest, digests)) {
        const message = `the password of ${user} needs ${hash.digest}, which this machine does not allow`;
        problems.push({ line, message: `${message}: make the line anew with htpasswd -B` });
      } else hashes.set(user, hash);
    }
  }
  if (problems.length > 0) return { kind: "faults", problems };
  return { kind: "ok", users: new Htpasswd(hashes) };
}

/** A platform in FIPS mode has no MD5. */
function isMissing(name: DigestName, digests: Digests): boolean {
  try {
    digests.digest(name, new Uint8Array(0));
    return false;
  } catch {
    return true;
  }
}
