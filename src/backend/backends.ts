/**
 * All commands that Sluice runs, one for each upstream that has one. To hold requests and to let them go it uses the
 * verbs of the control plane, as an operator does.
 */

import type { CommandExit, SignalName, Timer } from "../../runtime/contract/contract.ts";
import type { BackendConfig, Config, UpstreamConfig } from "../config/values/config.ts";
import { Backend, type BackendObserver, type BackendSettings } from "./backend.ts";
import { endWords } from "./backend_exit.ts";
import { IdleWatch } from "./backend_idle.ts";
import { listenTogether, sameCommand } from "./backend_match.ts";
import type { BackendGate } from "./backend_gate.ts";
import { type BackendMeans, childHost } from "./backend_process.ts";
import { BackendRequests } from "./backend_requests.ts";
import { restartHeld, stopUnused } from "./backend_restart.ts";
import { ExitWithBackend } from "./exit_with_backend.ts";
import type { EventBody } from "../control/event_hub.ts";
import { refuse, upstreamsNamed } from "../control/names.ts";
import type { Outcome } from "../control/plane.ts";
import type { BackendStatus } from "../process/worker/status.ts";

export interface ChildrenOptions extends BackendMeans {
  /** Events for all that watch. */
  readonly publish: (event: EventBody) => void;
  /** The port that was chosen for an upstream; null = none was. */
  readonly portOf: (upstream: string) => number | null;
}

/** What a command gets to accept connections that takes the place of another after a reload. Milliseconds. */
const REPLACE_TIMEOUT_MS = 60_000;

interface BackendHandle {
  readonly upstream: UpstreamConfig;
  readonly config: BackendConfig;
  readonly child: Backend;
  readonly idle: IdleWatch | null;
  /** A restart is under way, or a stop for want of requests. */
  busy: boolean;
}

interface Leaving {
  readonly handle: BackendHandle;
  /** Until it is told to stop; null = it has been. */
  timer: Timer | null;
}

export class Backends {
  readonly #options: ChildrenOptions;
  #config: Config;
  readonly #exit: ExitWithBackend;
  readonly #requests = new BackendRequests();
  #gate: BackendGate | null = null;
  #handles: readonly BackendHandle[];
  /** Backends that are not in the configuration any more and have not ended yet. */
  readonly #leaving = new Map<Backend, Leaving>();
  #stopping = false;
  #signalled = new Set<SignalName>();

  /** @param config with its ports filled in */
  constructor(options: ChildrenOptions, config: Config) {
    this.#options = options;
    this.#config = config;
    this.#exit = new ExitWithBackend(config.process.exitWithChild);
    this.#handles = config.upstreams.flatMap((upstream) => this.#newBackendHandle(upstream));
  }

  /** Starts the commands that do not wait for a request. */
  start(gate: BackendGate): void {
    this.#gate = gate;
    this.#requests.open(gate);
    this.#listen();
    for (const handle of this.#handles) {
      if (!handle.config.startOnDemand) handle.child.start();
      else void this.#startIfWanted(handle);
    }
  }

  /** With `exit_with_child`: resolves with a sentence when a command has ended by itself. */
  get ended(): Promise<string> {
    return this.#exit.ended;
  }

  /** What Sluice exits with when it has stopped in order. */
  get exitCode(): number {
    return this.#exit.code;
  }

  /** By upstream. Upstreams without a command are not there. */
  status(): ReadonlyMap<string, BackendStatus> {
    return new Map(this.#handles.map(({ upstream, child }) => [upstream.name, child.status()]));
  }

  /** There is a command, or one that has not ended yet. */
  get any(): boolean {
    return this.#handles.length + this.#leaving.size > 0;
  }

  /** Resolves when all commands are gone. No request may need them any more. */
  async stop(): Promise<void> {
    this.#end();
    await Promise.all(this.#all().map((child) => child.dismiss()));
  }

  /** Ends all at once. */
  async kill(): Promise<void> {
    this.#end();
    await Promise.all(this.#all().map((child) => child.kill()));
  }

  #all(): Backend[] {
    return [...this.#handles.map(({ child }) => child), ...this.#leaving.keys()];
  }

  #end(): void {
    this.#stopping = true;
    this.#requests.unwatch();
    for (const { idle } of this.#handles) idle?.stop();
  }

  /**
   * Goes by another configuration, ports filled in: commands that are new are started, those that are not in it are
   * stopped once requests to them have had time to end, and one that listens where another one still does takes its
   * place, with requests held meanwhile. One that comes back before it was told to stop goes on.
   */
  reconfigure(config: Config): void {
    if (this.#stopping) return;
    this.#config = config;
    const before = this.#handles;
    this.#handles = config.upstreams.flatMap((upstream) => {
      const isIt = (handle: BackendHandle) =>
        handle.upstream.name === upstream.name && sameCommand(handle.upstream, upstream);
      const same = before.find(isIt) ?? this.#returned(isIt);
      return same === undefined ? this.#newBackendHandle(upstream) : [same];
    });
    this.#listen();
    for (const old of before) {
      if (this.#handles.includes(old)) continue;
      old.idle?.stop();
      const { drainTimeoutMs } = config.server;
      const dismiss = () => void this.#dismiss(old.child);
      const timer = this.#options.runtime.clock.setTimer(drainTimeoutMs, dismiss, true);
      this.#leaving.set(old.child, { handle: old, timer });
    }
    for (const handle of this.#handles) {
      if (before.includes(handle) || handle.child.state !== "stopped") continue;
      const olds = [...this.#leaving.values()].filter((old) =>
        listenTogether(handle.upstream, old.handle.upstream)
      );
      if (olds.length > 0) void this.#replace(olds.map((old) => old.handle.child), handle);
      else if (!handle.config.startOnDemand) handle.child.start();
      else void this.#startIfWanted(handle);
    }
  }

  /** A backend that a reload took away, as long as its command has not been told to stop. */
  #returned(isIt: (handle: BackendHandle) => boolean): BackendHandle | undefined {
    for (const [child, { handle, timer }] of this.#leaving) {
      if (timer === null || !isIt(handle)) continue;
      timer.cancel();
      this.#leaving.delete(child);
      if (child.state === "running") handle.idle?.start();
      return handle;
    }
    return undefined;
  }

  async #dismiss(child: Backend): Promise<void> {
    const leaving = this.#leaving.get(child);
    leaving?.timer?.cancel();
    if (leaving !== undefined) leaving.timer = null;
    await child.dismiss();
    this.#leaving.delete(child);
  }

  /** @param olds listen where the command of `handle` is to: it starts when all of them are gone */
  async #replace(olds: readonly Backend[], handle: BackendHandle): Promise<void> {
    const gone = async () => {
      await Promise.all(olds.map((old) => this.#dismiss(old)));
    };
    const gate = this.#gate;
    if (gate === null || olds.every((old) => old.pid === 0)) {
      await gone();
      if (handle.config.startOnDemand) await this.#startIfWanted(handle);
      else this.#startIfCurrent(handle);
      return;
    }
    handle.busy = true;
    try {
      const { clock } = this.#options.runtime;
      const drainMs = this.#drainMs(handle);
      const { child, upstream: { name } } = handle;
      const outcome = await restartHeld(gate, clock, name, gone, child, REPLACE_TIMEOUT_MS, drainMs);
      // Another reload may have taken it away meanwhile.
      if (!outcome.ok && this.#handles.includes(handle)) {
        this.#options.logger.warn("child_restart", outcome.message, { upstream: name });
      }
    } finally {
      handle.busy = false;
    }
  }

  #startIfCurrent(handle: BackendHandle): void {
    if (!this.#stopping && this.#handles.includes(handle)) handle.child.start();
  }

  /** For one that waits for a request: there may be one already. */
  async #startIfWanted(handle: BackendHandle): Promise<void> {
    const { waiting } = await this.#requests.activity(handle.upstream.name);
    if (waiting > 0) this.#startIfCurrent(handle);
  }

  #drainMs({ config }: BackendHandle): number {
    return Math.min(config.stopTimeoutMs, this.#config.server.drainTimeoutMs);
  }

  /** See `ControlPlane.restart`. */
  async restart(
    upstream: string | null,
    timeoutMs: number,
  ): Promise<Outcome<{ readonly pids: readonly number[] }>> {
    const named = upstreamsNamed(this.#config, upstream);
    if (!named.ok) return named;
    const handles = this.#handles.filter((handle) => named.upstreams.includes(handle.upstream.name));
    if (handles.length === 0) {
      const who = upstream === null ? "No upstream has a" : `Upstream ${upstream} has no`;
      return refuse("not_possible", `${who} command that Sluice runs.`);
    }
    const busy = handles.find((handle) => handle.busy);
    if (busy !== undefined) {
      return refuse("busy", `The command of ${busy.upstream.name} is being restarted or stopped already.`);
    }
    const gate = this.#gate;
    if (gate === null || this.#stopping) {
      return refuse("not_possible", "Sluice is starting or stopping.");
    }
    const { clock } = this.#options.runtime;
    for (const handle of handles) handle.busy = true;
    try {
      const outcomes = await Promise.all(handles.map((handle) => {
        const { upstream: { name }, child, idle } = handle;
        idle?.stop();
        return restartHeld(gate, clock, name, () => child.stop(), child, timeoutMs, this.#drainMs(handle));
      }));
      const failed = outcomes.find((outcome) => !outcome.ok);
      return failed ?? { ok: true, pids: handles.map(({ child }) => child.pid) };
    } finally {
      for (const handle of handles) handle.busy = false;
    }
  }

  #newBackendHandle(upstream: UpstreamConfig): BackendHandle[] {
    const { child: config } = upstream;
    if (config === null) return [];
    const { clock } = this.#options.runtime;
    const settings: BackendSettings = {
      command: config.command,
      stopSignal: `SIG${config.stopSignal}`,
      stopTimeoutMs: config.stopTimeoutMs,
      maxFailures: config.maxFailures,
    };
    const port = this.#options.portOf(upstream.name);
    const host = childHost(
      this.#options,
      upstream,
      config,
      port,
      (since) => this.#requests.usedSince(upstream.name, since),
    );
    const child: Backend = new Backend(settings, host, this.#observer(upstream.name, config, () => handle));
    const idle = config.stopWhenIdleMs === 0
      ? null
      : new IdleWatch(clock, config.stopWhenIdleMs, () =>
        this.#requests.activity(upstream.name), () =>
        void this.#unused(handle));
    const handle: BackendHandle = { upstream, config, child, idle, busy: false };
    return [handle];
  }

  // Started and stopped by requests, and by their absence

  /** Hears of waiting requests and of signals, as far as a command needs it. */
  #listen(): void {
    const wanted = this.#handles.some(({ config }) => config.startOnDemand || config.stopWhenIdleMs > 0);
    if (wanted) this.#requests.watch((upstream) => this.#wanted(upstream));
    else this.#requests.unwatch();
    for (const name of new Set(this.#handles.flatMap(({ config }) => config.forward))) {
      const signal = `SIG${name}` as const;
      if (this.#signalled.has(signal)) continue;
      this.#signalled.add(signal);
      this.#options.system.onSignal(signal, () => {
        for (const { config, child } of this.#handles) {
          if (config.forward.includes(name)) child.forward(signal);
        }
      });
    }
  }

  /** A request waits for the command. */
  #wanted(upstream: string): void {
    const handle = this.#handles.find((each) => each.upstream.name === upstream);
    // One that stops is started when it has stopped: see `#unused`.
    if (handle?.child.state === "stopped" && !handle.busy) this.#startIfCurrent(handle);
  }

  async #unused(handle: BackendHandle): Promise<void> {
    const gate = this.#gate;
    if (gate === null || handle.busy || this.#stopping || handle.child.state !== "running") return;
    handle.busy = true;
    try {
      const stopped = await stopUnused(
        gate,
        handle.upstream.name,
        handle.child,
        () => this.#requests.activity(handle.upstream.name),
      );
      if (stopped) {
        this.#options.logger.info(
          "child_idle",
          `${handle.upstream.name}: no request for a while: command stopped`,
        );
      } else if (handle.child.state === "running") {
        handle.idle?.start();
      }
    } finally {
      handle.busy = false;
      // Requests that came while it stopped. The cast: the compiler takes the state to be what it was.
      if (this.#requests.waitsAt(handle.upstream.name) && (handle.child.state as string) === "stopped") {
        this.#startIfCurrent(handle);
      }
    }
  }

  // What happens to them

  #observer(upstream: string, config: BackendConfig, handle: () => BackendHandle): BackendObserver {
    const { logger, publish } = this.#options;
    const tell = (event: "child_started" | "child_ended" | "child_given_up", pid: number, detail: string) =>
      publish({ event, upstream, pid, detail });
    return {
      childStarted: (pid) => {
        logger.info("child_started", `${upstream}: started ${config.command[0]}`, { upstream, pid });
        tell("child_started", pid, config.command.join(" "));
      },
      childRuns: (pid, bootMs) => {
        const ms = Math.round(bootMs);
        logger.info("child_runs", `${upstream}: accepts connections after ${ms} ms`, { upstream, pid });
        handle().idle?.start();
      },
      childStopped: (pid, how) => {
        handle().idle?.stop();
        if (this.#stopping) this.#exit.stoppedWithSluice(how, `SIG${config.stopSignal}`);
        tell("child_ended", pid, "told to stop");
      },
      childEnded: (pid, how, why) => {
        handle().idle?.stop();
        tell("child_ended", pid, why);
        return !this.#endsWith(upstream, how, why);
      },
      childWaits: (pid, why, pauseMs) => {
        const message = `${upstream}: command ${endWords(why)}; it is started again in ${
          Math.round(pauseMs)
        } ms`;
        logger.warn("child_ended", message, { upstream, pid });
      },
      childGivenUp: (pid, why) => {
        logger.error("child_given_up", `${upstream}: command given up: ${why}`, { upstream, pid });
        tell("child_given_up", pid, why);
      },
    };
  }

  /** It has ended by itself: whether Sluice ends with it. */
  #endsWith(upstream: string, how: CommandExit, why: string): boolean {
    const ends = this.#exit.endedByItself(upstream, how, why);
    if (ends) this.#stopping = true;
    return ends;
  }
}
