/** What has been made ready for a change of configuration, and not put in use yet. */

import type { ServerTls } from "../../../runtime/contract/contract.ts";
import type { Config } from "../../config/values/config.ts";
import type { OpenListener } from "./bind_listeners.ts";
import type { LoadedScripts } from "./loaded_scripts.ts";
import type { BuiltSnapshot } from "./snapshot.ts";

export interface Prepared {
  readonly config: Config;
  readonly built: BuiltSnapshot;
  readonly tls: ServerTls | null;
  readonly listeners: readonly OpenListener[];
  /** The listeners that were bound for this. */
  readonly bound: readonly OpenListener[];
  readonly scripts: LoadedScripts | null;
}
