/**
 * Makes dist/npm, the package for npm: the library for Bun, Deno and Node, and the program. JavaScript, since Node runs no
 * TypeScript under node_modules.
 *
 *     bun scripts/build_npm.ts
 *     npm pack ./dist/npm
 */

import { buildNpmPackage } from "./support/npm_package.ts";
import { join } from "node:path";
import { root } from "./support/child.ts";

try {
  const { version, files } = await buildNpmPackage(join(root, "dist", "npm"));
  console.log(`dist/npm: sluice ${version}, ${files} files`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
