/** The Digest scheme (RFC 7616): no password is sent, and what is sent fits one request, once. `qop=auth` only. */

import type { Clock, Digests } from "../../../runtime/contract/contract.ts";
import type { FieldSection } from "../../http/field_section.ts";
import type { Head } from "../../http/head.ts";
import { fieldSection } from "../../http/own_fields.ts";
import { type DigestCredentials, readDigest } from "./digest_credentials.ts";
import { DIGEST_NAMES, type DigestAlgorithm, type Htdigest } from "./htdigest.ts";
import { hex, Nonces } from "./nonces.ts";
import { sameBytes, utf8 } from "./secret_bytes.ts";

/**
 * - `user`: it is right
 * - `stale`: so is the password, but the nonce is used up: the client is to use another one, without asking its user
 * - `wrong`: it is not; `user` is whom it names
 * - `malformed`: it cannot be read, or is about another request
 */
export type DigestVerdict =
  | { readonly kind: "user"; readonly user: string }
  | { readonly kind: "stale" }
  | { readonly kind: "wrong"; readonly user: string }
  | { readonly kind: "malformed" };

const STALE: DigestVerdict = { kind: "stale" };
const MALFORMED: DigestVerdict = { kind: "malformed" };

export class DigestAuth {
  readonly #users: Htdigest;
  readonly #digests: Digests;
  readonly #clock: Clock;
  readonly #nonces: Nonces;

  constructor(users: Htdigest, digests: Digests, clock: Clock) {
    this.#users = users;
    this.#digests = digests;
    this.#clock = clock;
    this.#nonces = new Nonces(users.nonceKey, digests, clock.wall());
  }

  /** A challenge for each algorithm, on a line of its own, what is preferred first. */
  challenges(stale: boolean): FieldSection {
    const { realm, algorithms } = this.#users;
    const nonce = this.#nonces.make(this.#clock.wall());
    return fieldSection(...algorithms.map((algorithm) =>
      [
        "Proxy-Authenticate",
        `Digest realm="${realm}", nonce="${nonce}", qop="auth", algorithm=${algorithm}${
          stale ? ", stale=true" : ""
        }`,
      ] as const
    ));
  }

  /**
   * @param value of Proxy-Authorization
   * @param path what an origin would be sent in its request line: some clients hash that
   */
  check(value: string, { method, target }: Head, path: string): DigestVerdict {
    const given = readDigest(value);
    if (given === null || given.realm !== this.#users.realm) return MALFORMED;
    if (given.uri !== target && (path === "" || given.uri !== path)) return MALFORMED;
    const { user, algorithm, nonce, nc } = given;
    const known = this.#users.hashOf(user, algorithm);
    // For who is not there the same is worked out.
    const expected = this.#responseTo(given, method, known ?? "0".repeat(algorithm === "MD5" ? 32 : 64));
    const fits = sameBytes(utf8(expected), utf8(given.response));
    if (known === null || !fits) return { kind: "wrong", user };
    const issuedAt = this.#nonces.issuedAt(nonce);
    if (issuedAt === null) return STALE;
    const fresh = this.#nonces.use(nonce, issuedAt, parseInt(nc, 16), this.#clock.wall());
    return fresh ? { kind: "user", user } : STALE;
  }

  #responseTo(given: DigestCredentials, method: string, hash: string): string {
    const { algorithm, nonce, nc, cnonce, uri } = given;
    const request = this.#hash(algorithm, `${method}:${uri}`);
    return this.#hash(algorithm, `${hash}:${nonce}:${nc}:${cnonce}:auth:${request}`);
  }

  /** @param text a character for each octet */
  #hash(algorithm: DigestAlgorithm, text: string): string {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    return hex(this.#digests.digest(DIGEST_NAMES[algorithm], bytes));
  }
}
