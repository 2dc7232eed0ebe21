/**
 * Serving: starts the workers, says when all are ready, serves until told to stop, ends gracefully. Resolves
 * with the exit code.
 */

import {
  type Address,
  type Runtime,
  type System,
  SystemError,
  type UnixAccess,
} from "../../runtime/contract/contract.ts";
import { controlRoutes, refusalReply } from "../admin/control_api.ts";
import { printBound } from "../config/values/address.ts";
import type { Config } from "../config/values/config.ts";
import { sleep } from "../control/conditions.ts";
import { logEvent } from "../control/control_log.ts";
import { SluicePlane } from "../control/control_plane.ts";
import { EachAddress } from "../control/each_address.ts";
import { type EventBody, EventHub } from "../control/event_hub.ts";
import { Gate, gatedPlane } from "../control/gated_plane.ts";
import { NOTHING_HANDED, withSwapped } from "../control/handover_state.ts";
import type { Logger } from "../observe/logger.ts";
import { type ExchangeSink, openLogger } from "../observe/telemetry.ts";
import { chooseSockets } from "../process/shared/choose_sockets.ts";
import { socketsWords } from "../process/shared/chosen_sockets.ts";
import { EXIT, type ExitCode } from "../process/shared/exit_code.ts";
import { HURRIED, PATIENT } from "../process/shared/patience.ts";
import { unixAccess } from "../process/shared/unix_access.ts";
import { isOwn } from "../process/shared/script_files.ts";
import { Supervisor } from "../process/supervisor/supervisor.ts";
import { limitedEndpoints } from "../process/worker/limits.ts";
import type { StartFailure } from "../process/worker/messages.ts";
import { releaseStartMemory } from "../process/worker/start_memory.ts";
import { BackendCommands } from "./backend_commands.ts";
import type { RereadableConfig } from "./config_source.ts";
import { FileWatch } from "./config_watch.ts";
import { ControlSockets } from "./control_sockets.ts";
import { explain } from "./explain/explain.ts";
import { ListeningSockets } from "./listening_sockets.ts";
import { LoggingObserver } from "./logging_observer.ts";
import { adminAddresses, openAdmin } from "./open_admin.ts";
import { printError, printProblems } from "./output.ts";
import { OwnFiles } from "./own_files.ts";
import { endpointProbe } from "./probe.ts";
import { announce } from "./ready_fd.ts";
import { RequestedReload } from "./requested_reload.ts";
import { ServiceManager } from "./service_manager.ts";
import { StopSignals } from "./stop_signals.ts";
import { lastReport, leaveTo, Takeover } from "./upgrade/changing_hands.ts";
import type { Predecessor } from "./upgrade/predecessor.ts";
import type { Successor } from "./upgrade/successor.ts";
import { Upgrade } from "./upgrade/upgrade.ts";
import { versionInfo } from "./version.ts";
import { warnOfStalls, workerCount, workersApart } from "./worker_count.ts";

/** For answers of the admin listener that are under way when all else has ended. */
const ADMIN_PATIENCE_MS = 500;

export interface ServeHooks {
  /** Everything is bound and the ready signals have been given. */
  readonly onReady?: (listeners: readonly Address[]) => void;
  /** What can be asked of it, before it serves. */
  readonly onPlane?: (plane: SluicePlane) => void;
  /** For reading the configuration anew, or why it cannot be. */
  readonly source?: RereadableConfig | string;
  /** The Sluice whose place we take. */
  readonly predecessor?: Predecessor;
  /** Told of each exchange that has ended, where there is one worker. */
  readonly exchanges?: ExchangeSink;
  /** Resolves when Sluice is to stop, gracefully. */
  readonly until?: Promise<void>;
  /** Where signals come from. Default: the system. */
  readonly onSignal?: System["onSignal"];
}

/** How long the start waits for names whose addresses are endpoints; they may come later. */
const NAMES_PATIENCE_MS = 1000;
/** What a new process gets to be ready when an upgrade does not say how long. */
const UPGRADE_TIMEOUT_MS = 30_000;
/** What answers of the control socket get to go out in the end. */
const CONTROL_PATIENCE_MS = 1000;
/** A client that has just connected may be asking: it is told of the Sluice in our place. */
const ASKING_MS = 300;
/** For verbs that are as good as done; what takes longer is to be asked of the Sluice in our place. */
const VERB_PATIENCE_MS = 500;
/** What they get when another Sluice has taken our place: waits go on for as long as we drain. */
const REPLACED_PATIENCE_MS = 24 * 3_600_000;

export async function serve(
  runtime: Runtime,
  system: System,
  given: Config,
  hooks: ServeHooks = {},
): Promise<number> {
  const count = workerCount(runtime, system, given);
  if (typeof count === "string") return fail(system, EXIT.usage, count);
  const apart = workersApart(runtime, given, count, hooks.exchanges !== undefined);
  const chosen = chooseSockets(runtime, system, given);
  if (typeof chosen === "string") return fail(system, EXIT.usage, chosen);
  const events = new EventHub(runtime.clock);
  let logger: Logger;
  let commands: BackendCommands | string;
  try {
    const shared = apart || given.upstreams.some(({ child }) => child !== null);
    logger = await openLogger(runtime, system, given.log, shared);
    const publish = (event: EventBody) => events.note(event);
    commands = await BackendCommands.open(runtime, system, given, logger, publish);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return fail(system, EXIT.failed, error.message);
  }
  if (typeof commands === "string") return fail(system, EXIT.failed, commands);
  logger.debug("sockets", `sockets: ${socketsWords(chosen)}`);
  const { children, config } = commands;
  if (system.pid === 1 && !(runtime.capabilities.reapsOrphans && system.reapOrphans())) {
    const why =
      `${runtime.name} cannot wait for what is orphaned in this container: start it with an init (docker run --init)`;
    logger.warn("sluice", `process 1: ${why}`);
  }
  const { predecessor } = hooks;
  let controlAccess: UnixAccess;
  try {
    controlAccess = await unixAccess(system, config.process.controlAccess, "control_");
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return fail(system, EXIT.failed, error.message);
  }
  const opened = await ListeningSockets.open(
    runtime,
    system,
    config,
    count,
    apart,
    predecessor,
    logger,
    hooks.exchanges,
  );
  if (!opened.ok) return fail(system, opened.code, opened.message);
  const { listening } = opened;
  const { sockets } = listening;
  events.noted = (event) => logEvent(logger, event);
  const observer = new LoggingObserver(logger, events);
  const handover = predecessor?.handover ?? NOTHING_HANDED;
  const addresses = new EachAddress(runtime);
  const written = withSwapped(config, handover.swapped);
  await addresses.learn(written, NAMES_PATIENCE_MS);
  const serving = addresses.expand(written);
  const supervisor = new Supervisor(
    runtime.clock,
    serving,
    count,
    listening.startWorker,
    observer,
    system,
  );
  warnOfStalls(runtime, logger, config, apart);
  const onSignal: System["onSignal"] = hooks.onSignal ?? ((name, handler) => system.onSignal(name, handler));
  const stopping = new StopSignals(onSignal);
  void hooks.until?.then(() => stopping.ask(false));
  stopping.onPatience = (name) => {
    logger.info("sluice", `${name}: what is left here is being let end already; a second one ends it`);
  };
  const { source: read = "This configuration was not read from anywhere." } = hooks;
  const source = typeof read === "string" ? read : commands.source(read);
  const plane = new SluicePlane({
    clock: runtime.clock,
    supervisor,
    events,
    version: versionInfo(runtime, system).version,
    runtime: `${runtime.name} ${runtime.version}`,
    pid: system.pid,
    residentBytes: () => system.residentBytes(),
    reloading: (act) => serviceManager.reload(act),
    source: typeof source === "string" ? source : {
      ...source,
      portInUse: (before, after) => listening.newPortInUse(before, after),
    },
    probe: endpointProbe(runtime, system),
    addresses,
    changed: (config) => {
      children.reconfigure(config);
      warnOfStalls(runtime, logger, config, apart);
      return listening.dropUnused(config.listen);
    },
    stop: (now) => stopping.ask(now),
  });
  const gate = new Gate();
  const verbs = gatedPlane(plane, gate);
  const takeover = predecessor === undefined
    ? null
    : await Takeover.begin(predecessor, supervisor, plane, gate);
  const serviceManager = new ServiceManager(runtime.clock, system, () => supervisor.report());
  const reload = new RequestedReload(plane, gate, serviceManager, logger);
  // A failure has been logged by the plane.
  const reopen = async () => {
    if ((await plane.reopenLogs()).ok) logger.info("reopened", "log files opened anew");
  };
  onSignal("SIGUSR1", () => void reopen());
  hooks.onPlane?.(plane);
  plane.extensions.children = () => children.status();
  plane.extensions.restart = (upstream, timeoutMs) => children.restart(upstream, timeoutMs);
  plane.extensions.explain = async (request) =>
    explain(runtime, system, supervisor.config, request, await plane.status());
  const adminOpened = await openAdmin(sockets.runtime, system, config.admin, verbs, (error) => {
    logger.error("admin", `a bug: ${stackOf(error)}`);
  });
  if (!adminOpened.ok) return fail(system, adminOpened.code, adminOpened.message);
  const { admin } = adminOpened;
  supervisor.besides = adminAddresses(admin, logger);

  const files = new OwnFiles(runtime.clock, system);
  const controls = new ControlSockets(runtime, system, logger, {
    control: config.process.control,
    access: controlAccess,
    routes: controlRoutes(verbs),
    refuse: () => gate.heir === 0 ? null : refusalReply(gate.refusal),
    onError: (error) => logger.error("control", `a bug: ${stackOf(error)}`),
  });
  let watch: FileWatch | null = null;
  let successor: Successor | null = null;
  /** How often log files had been opened anew when the last upgrade began. */
  let reopened = 0;
  const started = await Promise.race([supervisor.start(), stopping.first]);
  if (typeof started === "object") {
    if (!started.ok) {
      await admin?.close(0);
      return failed(system, started.failure);
    }
    const { addresses } = started;
    const giveUp = async (code: ExitCode, message: string) => {
      supervisor.abort();
      await supervisor.ended;
      await controls.close(0);
      await admin?.close(0);
      await files.remove();
      return fail(system, code, message);
    };
    if (predecessor !== undefined && takeover !== null) {
      const ended = Promise.race([stopping.first, supervisor.ended]).then(() => null);
      const yours = await Promise.race([predecessor.ready(), ended]);
      if (yours === null) return await giveUp(EXIT.failed, "ended before it took over");
      await takeover.take(yours);
      reload.postponed = yours.reload === true;
    }
    // Before our process id is published: by default these signals end a process.
    onSignal("SIGHUP", () => void reload.ask());
    const upgrade = new Upgrade(runtime.clock, system, sockets, {
      impossible: () =>
        children.any || config.process.through !== null
          ? "the command that Sluice runs cannot be handed over: restart Sluice, or run the command outside of it"
          : null,
      busy: () => plane.changing ? "a reload or a swap is under way" : null,
      limits: () => limitedEndpoints(supervisor.config),
      upstreams: () => supervisor.config.upstreams.map(({ name, endpoints }) => ({ name, endpoints })),
      trying: (over) => {
        gate.trial = true;
        reopened = plane.reopened;
        supervisor.try(over);
      },
      listening: () => supervisor.addresses,
      handoverState: () => plane.handoverState(),
      yours: () => {
        gate.shut();
        return {
          handover: plane.handoverState(),
          reopen: plane.reopened > reopened,
          reload: reload.postponed,
        };
      },
      started: (pid) => events.note({ event: "upgrading", pid }),
      replaced: async (pid, heir) => {
        // They speak of the other process now.
        files.forget();
        void serviceManager.replaced(pid);
        events.note({ event: "upgraded", pid });
        successor = heir;
        leaveTo(heir, runtime.clock, supervisor, plane, () => stopping.ask(true));
        gate.replaced(pid);
        stopping.replaced(`process ${pid} serves now`);
        // Clients connect again, to the other one; what is being waited for here is waited for on.
        void controls.close(REPLACED_PATIENCE_MS, ASKING_MS);
        await supervisor.closed;
      },
      failed: async ({ message, problems }, hadNames) => {
        events.note({ event: "upgrade_failed", detail: [message, ...problems ?? []].join("; ") });
        if (hadNames) {
          await files.writeAgain();
          const why = await controls.open(addresses, true);
          if (why !== null) logger.error("control", why);
        }
        gate.trial = false;
        gate.open();
        reload.resume();
      },
    });
    plane.extensions.upgrade = (binary, timeoutMs) => upgrade.run(binary, timeoutMs);
    onSignal("SIGUSR2", async () => {
      const outcome = await gate.pass() ?? await upgrade.run(null, UPGRADE_TIMEOUT_MS);
      // Nothing has been tried, so no event tells.
      if (!outcome.ok && outcome.code !== "failed" && outcome.code !== "timeout") {
        logger.error("upgrade_failed", `upgrade: ${outcome.message}`);
      }
    });
    void stopping.first.then(() => upgrade.cancel());
    // Before the ready signals: a program that waits for them may use verbs at once.
    const wrong = await controls.open(addresses, predecessor !== undefined);
    if (wrong !== null) return await giveUp(EXIT.bind, wrong);
    try {
      await files.write(config.process, addresses);
      if (predecessor === undefined) await announce(system, config.process.readyFd);
      await serviceManager.ready(predecessor !== undefined);
    } catch (error) {
      return await giveUp(EXIT.failed, error instanceof Error ? error.message : String(error));
    }
    await takeover?.settle();
    await sockets.closeUnused();
    const where = printBound(config.listen, started.addresses).join(", ");
    const workers = count > 1 ? ` with ${count} workers` : "";
    logger.info("sluice", `listening on ${where}${workers}`);
    if (config.process.watch && typeof source === "string") logger.warn("watch", source);
    else if (config.process.watch && typeof source !== "string") {
      watch = new FileWatch(
        runtime.clock,
        system,
        () => [...source.files(plane.loaded ?? source.loaded), ...supervisor.scriptFiles.filter(isOwn)],
        () => reload.ask(),
      );
    }
    children.start(plane);
    plane.followNames();
    reload.resume();
    // The worker that is in this process does it itself.
    if (apart) releaseStartMemory(runtime, () => -Infinity);
    hooks.onReady?.(started.addresses);
  }

  const signal = await Promise.race([stopping.first, children.ended, supervisor.ended]);
  watch?.end();
  if (typeof signal === "string") {
    if (!stopping.isReplaced) void serviceManager.stopping();
    // The other process answers there; what we say of ourselves would be taken for what it says.
    else void admin?.close(ADMIN_PATIENCE_MS);
    events.note({ event: "stopping" });
    void stopping.second.then(() => supervisor.abort());
    void sockets.closeHeld();
    void supervisor.stop().then(({ connections }) => {
      logger.info("sluice", `${signal}: stopping, ${connections} client connections open`);
    });
  }
  const failure = await supervisor.ended;
  const lost = supervisor.dropped;
  const { hurry } = stopping;
  if (lost > 0) {
    const what = `${lost} ${lost === 1 ? "request" : "requests"} dropped`;
    if (hurry === null) logger.warn("sluice", `drain_timeout is over: ${what}`);
    else logger.error("sluice", `${hurry}: ${what}`);
  }
  // No request needs the commands any more.
  void stopping.second.then(() => children.kill());
  await children.stop();
  const replaced = gate.heir !== 0;
  if (replaced) {
    await Promise.race([gate.idle, sleep(runtime.clock, VERB_PATIENCE_MS)]);
    gate.end();
  }
  await controls.close(CONTROL_PATIENCE_MS, replaced ? ASKING_MS : 0);
  await admin?.close(ADMIN_PATIENCE_MS);
  await files.remove();
  if (!supervisor.logged) {
    logger.error("access_log", "its last lines could not be written: nobody has read them in time");
  }
  const patience = () => stopping.hurry === null ? PATIENT : HURRIED;
  await commands.flush(patience());
  if (successor !== null) await lastReport(runtime.clock, supervisor, successor);
  if (failure === null) logger.info("sluice", "stopped");
  await logger.flush(patience());
  if (failure !== null) return failed(system, failure);
  // The end of the drain time was to be expected. An end that was asked for at once is not: its cost is an error.
  if (lost > 0 && hurry !== null && !config.process.exitWithChild) return EXIT.failed;
  return supervisor.logged || children.exitCode !== EXIT.done ? children.exitCode : EXIT.failed;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

function fail(system: System, code: ExitCode, message: string): ExitCode {
  printError(system, `sluice: ${message}\n`);
  return code;
}

function failed(system: System, { kind, message }: StartFailure): ExitCode {
  if (kind === "script") {
    printProblems(system, message.split("\n"));
    return EXIT.usage;
  }
  return fail(system, kind === "bind" ? EXIT.bind : EXIT.failed, message);
}
