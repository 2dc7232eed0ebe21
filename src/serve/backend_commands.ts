/** The commands of a configuration, made ready to be started; and configurations with their ports filled in. */

import {
  type FlushPatience,
  type Runtime,
  SocketFailure,
  type System,
  type TextSink,
} from "../../runtime/contract/contract.ts";
import type { Config } from "../config/values/config.ts";
import type { Loaded, Rejected } from "../config/load.ts";
import { DEFAULT_ORIGIN, problemAt } from "../config/values/problem.ts";
import { AutoPorts } from "../backend/auto_port.ts";
import { sleep } from "../control/conditions.ts";
import { Backends, type ChildrenOptions } from "../backend/backends.ts";
import type { Logger } from "../observe/logger.ts";
import type { RereadableConfig } from "./config_source.ts";

/** Most text of commands that waits to be written to one descriptor. They are held up long before. */
const MOST_BUFFERED_BYTES = 4 * 1024 * 1024;

/** For the last words of commands that have ended: what they have started may keep their output open. */
const OUTPUT_PATIENCE_MS = 500;

type Sinks = Readonly<Record<1 | 2, TextSink>>;

export class BackendCommands {
  readonly children: Backends;
  /** With ports in the place of `auto`. */
  readonly config: Config;
  /** Resolves when the last words of commands that have ended are written, or when their reader has stopped reading. */
  readonly flush: (patience: FlushPatience) => Promise<void>;
  readonly #fill: (config: Config) => Promise<Config | string>;

  /**
   * @returns a sentence when this platform cannot run commands, or no port is free
   * @throws SystemError when standard output or error cannot be used
   */
  static async open(
    runtime: Runtime,
    system: System,
    config: Config,
    logger: Logger,
    publish: ChildrenOptions["publish"],
  ): Promise<BackendCommands | string> {
    const ports = new AutoPorts(runtime);
    let sinks: Sinks | null = null;
    const outputs = new Set<Promise<void>>();
    const fill = async (given: Config): Promise<Config | string> => {
      if (!given.upstreams.some(({ child }) => child !== null)) return given;
      if (!runtime.capabilities.commands) {
        return `${runtime.name} may not start programs here (Deno needs --allow-run)`;
      }
      sinks ??= await openSinks(system);
      try {
        return await ports.fill(given);
      } catch (error) {
        if (!(error instanceof SocketFailure)) throw error;
        return `no free port on 127.0.0.1: ${error.detail}`;
      }
    };
    const filled = await fill(config);
    if (typeof filled === "string") return `command: ${filled}`;
    const children = new Backends({
      runtime,
      system,
      logger,
      publish,
      get sinks() {
        // There is no command before `fill` has seen it.
        return sinks as Sinks;
      },
      json: config.log.logFormat === "json",
      outputs,
      portOf: (upstream) => ports.portOf(upstream),
    }, filled);
    const flush = async (patience: FlushPatience) => {
      if (sinks === null) return;
      const outputMs = Math.min(OUTPUT_PATIENCE_MS, patience.mostMs);
      await Promise.race([Promise.all(outputs), sleep(runtime.clock, outputMs)]);
      await Promise.all([sinks[1].flush(patience), sinks[2].flush(patience)]);
    };
    return new BackendCommands(children, filled, fill, flush);
  }

  private constructor(
    children: Backends,
    config: Config,
    fill: (config: Config) => Promise<Config | string>,
    flush: BackendCommands["flush"],
  ) {
    this.children = children;
    this.config = config;
    this.#fill = fill;
    this.flush = flush;
  }

  /** The same source, with the same ports in all that is read from it. */
  source(source: RereadableConfig): RereadableConfig {
    return {
      ...source,
      loaded: { ...source.loaded, config: this.config },
      read: async (): Promise<Loaded | Rejected> => {
        const read = await source.read();
        if (!read.ok) return read;
        const config = await this.#fill(read.config);
        if (typeof config !== "string") return { ...read, config };
        return { ok: false, problems: [problemAt(DEFAULT_ORIGIN, "command", config)], nothingToServe: false };
      },
    };
  }
}

/** Sluice itself writes there too, and so do its workers. */
async function openSinks(system: System): Promise<Sinks> {
  const [out, error] = await Promise.all([
    system.openSink(1, MOST_BUFFERED_BYTES, true),
    system.openSink(2, MOST_BUFFERED_BYTES, true),
  ]);
  return { 1: out, 2: error };
}
