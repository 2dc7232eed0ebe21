/** The pages of the executable are unmapped, where the adapter can, and whatever is used comes back. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { adapterFactory } from "../support/adapter.ts";

const { releaseProgram } = (await adapterFactory())({ onHandlerError: () => {} });
const options = releaseProgram === undefined ? { skip: "Runtime.releaseProgram: Bun on Linux" } : {};

test("the pages of the program are given back, and it goes on", options, async () => {
  const child = fileURLToPath(new URL("program_pages_child.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [child], { timeout: 30_000 });
  const { before, after } = JSON.parse(stdout) as { before: number; after: number };
  assert.ok(after < before * 0.75, `${before} KiB of files in memory before, ${after} KiB after`);
});

test("only Bun on Linux promises it", () => {
  assert.equal(releaseProgram !== undefined, "Bun" in globalThis && process.platform === "linux");
});
