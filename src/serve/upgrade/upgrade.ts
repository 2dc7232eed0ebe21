/** Upgrades: another program, or another version of ours, takes our place while clients come and go. */

import type { HandoverState } from "../../control/handover_state.ts";
import type { Address, Clock, System } from "../../../runtime/contract/contract.ts";
import type { Outcome, Refusal } from "../../control/plane.ts";
import type { NamedUpstream } from "../../process/supervisor/lineage_names.ts";
import type { LimitedEndpoint } from "../../process/worker/limits.ts";
import type { GivenSocket, Sockets } from "../../process/shared/sockets.ts";
import type { Yours } from "./succession.ts";
import { Successor } from "./successor.ts";

/** What an upgrade does to the Sluice that it is asked of. */
export interface UpgradeHost {
  /** Why there can be no upgrade as things are; null = there can. */
  impossible(): string | null;
  /** What has to end first; null = nothing. */
  busy(): string | null;
  /** Endpoints with a limit. */
  limits(): readonly LimitedEndpoint[];
  /** What there is, by the names that it has here. */
  upstreams(): readonly NamedUpstream[];
  /** A new process is about to be tried; `over` settles when it has our place, or is gone. */
  trying(over: Promise<unknown>): void;
  /** All that is listened on, also by workers alone. */
  listening(): readonly Address[];
  /** What the new process goes on with. */
  handoverState(): HandoverState;
  /** The same once more. Whatever is asked of us afterwards waits until it is certain who is in charge. */
  yours(): Omit<Yours, "type">;
  /** A new process has been started. */
  started(pid: number): void;
  /**
   * It serves, and the names are its own. From now on everything here ends, gracefully.
   * @returns resolves when no connection is accepted here any more
   */
  replaced(pid: number, successor: Successor): Promise<void>;
  /**
   * It does not, and we serve on. Resolves when all is as it was.
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
    const busy = this.#host.busy();
    if (busy !== null) return refusal("busy", busy);
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
      handover: () => this.#host.handoverState(),
      yours: () => this.#host.yours(),
      pid: this.#system.pid,
      limits: this.#host.limits(),
      upstreams: this.#host.upstreams(),
    });
    this.#successor = successor;
    const trial = Promise.withResolvers<void>();
    this.#host.trying(trial.promise);
    try {
      const outcome = await successor.run(this.#system, (pid) => this.#host.started(pid));
      this.#successor = null;
      if (outcome.ok) {
        this.#over = true;
        this.#sockets.gaveAway();
        await this.#host.replaced(outcome.pid, successor);
      } else {
        await this.#host.failed(outcome, successor.hadNames);
      }
      return outcome;
    } finally {
      trial.resolve();
    }
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
