/** Users and what the Digest scheme needs of their passwords, as `htdigest` keeps them: `user:realm:hash` lines. */

import type { DigestName, Digests } from "../../../runtime/contract/contract.ts";
import { utf8 } from "./secret_bytes.ts";
import { isUserName, type SecretFileProblem, secretLines } from "./secret_file.ts";

/** Algorithms by their names in challenges (RFC 7616 §3.3), what is preferred first. */
export const DIGEST_ALGORITHMS = ["SHA-256", "MD5"] as const;

export type DigestAlgorithm = typeof DIGEST_ALGORITHMS[number];

export const DIGEST_NAMES: Readonly<Record<DigestAlgorithm, DigestName>> = {
  "SHA-256": "sha256",
  MD5: "md5",
};

/** Digits of a hash → what it was made by. */
const LENGTHS: Readonly<Record<number, DigestAlgorithm>> = { 32: "MD5", 64: "SHA-256" };

/** A realm stands in quotes in each challenge. */
const REALM = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}$/;

export class Htdigest {
  /** The same for all; "" when there is nobody. */
  readonly realm: string;
  /** Those that every user has a line for. */
  readonly algorithms: readonly DigestAlgorithm[];
  /** Equal for equal files, and not to be known without one. */
  readonly nonceKey: Uint8Array;
  readonly #hashes: ReadonlyMap<DigestAlgorithm, ReadonlyMap<string, string>>;
  readonly size: number;

  /** @param hashes by user, in lower-case hexadecimal */
  constructor(
    realm: string,
    hashes: ReadonlyMap<DigestAlgorithm, ReadonlyMap<string, string>>,
    nonceKey: Uint8Array,
  ) {
    this.realm = realm;
    this.nonceKey = nonceKey;
    this.#hashes = hashes;
    this.size = Math.max(...[...hashes.values()].map(({ size }) => size), 0);
    this.algorithms = DIGEST_ALGORITHMS.filter((algorithm) => (hashes.get(algorithm)?.size ?? 0) > 0);
  }

  /** `H(user:realm:password)` in hexadecimal; null for who is not there. */
  hashOf(user: string, algorithm: DigestAlgorithm): string | null {
    return this.#hashes.get(algorithm)?.get(user) ?? null;
  }
}

export type HtdigestResult =
  | { readonly kind: "ok"; readonly users: Htdigest }
  | { readonly kind: "faults"; readonly problems: readonly SecretFileProblem[] };

/**
 * Reads a file. A hash of 32 digits is MD5's, one of 64 SHA-256's; a user may have one line of each kind, and then all must
 * have both: a client chooses the algorithm before it is known who it is.
 *
 * @returns all problems at once
 */
export function parseHtdigest(text: string, digests: Digests): HtdigestResult {
  const hashes = new Map<DigestAlgorithm, Map<string, string>>();
  const lines = new Map<string, number>();
  const problems: SecretFileProblem[] = [];
  let realm: string | null = null;
  for (const { line, text: entry } of secretLines(text)) {
    const blame = (message: string) => problems.push({ line, message });
    const [user = "", lineRealm = "", hash = "", more] = entry.split(":");
    const algorithm = /^[0-9a-f]+$/i.test(hash) ? LENGTHS[hash.length] : undefined;
    if (more !== undefined || lineRealm === "" || hash === "") blame("is not user:realm:hash");
    else if (!isUserName(user)) {
      blame("has no user name, or one that is too long or holds control characters");
    } else if (!REALM.test(lineRealm)) {
      blame("has a realm that is longer than 64 characters, or holds others than printable ASCII");
    } else if (realm !== null && realm !== lineRealm) {
      blame(`has another realm than the line before: all must have one`);
    } else if (algorithm === undefined) {
      blame(`the hash of ${user} is neither 32 digits (MD5) nor 64 (SHA-256)`);
    } else if (isMissing(DIGEST_NAMES[algorithm], digests)) {
      blame(`the hash of ${user} needs ${algorithm}, which this machine does not allow`);
    } else {
      realm = lineRealm;
      const same = hashes.get(algorithm) ?? new Map<string, string>();
      hashes.set(algorithm, same);
      if (same.has(user)) blame(`names the user ${user} a second time`);
      same.set(user, hash.toLowerCase());
      lines.set(user, line);
    }
  }
  for (const [user, line] of lines) {
    const missing = [...hashes].filter(([, users]) => !users.has(user)).map(([algorithm]) => algorithm);
    if (missing.length > 0) {
      problems.push({ line, message: `${user} has no ${missing.join(" and no ")} hash, and others have` });
    }
  }
  if (problems.length > 0) return { kind: "faults", problems };
  const nonceKey = digests.digest("sha256", utf8(`nonces of sluice\n${text}`));
  return { kind: "ok", users: new Htdigest(realm ?? "", hashes, nonceKey) };
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
