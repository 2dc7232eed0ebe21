/** What workers have counted of each credential, put together. */

import type { CredentialStatus } from "./status.ts";

export function credentialsOf(
  credentials: readonly CredentialStatus[],
): { readonly credentials?: readonly CredentialStatus[] } {
  return credentials.length === 0 ? {} : { credentials };
}

export function addCredentials(a: CredentialStatus, b: CredentialStatus): CredentialStatus {
  return {
    name: a.name,
    used: a.used + b.used,
    challenged: a.challenged + b.challenged,
    rejected: a.rejected + b.rejected,
  };
}
