/**
 * The proxies on the way of a dry run's request: what they are asked before the request is sent they grant, so that what
 * stands behind it is what its recipient gets. Names of users and passwords are never asked for.
 */

import { HandshakeStep } from "../../client/handshake_step.ts";
import type { DrySocket } from "./dry_runtime.ts";

/** Steps of a platform that may come to their end between two messages: names that are looked up, TLS inside of a tunnel. */
const MOST_STEPS = 20;

/** The first byte of all messages of SOCKS5 (RFC 1928) but those about passwords; no request begins with it. */
const SOCKS = "\x05";
/** A list of methods has two bytes and one for each method, of which there are two; a request at least ten. */
const MOST_METHODS_BYTES = 4;
const NO_PASSWORD = "\x05\x00";
/** Connected, from an address that says nothing. */
const CONNECTED = "\x05\x00\x00\x01\0\0\0\0\0\0";
const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";

/**
 * @param socket has just been opened
 * @returns where in `written` the request begins that its recipient gets
 */
export async function passProxies(socket: DrySocket): Promise<number> {
  let from = 0;
  // Others write their request at once.
  if (!(socket.events instanceof HandshakeStep)) return from;
  for (let step = 0; step < MOST_STEPS; step++) {
    const said = socket.written.slice(from);
    const answer = answerTo(said, from === 0);
    if (answer === "") await Promise.resolve();
    else {
      from += said.length;
      socket.feed(answer);
    }
  }
  return from;
}

/** @param isFirst nothing was said before: a CONNECT then asks for the next proxy. @returns "" when it is for whoever comes next */
function answerTo(said: string, isFirst: boolean): string {
  if (said.startsWith(SOCKS)) return said.length <= MOST_METHODS_BYTES ? NO_PASSWORD : CONNECTED;
  return isFirst && said.startsWith("CONNECT ") ? ESTABLISHED : "";
}
