/** What commands print: results to standard output, everything else to standard error. */

import type { System } from "../../runtime/contract.ts";
import { formatProblem, type Problem } from "../config/problem.ts";

/** More lines than this help nobody. */
const MAX_LINES = 100;

/** Writes to standard output. A reader that has gone (`sluice config | head`) is not our failure. */
export function print(system: System, text: string): void {
  write(system, 1, text);
}

/** Writes to standard error. */
export function printError(system: System, text: string): void {
  write(system, 2, text);
}

/** One line for each problem, on standard error. */
export function printProblems(system: System, lines: readonly string[]): void {
  const rest = lines.length - MAX_LINES;
  const shown = lines.slice(0, MAX_LINES).map((line) => line + "\n").join("");
  printError(system, shown + (rest > 0 ? `and ${rest} more\n` : ""));
}

export function printWarnings(system: System, warnings: readonly Problem[]): void {
  if (warnings.length === 0) return;
  printProblems(system, warnings.map((warning) => `warning: ${formatProblem(warning)}`));
}

function write(system: System, fd: 1 | 2, text: string): void {
  try {
    system.writeDescriptor(fd, text);
  } catch {
    // Nobody is left to be told.
  }
}
