/** Tests of scripts on Bun: `import { dry } from "sluice/test"`. Paths are relative to the working directory. */
import process from "node:process";
import { DryApi } from "../src/cli/scripts/dry_api.ts";
import { createBunRuntime } from "./bun/adapter.ts";
import { bunScripts } from "./bun/script_loader.ts";
import { createSystem } from "./shared/system.ts";

const runtime = createBunRuntime({
  onHandlerError: (error) => {
    throw error;
  },
});

const { dry: made } = new DryApi(runtime, createSystem(bunScripts), `${process.cwd()}/`).exports;

export const dry: unknown = made;
