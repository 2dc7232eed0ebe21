/**
 * Whether a process of a group is alive. For kill(2) zombies are there: where no process waits for orphans (process 1 of
 * many containers does not), a group of which all have ended would never be gone.
 */
import process from "node:process";
import { allProcesses, processStatus } from "./orphans.ts";
import { systemError } from "./system_error.ts";

export class ProcessGroup {
  readonly #id: number;
  /** One that was alive when it was looked for. */
  #member: number;

  /** @param id of the group, and of the process that leads it */
  constructor(id: number) {
    this.#id = id;
    this.#member = id;
  }

  /** Looks through all processes only when the last one known to be alive has ended. */
  alive(): boolean {
    if (!this.#isThere()) return false;
    if (process.platform !== "linux" || this.#lives(this.#member)) return true;
    let dead = false;
    for (const pid of allProcesses()) {
      if (this.#lives(pid)) {
        this.#member = pid;
        return true;
      }
      dead ||= processStatus(pid)?.group === this.#id;
    }
    // Without a dead one we do not see all processes (`hidepid`).
    return !dead;
  }

  #lives(pid: number): boolean {
    const status = processStatus(pid);
    return status !== null && status.group === this.#id && status.state !== "Z" && status.state !== "X";
  }

  #isThere(): boolean {
    try {
      return process.kill(-this.#id, 0);
    } catch (error) {
      // A process that changed its user may not be signalled, but it is there.
      return systemError(error).code === "EPERM";
    }
  }
}
