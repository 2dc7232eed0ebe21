/** A hash that a password is kept under, in the forms that htpasswd and mkpasswd write. */

import type { DigestName, Digests } from "../../../runtime/contract/contract.ts";
import { bcrypt } from "./bcrypt.ts";
import { bcryptBytes } from "./crypt_text.ts";
import { apacheMd5 } from "./md5_crypt.ts";
import { sameBytes, utf8 } from "./secret_bytes.ts";
import { DEFAULT_ROUNDS, shaCrypt } from "./sha_crypt.ts";

export interface PasswordHash {
  readonly kind: "bcrypt" | "apr1" | "sha1" | "sha256" | "sha512";
  /** What the platform has to have; null = nothing. */
  readonly digest: DigestName | null;
  /**
   * Whether the password is the one. Yields every 0.1 ms or so, so that others get their turn.
   *
   * @param password UTF-8, without NUL
   */
  verify(password: Uint8Array, digests: Digests): Generator<void, boolean>;
}

/** Two seconds or so at each log-in; ten times what anybody recommends. */
const MAX_COST = 14;
/** The same. */
const MAX_ROUNDS = 500_000;
/** The scheme's own bound. */
const MIN_ROUNDS = 1000;

const ANEW = "make the line anew with htpasswd -B";

/**
 * Reads a hash.
 *
 * @returns what is wrong with it in words without any of it, when it cannot be used
 */
export function parsePasswordHash(text: string): PasswordHash | string {
  if (/^\$2[aby]\$/.test(text)) return readBcrypt(text);
  if (text.startsWith("$apr1$")) return readApacheMd5(text);
  if (text.startsWith("{SHA}")) return readSha1(text);
  if (/^\$[56]\$/.test(text)) return readShaCrypt(text);
  if (/^\$[a-z0-9]+\$/.test(text) || text.startsWith("{")) {
    return `is of a kind that is not known here: ${ANEW}`;
  }
  if (/^[./0-9A-Za-z]{13}$/.test(text)) {
    return `is a DES hash (or plain text), which protects nothing: ${ANEW}`;
  }
  if (text === "") return `is empty: ${ANEW}`;
  return `is plain text: ${ANEW}`;
}

const MALFORMED = `is not whole: ${ANEW}`;

function readBcrypt(text: string): PasswordHash | string {
  const match = /^\$2[aby]\$(\d\d)\$([./0-9A-Za-z]{22})([./0-9A-Za-z]{31})$/.exec(text);
  const cost = Number(match?.[1]);
  const salt = bcryptBytes(match?.[2] ?? "");
  const hash = bcryptBytes(match?.[3] ?? "");
  if (match === null || salt === null || hash === null || cost < 4 || cost > 31) return MALFORMED;
  if (cost > MAX_COST) return `has a cost above ${MAX_COST}, which takes seconds to check: ${ANEW}`;
  return {
    kind: "bcrypt",
    digest: null,
    *verify(password) {
      return sameBytes(yield* bcrypt(password, salt, cost), hash);
    },
  };
}

function readApacheMd5(text: string): PasswordHash | string {
  const [, salt, hash] = /^\$apr1\$([^$:]{0,8})\$([./0-9A-Za-z]{22})$/.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return MALFORMED;
  return {
    kind: "apr1",
    digest: "md5",
    *verify(password, digests) {
      return sameBytes(utf8(yield* apacheMd5(password, salt, digests)), utf8(hash));
    },
  };
}

function readSha1(text: string): PasswordHash | string {
  const [, base64] = /^\{SHA\}([A-Za-z0-9+/]{27}=)$/.exec(text) ?? [];
  if (base64 === undefined) return MALFORMED;
  const hash = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return {
    kind: "sha1",
    digest: "sha1",
    // deno-lint-ignore require-yield -- one digest
    *verify(password, digests) {
      return sameBytes(digests.digest("sha1", password), hash);
    },
  };
}

function readShaCrypt(text: string): PasswordHash | string {
  const match = /^\$([56])\$(?:rounds=([1-9]\d*)\$)?([^$:]{0,16})\$([./0-9A-Za-z]+)$/.exec(text);
  if (match === null) return MALFORMED;
  const [, digit, roundsText, salt = "", hash = ""] = match;
  const name = digit === "5" ? "sha256" : "sha512";
  if (hash.length !== (name === "sha256" ? 43 : 86)) return MALFORMED;
  const rounds = roundsText === undefined ? DEFAULT_ROUNDS : Number(roundsText);
  if (rounds < MIN_ROUNDS) return MALFORMED;
  if (rounds > MAX_ROUNDS) return `has more than ${MAX_ROUNDS} rounds, which takes seconds to check: ${ANEW}`;
  return {
    kind: name,
    digest: name,
    *verify(password, digests) {
      return sameBytes(utf8(yield* shaCrypt(name, password, salt, rounds, digests)), utf8(hash));
    },
  };
}
