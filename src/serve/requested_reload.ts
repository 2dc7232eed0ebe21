/**
 * Reloads that a signal or a watched file asks for: the log alone says what became of them. While an upgrade is being tried
 * they are postponed until it is known which process serves.
 */

import type { SluicePlane } from "../control/control_plane.ts";
import { logReload } from "../control/control_log.ts";
import type { Gate } from "../control/gated_plane.ts";
import type { Logger } from "../observe/logger.ts";
import type { ServiceManager } from "./service_manager.ts";

export class RequestedReload {
  readonly #plane: Pick<SluicePlane, "reload">;
  readonly #gate: Gate;
  readonly #serviceManager: Pick<ServiceManager, "reload">;
  readonly #logger: Logger;
  /** Asked for while an upgrade was being tried. */
  postponed = false;

  constructor(
    plane: Pick<SluicePlane, "reload">,
    gate: Gate,
    serviceManager: Pick<ServiceManager, "reload">,
    logger: Logger,
  ) {
    this.#plane = plane;
    this.#gate = gate;
    this.#serviceManager = serviceManager;
    this.#logger = logger;
  }

  async ask(): Promise<void> {
    if (this.#gate.trial) {
      this.postponed = true;
      return;
    }
    const refused = await this.#gate.pass();
    if (refused !== null) {
      this.#logger.error("reload_failed", refused.message);
      // A service manager that has sent the signal waits for the end of the reload.
      return await this.#serviceManager.reload(() => Promise.resolve());
    }
    const outcome = await this.#plane.reload();
    if (outcome.ok) logReload(this.#logger, outcome);
    else if (outcome.problems === undefined) this.#logger.error("reload_failed", outcome.message);
  }

  /** It is known that this process serves: does what was postponed. */
  resume(): void {
    if (!this.postponed) return;
    this.postponed = false;
    void this.ask();
  }
}
