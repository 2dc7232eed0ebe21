/** Names of fields that a script may write into a request, or take out of it: fewer than into an answer. */

import { checkName } from "../answer/field_values.ts";
import { ScriptError } from "../answer/script_error.ts";

/** Beside the framing (answer/field_values.ts): what says where requests come from. */
const WRITTEN_BY_SLUICE: ReadonlyMap<string, string> = new Map([
  ["host", "say it as `host`"],
  ["forwarded", "Sluice writes it"],
  ["x-forwarded-for", "Sluice writes it"],
  ["x-forwarded-proto", "Sluice writes it"],
  ["x-forwarded-host", "Sluice writes it"],
  ["proxy", "programs behind CGI take it for a setting of their own"],
]);

/** A `NameRule`. @throws ScriptError */
export function checkRequestName(name: unknown): string {
  const lower = checkName(name);
  const instead = WRITTEN_BY_SLUICE.get(lower);
  if (instead !== undefined) {
    throw new ScriptError(`headers: ${name} cannot be written by a script: ${instead}`);
  }
  if (lower.includes("_")) {
    throw new ScriptError(`headers: ${name}: servers take "_" and "-" for one another; use "-"`);
  }
  return lower;
}
