/** How the command line has Sluice serve. */

import type { Address, Runtime, System } from "../../runtime/contract/contract.ts";
import type { Config } from "../config/values/config.ts";
import type { RereadableConfig } from "../serve/config_source.ts";

/** Serves until stopped and resolves with the exit code. Handed in, so that commands can be tested without. */
export type Serve = (
  runtime: Runtime,
  system: System,
  config: Config,
  hooks?: {
    readonly onReady?: (listeners: readonly Address[]) => void;
    readonly source?: RereadableConfig | string;
  },
) => Promise<number>;
