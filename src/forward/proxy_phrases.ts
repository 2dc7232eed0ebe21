/**
 * Reason phrases of a forward proxy. Most clients show nothing else of an answer to CONNECT: neither its body nor its
 * fields.
 */

import { statusPhrase } from "../http/status_phrase.ts";

/** Longest phrase, in characters: one line of a terminal. */
const MAX_PHRASE = 80;

/**
 * Why a destination could not be reached, by the errors of Proxy-Status (RFC 9209 §2.3), with what a client is told.
 * The two statuses of time are 504, so that it is clear who was slow.
 */
export const DESTINATION_FAILURES = {
  dns_error: { status: 502, words: "no such host" },
  dns_timeout: { status: 504, words: "name servers do not answer" },
  connection_refused: { status: 502, words: "connection refused" },
  connection_terminated: { status: 502, words: "connection closed while it was opened" },
  destination_ip_unroutable: { status: 502, words: "no route to the host" },
  connection_timeout: { status: 504, words: "the host does not answer" },
  connection_limit_reached: { status: 503, words: "too many connections, try again" },
  tls_protocol_error: { status: 502, words: "TLS failed" },
  tls_certificate_error: { status: 502, words: "its certificate is not valid" },
  proxy_configuration_error: { status: 502, words: "the parent proxy rejected our credentials" },
} as const satisfies Record<string, { readonly status: number; readonly words: string }>;

/**
 * Like `Forbidden (sluice: port 25 not allowed)`: at most 80 printable characters of ASCII, whatever `words` holds.
 *
 * @param words why, without data of the client but a host
 */
export function proxyPhrase(status: number, words: string): string {
  const usual = statusPhrase(status);
  const before = usual === "" ? "(sluice: " : `${usual} (sluice: `;
  return `${before}${printable(words, MAX_PHRASE - before.length - 1)})`;
}

/** Other characters as "?", and "..." for what is too much. */
function printable(words: string, length: number): string {
  const text = words.replace(/[^\x20-\x7e]/g, "?");
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}
