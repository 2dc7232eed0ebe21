/** Upgrades: another program, or another version of ours, takes our place while clients come and go. */

import type { Carried } from "../control/carried.ts";
import type { Address, Clock, System } from "../../runtime/contract.ts";
import type { Outcome, Refusal } from "../control/plane.ts";
import type { GivenSocket, Sockets } from "./sockets.ts";
import { Successor } from "./successor.ts";

/** What an upgrade does to the Sluice that it is asked of. */
export interface UpgradeHost {
  /** Why there can be no upgrade as things are; null = there can. */
  impossible(): string | null;
  /** All that is listened on, also by workers alone. */
  listening(): readonly Address[];
  /** What the new process goes on with. */
  carried(): Carried;
  /** A new process has been started. */
  started(pid: number): void;
  /**
   * It serves, and the names are its own. From now on everything here ends, gracefully.
   * @param quiet to be told upstreams to which nothing is on its way any more
   */
  replaced(pid: number, quiet: (upstreams: readonly string[]) => void): void;
  /**
   * It does not, and we serve on.
   * @param hadNames they were its own, or about to be: they must be taken back
   */
  failed(refusal: Refusal, hadNames: boolean): Promise<void>;
}

export class Upgrade {
  readonly #clock: Clock;
  readonly #system: System;
  readonly #sockets: Sockets;
  readonly #host: UpgradeHost;
  #successor: Successor | null = null;
  /** We are about to end. */
  #over = false;

  constructor(clock: Clock, system: System, sockets: Sockets, host: UpgradeHost) {
    this.#clock = clock;
    this.#system = system;
    this.#sockets = sockets;
    this.#host = host;
  }

  /**
   * @param binary file of the new program; null = our own, or what has replaced it
   * @param timeoutMs for all of it
   * @returns the new process's id, once it serves and we accept no connection any more
   */
  async run(binary: string | null, timeoutMs: number): Promise<Outcome<{ readonly pid: number }>> {
    if (this.#over) return refusal("not_possible", "this Sluice is about to end");
    if (this.#successor !== null) return refusal("busy", "an upgrade is under way");
    const impossible = this.#host.impossible();
    if (impossible !== null) return refusal("not_possible", impossible);
    const { runtime } = this.#sockets;
    if (!runtime.capabilities.handover) {
      const where = `${runtime.name} on ${this.#system.platform}`;
      return refusal("not_possible", `listening sockets cannot be handed over with ${where}: restart Sluice`);
    }
    if (this.#system.pid === 1) {
      return refusal(
        "not_possible",
        "Sluice is process 1 here: with its end everything ends; replace the container",
      );
    }
    let gift: readonly GivenSocket[];
    try {
      gift = this.#sockets.gift();
    } catch (error) {
      return refusal("not_possible", (error as Error).message);
    }
    const successor = new Successor(this.#clock, {
      binary,
      sockets: gift,
      timeoutMs,
      listening: this.#host.listening(),
      carried: () => this.#host.carried(),
    });
    this.#successor = successor;
    const outcome = await successor.run(this.#system, (pid) => this.#host.started(pid));
    this.#successor = null;
    if (outcome.ok) {
      this.#over = true;
      this.#sockets.gaveAway();
      this.#host.replaced(outcome.pid, (upstreams) => successor.quiet(upstreams));
    } else {
      await this.#host.failed(outcome, successor.hadNames);
    }
    return outcome;
  }

  /** We are about to end by ourselves. */
  cancel(): void {
    this.#over = true;
    this.#successor?.cancel("the Sluice that was to be replaced has been told to stop");
  }
}

function refusal(code: Refusal["code"], message: string): Refusal {
  return { ok: false, code, message };
}
