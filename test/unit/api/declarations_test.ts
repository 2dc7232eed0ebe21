/** What users are told of the types is what is exported, both ways; and examples of the documentation are right. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runChild, tool } from "../../../scripts/support/child.ts";
import { DECLARATIONS, MODULE_DECLARATIONS } from "../../../src/api/declarations.ts";
import { TEST_DECLARATIONS } from "../../../src/cli/scripts/test_declarations.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** What tsc has to say about these files beside the declarations; "" = nothing. */
async function compile(
  files: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-types-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const compilerOptions = {
      target: "ES2024",
      lib: ["ES2024"],
      module: "NodeNext",
      moduleResolution: "NodeNext",
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      allowImportingTsExtensions: true,
      noEmit: true,
      types: ["node"],
      typeRoots: [join(root, "node_modules", "@types")],
      ...settings,
    };
    const config = { compilerOptions, files: Object.keys(files) };
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const { code, output } = await runChild(tool("tsc"), ["--project", folder], { cwd: folder });
    return code === 0 ? "" : output;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("declarations: what is exported is what is declared, both ways, on each runtime", async () => {
  const check = (runtime: string) => `
    import * as real from "${root}runtime/api_${runtime}.ts";
    import type * as declared from "sluice";
    export const fits: typeof declared = real;
    declare const promised: typeof declared;
    export const all: typeof real = promised;
    type Names = keyof typeof real;
    type Promised = keyof typeof declared;
    export const names: [Exclude<Names, Promised>, Exclude<Promised, Names>] extends [never, never] ? true : never = true;
  `;
  const files = Object.fromEntries(
    ["bun", "deno", "node"].map((runtime) => [`${runtime}.ts`, check(runtime)]),
  );
  const settings = { lib: ["ES2024", "ESNext.Disposable"], skipLibCheck: true };
  assert.equal(await compile({ "sluice.d.ts": DECLARATIONS, ...files }, settings), "");
});

test("declarations: they stand alone, name no runtime, and are the same as a module", async () => {
  const files = { "sluice.d.ts": DECLARATIONS, "index.d.ts": MODULE_DECLARATIONS };
  assert.equal(await compile(files, { types: [], lib: ["ES2024", "DOM", "DOM.AsyncIterable"] }), "");
  assert.doesNotMatch(DECLARATIONS, /\b(?:Bun|Deno|NodeJS|Buffer)\b/);
});

test("declarations: the examples, and those of the documentation, compile", async () => {
  const examples: Record<string, string> = {};
  for (const folder of ["examples/library", "examples/scripts"]) {
    for (const name of readdirSync(join(root, folder)).filter((each) => each.endsWith(".ts"))) {
      examples[`${folder.replace("/", "_")}_${name}`] = readFileSync(join(root, folder, name), "utf8");
    }
  }
  for (const page of ["docs/library.md", "docs/scripts.md", "README.md"]) {
    const text = readFileSync(join(root, page), "utf8");
    for (const [, code = ""] of text.matchAll(/^```ts\n([^]*?)^```$/gm)) {
      if (/from "sluice(?:\/test)?"/.test(code)) {
        examples[`example_${Object.keys(examples).length}.ts`] = code;
      }
    }
  }
  assert.ok(Object.keys(examples).length > 10, Object.keys(examples).join());
  const declarations = `${DECLARATIONS}\n${TEST_DECLARATIONS}`;
  assert.equal(await compile({ "sluice.d.ts": declarations, ...examples }), "");
});
