/** How many workers a configuration asks for. */

import type { Runtime, System } from "../../runtime/contract/contract.ts";
import type { Config } from "../config/values/config.ts";

/** @returns at least 1, or a sentence why there cannot be as many as were asked for */
export function workerCount(runtime: Runtime, system: System, config: Config): number | string {
  const { workers, through } = config.process;
  const possible = runtime.capabilities.workers;
  const unix = config.listen.some(({ address }) => address.kind === "unix");
  if (workers === null) {
    return possible && !unix && through === null
      ? Math.min(system.parallelism, config.server.maxConnections)
      : 1;
  }
  if (workers > 1 && !possible) {
    return `--workers ${workers}: processes cannot share a port with ${runtime.name} on ${system.platform}` +
      `${runtime.name === "deno" ? " (Deno on Linux needs --allow-run)" : ""}: use --workers 1`;
  }
  return workers;
}
