/** What is wrong with a configuration, and where a value came from. */

import { quoteIfOdd } from "./shown.ts";
import type { Fault } from "./value_type.ts";

/** Where a value was given. */
export interface Origin {
  readonly source: "flag" | "env" | "file" | "default";
  /** `--queue-size`, `SLUICE_QUEUE_SIZE`, the path of the file, or "" for a default. */
  readonly name: string;
  /** Line in the file, counted from 1; null when unknown. */
  readonly line: number | null;
}

export const DEFAULT_ORIGIN: Origin = { source: "default", name: "", line: null };

/** One thing that is wrong, with the place and, where possible, the fix. */
export interface Problem {
  readonly source: "flag" | "env" | "file";
  /** `--queue-size`, `SLUICE_QUEUE_SIZE`, or the path of the file. */
  readonly name: string;
  /** Path of the value: `upstreams.api.endpoints[2].weight`; "" for the file as a whole. */
  readonly path: string;
  readonly line: number | null;
  /** Column in the line, counted from 1, for syntax errors. */
  readonly column: number | null;
  readonly message: string;
  /** What to write instead. */
  readonly suggestion: string | null;
}

/** A problem with a value that was given; a default has no place to point at, so flags stand for it. */
export function problemAt(
  origin: Origin,
  path: string,
  message: string,
  suggestion: string | null = null,
): Problem {
  return {
    source: origin.source === "default" ? "flag" : origin.source,
    name: origin.name,
    path,
    line: origin.line,
    column: null,
    message,
    suggestion,
  };
}

/** The faults of one value as problems. */
export function problemsOf(origin: Origin, path: string, faults: readonly Fault[]): Problem[] {
  return faults.map((found) => problemAt(origin, path + found.at, found.message, found.suggestion));
}

/** One line without its end: `sluice.yaml:12: upstreams.api.endpoints[2].weight: must be 1 to 1000, got 0`. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === null
    ? problem.name
    : `${problem.name}:${problem.line}${problem.column === null ? "" : `:${problem.column}`}`;
  const parts = [place];
  if (problem.source === "file" && problem.path !== "") parts.push(problem.path);
  parts.push(problem.message);
  const text = parts.filter((part) => part !== "").join(": ");
  return problem.suggestion === null ? text : `${text}; did you mean ${quoteIfOdd(problem.suggestion)}?`;
}

/** `flag --hold`, `environment SLUICE_HOLD`, `sluice.yaml:3`, `default`. */
export function formatOrigin(origin: Origin): string {
  switch (origin.source) {
    case "flag":
      return `flag ${origin.name}`;
    case "env":
      return `environment ${origin.name}`;
    case "file":
      return origin.line === null ? origin.name : `${origin.name}:${origin.line}`;
    case "default":
      return "default";
  }
}
