/**
 * Serving: binds, says that it is ready, serves until told to stop, ends gracefully. Resolves with the
 * exit code.
 */

import {
  type Address,
  type ListenOptions,
  type Runtime,
  type ServerTls,
  SocketFailure,
  type System,
  SystemError,
} from "../../runtime/contract.ts";
import { printAddress } from "../config/address.ts";
import type { Config } from "../config/config.ts";
import { Front } from "../front/front.ts";
import { Watcher } from "../observe/watcher.ts";
import { EXIT } from "./exit_code.ts";
import { printError } from "./output.ts";
import { buildWorld } from "./world.ts";

/** A TLS handshake of a client not done by then is dropped. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

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
  let watcher: Watcher;
  let front: Front;
  let tls: ServerTls | null;
  let upstreams;
  try {
    watcher = await Watcher.open(runtime, system, config.log);
    tls = await readTls(system, config);
    const built = await buildWorld(runtime, system, config, watcher);
    upstreams = built.upstreams;
    front = new Front(runtime, built.world, watcher);
    watcher.watch(front);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    printError(system, `sluice: ${error.message}\n`);
    return EXIT.failed;
  }
  const bound = await bind(system, config, front, tls);
  if (bound === null) return EXIT.bind;
  const stopping = stopSignals(system);
  system.onSignal("SIGUSR1", () => void watcher.reopen());
  try {
    await announce(system, config, bound);
  } catch (error) {
    printError(system, `sluice: ${error instanceof Error ? error.message : String(error)}\n`);
    await front.drain(0);
    return EXIT.failed;
  }
  const where = bound.map(printAddress).join(", ");
  watcher.log("info", `listening on ${where}`);
  hooks.onReady?.(bound);

  const signal = await stopping.first;
  watcher.log("info", `${signal}: stopping, ${front.connections} client connections open`);
  void system.notifySupervisor("STOPPING=1");
  await Promise.race([front.drain(config.server.drainTimeoutMs), stopping.second]);
  front.abortAll();
  for (const upstream of upstreams) upstream.stop();
  if (config.process.pidFile !== null) await system.remove(config.process.pidFile).catch(() => {});
  if (config.process.portFile !== null) await system.remove(config.process.portFile).catch(() => {});
  watcher.log("info", "stopped");
  await watcher.close();
  return EXIT.done;
}

async function readTls(system: System, config: Config): Promise<ServerTls | null> {
  if (config.tls === null) return null;
  const { certFile, keyFile } = config.tls;
  return {
    cert: await system.readText(certFile),
    key: await system.readText(keyFile),
    alpn: ["http/1.1"],
  };
}

/** Binds every listener, or none and says why. */
async function bind(
  system: System,
  config: Config,
  front: Front,
  tls: ServerTls | null,
): Promise<Address[] | null> {
  const bound: Address[] = [];
  for (const listen of config.listen) {
    const options: ListenOptions = {
      address: listen.address,
      backlog: config.server.backlog,
      reusePort: false,
      tls: listen.tls ? tls : null,
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
    };
    try {
      bound.push(await front.listen(options));
    } catch (error) {
      if (!(error instanceof SocketFailure)) throw error;
      const fix = error.code === "address_in_use"
        ? "; another program listens there: stop it, or choose another --listen"
        : error.code === "permission_denied"
        ? "; ports below 1024 need privileges: choose another --listen"
        : "";
      printError(
        system,
        `sluice: cannot listen on ${printAddress(listen.address)}: ${error.message}${fix}\n`,
      );
      await front.drain(0);
      return null;
    }
  }
  return bound;
}

/** Tells whoever waits that requests can be sent. */
async function announce(system: System, config: Config, bound: readonly Address[]): Promise<void> {
  const { pidFile, portFile, readyFd } = config.process;
  if (pidFile !== null) await system.writeText(pidFile, `${system.pid}\n`);
  if (portFile !== null) {
    const ports = bound.map((address) => address.kind === "tcp" ? String(address.port) : address.path);
    await system.writeText(portFile, ports.join("\n") + "\n");
  }
  if (readyFd !== null) system.writeDescriptor(readyFd, "READY=1\n");
  await system.notifySupervisor(`READY=1\nMAINPID=${system.pid}\n`);
}

/** The first request to stop, and the second, which means now. */
function stopSignals(system: System): { first: Promise<string>; second: Promise<void> } {
  let stopped: (signal: string) => void;
  let now: () => void;
  const first = new Promise<string>((resolve) => stopped = resolve);
  const second = new Promise<void>((resolve) => now = resolve);
  let count = 0;
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    system.onSignal(name, () => {
      count++;
      if (count === 1) stopped(name);
      else now();
    });
  }
  return { first, second };
}
