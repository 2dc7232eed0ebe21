/**
 * Makes the executable: `npm run build`.
 *
 *     npm run build                        dist/sluice for this machine, tried before the build ends
 *     npm run build -- --target macos-arm64    one other platform
 *     npm run build -- --all               all platforms, with dist/SHA256SUMS, and dist/sluice
 *     npm run build -- --no-try            leaves out the trial
 *
 * The same commit gives the same bytes. Other platforms need the npm registry once, for Bun's executable.
 */

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { type BuildTarget, fetchBase, fileNameOf, targets } from "./support/build_targets.ts";
import { root, runChild, tool } from "./support/child.ts";
import { readExecutableFormat } from "./support/executable_format.ts";
import { readVersion, versionDefines } from "./support/version.ts";

const { values: flags } = parseArgs({
  options: {
    all: { type: "boolean", default: false },
    target: { type: "string", multiple: true, default: [] },
    "no-try": { type: "boolean", default: false },
  },
});

const dist = join(root, "dist");

/**
 * What a compiled program would otherwise pick up from the folder it is started in: a `.env`, and code
 * named by the `preload` of a bunfig.toml. The last two are off by default; said here so that they stay off.
 */
const noAutoload = [
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
];

/** @param base Bun's executable for another platform; null = this one's */
async function compile(target: BuildTarget | null, base: string | null, defines: string[]): Promise<string> {
  const windows = (target?.format.os ?? process.platform).startsWith("win");
  const name = target === null ? `sluice${windows ? ".exe" : ""}` : fileNameOf(target);
  // Built aside and moved into place: whoever runs the old file meanwhile is not disturbed.
  const folder = mkdtempSync(join(dist, ".build-"));
  const outfile = join(folder, name);
  const platform = target === null ? [] : [`--target=${target.bunTarget}`];
  if (base !== null) platform.push(`--compile-executable-path=${base}`);
  try {
    const result = await runChild(tool("bun"), [
      "build",
      "--compile",
      "--minify",
      "--bytecode",
      // Embedded as well: stack traces name our files and lines, for 1 % of the size.
      "--sourcemap=linked",
      ...noAutoload,
      ...defines,
      ...platform,
      "runtime/main_bun.ts",
      `--outfile=${outfile}`,
    ]);
    if (result.code !== 0) throw new Error(`bun build failed:\n${result.output}`);
    const format = JSON.stringify(readExecutableFormat(outfile));
    if (target !== null && format !== JSON.stringify(target.format)) {
      throw new Error(`${name} should be ${JSON.stringify(target.format)}, but is ${format}`);
    }
    const path = join(dist, name);
    renameSync(outfile, path);
    return path;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function chosenTargets(): BuildTarget[] {
  if (flags.all) return [...targets];
  return flags.target.map((name) => {
    const target = targets.find((each) => each.name === name);
    if (target !== undefined) return target;
    console.error(`--target ${name}: use one of ${targets.map((each) => each.name).join(", ")}`);
    process.exit(2);
  });
}

function describe(path: string): string {
  return `${basename(path).padEnd(24)} ${(statSync(path).size / 1e6).toFixed(1)} MB`;
}

async function tryOut(path: string): Promise<void> {
  const trial = await runChild(tool("bun"), ["test/smoke/smoke.ts", "--brief", path], { silenceMs: 120_000 });
  console.log(trial.output.trimEnd());
  if (trial.code !== 0) throw new Error(`${path} does not work`);
}

async function build(): Promise<void> {
  mkdirSync(dist, { recursive: true });
  const version = await readVersion();
  const defines = versionDefines(version);
  console.log(`sluice ${version.version} (${version.commit})`);
  const chosen = chosenTargets();
  const sums: string[] = [];
  for (const target of chosen) {
    const path = await compile(target, await fetchBase(target), defines);
    console.log(describe(path));
    sums.push(`${createHash("sha256").update(readFileSync(path)).digest("hex")}  ${basename(path)}\n`);
  }
  if (flags.all) writeFileSync(join(dist, "SHA256SUMS"), sums.join(""));
  if (chosen.length > 0 && !flags.all) return;
  const native = await compile(null, null, defines);
  console.log(describe(native));
  if (!flags["no-try"]) await tryOut(native);
}

try {
  await build();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
