/**
 * The types of `import … from "sluice"` for editors and compilers, in words for users. They name no runtime. A test holds them
 * against what is exported, both ways.
 */

import { LIBRARY_DECLARATIONS } from "./library_declarations.ts";
import { SCRIPT_DECLARATIONS } from "./script_declarations.ts";

const BODY = `${SCRIPT_DECLARATIONS.trim()}\n\n${LIBRARY_DECLARATIONS.trim()}`;

/** `Symbol.asyncDispose`, whatever the compiler is told of its surroundings. */
const REFERENCE = '/// <reference lib="esnext.disposable" />\n\n';

/** As a module of its own: `index.d.ts` of the package. */
export const MODULE_DECLARATIONS: string = `${REFERENCE}${BODY}\n`;

/** As `sluice.d.ts` for editors. */
export const DECLARATIONS: string = `${REFERENCE}declare module "sluice" {\n${
  BODY.replace(/^(?=.)/gm, "  ")
}\n}\n`;
