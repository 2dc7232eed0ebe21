/** The part of the contract that is about scripts: code of the user's that runs within this process. Reached through contract.ts. */

/** One thing that is wrong with a script, or looks wrong. */
export interface ScriptProblem {
  /** The file, relative to the working directory where it lies below, else absolute; "" = none is known. */
  readonly file: string;
  /** Counted from 1; 0 = unknown. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A script could not be loaded. Nothing of it is left. */
export class ScriptLoadFault extends Error {
  override name = "ScriptLoadFault";
  /** At least one. */
  readonly problems: readonly ScriptProblem[];
  /** Files that were found to belong to it: when one of them changes it may be loaded again. Absolute. */
  readonly files: readonly string[];

  constructor(problems: readonly ScriptProblem[], files: readonly string[]) {
    super(problems.map(printProblem).join("\n"));
    this.problems = problems;
    this.files = files;
  }
}

/** `/etc/sluice/route.ts:3:14: message` */
export function printProblem({ file, line, column, message }: ScriptProblem): string {
  if (file === "") return message;
  return line === 0 ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`;
}

/** What a script does by itself, outside of any call to it. Must not throw. */
export interface ScriptEvents {
  /**
   * An exception that nobody caught.
   * @param phase `timer`: in a timer's function; `promise`: a rejection that nobody handles; `event`: anything else
   */
  failed(phase: "timer" | "promise" | "event", error: unknown): void;
  /** It has called a function of `console`. The words have no line's end, but may have several lines. */
  printed(level: "info" | "error", words: string): void;
  /** Runs the functions of its timers; null = they are just called. */
  readonly guard: ScriptGuard | null;
}

/** Runs a script's functions, and may end one that does not come to an end by itself. */
export interface ScriptGuard {
  /** @throws ScriptOverrun when it took too long; otherwise what `run` throws */
  call<T>(run: () => T): T;
}

/** A call did not end in the time that it had, and was ended. */
export class ScriptOverrun extends Error {
  override name = "ScriptOverrun";
}

/** What names an `import` of a script may stand for, beside its own files: specifier to what it exports. */
export type ScriptApis = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** One script, loaded once: all its files, with variables of their own. */
export interface LoadedModule {
  /** Of the file that was asked for. */
  readonly exports: Readonly<Record<string, unknown>>;
  /** Every file of it, without those of the platform. Absolute. */
  readonly files: readonly string[];
  readonly warnings: readonly ScriptProblem[];
  /** Ends its timers, and what it begins from now on does not begin. Further calls do nothing. */
  retire(): void;
}

/** What is known of an error that came out of a script. */
export interface DescribedError {
  /** One line: `TypeError: x is not a function`. */
  readonly words: string;
  /** Where in scripts, innermost first: `lib/route.ts:3:14`, as in problems. Empty = not known. */
  readonly places: readonly string[];
}

/** Loads scripts from files. Nothing is written anywhere. */
export interface ScriptLoader {
  /** Why there can be none here, in a sentence; null = there can. */
  readonly impossible: string | null;
  /** What there is besides JavaScript and types that can be left out. */
  readonly transpiles: boolean;
  /**
   * Loads a script and all that it imports, anew whatever was loaded before, and runs it to the end of its top level.
   *
   * @param path absolute, or relative to the working directory
   * @param apis what it gets for names that are not files: `{ sluice: {...} }`
   * @throws ScriptLoadFault when it cannot be, or throws itself
   */
  load(path: string, apis: ScriptApis, events: ScriptEvents): Promise<LoadedModule>;
  /**
   * Finds what is wrong with a script without running it, as far as the platform can: all of it on Bun, nothing elsewhere.
   *
   * @param apis names that it may import, each with the names of its exports
   */
  check(path: string, apis: Readonly<Record<string, readonly string[]>>): Promise<CheckedScript>;
  /** Never throws. */
  describe(error: unknown): DescribedError;
  /** Ends calls after so many milliseconds; null where that cannot be. It does not end what goes on after an `await`. */
  guard(limitMs: number): ScriptGuard | null;
}

export interface CheckedScript {
  readonly problems: readonly ScriptProblem[];
  readonly warnings: readonly ScriptProblem[];
  /** As of `LoadedModule`, as far as they are known. */
  readonly files: readonly string[];
}
