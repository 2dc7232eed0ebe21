/** Tests of scripts on Deno: `import { dry } from "sluice/test"`. Paths are relative to the working directory. */
import process from "node:process";
import { DryApi } from "../src/cli/scripts/dry_api.ts";
import { createDenoRuntime } from "./deno/adapter.ts";
import { hookedScripts } from "./shared/script_hooks.ts";
import { createSystem } from "./shared/system.ts";

const runtime = createDenoRuntime({
  onHandlerError: (error) => {
    throw error;
  },
});

const { dry: made } = new DryApi(runtime, createSystem(hookedScripts()), `${process.cwd()}/`).exports;

export const dry: unknown = made;
