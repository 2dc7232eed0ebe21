/** The files of scripts: looked through before anything depends on them. `check`, the start and reloads do it here. */

import type { ScriptProblem, System } from "../../../runtime/contract/contract.ts";
import type { Config } from "../../config/values/config.ts";
import { scriptFiles } from "../../config/build_scripts.ts";
import { SCRIPT_EXPORTS } from "../../script/script_exports.ts";

/** Permission bits by which others than the owner may write. */
const WRITABLE_BY_OTHERS = 0o022;
/** Files of a script whose permissions are looked at; a package has thousands. */
const MOST_LOOKED_AT = 100;

export interface CheckedScripts {
  readonly problems: readonly ScriptProblem[];
  readonly warnings: readonly ScriptProblem[];
  /** All files of all scripts, as far as they are known without running them. */
  readonly files: readonly string[];
}

export const NO_SCRIPTS: CheckedScripts = { problems: [], warnings: [], files: [] };

/** Runs none of them. Never throws. */
export async function checkScripts(system: System, config: Config): Promise<CheckedScripts> {
  if (config.script === null) return NO_SCRIPTS;
  const { scripts } = system;
  const problems = new Map<string, ScriptProblem>();
  const warnings = new Map<string, ScriptProblem>();
  const files = new Set<string>();
  const keep = (into: Map<string, ScriptProblem>, found: readonly ScriptProblem[]) => {
    // Files that several scripts import are told of once.
    for (const each of found) into.set(JSON.stringify(each), each);
  };
  for (const file of scriptFiles(config)) {
    if (scripts.impossible !== null) {
      keep(problems, [{
        file,
        line: 0,
        column: 0,
        message: `scripts cannot be used: ${scripts.impossible}`,
      }]);
      continue;
    }
    const checked = await scripts.check(file, SCRIPT_EXPORTS);
    keep(problems, checked.problems);
    keep(warnings, checked.warnings);
    for (const each of checked.files) files.add(each);
  }
  for (const file of [...files].filter(isOwn).slice(0, MOST_LOOKED_AT)) {
    const words = await tooOpen(system, file);
    if (words !== null) keep(warnings, [{ file, line: 0, column: 0, message: words }]);
  }
  return { problems: [...problems.values()], warnings: [...warnings.values()], files: [...files] };
}

/** Whether a file is one that changes by itself, and not a package's. */
export function isOwn(file: string): boolean {
  return !/[/\\]node_modules[/\\]/.test(file);
}

async function tooOpen(system: System, file: string): Promise<string | null> {
  try {
    const status = await system.statusOf(file);
    if (status === null || (status.mode & WRITABLE_BY_OTHERS) === 0) return null;
    return "others than its owner may write this file, and so do whatever Sluice can: chmod go-w";
  } catch {
    return null;
  }
}
