/** Scripts that are functions of the program: nothing is loaded, and names stand for them. */

import type {
  CheckedScript,
  DescribedError,
  LoadedModule,
  ScriptLoader,
} from "../../runtime/contract/contract.ts";
import { ScriptError } from "../answer/script_error.ts";
import type { ScriptApi } from "../script/script_api.ts";
import type { ProgramFunctions, UpstreamMaker } from "./program_functions.ts";

export class ProgramScripts implements ScriptLoader {
  readonly impossible = null;
  readonly transpiles = false;
  /** What the next configuration is about. */
  functions: ProgramFunctions | null = null;
  /** What was loaded last. */
  #loaded: ProgramFunctions | null = null;
  #api: ScriptApi | null = null;
  readonly #files: ScriptLoader;
  readonly #maker: UpstreamMaker;

  /** @param files loads what is no function, or says why that cannot be */
  constructor(files: ScriptLoader, maker: UpstreamMaker) {
    this.#files = files;
    this.#maker = maker;
  }

  load(...[name, apis, events]: Parameters<ScriptLoader["load"]>): Promise<LoadedModule> {
    const exports = this.functions?.exportsOf(name, this.#maker);
    if (exports === undefined) return this.#files.load(name, apis, events);
    this.#loaded = this.functions;
    // The cast: the worker gives scripts what ScriptApi says.
    this.#api = apis.sluice as unknown as ScriptApi;
    return Promise.resolve({ exports, files: [], warnings: [], retire() {} });
  }

  /** Others were not wanted after all: those that serve go on. */
  goBackTo(before: ProgramFunctions | null): void {
    this.functions = before;
    this.#loaded = before;
  }

  /** They are others than those that were loaded last. */
  functionsChanged(): boolean {
    return this.functions !== this.#loaded;
  }

  check(...[name, apis]: Parameters<ScriptLoader["check"]>): Promise<CheckedScript> {
    if (this.functions?.exportsOf(name, this.#maker) === undefined) return this.#files.check(name, apis);
    return Promise.resolve({ problems: [], warnings: [], files: [] });
  }

  /** Places are those of the program's own files: the innermost that is not within a package. */
  describe(error: unknown): DescribedError {
    const { words, places } = this.#files.describe(error);
    const stack = error instanceof Error ? error.stack ?? "" : "";
    const own = stack.split("\n").filter((line) => !/[/\\]node_modules[/\\]|\bnode:/.test(line));
    const [, place] = /(?:\(|at |@)(?:async )?(?:file:\/\/)?([^\s()@]+:\d+:\d+)\)?$/m.exec(own.join("\n")) ??
      [];
    return { words, places: places.length > 0 || place === undefined ? places : [place] };
  }

  guard(): null {
    return null;
  }

  /**
   * What `import … from "sluice"` gives to scripts of the gate.
   * @param wanted for the error, which is a rejection, where there is none
   */
  async api(wanted: string): Promise<ScriptApi> {
    if (this.#api !== null) return this.#api;
    throw new ScriptError(`${wanted}: this gate has no handler and no hook`);
  }
}
