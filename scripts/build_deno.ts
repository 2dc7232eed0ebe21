/**
 * Makes dist/sluice-deno with `deno compile`, for this machine, and tries it.
 *
 *     bun scripts/build_deno.ts [--no-try]
 *
 * Needs one thing that no npm package has: `denort`, the runtime that Deno puts into compiled programs, of
 * exactly Deno's version. It is taken from the file that DENORT_BIN names, from Deno's cache, or from
 * dl.deno.land. Where none of these can be had this ends with code 3 and has changed nothing.
 */

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root, runChild, tool } from "./support/child.ts";
import { readVersion, versionDefines } from "./support/version.ts";

const { values: flags } = parseArgs({ options: { "no-try": { type: "boolean", default: false } } });

/** How long dl.deno.land may take to say that it has the file. */
const reachMs = 10_000;

interface Deno {
  readonly version: string;
  /** Like `x86_64-unknown-linux-gnu`. */
  readonly target: string;
  /** Folder of its cache. */
  readonly cache: string;
}

async function readDeno(): Promise<Deno> {
  const code = "console.log(Deno.version.deno, Deno.build.target)";
  const asked = await runChild(tool("deno"), ["eval", code], { env: { NO_COLOR: "1" } });
  const [version, target] = asked.output.trim().split(" ");
  const info = await runChild(tool("deno"), ["info", "--json"], { env: { NO_COLOR: "1" } });
  const cache = /"denoDir": "([^"]+)"/.exec(info.output)?.[1];
  if (version === undefined || target === undefined || cache === undefined) {
    throw new Error(`deno does not run here:\n${asked.output}${info.output}`);
  }
  return { version, target, cache };
}

/** @returns where denort will come from, or null and the reason is printed */
async function findDenort({ version, target, cache }: Deno): Promise<string | null> {
  const given = process.env["DENORT_BIN"];
  if (given !== undefined) {
    if (existsSync(given)) return given;
    console.error(`DENORT_BIN names ${given}, which does not exist`);
    return null;
  }
  const path = `release/v${version}/denort-${target}.zip`;
  const cached = join(cache, "dl", path);
  if (existsSync(cached)) return cached;
  const url = `https://dl.deno.land/${path}`;
  try {
    const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(reachMs) });
    if (answer.ok) return url;
    console.error(`${url}: ${answer.status}`);
  } catch (error) {
    console.error(`${url}: ${error instanceof Error ? error.message : error}`);
  }
  console.error(
    [
      `deno compile needs denort ${version} for ${target}, which npm does not have. Any one of these will do:`,
      `  - access to ${url}`,
      `  - that file as ${cached}`,
      "  - the program from within it, named by the environment variable DENORT_BIN",
      "Nothing was built.",
    ].join("\n"),
  );
  return null;
}

async function build(denort: string): Promise<void> {
  const dist = join(root, "dist");
  mkdirSync(dist, { recursive: true });
  const version = await readVersion();
  console.log(`sluice ${version.version} (${version.commit}) for Deno, with ${denort}`);
  const folder = mkdtempSync(join(dist, ".build-"));
  try {
    // One file without imports: deno compile would otherwise pack all of node_modules.
    const bundle = join(folder, "sluice.mjs");
    const bundling = ["build", "--target=node", "--format=esm", "--outfile", bundle, "runtime/main_deno.ts"];
    const bundled = await runChild(tool("bun"), [...bundling, ...versionDefines(version)]);
    if (bundled.code !== 0) throw new Error(`bun build failed:\n${bundled.output}`);
    const output = join(folder, "sluice-deno");
    const fixed = ["compile", "--allow-all", "--unstable-net", "--no-check", "--no-config", "--no-lock"];
    const compiled = await runChild(tool("deno"), [...fixed, "--output", output, bundle], { cwd: folder });
    if (compiled.code !== 0) throw new Error(`deno compile failed:\n${compiled.output}`);
    const path = join(dist, `sluice-deno${process.platform === "win32" ? ".exe" : ""}`);
    if (!flags["no-try"]) {
      const trial = await runChild(tool("bun"), ["test/smoke/smoke.ts", output], { silenceMs: 120_000 });
      console.log(trial.output.trimEnd());
      if (trial.code !== 0) throw new Error("the executable does not work; it was not kept");
    }
    renameSync(output, path);
    console.log(`sluice-deno ${(statSync(path).size / 1e6).toFixed(1)} MB`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  const denort = await findDenort(await readDeno());
  if (denort === null) process.exit(3);
  await build(denort);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
