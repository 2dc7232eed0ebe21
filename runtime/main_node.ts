/** Entry file for Node 22.18 or later, which runs TypeScript: `node runtime/main_node.ts`. */
import { cli } from "../src/cli/main.ts";
import { createNodeRuntime } from "./node/adapter.ts";
import { installLastResort } from "./shared/last_resort.ts";
import { hookedScripts } from "./shared/script_hooks.ts";
import { createSystem } from "./shared/system.ts";

const lastResort = installLastResort();
const runtime = lastResort.watch(createNodeRuntime({ onHandlerError: lastResort.report }));
cli(runtime, createSystem(hookedScripts())).catch(lastResort.fatal);
