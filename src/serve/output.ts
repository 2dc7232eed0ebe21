/** What commands print: results to standard output, everything else to standard error. */

import { type System, SystemError } from "../../runtime/contract/contract.ts";
import { formatProblem, type Problem } from "../config/values/problem.ts";

/** More lines than this are not read. */
const MAX_LINES = 100;

/** A result could not be written: the disk is full, standard output is closed. */
export class OutputFailure extends Error {
  override readonly name = "OutputFailure";
}

/**
 * Writes to standard output. A reader that has gone (`sluice config | head`) is not our failure.
 * @throws OutputFailure so that `sluice config > file` does not leave half a file behind and say that it is done
 */
export function print(system: System, text: string): void {
  try {
    system.writeDescriptor(1, text);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.code !== "EPIPE") throw new OutputFailure(`standard output: ${error.message}`);
  }
}

/** Writes to standard error. */
export function printError(system: System, text: string): void {
  try {
    system.writeDescriptor(2, text, true);
  } catch {
    // The reader is gone: there is no place left to say so.
  }
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
