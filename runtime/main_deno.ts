/** Entry file for Deno: `deno run -A runtime/main_deno.ts`. */
import { cli } from "../src/cli/main.ts";
import { createDenoRuntime } from "./deno/adapter.ts";
import { installLastResort } from "./shared/last_resort.ts";
import { hookedScripts } from "./shared/script_hooks.ts";
import { createSystem } from "./shared/system.ts";

const lastResort = installLastResort();
const runtime = lastResort.watch(createDenoRuntime({ onHandlerError: lastResort.report }));
cli(runtime, createSystem(hookedScripts())).catch(lastResort.fatal);
