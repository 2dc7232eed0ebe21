/** The metrics of credentials that Sluice presents to origins and parents. */

import type { CredentialStatus, Status } from "../process/worker/status.ts";
import { each, type Metric } from "./metric.ts";

const ofCredential = each<CredentialStatus>(
  ["credential"],
  ({ credentials }) => (credentials ?? []).map((credential) => [[credential.name], credential]),
);

const ROWS: readonly Metric[] = [
  ofCredential(
    "counter",
    "sluice_credential_used_total",
    "Requests sent with the credential, or on a connection that was authenticated with it.",
    ({ used }) => used,
  ),
  ofCredential(
    "counter",
    "sluice_credential_challenged_total",
    "Challenges answered with the credential.",
    ({ challenged }) => challenged,
  ),
  ofCredential(
    "counter",
    "sluice_credential_rejected_total",
    "Requests for which the credential was not good enough.",
    ({ rejected }) => rejected,
  ),
];

/** Where the configuration has none, none of them is there. */
export const CREDENTIAL_METRICS: readonly Metric[] = ROWS.map((metric) => ({
  ...metric,
  applies: ({ credentials }: Status) => credentials !== undefined,
}));
