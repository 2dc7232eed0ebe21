/** Scripts without files: a test says what "loading" a path gives. */

import {
  type CheckedScript,
  type LoadedModule,
  type ScriptApis,
  type ScriptEvents,
  type ScriptGuard,
  type ScriptLoader,
  ScriptLoadFault,
  type ScriptProblem,
} from "../../runtime/contract/contract.ts";
import { describeError } from "../../runtime/shared/script_problems.ts";

/** One load. */
export interface MemoryModule {
  readonly path: string;
  readonly apis: ScriptApis;
  readonly events: ScriptEvents;
  retired: boolean;
}

export type MemoryExports = (
  apis: ScriptApis,
  events: ScriptEvents,
) => Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>;

export class MemoryScripts implements ScriptLoader {
  impossible: string | null = null;
  readonly transpiles = true;
  /** By path: what a load gives, or what is wrong. What is not here is missing. */
  readonly modules = new Map<string, MemoryExports | readonly ScriptProblem[]>();
  /** Every load that did not fail, in order. */
  readonly loaded: MemoryModule[] = [];
  guarded: ScriptGuard | null = null;

  async load(path: string, apis: ScriptApis, events: ScriptEvents): Promise<LoadedModule> {
    const found = this.modules.get(path);
    if (typeof found !== "function") throw new ScriptLoadFault(found ?? [missing(path)], [path]);
    const exports = await found(apis, events);
    const module: MemoryModule = { path, apis, events, retired: false };
    this.loaded.push(module);
    return { exports, files: [path], warnings: [], retire: () => void (module.retired = true) };
  }

  check(path: string): Promise<CheckedScript> {
    const found = this.modules.get(path) ?? [missing(path)];
    return Promise.resolve({
      problems: typeof found === "function" ? [] : found,
      warnings: [],
      files: [path],
    });
  }

  describe = describeError;

  guard(): ScriptGuard | null {
    return this.guarded;
  }
}

function missing(path: string): ScriptProblem {
  return { file: path, line: 0, column: 0, message: "there is no such file" };
}
