/** The value of `Proxy-Status` (RFC 9209): who failed, and why. */

import type { ReasonCode } from "./reason.ts";

/** Longer details are cut: they may hold text of a peer. */
const MAX_DETAIL = 200;

const SF_TOKEN = /^[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*$/;

/**
 * `sluice; error=hold_timeout; details="…"`; printable ASCII, safe to put in a field as it is.
 *
 * @param name our pseudonym, as in Via
 * @param detail "" leaves the parameter out; anything but printable ASCII becomes "?"
 */
export function proxyStatus(name: string, code: ReasonCode, detail: string): string {
  const member = SF_TOKEN.test(name) ? name : sfString(name);
  return detail === ""
    ? `${member}; error=${code}`
    : `${member}; error=${code}; details=${sfString(detail.slice(0, MAX_DETAIL))}`;
}

/** A string of RFC 8941 §3.3.3, which knows printable ASCII only. */
function sfString(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "\\$&")}"`;
}
