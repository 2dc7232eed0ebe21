/**
 * The program: reads the command line, runs the command, ends the process with its exit code. Started as a
 * worker by another process of it, it reads no command line; started to take another's place, it tells that one
 * what became of it.
 */

import type { Runtime, System } from "../../runtime/contract/contract.ts";
import { namedRuntime } from "../resolve/named_runtime.ts";
import { EXIT } from "../process/shared/exit_code.ts";
import { printError } from "../serve/output.ts";
import { Predecessor } from "../serve/upgrade/predecessor.ts";
import { run } from "./run.ts";
import type { Serve } from "./serve.ts";
import { serve } from "../serve/serve.ts";
import { serveAsWorker } from "../process/worker/worker_process.ts";

export async function cli(platform: Runtime, system: System): Promise<void> {
  const runtime = namedRuntime(platform, system);
  let code: number;
  let predecessor: Predecessor | null = null;
  try {
    predecessor = await Predecessor.meet(system);
    if (predecessor === null) {
      code = await serveAsWorker(runtime, system) ?? await run(runtime, system, serve);
    } else code = await takePlace(runtime, predecessor);
  } catch (error) {
    // Whatever can be expected has been reported as a message; this is a bug, and its stack helps to find it.
    printError(system, `sluice: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
    code = EXIT.failed;
  }
  await predecessor?.failed();
  system.exit(code);
}

function takePlace(runtime: Runtime, predecessor: Predecessor): Promise<number> {
  const serving: Serve = (...[on, system, config, hooks]) =>
    serve(on, system, config, { ...hooks, predecessor });
  return run(runtime, predecessor.system, serving);
}
