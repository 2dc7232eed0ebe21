/** Entry file for Bun, and of the executable. */
import { cli } from "../src/cli/main.ts";
import { createBunRuntime } from "./bun.ts";
import { installLastResort } from "./last_resort.ts";
import { createSystem } from "./system.ts";

const lastResort = installLastResort();
const runtime = lastResort.watch(createBunRuntime({ onHandlerError: lastResort.report }));
cli(runtime, createSystem()).catch(lastResort.fatal);
