/**
 * The listening sockets of a Sluice, whatever their origin (bound here, the service manager's, the predecessor's), and how
 * workers get them: a worker that is alone binds them in this process, workers in processes of their own are given them.
 */

import { type Runtime, type System, SystemError } from "../../runtime/contract/contract.ts";
import { listenKeys, printAddress, printListen } from "../config/values/address.ts";
import type { Config, ListenConfig } from "../config/values/config.ts";
import type { Logger } from "../observe/logger.ts";
import type { ExchangeSink } from "../observe/telemetry.ts";
import { activated } from "../process/shared/activation.ts";
import { EXIT, type ExitCode } from "../process/shared/exit_code.ts";
import { type GivenSocket, Sockets } from "../process/shared/sockets.ts";
import { unixAccess } from "../process/shared/unix_access.ts";
import { findFault, findPortInUse, keepSockets } from "../process/worker/bind_listeners.ts";
import { localWorker } from "../process/worker/local_worker.ts";
import type { StartWorker } from "../process/worker/worker_link.ts";
import { workerProcesses } from "../process/worker/worker_process.ts";
import type { Predecessor } from "./upgrade/predecessor.ts";

export type SocketsOpened =
  | { readonly ok: true; readonly listening: ListeningSockets }
  | { readonly ok: false; readonly code: ExitCode; readonly message: string };

export class ListeningSockets {
  readonly sockets: Sockets;
  readonly startWorker: StartWorker;
  readonly #workers: number;
  readonly #apart: boolean;
  /** For workers in other processes, by listener. */
  readonly #kept: (readonly GivenSocket[])[];

  private constructor(
    sockets: Sockets,
    workers: number,
    apart: boolean,
    kept: readonly (readonly GivenSocket[])[],
    system: System,
    logger: Logger,
    exchanges: ExchangeSink | undefined,
  ) {
    this.sockets = sockets;
    this.#workers = workers;
    this.#kept = [...kept];
    this.#apart = apart;
    this.startWorker = apart
      ? workerProcesses(system, this.#kept)
      : localWorker(sockets.runtime, system, logger, exchanges);
  }

  /**
   * Workers in processes of their own are given sockets that are open already; one in this process binds its own when it starts.
   *
   * @param config with its ports filled in
   * @param apart workers are processes of their own
   * @param exchanges told of those of a worker that is alone
   */
  static async open(
    runtime: Runtime,
    system: System,
    config: Config,
    workers: number,
    apart: boolean,
    predecessor: Predecessor | undefined,
    logger: Logger,
    exchanges?: ExchangeSink,
  ): Promise<SocketsOpened> {
    const fail = (code: ExitCode, message: string) => ({ ok: false, code, message }) as const;
    const fromServiceManager = activated(runtime, system, config);
    if (typeof fromServiceManager === "string") return fail(EXIT.bind, fromServiceManager);
    const inherited = predecessor?.sockets ?? fromServiceManager;
    const sockets = new Sockets(runtime, system, inherited, false, predecessor?.listening ?? []);
    sockets.noted = (message) => logger.warn("listen", message);
    try {
      sockets.access = await unixAccess(system, config.process.unix, "unix.");
      const wrong = predecessor === undefined ? null : await findFault(system, sockets, config);
      if (wrong !== null) return fail(EXIT.bind, wrong);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return fail(EXIT.failed, error.message);
    }
    let kept: readonly (readonly GivenSocket[])[] = [];
    if (apart) {
      const inUse = await findPortInUse(sockets, config);
      if (inUse !== null) return fail(EXIT.bind, inUse);
      const keeping = await keepSockets(sockets, config, workers);
      if (!keeping.ok) return fail(EXIT.bind, keeping.message);
      kept = keeping.kept;
    }
    return {
      ok: true,
      listening: new ListeningSockets(sockets, workers, apart, kept, system, logger, exchanges),
    };
  }

  /** @returns what keeps us from listening where only the new configuration says, or null */
  async newPortInUse(before: Config, after: Config): Promise<string | null> {
    const unix = after.listen.find(({ address }) => address.kind === "unix");
    if (this.#apart && unix !== undefined) {
      return this.#workers > 1
        ? `${printListen(unix)}: several workers cannot share a Unix socket`
        : `${printListen(unix)}: a Unix socket needs a restart while scripts have a process of their own`;
    }
    // A worker in this process finds out by itself.
    if (!this.#apart) return null;
    const old = listenKeys(before.listen);
    const keys = listenKeys(after.listen);
    const added = after.listen.filter((_, at) => !old.includes(keys[at] ?? ""));
    return await findPortInUse(this.sockets, after, added);
  }

  /** Closes sockets kept for workers where the configuration does not listen any more: later workers do not get them. */
  dropUnused(listen: readonly ListenConfig[]): Promise<void> {
    const named = new Set(listen.map(({ address }) => printAddress(address)));
    const stay = this.#kept.filter(([first]) => first !== undefined && named.has(printAddress(first.asked)));
    // In place: the starter of workers has this list.
    this.#kept.splice(0, this.#kept.length, ...stay);
    return this.sockets.closeHeld(listen.map(({ address }) => address));
  }
}
