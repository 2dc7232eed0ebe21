/** Which protocol switches a request may ask for, and whether a 101 is the answer to one (RFC 9110 §7.8). */

import { ConnectionOption, connectionOptions } from "../http1/connection_options.ts";
import type { BodyKind } from "../http1/framing.ts";
import type { Head } from "../http/head.ts";
import { acceptsWebsocket, upgradeProtocols, upgradesOnlyTo, websocketKey } from "../http1/upgrade.ts";

/**
 * The protocols of Upgrade that are let through, joined by ", "; "" when there are none, or when the
 * request cannot switch: not in HTTP/1.0, only when Connection says so, and a body would have to end first.
 *
 * @param allowed tokens let through, lower case
 */
export function askedUpgrade(head: Head, kind: BodyKind, allowed: readonly string[]): string {
  if (head.minor === 0 || kind !== "none") return "";
  if ((connectionOptions(head) & ConnectionOption.upgrade) === 0) return "";
  const protocols = (upgradeProtocols(head) ?? []).filter((protocol) => allowed.includes(protocol));
  if (protocols.includes("websocket") && (head.method !== "GET" || websocketKey(head) === null)) return "";
  return protocols.join(", ");
}

/**
 * Whether a 101 switches to one of the protocols that were asked for; for WebSocket the handshake must
 * have been accepted, so that an origin that does not know it cannot be made to look as if it did.
 *
 * @param asked what `askedUpgrade` gave
 */
export function switchesAsAsked(request: Head, asked: string, response: Head): boolean {
  if (asked === "") return false;
  const protocol = asked.split(", ").find((name) => upgradesOnlyTo(response, name));
  if (protocol === undefined) return false;
  if (protocol !== "websocket") return true;
  const key = websocketKey(request);
  return key !== null && acceptsWebsocket(response, key);
}
