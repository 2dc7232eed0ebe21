/** What a parent proxy learns of the client, beside our own credentials: what the client says itself, or its name. */

import { Field, maskOf } from "../http/field.ts";
import type { FieldSection } from "../http/field_section.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import { fieldSection } from "../http/own_fields.ts";
import type { Endpoint } from "../upstream/endpoint.ts";

/** The field with which the client authenticates to a parent that asks for that. */
export const LOGIN_MASK = maskOf(Field.proxyAuthorization);
const CHALLENGE_MASK = maskOf(Field.proxyAuthenticate, Field.proxyAuthenticationInfo);

/** Whether the client's login is the endpoint's to judge. */
export function passesLogin(endpoint: Endpoint | null | undefined): boolean {
  return endpoint?.proxy?.passesLogin === true;
}

/** Credentials with the client's name. @param user "" = not known. @returns null where there are none */
export function namedLogin({ proxy }: Endpoint, user: string): FieldSection | null {
  const password = proxy?.userPassword ?? null;
  if (password === null || user === "") return null;
  // Of its UTF-8 (RFC 7617 §2.1).
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return fieldSection(["Proxy-Authorization", `Basic ${text}`]);
}

/** The same fields of a response, with what a parent says of the client's login. */
export function withChallenges(fields: ForwardedFields): ForwardedFields {
  return { ...fields, dropMask: fields.dropMask & ~CHALLENGE_MASK };
}
