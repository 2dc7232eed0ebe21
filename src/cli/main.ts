/**
 * The program: reads the command line, runs the command, ends the process with its exit code. Started as a
 * worker by another process of it, it reads no command line.
 */

import type { Runtime, System } from "../../runtime/contract.ts";
import { EXIT } from "./exit_code.ts";
import { printError } from "./output.ts";
import { run } from "./run.ts";
import { serve } from "./serve.ts";
import { serveAsWorker } from "./worker_process.ts";

export async function cli(runtime: Runtime, system: System): Promise<void> {
  let code: number;
  try {
    code = await serveAsWorker(runtime, system) ?? await run(runtime, system, serve);
  } catch (error) {
    // Whatever can be expected has been reported as a message; this is a bug, and its stack helps to find it.
    printError(system, `sluice: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
    code = EXIT.failed;
  }
  system.exit(code);
}
