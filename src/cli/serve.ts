/**
 * Serving: starts the workers, says when all are ready, serves until told to stop, ends gracefully. Resolves
 * with the exit code.
 */

import { type Address, type Runtime, type System, SystemError } from "../../runtime/contract.ts";
import { printListen } from "../config/address.ts";
import type { Config } from "../config/config.ts";
import { Controller, type ControllerObserver } from "../control/controller.ts";
import type { StartFailure } from "../control/messages.ts";
import type { StartWorker } from "../control/worker_link.ts";
import { type Logger } from "../observe/logger.ts";
import { openLogger } from "../observe/watcher.ts";
import { findPortInUse, keepSockets } from "./bind_listeners.ts";
import { EXIT, type ExitCode } from "./exit_code.ts";
import { named } from "./files.ts";
import { localWorker } from "./local_worker.ts";
import { printError } from "./output.ts";
import { Sockets } from "./sockets.ts";
import { workerProcesses } from "./worker_process.ts";

export interface ServeHooks {
  /** Everything is bound and the ready signals have been given. */
  readonly onReady?: (listeners: readonly Address[]) => void;
}

export async function serve(
  runtime: Runtime,
  system: System,
  config: Config,
  hooks: ServeHooks = {},
): Promise<number> {
  const count = workerCount(runtime, system, config);
  if (typeof count === "string") return fail(system, EXIT.usage, count);
  let logger: Logger;
  try {
    logger = await openLogger(runtime, system, config.log, count > 1);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return fail(system, EXIT.failed, error.message);
  }
  const sockets = new Sockets(runtime, []);
  let start: StartWorker;
  if (count > 1) {
    const inUse = await findPortInUse(sockets, config);
    if (inUse !== null) return fail(system, EXIT.bind, inUse);
    const keeping = await keepSockets(sockets, config, count);
    if (!keeping.ok) return fail(system, EXIT.bind, keeping.message);
    start = workerProcesses(system, keeping.kept);
  } else {
    start = localWorker(sockets.runtime, system, logger);
  }
  const controller = new Controller(runtime.clock, config, count, start, new LoggingObserver(logger));
  const stopping = stopSignals(system);
  system.onSignal("SIGUSR1", () => controller.reopen());

  const files = new Map<string, string>();
  const started = await Promise.race([controller.start(), stopping.first]);
  if (typeof started === "object") {
    if (!started.ok) return failed(system, started.failure);
    try {
      await announce(system, config, started.addresses, files);
    } catch (error) {
      controller.abort();
      await controller.ended;
      for (const [path, text] of files) await removeOwn(system, path, text);
      return fail(system, EXIT.failed, error instanceof Error ? error.message : String(error));
    }
    const where = started.addresses
      .map((address, index) => printListen({ address, tls: config.listen[index]?.tls === true }))
      .join(", ");
    const workers = count > 1 ? ` with ${count} workers` : "";
    logger.info("sluice", `listening on ${where}${workers}`);
    hooks.onReady?.(started.addresses);
  }

  const signal = await Promise.race([stopping.first, controller.ended]);
  if (typeof signal === "string") {
    void system.notifySupervisor("STOPPING=1");
    void stopping.second.then(() => controller.abort());
    void sockets.closeHeld();
    void controller.stop().then(({ connections }) => {
      logger.info("sluice", `${signal}: stopping, ${connections} client connections open`);
    });
  }
  const failure = await controller.ended;
  for (const [path, text] of files) await removeOwn(system, path, text);
  if (failure === null) logger.info("sluice", "stopped");
  await logger.flush();
  return failure === null ? EXIT.done : failed(system, failure);
}

/** How many workers there will be, or why not as many as were asked for. */
function workerCount(runtime: Runtime, system: System, config: Config): number | string {
  const { workers } = config.process;
  const possible = runtime.capabilities.workers;
  const unix = config.listen.some(({ address }) => address.kind === "unix");
  if (workers === null) {
    return possible && !unix ? Math.min(system.parallelism, config.server.maxConnections) : 1;
  }
  if (workers > 1 && !possible) {
    return `--workers ${workers}: processes cannot share a port with ${runtime.name} on ${system.platform}` +
      `${runtime.name === "deno" ? " (Deno on Linux needs --allow-run)" : ""}: use --workers 1`;
  }
  return workers;
}

function fail(system: System, code: ExitCode, message: string): ExitCode {
  printError(system, `sluice: ${message}\n`);
  return code;
}

function failed(system: System, { kind, message }: StartFailure): ExitCode {
  return fail(system, kind === "bind" ? EXIT.bind : EXIT.failed, message);
}

/** Removes a file that we have written, unless somebody (our successor, say) has written it since. */
async function removeOwn(system: System, path: string, text: string): Promise<void> {
  try {
    if (await system.readText(path) === text) await system.remove(path);
  } catch (error) {
    // It is gone already, or not ours to remove any more.
    if (!(error instanceof SystemError)) throw error;
  }
}

/**
 * Tells whoever waits that requests can be sent.
 *
 * @param files gets the files written and their contents
 */
async function announce(
  system: System,
  config: Config,
  bound: readonly Address[],
  files: Map<string, string>,
): Promise<void> {
  const { pidFile, portFile, readyFd } = config.process;
  const write = async (option: string, path: string, text: string) => {
    await named(`--${option}: cannot be written`, () => system.writeText(path, text));
    files.set(path, text);
  };
  if (pidFile !== null) await write("pid-file", pidFile, `${system.pid}\n`);
  if (portFile !== null) {
    const ports = bound.map((address) => address.kind === "tcp" ? String(address.port) : address.path);
    await write("port-file", portFile, ports.join("\n") + "\n");
  }
  if (readyFd !== null) {
    await named(`--ready-fd ${readyFd}`, () => system.writeDescriptor(readyFd, "READY=1\n"));
  }
  await system.notifySupervisor(`READY=1\nMAINPID=${system.pid}\n`);
}

/** The first request to stop, and the second, which means now. */
function stopSignals(system: System): { first: Promise<string>; second: Promise<void> } {
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<void>();
  let count = 0;
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    system.onSignal(name, () => {
      count++;
      if (count === 1) first.resolve(name);
      else second.resolve();
    });
  }
  return { first: first.promise, second: second.promise };
}

class LoggingObserver implements ControllerObserver {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  workerEnded(index: number, pid: number, why: string, pauseMs: number): void {
    const pause = Math.round(pauseMs);
    this.#logger.error("worker_ended", `worker ${index + 1} ended: ${why}; a new one starts in ${pause} ms`, {
      worker: index + 1,
      pid,
    });
  }

  workerBack(index: number, pid: number): void {
    this.#logger.info("worker_back", `worker ${index + 1} serves again`, { worker: index + 1, pid });
  }

  workerEvent(): void {}

  workerConfused(index: number, what: string): void {
    this.#logger.error("worker_confused", `worker ${index + 1} ${what}`, { worker: index + 1 });
  }
}
