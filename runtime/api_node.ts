/** The library for Node: `import { open } from "sluice"`. */
import { createLibrary, type Library } from "../src/api/library.ts";
import { createNodeRuntime } from "./node/adapter.ts";
import { noScriptFiles } from "./shared/script_problems.ts";
import { createSystem } from "./shared/system.ts";

const library: Library = createLibrary({
  createRuntime: (onHandlerError) => createNodeRuntime({ onHandlerError }),
  system: createSystem(noScriptFiles()),
});

export const to: Library["to"] = library.to;
export const next: Library["next"] = library.next;
export const tunnel: Library["tunnel"] = library.tunnel;
export const respond: Library["respond"] = library.respond;
export const reject: Library["reject"] = library.reject;
export const pass: Library["pass"] = library.pass;
export const hash: Library["hash"] = library.hash;
export const router: Library["router"] = library.router;
export const proxy: Library["proxy"] = library.proxy;
export const worker: Library["worker"] = library.worker;
export const ask: Library["ask"] = library.ask;
export const setUpstream: Library["setUpstream"] = library.setUpstream;
export const watchFile: Library["watchFile"] = library.watchFile;
export const log: Library["log"] = library.log;
export const open: Library["open"] = library.open;
export const serve: Library["serve"] = library.serve;
export { serve as serve_http };
export { ConfigError, OpenError, ScriptError } from "../src/api/api_error.ts";
export type * from "../src/api/api_types.ts";
