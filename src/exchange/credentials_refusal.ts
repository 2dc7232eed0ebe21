/** What a 407 means that comes to us: the client is not told to authenticate, since what it sent would be for us. */

import type { FieldSection } from "../http/field_section.ts";
import type { Login } from "./login.ts";
import type { ReasonCode } from "./reason.ts";

export interface CredentialsRefusal {
  readonly code: ReasonCode;
  /** For the answer and the log. */
  readonly words: string;
}

/**
 * @param sent what the endpoint gets as a proxy; null when it is an origin, which has no business to ask
 * @param login what credentials of the configuration have to do with it; null = nothing
 */
export function credentialsRefusal(sent: FieldSection | null, login: Login | null): CredentialsRefusal {
  if (sent === null) {
    return {
      code: "http_protocol_error",
      words: "the origin answered with 407 (Proxy Authentication Required)",
    };
  }
  const named = login?.refusalWords() ?? "";
  if (named !== "") return { code: "proxy_configuration_error", words: named };
  const words = sent.count === 0
    ? "the parent proxy wants a user and a password in its URL"
    : "the parent proxy rejected our credentials";
  return { code: "proxy_configuration_error", words };
}
