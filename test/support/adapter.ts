/** The adapter of the runtime that runs the test. */

import type { Runtime, RuntimeOptions } from "../../runtime/contract.ts";

/** Dynamic, since no runtime can load the adapter of another. */
export async function adapterFactory(): Promise<(options: RuntimeOptions) => Runtime> {
  if ("Bun" in globalThis) return (await import("../../runtime/bun.ts")).createBunRuntime;
  if ("Deno" in globalThis) return (await import("../../runtime/deno.ts")).createDenoRuntime;
  return (await import("../../runtime/node.ts")).createNodeRuntime;
}
