/** How the command line has Sluice serve. */

import type { Runtime, System } from "../../runtime/contract/contract.ts";
import type { Config } from "../config/values/config.ts";
import type { ServeHooks } from "../serve/serve.ts";

/** Serves until stopped and resolves with the exit code. Handed in, so that commands can be tested without. */
export type Serve = (
  runtime: Runtime,
  system: System,
  config: Config,
  hooks?: Pick<ServeHooks, "onReady" | "source" | "exchanges" | "until" | "onSignal">,
) => Promise<number>;
