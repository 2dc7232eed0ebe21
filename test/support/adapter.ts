/** The adapter of the runtime that runs the test. */

import process from "node:process";
import type { Runtime, RuntimeOptions } from "../../runtime/contract/contract.ts";
import { faults, testParts } from "./epoll_parts.ts";
import { askedForFaults } from "./transparent_faults.ts";

/**
 * With `SLUICE_TEST_SOCKETS=epoll` in the environment plain TCP goes over system calls of our own, and with
 * `SLUICE_TEST_FAULTS` these fail now and then (transparent_faults.ts).
 */
export async function adapterFactory(): Promise<(options: RuntimeOptions) => Runtime> {
  const make = await platformFactory();
  if (process.env.SLUICE_TEST_SOCKETS !== "epoll") return make;
  return overEpoll(make);
}

/** The same runtimes with sockets over epoll(7); only with `capabilities.epoll`. */
export function overEpoll(make: (options: RuntimeOptions) => Runtime): (options: RuntimeOptions) => Runtime {
  return (options) => {
    const runtime = make(options);
    const why = runtime.useEpoll?.();
    if (why !== null) throw new Error(`there are no sockets over epoll here: ${why}`);
    if (!ticking) {
      tick(runtime);
      // Not before the calls were tried.
      const standing = askedForFaults();
      if (standing !== null) faults.stand(standing);
    }
    return runtime;
  };
}

let ticking = false;

/** Tests let turns of the platform's loop go by, which the epoll loop does not know of: it is not to wait long. */
function tick(runtime: Runtime): void {
  ticking = true;
  runtime.clock.setTimer(1, () => tick(runtime), true);
}

/** Dynamic, since no runtime can load the adapter of another. */
async function platformFactory(): Promise<(options: RuntimeOptions) => Runtime> {
  if ("Bun" in globalThis) {
    const { createBunRuntime } = await import("../../runtime/bun/adapter.ts");
    return (options) => createBunRuntime({ ...options, fitting: testParts });
  }
  if ("Deno" in globalThis) return (await import("../../runtime/deno/adapter.ts")).createDenoRuntime;
  return (await import("../../runtime/node/adapter.ts")).createNodeRuntime;
}
