/** How many workers a configuration asks for, and in which processes they are. */

import type { Runtime, System } from "../../runtime/contract/contract.ts";
import type { Config } from "../config/values/config.ts";
import type { Logger } from "../observe/logger.ts";

/**
 * Whether workers are processes of their own. One alone is, where there are scripts: one that does not come to an end can be ended
 * from outside only.
 *
 * @param counted each exchange has to be told of in this process
 */
export function workersApart(runtime: Runtime, config: Config, count: number, counted: boolean): boolean {
  return count > 1 || (config.script !== null && !counted && apartFault(runtime, config) === null);
}

/** Why a worker that is alone cannot be a process of its own, in a sentence; null = it can. */
function apartFault(runtime: Runtime, config: Config): string | null {
  if (!runtime.capabilities.workers) return `${runtime.name} cannot give it a process of its own here`;
  if (config.listen.some(({ address }) => address.kind === "unix")) {
    return "with a Unix socket to listen on it has no process of its own";
  }
  return config.process.through === null ? null : "with a command to run it has no process of its own";
}

/**
 * Tells what nobody guards against.
 * @param apart workers are processes of their own
 */
export function warnOfStalls(runtime: Runtime, logger: Logger, config: Config, apart: boolean): void {
  if (config.script === null || apart) return;
  const why = apartFault(runtime, config) ?? "it gets a process of its own at the next start";
  logger.warn("script", `a script that does not come to an end will stop everything: ${why}`);
}

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
