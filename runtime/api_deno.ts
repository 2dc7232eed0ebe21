/** The library for Deno: `import { open } from "sluice"`. */
import { createLibrary, type Library } from "../src/api/library.ts";
import { createDenoRuntime } from "./deno/adapter.ts";
import { unasked } from "./deno/unasked.ts";
import { createSystem } from "./shared/system.ts";

const library: Library = createLibrary({
  createRuntime: (onHandlerError) => createDenoRuntime({ onHandlerError }),
  system: unasked(createSystem()),
});

export const open: Library["open"] = library.open;
export { ConfigError, OpenError } from "../src/api/api_error.ts";
export type { Gate, GateStatus, OpenOptions, UpstreamInit } from "../src/api/api_types.ts";
