/** Upgrade to another protocol (RFC 9110 §7.8) and the WebSocket handshake (RFC 6455 §4). */

import { type BodyLength, NO_BODY } from "../http/body_length.ts";
import { Field } from "../http/field.ts";
import { type Head, HTTP_1_1 } from "../http/head.ts";
import { sha1 } from "../websocket/sha1.ts";
import { isToken, trimOws } from "../bytes/text.ts";
import { ConnectionOption, connectionOptions } from "./connection_options.ts";

const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** 16 bytes in base64: 22 characters and two signs of padding. */
const KEY_CHARACTERS = 24;

/**
 * The protocols of the Upgrade field in order and in lower case, each a token with an optional
 * "/version"; null when the field is absent, empty or malformed.
 */
export function upgradeProtocols(head: Head): string[] | null {
  const value = head.joined(Field.upgrade);
  if (value === null) return null;
  const protocols: string[] = [];
  for (const element of value.split(",")) {
    const protocol = trimOws(element);
    if (protocol === "") continue;
    const slash = protocol.indexOf("/");
    const name = slash < 0 ? protocol : protocol.slice(0, slash);
    if (!isToken(name) || (slash >= 0 && !isToken(protocol.slice(slash + 1)))) return null;
    protocols.push(protocol.toLowerCase());
  }
  return protocols.length === 0 ? null : protocols;
}

/** Whether the Upgrade field names this protocol (lower case) and no other one. */
export function upgradesOnlyTo(head: Head, protocol: string): boolean {
  const protocols = upgradeProtocols(head);
  return protocols !== null && protocols.length === 1 && protocols[0] === protocol;
}

/** The Sec-WebSocket-Accept that answers a key (RFC 6455 §4.2.2). A few microseconds. */
export function websocketAccept(key: string): string {
  return btoa(String.fromCharCode(...sha1(key + WEBSOCKET_GUID)));
}

/** The one valid Sec-WebSocket-Key of a request, null when there is none (RFC 6455 §4.1). */
export function websocketKey(head: Head): string | null {
  if (head.isRepeated(Field.secWebsocketKey)) return null;
  const key = head.valueOf(Field.secWebsocketKey) ?? "";
  if (key.length !== KEY_CHARACTERS || !key.endsWith("==")) return null;
  for (let i = 0; i < KEY_CHARACTERS - 2; i++) {
    if (!BASE64.includes(key.charAt(i))) return null;
  }
  return key;
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Whether a 101 response accepts the handshake that was begun with `key`: an origin that does not know
 * WebSocket cannot be made to look as if it had switched. */
export function acceptsWebsocket(response: Head, key: string): boolean {
  return !response.isRepeated(Field.secWebsocketAccept) &&
    response.valueOf(Field.secWebsocketAccept) === websocketAccept(key);
}

/**
 * The protocols of Upgrade that are let through, joined by ", "; "" when there are none, or when the
 * request cannot switch: not in HTTP/1.0, only when Connection says so, and a body would have to end first.
 *
 * @param allowed tokens let through, lower case
 */
export function askedUpgrade(head: Head, body: BodyLength, allowed: readonly string[]): string {
  if (head.version < HTTP_1_1 || body !== NO_BODY) return "";
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
