/** Entry file for Bun, and of the executable. */
import { cli } from "../src/cli/main.ts";
import { createBunRuntime } from "./bun/adapter.ts";
import { bunScripts } from "./bun/script_loader.ts";
import { installLastResort } from "./shared/last_resort.ts";
import { createSystem } from "./shared/system.ts";
import { serveTokens } from "./shared/token_process.ts";

if (!serveTokens()) {
  const lastResort = installLastResort();
  const runtime = lastResort.watch(createBunRuntime({ onHandlerError: lastResort.report }));
  cli(runtime, createSystem(bunScripts)).catch(lastResort.fatal);
}
