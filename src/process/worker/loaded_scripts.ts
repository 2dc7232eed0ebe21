/**
 * The scripts of one configuration in a worker: loaded and started with it, ended when the last of its requests has ended. Each
 * file is loaded once, however many routes name it.
 */

import {
  type Clock,
  type LoadedModule,
  type ScriptApis,
  type ScriptGuard,
  type ScriptLoader,
  ScriptLoadFault,
  type ScriptProblem,
} from "../../../runtime/contract/contract.ts";
import { ScriptError } from "../../answer/script_error.ts";
import { scriptFiles } from "../../config/build_scripts.ts";
import { sameValue } from "../../config/config_changes.ts";
import type { Config, ScriptConfig } from "../../config/values/config.ts";
import { type ScriptApi, scriptApi } from "../../script/script_api.ts";
import { Script } from "../../script/script.ts";
import type { ScriptCallNote, ScriptFaults } from "../../script/script_faults.ts";
import type { ScriptSet } from "../../script/script_set.ts";
import { ScriptContext, type ScriptSurroundings } from "./script_context.ts";
import { ScriptUpstreams } from "./script_upstreams.ts";

/** For the top level of a script, and again for `onStart` and `onStop`. */
const PATIENCE_MS = 30_000;

/** What loading needs of the worker. */
export interface ScriptParts {
  readonly clock: Clock;
  readonly loader: ScriptLoader;
  readonly faults: ScriptFaults;
  /** A script has written to its console. */
  readonly print: (script: string, level: "info" | "error", words: string) => void;
  readonly around: Omit<ScriptSurroundings, "setUpstream">;
  /** A script that serves has set an upstream. Resolves when it is used. */
  readonly upstreamSet: (scripts: LoadedScripts) => Promise<void>;
  /** What the configuration says, without what scripts have set. */
  readonly config: () => Config;
  /** Runs its calls; null = they are just made. */
  readonly guard: ScriptGuard | null;
  /** Told of its calls; null = nobody would read it. */
  readonly note: ScriptCallNote | null;
  /** What names a script may import, made of what "sluice" is in a worker. Default: that name, and that. */
  readonly apis?: (api: ScriptApi) => ScriptApis;
}

interface Loaded {
  readonly script: Script;
  readonly module: LoadedModule;
  readonly context: ScriptContext;
}

export class LoadedScripts implements ScriptSet {
  readonly global: Script | null;
  /** All files, for whoever watches them. Absolute. */
  readonly files: readonly string[];
  readonly warnings: readonly ScriptProblem[];
  readonly faults: ScriptFaults;
  readonly #config: ScriptConfig;
  readonly #byFile: ReadonlyMap<string, Loaded>;
  readonly #parts: ScriptParts;
  /** What they have set. */
  readonly upstreams: ScriptUpstreams;
  #ended = false;

  private constructor(
    parts: ScriptParts,
    config: ScriptConfig,
    byFile: ReadonlyMap<string, Loaded>,
    upstreams: ScriptUpstreams,
  ) {
    this.#parts = parts;
    this.upstreams = upstreams;
    this.faults = parts.faults;
    this.#config = config;
    this.#byFile = byFile;
    this.global = config.file === null ? null : this.of(config.file);
    const modules = [...byFile.values()].map(({ module }) => module);
    this.files = [...new Set(modules.flatMap(({ files }) => files))];
    this.warnings = modules.flatMap(({ warnings }) => warnings);
  }

  /**
   * Loads all, then runs the `onStart` of each.
   *
   * @param starts `onStart` is run
   * @returns null where the configuration has none
   * @throws ScriptLoadFault when one cannot be loaded or started: then nothing is left of any
   */
  static async load(parts: ScriptParts, config: Config, starts = true): Promise<LoadedScripts | null> {
    const { script } = config;
    if (script === null) return null;
    const byFile = new Map<string, Loaded>();
    const files: string[] = [];
    const upstreams = new ScriptUpstreams();
    let made: LoadedScripts | null = null;
    const around: ScriptSurroundings = {
      ...parts.around,
      get requests() {
        return parts.around.requests;
      },
      setUpstream: async (name, how) => {
        upstreams.set(name, how, parts.config());
        if (made !== null) await parts.upstreamSet(made);
      },
    };
    try {
      for (const file of scriptFiles(config)) {
        const loaded = await loadOne(parts, file, script, around);
        byFile.set(file, loaded);
        files.push(...loaded.module.files);
      }
      const handled = config.routes.flatMap(({ target }) => target.kind === "handle" ? [target.file] : []);
      for (const file of handled) {
        if (byFile.get(file)?.script.handler !== null) continue;
        throw faultAt(file, "a route is handled by it, but it exports no handler: export default", files);
      }
    } catch (error) {
      retire(byFile.values());
      throw error;
    }
    const all = new LoadedScripts(parts, script, byFile, upstreams);
    const started: string[] = [];
    for (const [file, { script: each }] of starts ? byFile : []) {
      try {
        await inTime(parts.clock, "onStart", () => each.start());
        started.push(file);
      } catch (error) {
        const { words, places } = parts.loader.describe(error);
        await all.#stop(started);
        retire(byFile.values());
        const [place] = places;
        throw faultAt(file, `onStart: ${words}${place === undefined ? "" : ` (${place})`}`, files);
      }
    }
    made = all;
    return all;
  }

  /** They are what the configuration wants, as far as it tells. */
  serves(config: Config): boolean {
    return sameValue(config.script, this.#config) && sameValue(scriptFiles(config), [...this.#byFile.keys()]);
  }

  of(file: string): Script {
    const found = this.#byFile.get(file);
    if (found === undefined) throw new Error(`the script ${file} has not been loaded`);
    return found.script;
  }

  /** Ends what they have left running, without a word to them: they have not been started. */
  retire(): void {
    this.#ended = true;
    retire(this.#byFile.values());
  }

  /** Runs the `onStop` of each, then ends what they have left running. A fault is told. No request comes to them any more. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#stop([...this.#byFile.keys()]);
    retire(this.#byFile.values());
  }

  async #stop(files: readonly string[]): Promise<void> {
    const { clock, faults } = this.#parts;
    await Promise.all(files.map(async (file) => {
      const script = this.of(file);
      try {
        await inTime(clock, "onStop", () => script.stop());
      } catch (error) {
        faults.failed(script.name, "onStop", error, null);
      }
    }));
  }
}

async function loadOne(
  parts: ScriptParts,
  file: string,
  config: ScriptConfig,
  around: ScriptSurroundings,
): Promise<Loaded> {
  const { loader, faults, print, clock, guard, note } = parts;
  const context = new ScriptContext(file, around);
  const api = scriptApi(context);
  // The cast: an object of functions and values by name.
  const apis = parts.apis?.(api) ?? { sluice: api as unknown as Readonly<Record<string, unknown>> };
  const loading = loader.load(file, apis, {
    failed: (phase, error) => faults.failed(file, phase, error, null),
    printed: (level, words) => print(file, level, words),
    guard,
  });
  let module: LoadedModule;
  try {
    module = await inTime(clock, "its top level", () => loading);
  } catch (error) {
    context.end();
    // One that comes after all is of no use.
    void loading.then((late) => late.retire(), () => {});
    throw error instanceof ScriptLoadFault ? error : faultAt(file, messageOf(error), []);
  }
  try {
    const { timeoutMs, passesOnError } = config;
    const script = new Script(file, module.exports, { timeoutMs, passesOnError, guard, note });
    return { module, script, context };
  } catch (error) {
    module.retire();
    context.end();
    if (!(error instanceof ScriptError)) throw error;
    // It begins with the file's name.
    throw faultAt(file, error.message.replace(`${file}: `, ""), module.files);
  }
}

function faultAt(file: string, message: string, files: readonly string[]): ScriptLoadFault {
  return new ScriptLoadFault([{ file, line: 0, column: 0, message }], files);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function retire(all: Iterable<Loaded>): void {
  for (const { module, context } of all) {
    module.retire();
    context.end();
  }
}

/** @throws what `work` throws, or that it took too long */
async function inTime<T>(clock: Clock, what: string, work: () => T | Promise<T>): Promise<T> {
  const over = Promise.withResolvers<never>();
  // Where nothing is served yet, nothing else may keep the process from ending.
  const timer = clock.setTimer(
    PATIENCE_MS,
    () => over.reject(new ScriptError(`${what} did not come to an end within ${PATIENCE_MS / 1000} s`)),
  );
  try {
    return await Promise.race([work(), over.promise]);
  } finally {
    timer.cancel();
  }
}
