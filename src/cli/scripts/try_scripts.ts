/** What `check` finds out about scripts by loading them: what their top level throws, and what they export. */

import { type Runtime, ScriptLoadFault, type System } from "../../../runtime/contract/contract.ts";
import type { Config } from "../../config/values/config.ts";
import type { Problem } from "../../config/values/problem.ts";
import { DryScripts } from "../../serve/dry/dry_scripts.ts";
import { printError } from "../../serve/output.ts";

/** Runs the top level of each, and nothing else of it. Never throws. */
export async function tryScripts(
  { clock }: Runtime,
  system: System,
  config: Config,
): Promise<readonly Problem[]> {
  const scripts = new DryScripts(clock, system);
  try {
    const loaded = await scripts.load(config, false);
    loaded?.retire();
    return [];
  } catch (error) {
    if (!(error instanceof ScriptLoadFault)) throw error;
    return error.problems.map(({ file, line, column, message }): Problem => ({
      source: "file",
      name: file,
      path: "",
      line: line === 0 ? null : line,
      column: line === 0 ? null : column,
      message,
      suggestion: null,
    }));
  } finally {
    for (const words of scripts.notes.said) printError(system, `${words}\n`);
  }
}
