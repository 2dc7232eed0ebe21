/**
 * A gate: a whole Sluice with one worker in this process. It has no signal, no exit, no control socket and no file of its own,
 * and prints nothing. Several of them know nothing of each other.
 */

import { type Runtime, type System, SystemError } from "../../runtime/contract/contract.ts";
import type { AdminListener } from "../admin/admin_listener.ts";
import { printBound } from "../config/values/address.ts";
import type { Config } from "../config/values/config.ts";
import type { ConfigSource } from "../control/changes.ts";
import { type Origin, problemAt } from "../config/values/problem.ts";
import { SluicePlane } from "../control/control_plane.ts";
import { logEvent, logReload } from "../control/control_log.ts";
import { EachAddress } from "../control/each_address.ts";
import { EventHub } from "../control/event_hub.ts";
import { type Fields, Logger } from "../observe/logger.ts";
import type { UpstreamInit as ScriptUpstream } from "../script/script_api.ts";
import type { Asked, AskOptions } from "../script/script_types.ts";
import { chooseSockets } from "../process/shared/choose_sockets.ts";
import { Sockets } from "../process/shared/sockets.ts";
import { unixAccess } from "../process/shared/unix_access.ts";
import { Supervisor } from "../process/supervisor/supervisor.ts";
import { localWorker } from "../process/worker/local_worker.ts";
import { namedRuntime } from "../resolve/named_runtime.ts";
import { LoggingObserver } from "../serve/logging_observer.ts";
import { endpointProbe } from "../serve/probe.ts";
import { versionText } from "../serve/version.ts";
import { ConfigError, OpenError } from "./api_error.ts";
import type { Gate, GateStatus, OpenOptions, Platform, UpstreamInit } from "./api_types.ts";
import { GatePauses } from "./gate_pauses.ts";
import { GrownUpstreams } from "./grown_upstreams.ts";
import { LineSink, programSystem } from "./line_sink.ts";
import { ProgramFunctions } from "./program_functions.ts";
import { ProgramScripts } from "./program_scripts.ts";
import type { CarriedUpstream, CarriedUpstreams } from "./proxy_handler.ts";
import { type ReadOptions, readOptions } from "./read_options.ts";

/** How long the start waits for names whose addresses are endpoints; they may come later. */
const NAMES_PATIENCE_MS = 1000;
/** For answers of the admin listener that are under way when all else has ended. */
const ADMIN_PATIENCE_MS = 500;
/** The longest that the option `drain_timeout` may say as well: a day. */
const MOST_DRAIN_MS = 86_400_000;

/** Of problems whose place is in their words. */
const OWN_ORIGIN: Origin = { source: "file", name: "", line: null };

/**
 * Opens a gate, or nothing.
 *
 * @throws ConfigError when the options have problems: no port has been opened
 * @throws OpenError when the system refuses what they ask for
 */
export async function openGate(platform: Platform, options: OpenOptions): Promise<OpenGate> {
  const sink = new LineSink();
  const grown = new GrownUpstreams();
  const scripts = new ProgramScripts(platform.system.scripts, grown);
  const system = programSystem(platform.system, sink, scripts);
  const bugs: { logger: Logger | null } = { logger: null };
  const bug = (error: unknown) => bugs.logger?.error("bug", `a bug: ${stackOf(error)}`);
  const runtime = withoutSideEffects(namedRuntime(platform.createRuntime(bug), system));
  const functions = new ProgramFunctions(options);
  // Names of functions are known from here on.
  scripts.functions = functions;
  const read = await readOptions(system, options, functions, new Map(), runtime.clock.wall());
  sink.log = options.log;
  const { logLevel: level, logFormat: format } = read.loaded.config.log;
  const logger = new Logger(sink, runtime.clock, { level, format });
  bugs.logger = logger;
  const addresses = new EachAddress(runtime);
  await addresses.learn(read.loaded.config, NAMES_PATIENCE_MS);
  const gate = new OpenGate(runtime, system, options, read, addresses, sink, logger, scripts, grown);
  await gate.open(bug);
  return gate;
}

export class OpenGate implements Gate {
  readonly #runtime: Runtime;
  readonly #system: System;
  readonly #sink: LineSink;
  readonly #logger: Logger;
  readonly #sockets: Sockets;
  readonly #supervisor: Supervisor;
  readonly #plane: SluicePlane;
  readonly #pauses: GatePauses;
  readonly #scripts: ProgramScripts;
  readonly #grown: GrownUpstreams;
  /** What serves, as the program has given it. */
  #options: OpenOptions;
  /** For the reload that is under way. */
  #next: ReadOptions | null = null;
  /** The reload that was asked for last, and those before it. */
  #reloads: Promise<unknown> = Promise.resolve();
  #admin: AdminListener | null = null;
  #closing = false;
  readonly #closed = Promise.withResolvers<void>();

  constructor(
    runtime: Runtime,
    system: System,
    options: OpenOptions,
    read: ReadOptions,
    addresses: EachAddress,
    sink: LineSink,
    logger: Logger,
    scripts: ProgramScripts,
    grown: GrownUpstreams,
  ) {
    this.#runtime = runtime;
    this.#system = system;
    this.#sink = sink;
    this.#logger = logger;
    this.#options = options;
    this.#scripts = scripts;
    this.#grown = grown;
    grown.use(read.carried, (upstream) => this.#enqueue(() => this.#grow(upstream)));
    const { clock } = runtime;
    const events = new EventHub(clock);
    events.noted = (event) => logEvent(logger, event);
    this.#sockets = new Sockets(runtime, system, []);
    this.#sockets.noted = (message) => logger.warn("listen", message);
    for (const line of read.warnings) logger.warn("config", line);
    this.#supervisor = new Supervisor(
      clock,
      addresses.expand(read.loaded.config),
      1,
      localWorker(this.#sockets.runtime, system, logger),
      new LoggingObserver(logger, events),
    );
    this.#plane = new SluicePlane({
      clock,
      supervisor: this.#supervisor,
      events,
      version: versionText(),
      runtime: `${runtime.name} ${runtime.version}`,
      pid: system.pid,
      residentBytes: () => system.residentBytes(),
      source: this.#source(read),
      probe: endpointProbe(runtime, system),
      addresses,
      stop: (now) => void this.close(now ? 0 : undefined),
    });
    this.#pauses = new GatePauses(this.#plane);
  }

  /** To be called once. @throws OpenError */
  async open(bug: (error: unknown) => void): Promise<void> {
    const { config } = this.#supervisor;
    const chosen = chooseSockets(this.#runtime, this.#system, config);
    if (typeof chosen === "string") throw new OpenError(chosen);
    try {
      this.#sockets.access = await unixAccess(this.#system, config.process.unix, "options.unix.");
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      throw new OpenError(error.message);
    }
    await this.#openAdmin(config, bug);
    const started = await this.#supervisor.start();
    if (!started.ok) {
      await this.#admin?.close(0);
      throw new OpenError(started.failure.message);
    }
    void this.#supervisor.ended.then(() => this.#end());
    this.#plane.followNames();
    this.#logger.info("sluice", `listening on ${this.addresses.join(", ")}`);
  }

  /** What it shows is loaded only for those who want it. */
  async #openAdmin(config: Config, bug: (error: unknown) => void): Promise<void> {
    if (config.admin === null) return;
    const { openAdmin } = await import("../serve/open_admin.ts");
    const opened = await openAdmin(this.#sockets.runtime, this.#system, config.admin, this.#plane, bug);
    if (!opened.ok) throw new OpenError(opened.message);
    this.#admin = opened.admin;
  }

  get addresses(): readonly string[] {
    const { config, addresses } = this.#supervisor;
    return printBound(config.listen, addresses);
  }

  get port(): number {
    const first = this.#supervisor.addresses.find(({ kind }) => kind === "tcp");
    return first?.kind === "tcp" ? first.port : 0;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  status(): GateStatus {
    return this.#plane.knownStatus();
  }

  reload(options: OpenOptions): Promise<void> {
    return this.#enqueue(async () => {
      await this.#change(options, new ProgramFunctions(options), this.#grown.known);
      this.#options = options;
      this.#sink.log = options.log;
    });
  }

  /** A handler brings an upstream along. */
  async #grow(upstream: CarriedUpstream): Promise<void> {
    const { functions } = this.#scripts;
    if (functions === null || this.#grown.has(upstream)) return;
    const carried = new Map([...this.#grown.known, [upstream.name, upstream]]);
    await this.#change(this.#options, functions, carried);
  }

  /** One after the other. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#reloads.then(work);
    this.#reloads = done.catch(() => {});
    return done;
  }

  /** All or nothing. @throws ConfigError, OpenError */
  async #change(options: OpenOptions, functions: ProgramFunctions, carried: CarriedUpstreams): Promise<void> {
    this.#checkOpen();
    const before = this.#scripts.functions;
    this.#scripts.functions = functions;
    try {
      this.#next = await this.#read(options, functions, carried);
      const outcome = await this.#plane.reload();
      if (!outcome.ok) throw new OpenError((outcome.problems ?? [outcome.message]).join("; "));
      this.#grown.know(this.#next.carried);
      logReload(this.#logger, outcome);
    } catch (error) {
      this.#scripts.goBackTo(before);
      throw error;
    } finally {
      this.#next = null;
    }
  }

  #read(options: OpenOptions, functions: ProgramFunctions, carried: CarriedUpstreams): Promise<ReadOptions> {
    return readOptions(this.#system, options, functions, carried, this.#runtime.clock.wall());
  }

  /** @param read what the gate is opened with */
  #source(read: ReadOptions): ConfigSource {
    let last = read;
    return {
      loaded: read.loaded,
      secrets: read.secrets,
      read: async () => {
        try {
          // Somebody else has asked (the admin listener): the files may have changed.
          last = this.#next ?? await this.#read(this.#options, last.functions, this.#grown.known);
          return last.loaded;
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          const problems = error.problems.map((line) => problemAt(OWN_ORIGIN, "", line));
          return { ok: false, problems, nothingToServe: false };
        }
      },
      // Files have been looked into when the options were read.
      check: () => {
        for (const line of last.warnings) this.#logger.warn("config", line);
        return Promise.resolve({ problems: [], warnings: [], secrets: last.secrets });
      },
      // The functions of the program are what they were, unless it has given others.
      scriptsAnew: () => this.#scripts.functionsChanged(),
      // A worker that is alone finds out by itself.
      portInUse: () => Promise.resolve(null),
    };
  }

  async pause(upstream?: string): Promise<void> {
    this.#checkOpen();
    await this.#pauses.pause(upstream ?? null);
  }

  async resume(upstream?: string): Promise<void> {
    this.#checkOpen();
    await this.#pauses.resume(upstream ?? null);
  }

  ask(upstream: string, how?: AskOptions): Promise<Asked> {
    return this.#scripts.api("ask").then(({ ask }) => ask(upstream, how));
  }

  setUpstream(name: string, how: UpstreamInit): Promise<void> {
    // The cast: what stands there is read as the file is, endpoints with a weight included.
    return this.#scripts.api("setUpstream").then(({ setUpstream }) =>
      setUpstream(name, how as ScriptUpstream)
    );
  }

  watchFile(path: string, changed: (text: string) => void | Promise<void>): Promise<() => void> {
    return this.#scripts.api("watchFile").then(({ watchFile }) => watchFile(path, changed));
  }

  say(words: string, fields: Fields): void {
    this.#logger.info("program", words, fields);
  }

  close(drainMs?: number): Promise<void> {
    if (drainMs !== undefined && !(drainMs >= 0 && drainMs <= MOST_DRAIN_MS)) {
      const message = `close: the time to drain must be 0 to ${MOST_DRAIN_MS} ms, got ${String(drainMs)}`;
      return Promise.reject(new RangeError(message));
    }
    if (!this.#closing) {
      this.#closing = true;
      void this.#supervisor.stop(drainMs).then(({ connections }) => {
        this.#logger.info("sluice", `stopping, ${connections} client connections open`);
      });
    } else if (drainMs !== undefined) {
      // A later call may shorten the time, and never lengthens it.
      const timer = this.#runtime.clock.setTimer(drainMs, () => this.#supervisor.abort(), true);
      void this.closed.then(() => timer.cancel());
    }
    return this.closed;
  }

  async #end(): Promise<void> {
    this.#closing = true;
    await this.#admin?.close(ADMIN_PATIENCE_MS);
    const { dropped } = this.#supervisor;
    if (dropped > 0) {
      const what = `${dropped} ${dropped === 1 ? "request" : "requests"} dropped`;
      this.#logger.warn("sluice", `the time to drain is over: ${what}`);
    }
    this.#logger.info("sluice", "stopped");
    await this.#logger.flush();
    this.#closed.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkOpen(): void {
    if (this.#closing) throw new Error("the gate is closed");
  }
}

/** The pages of the executable file and its heap belong to the program around us. */
function withoutSideEffects(runtime: Runtime): Runtime {
  const { releaseProgram: _, ...rest } = runtime;
  return rest;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
