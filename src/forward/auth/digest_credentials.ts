/** The Digest scheme as a client writes it (RFC 7616 §3.4). */

import { DIGEST_ALGORITHMS, type DigestAlgorithm } from "./htdigest.ts";
import { isUserName } from "./secret_file.ts";

export interface DigestCredentials {
  readonly user: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly algorithm: DigestAlgorithm;
  /** Hexadecimal, lower case. */
  readonly response: string;
  /** As it stands there: 8 hexadecimal digits. */
  readonly nc: string;
  readonly cnonce: string;
}

/** Longest value of any parameter, in characters. */
const MAX_VALUE = 8192;

const PARAMETER =
  /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))[ \t]*(?:,|$)/y;

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether a Proxy-Authorization field is of the scheme. */
export function isDigest(value: string): boolean {
  return /^digest[ \t]/i.test(value);
}

/**
 * Reads the value of a field.
 *
 * @param value a character for each octet
 * @returns null when it is malformed, is not `qop=auth`, or is of an algorithm that is not offered
 */
export function readDigest(value: string): DigestCredentials | null {
  const parameters = readParameters(value.replace(/^digest[ \t]+/i, ""));
  if (parameters === null) return null;
  const get = (name: string) => parameters.get(name) ?? "";
  const algorithm = DIGEST_ALGORITHMS.find((known) => known === (get("algorithm") || "MD5").toUpperCase());
  const response = get("response").toLowerCase();
  const nc = get("nc");
  const user = userOf(parameters);
  const usable = algorithm !== undefined && user !== null && get("qop") === "auth" &&
    /^[0-9a-f]{8}$/i.test(nc) && get("cnonce") !== "" && /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/.test(response) &&
    (get("userhash") === "" || get("userhash").toLowerCase() === "false");
  if (!usable) return null;
  return {
    user,
    algorithm,
    response,
    nc,
    realm: get("realm"),
    nonce: get("nonce"),
    uri: get("uri"),
    cnonce: get("cnonce"),
  };
}

/** Null when they are malformed, or one stands there twice. */
function readParameters(text: string): ReadonlyMap<string, string> | null {
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < text.length) {
    const match = PARAMETER.exec(text);
    if (match === null) return null;
    const [, name = "", quoted, plain = ""] = match;
    const value = quoted === undefined ? plain : quoted.replace(/\\(.)/g, "$1");
    if (parameters.has(name.toLowerCase()) || value.length > MAX_VALUE) return null;
    parameters.set(name.toLowerCase(), value);
  }
  return parameters;
}

/** `username`, in UTF-8, or `username*` (RFC 8187). */
function userOf(parameters: ReadonlyMap<string, string>): string | null {
  const plain = parameters.get("username");
  const extended = parameters.get("username*");
  if ((plain === undefined) === (extended === undefined)) return null;
  try {
    if (plain !== undefined) {
      const user = utf8Decoder.decode(Uint8Array.from(plain, (character) => character.charCodeAt(0)));
      return isUserName(user) ? user : null;
    }
    const [, escaped = ""] = /^utf-8'[^']*'(.+)$/i.exec(extended ?? "") ?? [];
    const user = decodeURIComponent(escaped);
    return isUserName(user) ? user : null;
  } catch {
    return null;
  }
}
