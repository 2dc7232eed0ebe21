/** Carries out the option `sockets`, in every process that serves. */

import type { Runtime, System } from "../../../runtime/contract/contract.ts";
import type { Config } from "../../config/values/config.ts";
import type { ChosenSockets } from "./chosen_sockets.ts";

/**
 * To be called before anything is opened: sockets of both kinds deliver bytes in different ways, and who serves them
 * asks the runtime once which it is.
 *
 * @returns a sentence when `epoll` was asked for and cannot be had
 */
export function chooseSockets(runtime: Runtime, system: System, config: Config): ChosenSockets | string {
  const { sockets } = config.process;
  if (sockets === "native") return { kind: "native", reason: "" };
  const here = `needs the executable (or Bun) on Linux, this is ${runtime.name} on ${system.platform}`;
  const reason = runtime.capabilities.epoll && runtime.useEpoll !== undefined ? runtime.useEpoll() : here;
  if (reason === null) return { kind: "epoll", reason: "" };
  return sockets === "auto" ? { kind: "native", reason } : `--sockets epoll: ${reason}`;
}
