/**
 * Scripts as modules of the platform, on Node and Deno: hooks of the module loader give every file of a script a URL with the
 * number of its generation, so that all of them are read anew, and lead `import … from "sluice"` to a module of that generation.
 *
 * TypeScript is stripped, not compiled: only types that can be left out (no `enum`, no parameter properties). What the platform
 * keeps of a generation that is over, the code of its modules, it keeps for good: 50 KiB a reload of a small script.
 *
 * Deno 2.9.5 refuses a bare name before it asks the hooks, strips no types of what a hook hands over, makes no modules of CommonJS
 * files then, and takes places in `file:` modules for places in what it would have made of them. So files have URLs of a
 * scheme of their own there, and all of this is done here.
 */
import { existsSync, readFileSync } from "node:fs";
import type { LoadHookContext, ResolveHookContext } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  type CheckedScript,
  type LoadedModule,
  type ScriptApis,
  type ScriptEvents,
  type ScriptLoader,
  ScriptLoadFault,
  type ScriptProblem,
} from "../contract/contract.ts";
import { moduleModule } from "./lazy_module.ts";
import { REGISTRY_EXPRESSION, ScriptGeneration } from "./script_generation.ts";
import { replaceGlobals } from "./script_globals.ts";
import { GENERATION_MARK } from "./script_places.ts";
import { describeError, loadFault, noScripts, shownProblem, thrownProblem } from "./script_problems.ts";
import { placeOfSpecifier, stripTypes, syntaxProblem } from "./script_syntax.ts";

/** `sluice-api:GENERATION/NAME` */
const API = "sluice-api:";
/** A CommonJS file for Deno: `sluice-cjs:PATH`. */
const COMMON = "sluice-cjs:";
/** Any other file for Deno: `sluice-file:///PATH?sluice=GENERATION`. */
const FILE_ON_DENO = "sluice-file:";
const MARKED = /\?sluice=(\d+)$/;
const TYPESCRIPT = /\.[mc]?ts$/;
/** Names that the platform knows without files. */
const PLATFORM = /^(?:node|npm|jsr|data|https?|bun|file):/;

const onDeno = "Deno" in globalThis;

/** What went wrong in the hooks, which know more of the place than the error that comes out of `import`. By generation. */
const found = new Map<number, ScriptProblem>();
let hooked = false;

/** @returns a loader that says why there can be none, where that is so */
export function hookedScripts(): ScriptLoader {
  const why = refusal();
  if (why !== null) return noScripts(why);
  return {
    impossible: null,
    transpiles: false,
    load,
    check: (path): Promise<CheckedScript> =>
      Promise.resolve(
        existsSync(path)
          ? { problems: [], warnings: [], files: [path] }
          : { problems: [shownProblem(missing(path))], warnings: [], files: [path] },
      ),
    describe: describeError,
    guard: () => null,
  };
}

function refusal(): string | null {
  const { Deno } = globalThis as { Deno?: { build: { standalone?: boolean } } };
  if (Deno?.build.standalone === true) {
    return "a program made by deno compile cannot import files from outside of it; use the executable for Bun, or deno run";
  }
  const sea = process.getBuiltinModule?.("node:sea") as { isSea?(): boolean } | undefined;
  if (Deno === undefined && sea?.isSea?.() === true) {
    return "a single executable of Node cannot import files from outside of it; use the executable for Bun, or node";
  }
  if (typeof moduleModule().registerHooks !== "function") return "Node 22.15 or later is needed";
  return null;
}

function missing(path: string): ScriptProblem {
  return { file: path, line: 0, column: 0, message: "there is no such file" };
}

async function load(path: string, apis: ScriptApis, events: ScriptEvents): Promise<LoadedModule> {
  if (!hooked) {
    hooked = true;
    replaceGlobals();
    moduleModule().registerHooks({ resolve: resolveHook, load: loadHook });
  }
  const generation = new ScriptGeneration(apis, events);
  generation.addFile(path);
  const files = () => [...generation.files];
  try {
    if (!existsSync(path)) throw loadFault([missing(path)], [path]);
    const exports: Record<string, unknown> = await import(urlOf(path, generation.id));
    return { exports, files: files(), warnings: [], retire: () => generation.retire() };
  } catch (error) {
    generation.retire();
    if (error instanceof ScriptLoadFault) throw error;
    const problem = found.get(generation.id) ?? syntaxProblem(error, files()) ?? thrownProblem(path, error);
    throw loadFault([problem], files());
  } finally {
    found.delete(generation.id);
  }
}

function urlOf(path: string, id: number): string {
  const { href } = pathToFileURL(path);
  return (onDeno ? href.replace("file:", FILE_ON_DENO) : href) + GENERATION_MARK + id;
}

/** @param url of a file of a script */
function pathAt(url: string): string {
  return fileURLToPath(url.replace(MARKED, "").replace(FILE_ON_DENO, "file:"));
}

type Resolved = { url: string; format?: string | null | undefined; shortCircuit?: boolean | undefined };
type Loaded = {
  format: string | null | undefined;
  source?: string | ArrayBuffer | NodeJS.TypedArray | undefined;
};

function resolveHook(
  specifier: string,
  context: ResolveHookContext,
  next: (specifier: string, context?: Partial<ResolveHookContext>) => Resolved,
): Resolved {
  if (specifier.startsWith(API)) return { url: specifier, format: "module", shortCircuit: true };
  const parent = context.parentURL ?? "";
  const id = Number(MARKED.exec(parent)?.[1] ?? 0);
  const generation = ScriptGeneration.of(id);
  if (generation === null) return next(specifier, context);
  if (Object.hasOwn(generation.apis, specifier)) {
    return { url: `${API}${id}/${specifier}`, format: "module", shortCircuit: true };
  }
  const importer = pathAt(parent);
  try {
    if (onDeno && !PLATFORM.test(specifier)) return resolveOnDeno(specifier, importer, id);
    const resolved = next(specifier, context);
    if (!resolved.url.startsWith("file:")) return resolved;
    const bare = resolved.url.replace(MARKED, "");
    if (!existsSync(new URL(bare))) throw new Error(`there is no file ${fileURLToPath(bare)}`);
    return { ...resolved, url: bare + GENERATION_MARK + id };
  } catch (error) {
    if (!found.has(id)) {
      const message = error instanceof Error ? error.message.split("\n")[0] ?? "" : String(error);
      const place = placeOfSpecifier(importer, specifier);
      found.set(id, { file: importer, ...place, message: `cannot find "${specifier}": ${message}` });
    }
    throw error;
  }
}

/** CommonJS is not loaded anew there. */
function resolveOnDeno(specifier: string, importer: string, id: number): Resolved {
  const path = /^[./]/.test(specifier)
    ? fileURLToPath(new URL(specifier, pathToFileURL(importer)))
    : moduleModule().createRequire(importer).resolve(specifier);
  if (!path.startsWith("/")) return { url: `node:${path}`, shortCircuit: true };
  if (!existsSync(path)) throw new Error(`there is no file ${path}`);
  const isCommon = path.endsWith(".cjs") ||
    (path.endsWith(".js") && path.includes("/node_modules/") && packageType(path) !== "module");
  if (isCommon) return { url: COMMON + path, shortCircuit: true };
  // Deno itself makes modules of JSON, of files only.
  const url = path.endsWith(".json") ? pathToFileURL(path).href + GENERATION_MARK + id : urlOf(path, id);
  return { url, shortCircuit: true };
}

/** `type` of the package.json that counts for a file. */
function packageType(path: string): string {
  for (let folder = path; folder.includes("/");) {
    folder = folder.slice(0, folder.lastIndexOf("/"));
    try {
      const { type } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as { type?: string };
      return type ?? "commonjs";
    } catch {
      // None here, or none that can be read: the one above counts.
    }
  }
  return "commonjs";
}

function loadHook(
  url: string,
  context: LoadHookContext,
  next: (url: string, context?: Partial<LoadHookContext>) => Loaded,
): Loaded & { shortCircuit?: boolean } {
  if (url.startsWith(API)) {
    return { format: "module", source: apiModule(url.slice(API.length)), shortCircuit: true };
  }
  if (url.startsWith(COMMON)) {
    return { format: "module", source: commonModule(url.slice(COMMON.length)), shortCircuit: true };
  }
  const id = Number(MARKED.exec(url)?.[1] ?? 0);
  const generation = ScriptGeneration.of(id);
  if (generation === null || !(url.startsWith("file:") || url.startsWith(FILE_ON_DENO))) {
    return next(url, context);
  }
  const path = pathAt(url);
  generation.addFile(path);
  try {
    return onDeno && /\.[mc]?[jt]s$/.test(path)
      ? sourceOnDeno(path, id, generation.apis)
      : next(url, context);
  } catch (error) {
    if (!found.has(id)) {
      found.set(
        id,
        syntaxProblem(error, [path]) ?? { ...missing(path), message: describeError(error).words },
      );
    }
    throw error;
  }
}

function sourceOnDeno(path: string, id: number, apis: ScriptApis): Loaded & { shortCircuit: boolean } {
  const source = readFileSync(path, "utf8");
  const stripped = TYPESCRIPT.test(path) ? stripTypes(source, path) : source;
  const names = Object.keys(apis).map((name) => name.replaceAll("/", "\\/")).join("|");
  const bare = new RegExp(`(\\bfrom\\s*|\\bimport\\s*\\(?\\s*)(["'])(${names})\\2`, "g");
  const led = stripped.replace(
    bare,
    (_all, before: string, quote: string, name: string) => `${before}${quote}${API}${id}/${name}${quote}`,
  );
  const meta = { url: pathToFileURL(path).href, filename: path, dirname: dirname(path) };
  const head = source.includes("import.meta") ? `Object.assign(import.meta, ${JSON.stringify(meta)});` : "";
  return {
    format: "module",
    source: led.startsWith("#!") ? led.replace("\n", () => `\n${head}`) : head + led,
    shortCircuit: true,
  };
}

/** @param which `GENERATION/NAME` */
function apiModule(which: string): string {
  const slash = which.indexOf("/");
  const id = Number(which.slice(0, slash));
  const name = which.slice(slash + 1);
  const names = Object.keys(ScriptGeneration.of(id)?.apis[name] ?? {});
  const source = `const api = ${REGISTRY_EXPRESSION}.get(${id}).apis[${JSON.stringify(name)}];`;
  return [source, ...names.map((each) => `export const ${each} = api.${each};`)].join("\n");
}

function commonModule(path: string): string {
  const exports: unknown = moduleModule().createRequire(path)(path);
  const names = typeof exports === "object" || typeof exports === "function"
    ? Object.keys(exports ?? {}).filter((name) => name !== "default" && /^[A-Za-z_$][\w$]*$/.test(name))
    : [];
  return [
    'import { createRequire } from "node:module";',
    `const exports = createRequire(${JSON.stringify(path)})(${JSON.stringify(path)});`,
    "export default exports;",
    ...names.map((name) => `const own_${name} = exports.${name}; export { own_${name} as ${name} };`),
  ].join("\n");
}
