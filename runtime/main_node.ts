/** Entry file for Node 22.18 or later, which runs TypeScript: `node runtime/main_node.ts`. */
import { cli } from "../src/cli/main.ts";
import { createNodeRuntime } from "./node.ts";
import { installLastResort } from "./last_resort.ts";
import { createSystem } from "./system.ts";

const lastResort = installLastResort();
const runtime = lastResort.watch(createNodeRuntime({ onHandlerError: lastResort.report }));
cli(runtime, createSystem()).catch(lastResort.fatal);
