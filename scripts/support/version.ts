/** What a build calls itself. */

import { readFileSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { root, runChild } from "./child.ts";

export interface BuildVersion {
  /** From package.json. */
  readonly version: string;
  /** Short commit, with `-dirty` when tracked files differ from it; "unknown" outside a checkout. */
  readonly commit: string;
}

/** Reads the version of this tree. Never fails for want of git. */
export async function readVersion(): Promise<BuildVersion> {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  return { version, commit: await readCommit() };
}

async function readCommit(): Promise<string> {
  // An unpacked archive inside somebody else's checkout must not borrow that one's commit.
  const top = await runChild("git", ["rev-parse", "--show-toplevel"]);
  if (top.code !== 0 || resolve(top.output.trim()) !== realpathSync(root)) return "unknown";
  const head = await runChild("git", ["rev-parse", "--short", "HEAD"]);
  if (head.code !== 0) return "unknown";
  const changes = await runChild("git", ["status", "--porcelain", "--untracked-files=no"]);
  return `${head.output.trim()}${changes.code === 0 && changes.output.trim() === "" ? "" : "-dirty"}`;
}

/** The constants that the program finds in place of these names; the command line reads them. */
export function versionDefines({ version, commit }: BuildVersion): string[] {
  return [
    `--define=__SLUICE_VERSION__=${JSON.stringify(version)}`,
    `--define=__SLUICE_COMMIT__=${JSON.stringify(commit)}`,
  ];
}
