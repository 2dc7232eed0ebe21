/** What the package for npm is made of. */

import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { MODULE_DECLARATIONS } from "../../src/api/declarations.ts";
import { TEST_DECLARATIONS } from "../../src/cli/scripts/test_declarations.ts";
import { root, runChild, tool } from "./child.ts";
import { type BuildVersion, readVersion } from "./version.ts";

/** Each runtime has an entry of the library and one of the program. */
const RUNTIMES = ["bun", "deno", "node"] as const;

/** The name that npm has for what we call `@std/yaml`. */
const YAML = { ours: "@std/yaml", npm: "yaml" } as const;

/** What npm starts as `sluice`, on whatever runtime it is started with. */
const BIN = `#!/usr/bin/env node
const runtime = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";
await import(\`../lib/runtime/main_\${runtime}.js\`);
`;

interface OwnPackage {
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/**
 * @param folder replaced as a whole, in one step
 * @throws Error when something cannot be built
 */
export async function buildNpmPackage(folder: string): Promise<{ version: string; files: number }> {
  const making = `${folder}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(join(making, "bin"), { recursive: true });
  const version = await readVersion();
  await compile(join(making, "lib"));
  useOwnNames(join(making, "lib"), version);
  const own: OwnPackage = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(join(making, "package.json"), JSON.stringify(manifest(own), null, 2) + "\n");
  writeFileSync(join(making, "bin", "sluice.js"), BIN, { mode: 0o755 });
  writeFileSync(join(making, "index.d.ts"), MODULE_DECLARATIONS);
  writeFileSync(join(making, "test.d.ts"), asModule(TEST_DECLARATIONS));
  copyFileSync(join(root, "LICENSE"), join(making, "LICENSE"));
  copyFileSync(join(root, "docs", "library.md"), join(making, "README.md"));
  rmSync(folder, { recursive: true, force: true });
  renameSync(making, folder);
  return { version: version.version, files: filesBelow(folder).length };
}

/** All that the entries import, as JavaScript. */
async function compile(output: string): Promise<void> {
  const settings = `${output}.tsconfig.json`;
  const entries = RUNTIMES.flatMap((runtime) => [
    `api_${runtime}.ts`,
    `main_${runtime}.ts`,
    `test_${runtime}.ts`,
  ]);
  writeFileSync(
    settings,
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        rewriteRelativeImportExtensions: true,
        rootDir: root,
        outDir: output,
        // Found from the folder of the settings otherwise, which lies elsewhere.
        typeRoots: [join(root, "node_modules", "@types")],
      },
      files: entries.map((entry) => join(root, "runtime", entry)),
      include: [],
    }),
  );
  const done = await runChild(tool("tsc"), ["--project", settings]);
  rmSync(settings);
  if (done.code !== 0) throw new Error(`tsc failed:\n${done.output}`);
}

/** Names that the build of the executable replaces as well, and the one that npm knows a package by. */
function useOwnNames(lib: string, { version, commit }: BuildVersion): void {
  const constants = `const __SLUICE_VERSION__ = ${JSON.stringify(version)};\n` +
    `const __SLUICE_COMMIT__ = ${JSON.stringify(commit)};\n`;
  change(join(lib, "src", "serve", "version.js"), (text) => constants + text);
  change(
    join(lib, "src", "config", "file", "yaml_file.js"),
    (text) => text.replace(`from "${YAML.ours}"`, `from "${YAML.npm}"`),
  );
  const left = filesBelow(lib).filter((file) => readFileSync(file, "utf8").includes(`from "${YAML.ours}"`));
  if (left.length > 0) throw new Error(`${left.join(", ")}: imports ${YAML.ours}, which npm does not have`);
}

/** @throws Error when there is nothing to change: the file is another one by now */
function change(file: string, edit: (text: string) => string): void {
  const before = readFileSync(file, "utf8");
  const after = edit(before);
  if (after === before) throw new Error(`${file}: is not what the build of the package expects`);
  writeFileSync(file, after);
}

function manifest({ version, description, license, dependencies }: OwnPackage): object {
  const { [YAML.ours]: yaml = "", ...others } = dependencies;
  const entries = (kind: string, types: string) => ({
    types,
    ...Object.fromEntries(RUNTIMES.map((runtime) => [runtime, `./lib/runtime/${kind}_${runtime}.js`])),
    default: `./lib/runtime/${kind}_node.js`,
  });
  return {
    name: "sluice",
    version,
    description,
    license,
    keywords: ["reverse-proxy", "proxy", "load-balancer", "http", "server", "gateway", "zero-downtime"],
    type: "module",
    bin: { sluice: "./bin/sluice.js" },
    exports: {
      ".": entries("api", "./index.d.ts"),
      "./test": entries("test", "./test.d.ts"),
      "./package.json": "./package.json",
    },
    types: "./index.d.ts",
    files: ["bin", "lib", "index.d.ts", "test.d.ts"],
    // Promise.withResolvers
    engines: { node: ">=22" },
    dependencies: { ...others, [YAML.npm]: yaml.replace(`npm:${YAML.npm}@`, "") },
  };
}

/** The inside of `declare module "…" { … }`. */
function asModule(declarations: string): string {
  const [, inside] = /^declare module "[^"]+" \{\n([^]*)^\}$/m.exec(declarations.trim()) ?? [];
  if (inside === undefined) {
    throw new Error("the declarations of sluice/test are not what the build of the package expects");
  }
  return inside.replace(/^ {2}/gm, "");
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
