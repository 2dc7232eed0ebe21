/** The content of an answer to TRACE (RFC 9110 §9.3.8). */

import { Field } from "../../http/field.ts";
import { type Head, versionText } from "../../http/head.ts";

/** A client must not be made to show these to a script that asks on its behalf. */
const SECRET: ReadonlySet<string> = new Set(["cookie", "authorization", "proxy-authorization"]);

/** The request as it was received, without what is secret. Latin-1. */
export function traceText(head: Head): string {
  let text = `${head.method} ${head.target} HTTP/${versionText(head.version)}\r\n`;
  for (let index = 0; index < head.count; index++) {
    const name = head.name(index);
    if (head.id(index) === Field.proxyAuthorization || SECRET.has(name.toLowerCase())) continue;
    text += `${name}: ${head.value(index)}\r\n`;
  }
  return text + "\r\n";
}
