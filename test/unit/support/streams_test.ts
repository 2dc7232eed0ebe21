/**
 * Streams of tests do without HTTP/1 and without connections: what is tested over them depends on the stream interfaces
 * alone.
 */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readSource } from "../../../scripts/support/source_text.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url)).replaceAll("\\", "/");
const FOLDERS = ["test/support/streams", "test/support/toy_wire"];
const FORBIDDEN = /^src\/(http1|conn)\//;

/** Modules that a file needs when it runs, by their paths from the root. */
function needed(file: string, alsoTypes: boolean): string[] {
  let source = readFileSync(ROOT + file, "utf8");
  if (!alsoTypes) source = source.replace(/^(?:import|export) type [^;]*;/gm, "");
  return readSource(source).imports
    .filter(({ specifier }) => specifier.startsWith("."))
    .map(({ specifier }) => posix.join(posix.dirname(file), specifier));
}

const files = FOLDERS.filter((folder) => existsSync(ROOT + folder)).flatMap((folder) =>
  readdirSync(ROOT + folder).map((name) => `${folder}/${name}`)
);

test("they name neither, not even as types", () => {
  assert.ok(files.length > 5);
  for (const file of files) {
    assert.deepEqual(needed(file, true).filter((module) => FORBIDDEN.test(module)), [], file);
  }
});

test("what handles requests runs without either", () => {
  const seen = new Set<string>(files);
  // A set can grow while it is gone through.
  for (const file of seen) {
    for (const module of needed(file, false)) {
      assert.doesNotMatch(module, FORBIDDEN, `${file} imports it`);
      seen.add(module);
    }
  }
  for (const room of ["exchange", "gateway", "upstream"]) assert.ok(seen.has(`src/${room}/${room}.ts`), room);
});
