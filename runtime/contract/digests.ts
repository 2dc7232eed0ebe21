/** The part of the contract that is about digests. Reached through contract.ts. */

/** Digests that passwords are kept under, oldest first. The first two are no protection by themselves any more. */
export type DigestName = "md5" | "sha1" | "sha256" | "sha512";

/**
 * Digests that answer at once: Web Crypto answers in a later turn of the loop and has no MD5, and password schemes chain
 * thousands of them. What it needs of the platform is loaded at its first use.
 */
export interface Digests {
  /** The digest of these bytes, in an array of its own: 16, 20, 32 or 64 bytes. A few microseconds for a short input. */
  digest(name: DigestName, bytes: Uint8Array): Uint8Array;
  /** HMAC-SHA-256 (RFC 2104), 32 bytes in an array of their own. */
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array;
}
