/**
 * The Digest scheme (RFC 7616) from the client's side: what a challenge asks for, and the answers while its nonce is valid.
 * `qop=auth` only, which every server of this century offers; `auth-int`, `userhash` and SHA-512-256 are not answered.
 */

import type { DigestName, Digests } from "../../runtime/contract/contract.ts";
import { encodeLatin1 } from "../bytes/latin1.ts";
import { joined, utf8 } from "../forward/auth/secret_bytes.ts";
import type { Challenge } from "./challenge.ts";

export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  /** Null = it is not sent back. */
  readonly opaque: string | null;
  readonly hash: DigestName;
  /** As it was written, and is sent back; "" = not at all. */
  readonly algorithm: string;
  /** The key is one of this session (`-sess`). */
  readonly session: boolean;
  /** The password was right, and the nonce is too old. */
  readonly stale: boolean;
}

/** A user and a password, UTF-8. */
export interface UserPassword {
  readonly user: Uint8Array;
  readonly password: Uint8Array;
}

const ALGORITHMS: ReadonlyMap<string, DigestName> = new Map([["md5", "md5"], ["sha-256", "sha256"]]);
const MOST_COUNT = 0xffff_ffff;

/** Null when it is no Digest challenge, or one that is not answered here. */
export function digestChallenge({ scheme, params }: Challenge): DigestChallenge | null {
  if (scheme !== "digest") return null;
  const realm = params.get("realm");
  const nonce = params.get("nonce");
  const offered = (params.get("qop") ?? "").toLowerCase().split(",").map((word) => word.trim());
  const algorithm = params.get("algorithm") ?? "";
  const [, name = "md5", session] = /^(.*?)(-sess)?$/i.exec(algorithm.toLowerCase()) ?? [];
  const hash = ALGORITHMS.get(name === "" ? "md5" : name);
  if (realm === undefined || nonce === undefined || hash === undefined || !offered.includes("auth")) {
    return null;
  }
  return {
    realm,
    nonce,
    opaque: params.get("opaque") ?? null,
    hash,
    algorithm,
    session: session !== undefined,
    stale: params.get("stale")?.toLowerCase() === "true",
  };
}

/** A nonce in use: counts its requests, whoever makes them. */
export class DigestSession {
  readonly challenge: DigestChallenge;
  readonly #cnonce: string;
  #count = 0;

  /** @param cnonce for tests; else a random one. One for all requests: the key of `-sess` depends on it */
  constructor(challenge: DigestChallenge, cnonce: string = randomNonce()) {
    this.challenge = challenge;
    this.#cnonce = cnonce;
  }

  /** The server gives further requests another nonce. */
  renewed(nonce: string): DigestSession {
    return new DigestSession({ ...this.challenge, nonce, stale: false });
  }

  /**
   * The value of the field for the next request.
   *
   * @param uri what stands in the request line
   */
  answer(digests: Digests, { user, password }: UserPassword, method: string, uri: string): string {
    const { realm, nonce, opaque, hash, algorithm, session } = this.challenge;
    const cnonce = this.#cnonce;
    this.#count = this.#count >= MOST_COUNT ? 1 : this.#count + 1;
    const nc = this.#count.toString(16).padStart(8, "0");
    const h = (bytes: Uint8Array) => hex(digests.digest(hash, bytes));
    const secret = h(joined([user, latin1(`:${realm}:`), password]));
    const key = session ? h(latin1(`${secret}:${nonce}:${cnonce}`)) : secret;
    const asked = h(latin1(`${method}:${uri}`));
    const response = h(latin1(`${key}:${nonce}:${nc}:${cnonce}:auth:${asked}`));
    const parts = [
      `username=${quoted(String.fromCharCode(...user))}`,
      `realm=${quoted(realm)}`,
      `nonce=${quoted(nonce)}`,
      `uri=${quoted(uri)}`,
      `response="${response}"`,
      ...(algorithm === "" ? [] : [`algorithm=${algorithm}`]),
      `cnonce="${cnonce}"`,
      "qop=auth",
      `nc=${nc}`,
      ...(opaque === null ? [] : [`opaque=${quoted(opaque)}`]),
    ];
    return `Digest ${parts.join(", ")}`;
  }
}

/** `nextnonce` of an Authentication-Info or Proxy-Authentication-Info value (RFC 7616 §3.5); null = the one in use goes on. */
export function nextNonce(info: string): string | null {
  const match = /(?:^|,)[ \t]*nextnonce[ \t]*=[ \t]*"((?:[^"\\]|\\.)+)"/i.exec(info);
  return match === null ? null : (match[1] as string).replace(/\\(.)/g, "$1");
}

export function userPassword(user: string, password: string): UserPassword {
  return { user: utf8(user), password: utf8(password) };
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  encodeLatin1(text, bytes, 0);
  return bytes;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function randomNonce(): string {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}
