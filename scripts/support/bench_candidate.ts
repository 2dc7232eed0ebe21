/** What is measured besides the peers: any command that a template makes of a port and an origin, and builds of Sluice. */

import type { Contender } from "./bench_contender.ts";

/** A Sluice without its arguments. */
export interface SluiceCommand {
  readonly name: string;
  /** For the shell. */
  readonly command: string;
}

/**
 * @param command a line for the shell: {origin} as HOST:PORT; {port}, or {listen}, which stands for an address and,
 *   where there is TLS, the flags of the certificate; and {log}, which stands for the flags that send an access log to
 *   a file, or for nothing. Without {listen} it takes no part in the scenarios with TLS, without {log} in those with a log.
 */
export function candidate(name: string, command: string): Contender {
  return {
    name,
    kind: "subject",
    launch: ({ port, origin, log, certificate }) => {
      if (log !== null && !command.includes("{log}")) return null;
      if (certificate !== null && !command.includes("{listen}")) return null;
      const address = `127.0.0.1:${port}`;
      const listen = certificate === null
        ? address
        : `https://${address} --tls-cert ${certificate.cert} --tls-key ${certificate.key}`;
      const flags = log === null ? "" : `--access-log combined --access-log-to ${log}`;
      const line = command.replaceAll("{listen}", listen).replaceAll("{port}", String(port))
        .replaceAll("{origin}", origin).replaceAll("{log}", flags);
      return { command: ["sh", "-c", `exec ${line}`] };
    },
  };
}

/** A Sluice before the origin. */
export function gatewaySluice({ name, command }: SluiceCommand): Contender {
  return candidate(name, `${command} --listen {listen} --to {origin} {log}`);
}
