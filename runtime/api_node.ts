/** The library for Node: `import { open } from "sluice"`. */
import { createLibrary, type Library } from "../src/api/library.ts";
import { createNodeRuntime } from "./node/adapter.ts";
import { createSystem } from "./shared/system.ts";

const library: Library = createLibrary({
  createRuntime: (onHandlerError) => createNodeRuntime({ onHandlerError }),
  system: createSystem(),
});

export const open: Library["open"] = library.open;
export { ConfigError, OpenError } from "../src/api/api_error.ts";
export type { Gate, GateStatus, OpenOptions, UpstreamInit } from "../src/api/api_types.ts";
