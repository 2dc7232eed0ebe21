/** What has gone wrong in scripts, as workers tell it. */

import { SCRIPT_FAULTS, type ScriptCounts } from "../../observe/script_log.ts";

export interface ScriptReport extends ScriptCounts {
  /** As its path was written. */
  readonly name: string;
}

/** Of scripts that the configuration names; one that nothing has happened to is there with zeros. */
export function scriptReports(
  files: readonly string[],
  counts: ReadonlyMap<string, ScriptCounts>,
): readonly ScriptReport[] {
  return files.map((name) => ({ name, ...NOTHING, ...counts.get(name) }));
}

const NOTHING: ScriptCounts = { error: 0, timeout: 0, stalled: 0, slow: 0 };

/** Of two lists; names of the second come first, those only the first has after them. */
export function addScripts(
  a: readonly ScriptReport[] | undefined,
  b: readonly ScriptReport[] | undefined,
): readonly ScriptReport[] | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const sums = new Map(b.map((each) => [each.name, each]));
  for (const each of a) {
    const other = sums.get(each.name);
    if (other === undefined) {
      sums.set(each.name, each);
      continue;
    }
    const sum: Record<keyof ScriptCounts, number> = { ...NOTHING };
    for (const kind of SCRIPT_FAULTS) sum[kind] = each[kind] + other[kind];
    sums.set(each.name, { name: each.name, ...sum });
  }
  return [...sums.values()];
}
