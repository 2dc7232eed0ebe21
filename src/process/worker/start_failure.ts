/** Errors that have been foreseen, as answers for the supervisor. */

import { ScriptLoadFault, SystemError } from "../../../runtime/contract/contract.ts";
import type { StartFailure } from "./messages.ts";

/** Null for what has not been foreseen: a bug. */
export function startFailure(error: unknown): StartFailure | null {
  if (error instanceof SystemError) return { kind: "system", message: error.message };
  if (!(error instanceof ScriptLoadFault)) return null;
  return { kind: "script", message: error.message, scriptFiles: error.files };
}
