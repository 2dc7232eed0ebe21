/** The loader of scripts of the runtime that runs the tests. */

import type { ScriptLoader } from "../../runtime/contract/contract.ts";

export async function ownScripts(): Promise<ScriptLoader> {
  if ("Bun" in globalThis) return (await import("../../runtime/bun/script_loader.ts")).bunScripts;
  return (await import("../../runtime/shared/script_hooks.ts")).hookedScripts();
}
