/** The scripts of one configuration. */

import type { Script } from "./script.ts";
import type { ScriptFaults } from "./script_faults.ts";

export interface ScriptSet {
  /** Asked before the routes; null = none is. */
  readonly global: Script | null;
  /** Told of what goes wrong in them. */
  readonly faults: ScriptFaults;
  /** @param file as the configuration names it */
  of(file: string): Script;
}
