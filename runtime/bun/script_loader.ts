/**
 * Scripts on Bun: one bundle of all files of a script, made in memory (`Bun.build`) and imported from a `blob:` URL. Each is a
 * module that nothing knows, so a file that has changed, or that could not be read before, is read anew; `import()` of the
 * files themselves would keep what it found, a failure included, for as long as the process lives.
 *
 * Seen of Bun 1.4.5, in a compiled executable as well, without a folder to write to:
 * - what `define` puts in is resolved where it stands, so a module's own `setTimeout`, or one that it imports, stays its own;
 * - an inline source map gives the frames of stacks the names that stand in `sources`;
 * - what it has read of a folder it uses again for some milliseconds, so a file that has just been made is looked for here;
 * - `require.cache` has every module that was imported, also those of `blob:`; without its entry there one can be collected;
 * - all faults of a build are told, with file, line and column.
 */
import { Buffer } from "node:buffer";
import { createRequire } from "node:module";
import { existsSync, readFileSync, statSync } from "node:fs";
import process from "node:process";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type CheckedScript,
  type LoadedModule,
  type ScriptApis,
  type ScriptEvents,
  type ScriptGuard,
  type ScriptLoader,
  ScriptOverrun,
  type ScriptProblem,
} from "../contract/contract.ts";
import { vmModule } from "../shared/lazy_module.ts";
import { REGISTRY_EXPRESSION, REPLACED, ScriptGeneration } from "../shared/script_generation.ts";
import { describeError, loadFault, shownProblem, thrownProblem } from "../shared/script_problems.ts";

/** Where `import … from "sluice"` leads to. */
const NAMESPACE = "sluice-api";
/** In generated code: the generation, and what takes the place of `import.meta.*` in each file. */
const OWN = "__sluice_own";
const URL_NAME = "__sluice_url";
const FILE_NAME = "__sluice_file";
const FOLDER_NAME = "__sluice_folder";

const META = {
  "import.meta.url": URL_NAME,
  "import.meta.filename": FILE_NAME,
  "import.meta.path": FILE_NAME,
  "import.meta.dirname": FOLDER_NAME,
  "import.meta.dir": FOLDER_NAME,
};

interface BuildLog {
  readonly level: "error" | "warning" | "info" | "debug" | "verbose";
  readonly message: string;
  readonly position: { readonly file: string; readonly line: number; readonly column: number } | null;
}

interface BuildOutput {
  readonly kind: string;
  readonly path: string;
  text(): Promise<string>;
}

interface Built {
  readonly success: boolean;
  readonly logs: readonly BuildLog[];
  readonly outputs: readonly BuildOutput[];
}

interface PluginBuilder {
  onResolve(
    where: { filter: RegExp },
    found: (asked: { path: string; importer: string }) => object | undefined,
  ): void;
  onLoad(
    where: { filter: RegExp; namespace: string },
    load: (asked: { path: string; loader: string }) => object | undefined,
  ): void;
}

interface BunBuild {
  build(options: {
    entrypoints: string[];
    root: string;
    target: "bun";
    format: "esm";
    sourcemap: "inline";
    throw: false;
    define: Record<string, string>;
    banner: string;
    plugins: { name: string; setup(builder: PluginBuilder): void }[];
  }): Promise<Built>;
}

declare const Bun: BunBuild;

interface Bundle {
  readonly problems: readonly ScriptProblem[];
  readonly warnings: readonly ScriptProblem[];
  readonly files: readonly string[];
  /** "" with problems. */
  readonly code: string;
}

export const bunScripts: ScriptLoader = {
  impossible: null,
  transpiles: true,
  load,
  async check(path, apis): Promise<CheckedScript> {
    const { problems, warnings, files } = await bundle(path, 0, (name) => apis[name] ?? null);
    return { problems: problems.map(shownProblem), warnings: warnings.map(shownProblem), files };
  },
  describe: describeError,
  guard: vmGuard,
};

async function load(path: string, apis: ScriptApis, events: ScriptEvents): Promise<LoadedModule> {
  const generation = new ScriptGeneration(apis, events);
  const names = (name: string) => Object.hasOwn(apis, name) ? Object.keys(apis[name] ?? {}) : null;
  const { problems, warnings, files, code } = await bundle(path, generation.id, names);
  for (const file of files) generation.addFile(file);
  if (problems.length > 0) {
    generation.retire();
    throw loadFault(problems, files);
  }
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    const exports: Record<string, unknown> = await import(url);
    return { exports, files, warnings, retire: () => generation.retire() };
  } catch (error) {
    generation.retire();
    throw loadFault([thrownProblem(path, error)], files);
  } finally {
    URL.revokeObjectURL(url);
    // Nobody can import it again: otherwise all that a generation ever had would stay for good.
    delete createRequire(import.meta.url).cache[url];
  }
}

/** @param namesOf the exports of what is no file; null = it is one */
async function bundle(
  path: string,
  generation: number,
  namesOf: (name: string) => readonly string[] | null,
): Promise<Bundle> {
  const root = dirname(path);
  const files = new Set([path]);
  const only = (message: string): Bundle => ({
    problems: [{ file: path, line: 0, column: 0, message }],
    warnings: [],
    files: [path],
    code: "",
  });
  if (!existsSync(path)) return only("there is no such file");
  let built: Built;
  try {
    built = await Bun.build({
      entrypoints: [path],
      root,
      target: "bun",
      format: "esm",
      sourcemap: "inline",
      throw: false,
      define: { ...META, ...Object.fromEntries(REPLACED.map((name) => [name, `${OWN}.${name}`])) },
      banner: `const ${OWN} = ${REGISTRY_EXPRESSION}.get(${generation});`,
      plugins: [{ name: "sluice", setup: (builder) => plug(builder, generation, namesOf, files) }],
    });
  } catch (error) {
    return only(describeError(error).words);
  }
  const at = (log: BuildLog): ScriptProblem => ({
    file: log.position === null || log.position.file === ""
      ? path
      : [...workingFolder(), root].map((base) => resolve(base, log.position?.file ?? "")).find(existsSync) ??
        path,
    line: log.position?.line ?? 0,
    column: log.position?.column ?? 0,
    message: log.message,
  });
  const problems = built.logs.filter(({ level }) => level === "error").map(at);
  const warnings = built.logs.filter(({ level }) => level === "warning").map(at);
  const [main] = built.outputs;
  for (const { kind, path: asset } of built.outputs) {
    if (kind !== "asset") continue;
    problems.push({
      file: path,
      line: 0,
      column: 0,
      message:
        `${asset}: such a file cannot be imported: read it, readFileSync(new URL("./FILE", import.meta.url))`,
    });
  }
  if (problems.length === 0 && (!built.success || main === undefined)) {
    problems.push({ file: path, line: 0, column: 0, message: "cannot be read as a script" });
  }
  const code = problems.length > 0 || main === undefined
    ? ""
    : withWholeNames(await main.text(), root, files);
  return { problems, warnings, files: [...files], code };
}

function plug(
  builder: PluginBuilder,
  generation: number,
  namesOf: (name: string) => readonly string[] | null,
  files: Set<string>,
): void {
  builder.onResolve(
    { filter: /^sluice(?:\/|$)/ },
    ({ path }) => namesOf(path) === null ? undefined : { path, namespace: NAMESPACE },
  );
  builder.onResolve({ filter: /^\.\.?\// }, ({ path, importer }) => {
    const file = resolve(dirname(importer), path);
    return statSync(file, { throwIfNoEntry: false })?.isFile() === true ? { path: file } : undefined;
  });
  builder.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
    loader: "js",
    contents: apiModule(generation, path, namesOf(path) ?? []),
  }));
  builder.onLoad({ filter: /./, namespace: "file" }, ({ path, loader }) => {
    files.add(path);
    if (!/\.[mc]?[jt]sx?$/.test(path)) return undefined;
    let source: string;
    try {
      source = readFileSync(path, "utf8");
    } catch {
      // Bun says why.
      return undefined;
    }
    return source.includes("import.meta") ? { loader, contents: withMeta(path, source) } : undefined;
  });
}

/** A module with the API of one generation, so that what it does is done in the name of that one. */
function apiModule(generation: number, name: string, names: readonly string[]): string {
  const source = `const api = ${REGISTRY_EXPRESSION}.get(${generation}).apis[${JSON.stringify(name)}];`;
  return [source, ...names.map((each) => `export const ${each} = api.${each};`)].join("\n");
}

/** The names that `import.meta.*` was defined as, each file's own. No line is moved. */
function withMeta(path: string, source: string): string {
  const own = [[URL_NAME, pathToFileURL(path).href], [FILE_NAME, path], [FOLDER_NAME, dirname(path)]];
  const head = `const ${own.map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(", ")};`;
  return source.startsWith("#!") ? source.replace("\n", () => `\n${head}`) : head + source;
}

const INLINE_MAP = /(\/\/# sourceMappingURL=data:application\/json;base64,)([A-Za-z0-9+/=]+)(\s*)$/;

/** Whole paths in the source map, so that stacks name files beyond doubt. */
function withWholeNames(code: string, root: string, files: ReadonlySet<string>): string {
  const bases = [...workingFolder(), root];
  return code.replace(INLINE_MAP, (_all, before: string, encoded: string, after: string) => {
    const map = JSON.parse(Buffer.from(encoded, "base64").toString("utf8")) as {
      sources: string[];
      sourcesContent?: unknown;
    };
    map.sources = map.sources.map((name) => {
      const paths = bases.map((base) => resolve(base, name));
      return paths.find((path) => files.has(path)) ?? name;
    });
    // Bun keeps it, and reads no map without.
    map.sourcesContent = map.sources.map(() => "");
    return before + Buffer.from(JSON.stringify(map)).toString("base64") + after;
  });
}

/** Bun names files relative to it; none when it is gone. */
function workingFolder(): string[] {
  try {
    return [process.cwd()];
  } catch {
    return [];
  }
}

/** Property of the global object through which `vm` code finds what to call. */
const CALL = Symbol.for("sluice.script.call");

/**
 * The virtual machine's own time limit, around a call of a function that is compiled already: it ends loops in functions that are
 * called from there as well. 3 µs a call.
 */
function vmGuard(limitMs: number): ScriptGuard {
  const { Script } = vmModule();
  const code = new Script('globalThis[Symbol.for("sluice.script.call")]()');
  const options = { timeout: limitMs };
  let within = false;
  return {
    call<T>(run: () => T): T {
      // A hook that calls another: the outer call's time counts.
      if (within) return run();
      within = true;
      let result: { readonly value: T } | null = null;
      let thrown: { readonly error: unknown } | null = null;
      Reflect.set(globalThis, CALL, () => {
        try {
          result = { value: run() };
        } catch (error) {
          thrown = { error };
        }
      });
      try {
        code.runInThisContext(options);
      } catch (error) {
        throw new ScriptOverrun(`did not come to an end within ${limitMs} ms`, { cause: error });
      } finally {
        within = false;
        Reflect.set(globalThis, CALL, undefined);
      }
      // The casts: the compiler does not see that the function above has run.
      const failure = thrown as { readonly error: unknown } | null;
      if (failure !== null) throw failure.error;
      return (result as unknown as { readonly value: T }).value;
    },
  };
}
