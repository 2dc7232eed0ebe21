/** Tells the program that waits at `--ready-fd` that requests can be sent. */

import type { System } from "../../runtime/contract/contract.ts";
import { named } from "../process/worker/files.ts";

/** @throws SystemError */
export async function announce(system: System, readyFd: number | null): Promise<void> {
  if (readyFd !== null) {
    await named(`--ready-fd ${readyFd}`, () => system.writeDescriptor(readyFd, "READY=1\n"));
  }
}
