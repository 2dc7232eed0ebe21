/**
 * Makes dist/sluice-node: Sluice and Node in one file (a "single executable application"), for this
 * machine, and tries it.
 *
 *     bun scripts/build_node.ts [--no-try]
 *
 * Larger and slower to start than dist/sluice; for those who must run Node. Needs Node 25.5 or later, which
 * the development dependencies bring along, and nothing from the network.
 */

import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ChildResult, root, runChild, tool } from "./support/child.ts";
import { readExecutableFormat } from "./support/executable_format.ts";
import { readVersion, versionDefines } from "./support/version.ts";

const { values: flags } = parseArgs({ options: { "no-try": { type: "boolean", default: false } } });

function succeeded(what: string, result: ChildResult): void {
  if (result.code !== 0) throw new Error(`${what} failed:\n${result.output}`);
}

async function build(): Promise<void> {
  const dist = join(root, "dist");
  mkdirSync(dist, { recursive: true });
  const version = await readVersion();
  console.log(`sluice ${version.version} (${version.commit}) for Node`);
  const folder = mkdtempSync(join(dist, ".build-"));
  try {
    const bundle = join(folder, "sluice.cjs");
    const output = join(folder, "sluice-node");
    // Not minified: Node reads no source map here, and stack traces should still name our functions.
    const bundling = ["build", "--target=node", "--format=cjs", "--outfile", bundle, "runtime/main_node.ts"];
    succeeded("bun build", await runChild(tool("bun"), [...bundling, ...versionDefines(version)]));
    const settings = {
      // A bare name: it is what stack traces show, and does not depend on where it was built.
      main: "sluice.cjs",
      output,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      // NODE_OPTIONS of the surroundings is not for us.
      execArgvExtension: "none",
    };
    writeFileSync(join(folder, "sea.json"), JSON.stringify(settings));
    const sea = await runChild(tool("node"), ["--build-sea", "sea.json"], { cwd: folder });
    succeeded("node --build-sea", sea);
    if (readExecutableFormat(output) === null) throw new Error("node --build-sea made something unknown");
    chmodSync(output, 0o755);
    const path = join(dist, `sluice-node${process.platform === "win32" ? ".exe" : ""}`);
    renameSync(output, path);
    console.log(`sluice-node ${(statSync(path).size / 1e6).toFixed(1)} MB`);
    if (flags["no-try"]) return;
    const trial = await runChild(tool("bun"), ["test/smoke/smoke.ts", path], { silenceMs: 120_000 });
    console.log(trial.output.trimEnd());
    if (trial.code !== 0) throw new Error(`${path} does not work`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  await build();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
