/** Entry file for Deno: `deno run -A runtime/main_deno.ts`. */
import { cli } from "../src/cli/main.ts";
import { createDenoRuntime } from "./deno.ts";
import { installLastResort } from "./last_resort.ts";
import { createSystem } from "./system.ts";

const lastResort = installLastResort();
const runtime = lastResort.watch(createDenoRuntime({ onHandlerError: lastResort.report }));
cli(runtime, createSystem()).catch(lastResort.fatal);
