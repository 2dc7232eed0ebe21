/** What is measured besides the peers: any command that a template makes of a port and an origin, and builds of Sluice. */

import type { Contender } from "./bench_contender.ts";

/** A Sluice without its arguments. */
export interface SluiceCommand {
  readonly name: string;
  /** For the shell. */
  readonly command: string;
}

/**
 * @param command a line for the shell: {port}, {origin} as HOST:PORT, and {log}, which stands for the flags that
 *   send an access log to a file, or for nothing. Without {log} it takes no part in the scenarios with a log.
 */
export function candidate(name: string, command: string): Contender {
  return {
    name,
    kind: "subject",
    launch: ({ port, origin, log }) => {
      if (log !== null && !command.includes("{log}")) return null;
      const flags = log === null ? "" : `--access-log combined --access-log-to ${log}`;
      const line = command.replaceAll("{port}", String(port)).replaceAll("{origin}", origin)
        .replaceAll("{log}", flags);
      return { command: ["sh", "-c", `exec ${line}`] };
    },
  };
}

/** A Sluice before the origin. */
export function gatewaySluice({ name, command }: SluiceCommand): Contender {
  return candidate(name, `${command} --listen 127.0.0.1:{port} --to {origin} {log}`);
}
