/**
 * All commands that Sluice runs, one for each upstream that has one. What it asks about requests (hold them,
 * let them go, is anything in flight?) it asks the control plane like anybody else.
 */

import type { CommandExit, SignalName, Timer } from "../../runtime/contract/contract.ts";
import type { ChildConfig, Config, UpstreamConfig } from "../config/values/config.ts";
import { Child, type ChildObserver, type ChildSettings } from "./backend.ts";
import { endWords, exitCodeOf, stoppedCodeOf } from "./backend_exit.ts";
import { type Activity, IdleWatch } from "./backend_idle.ts";
import { listenTogether, sameCommand } from "./backend_match.ts";
import { childHost, type ChildMeans } from "./backend_process.ts";
import { restartHeld, stopUnused } from "./backend_restart.ts";
import type { EventBody } from "../control/event_hub.ts";
import { refuse, upstreamsNamed } from "../control/names.ts";
import type { ControlPlane, Outcome } from "../control/plane.ts";
import type { ChildStatus, UpstreamStatus } from "../process/worker/status.ts";

/** What is asked of the control plane. */
export type ChildGate = Pick<ControlPlane, "status" | "watch" | "pause" | "resume" | "drain" | "undrain">;

export interface ChildrenOptions extends ChildMeans {
  /** Events for whoever watches. */
  readonly publish: (event: EventBody) => void;
  /** The port that was chosen for an upstream; null = none was. */
  readonly portOf: (upstream: string) => number | null;
}

/** What a command gets to accept connections that takes the place of another after a reload. Milliseconds. */
const REPLACE_TIMEOUT_MS = 60_000;

interface Seat {
  readonly upstream: UpstreamConfig;
  readonly config: ChildConfig;
  readonly child: Child;
  readonly idle: IdleWatch | null;
  /** A restart is under way, or a stop for want of requests. */
  busy: boolean;
}

interface Leaving {
  readonly seat: Seat;
  /** Until it is told to stop; null = it has been. */
  timer: Timer | null;
}

export class Children {
  readonly #options: ChildrenOptions;
  #config: Config;
  /** A reload does not change it. */
  readonly #exitWithChild: boolean;
  #gate: ChildGate | null = null;
  #seats: readonly Seat[];
  /** Those that are not in the configuration any more and have not ended yet. */
  readonly #leaving = new Map<Child, Leaving>();
  #unwatch: (() => void) | null = null;
  /** Upstreams in whose waiting rooms somebody is, as far as we listen. */
  readonly #held = new Set<string>();
  #stopping = false;
  /** Of the first command that ended by itself, where Sluice ends with it. */
  #ownCode: number | null = null;
  /** Of commands that were told to end with Sluice: 0, or the code of one that was not well. */
  #toldCode = 0;
  readonly #ended = Promise.withResolvers<string>();
  #signalled = new Set<SignalName>();

  /** @param config with its ports filled in */
  constructor(options: ChildrenOptions, config: Config) {
    this.#options = options;
    this.#config = config;
    this.#exitWithChild = config.process.exitWithChild;
    this.#seats = config.upstreams.flatMap((upstream) => this.#newSeat(upstream));
  }

  /** Starts those that do not wait for a request. */
  start(gate: ChildGate): void {
    this.#gate = gate;
    this.#listen();
    for (const seat of this.#seats) {
      if (!seat.config.startOnDemand) seat.child.start();
      else void this.#startIfWanted(seat);
    }
  }

  /** With `exit_with_child`: resolves with a sentence when a command has ended by itself. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** What Sluice exits with when it has stopped in order. */
  get exitCode(): number {
    return this.#exitWithChild ? this.#ownCode ?? this.#toldCode : 0;
  }

  /** By upstream; those without a command are not there. */
  status(): ReadonlyMap<string, ChildStatus> {
    return new Map(this.#seats.map(({ upstream, child }) => [upstream.name, child.status()]));
  }

  /** There is a command, or one that has not ended yet. */
  get any(): boolean {
    return this.#seats.length + this.#leaving.size > 0;
  }

  /** Resolves when all are gone. No request may need them any more. */
  async stop(): Promise<void> {
    this.#end();
    await Promise.all(this.#all().map((child) => child.dismiss()));
  }

  /** Ends all at once. */
  async kill(): Promise<void> {
    this.#end();
    await Promise.all(this.#all().map((child) => child.kill()));
  }

  #all(): Child[] {
    return [...this.#seats.map(({ child }) => child), ...this.#leaving.keys()];
  }

  #end(): void {
    this.#stopping = true;
    this.#unwatch?.();
    this.#unwatch = null;
    for (const { idle } of this.#seats) idle?.stop();
  }

  /**
   * Goes by another configuration, ports filled in: commands that are new are started, those that are not in it are
   * stopped once requests to them have had time to end, and one that listens where another one still does takes its
   * place, with requests held meanwhile. One that comes back before it was told to stop goes on.
   */
  reconfigure(config: Config): void {
    if (this.#stopping) return;
    this.#config = config;
    const before = this.#seats;
    this.#seats = config.upstreams.flatMap((upstream) => {
      const isIt = (seat: Seat) =>
        seat.upstream.name === upstream.name && sameCommand(seat.upstream, upstream);
      const same = before.find(isIt) ?? this.#returned(isIt);
      return same === undefined ? this.#newSeat(upstream) : [same];
    });
    this.#listen();
    for (const old of before) {
      if (this.#seats.includes(old)) continue;
      old.idle?.stop();
      const { drainTimeoutMs } = config.server;
      const dismiss = () => void this.#dismiss(old.child);
      const timer = this.#options.runtime.clock.setTimer(drainTimeoutMs, dismiss, true);
      this.#leaving.set(old.child, { seat: old, timer });
    }
    for (const seat of this.#seats) {
      if (before.includes(seat) || seat.child.state !== "stopped") continue;
      const olds = [...this.#leaving.values()].filter((old) =>
        listenTogether(seat.upstream, old.seat.upstream)
      );
      if (olds.length > 0) void this.#replace(olds.map((old) => old.seat.child), seat);
      else if (!seat.config.startOnDemand) seat.child.start();
      else void this.#startIfWanted(seat);
    }
  }

  /** A seat that a reload took away, as long as its command has not been told to stop. */
  #returned(isIt: (seat: Seat) => boolean): Seat | undefined {
    for (const [child, { seat, timer }] of this.#leaving) {
      if (timer === null || !isIt(seat)) continue;
      timer.cancel();
      this.#leaving.delete(child);
      if (child.state === "running") seat.idle?.start();
      return seat;
    }
    return undefined;
  }

  async #dismiss(child: Child): Promise<void> {
    const leaving = this.#leaving.get(child);
    leaving?.timer?.cancel();
    if (leaving !== undefined) leaving.timer = null;
    await child.dismiss();
    this.#leaving.delete(child);
  }

  /** @param olds listen where the command of `seat` is to: it starts when all of them are gone */
  async #replace(olds: readonly Child[], seat: Seat): Promise<void> {
    const gone = async () => {
      await Promise.all(olds.map((old) => this.#dismiss(old)));
    };
    const gate = this.#gate;
    if (gate === null || olds.every((old) => old.pid === 0)) {
      await gone();
      if (seat.config.startOnDemand) await this.#startIfWanted(seat);
      else this.#startIfSeated(seat);
      return;
    }
    seat.busy = true;
    try {
      const { clock } = this.#options.runtime;
      const drainMs = this.#drainMs(seat);
      const { child, upstream: { name } } = seat;
      const outcome = await restartHeld(gate, clock, name, gone, child, REPLACE_TIMEOUT_MS, drainMs);
      // Another reload may have taken it away meanwhile.
      if (!outcome.ok && this.#seats.includes(seat)) {
        this.#options.logger.warn("child_restart", outcome.message, { upstream: name });
      }
    } finally {
      seat.busy = false;
    }
  }

  #startIfSeated(seat: Seat): void {
    if (!this.#stopping && this.#seats.includes(seat)) seat.child.start();
  }

  /** For one that waits for a request: there may be one already. */
  async #startIfWanted(seat: Seat): Promise<void> {
    const { waiting } = await this.#activity(seat.upstream.name);
    if (waiting > 0) this.#startIfSeated(seat);
  }

  #drainMs({ config }: Seat): number {
    return Math.min(config.stopTimeoutMs, this.#config.server.drainTimeoutMs);
  }

  /** See `ControlPlane.restart`. */
  async restart(
    upstream: string | null,
    timeoutMs: number,
  ): Promise<Outcome<{ readonly pids: readonly number[] }>> {
    const named = upstreamsNamed(this.#config, upstream);
    if (!named.ok) return named;
    const seats = this.#seats.filter((seat) => named.upstreams.includes(seat.upstream.name));
    if (seats.length === 0) {
      const who = upstream === null ? "No upstream has a" : `Upstream ${upstream} has no`;
      return refuse("not_possible", `${who} command that Sluice runs.`);
    }
    const busy = seats.find((seat) => seat.busy);
    if (busy !== undefined) {
      return refuse("busy", `The command of ${busy.upstream.name} is being restarted or stopped already.`);
    }
    const gate = this.#gate;
    if (gate === null || this.#stopping) {
      return refuse("not_possible", "Sluice is starting or stopping.");
    }
    const { clock } = this.#options.runtime;
    for (const seat of seats) seat.busy = true;
    try {
      const outcomes = await Promise.all(seats.map((seat) => {
        const { upstream: { name }, child, idle } = seat;
        idle?.stop();
        return restartHeld(gate, clock, name, () => child.stop(), child, timeoutMs, this.#drainMs(seat));
      }));
      const failed = outcomes.find((outcome) => !outcome.ok);
      return failed ?? { ok: true, pids: seats.map(({ child }) => child.pid) };
    } finally {
      for (const seat of seats) seat.busy = false;
    }
  }

  #newSeat(upstream: UpstreamConfig): Seat[] {
    const { child: config } = upstream;
    if (config === null) return [];
    const { clock } = this.#options.runtime;
    const settings: ChildSettings = {
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
      (since) => this.#used(upstream.name, since),
    );
    const child: Child = new Child(settings, host, this.#observer(upstream.name, config, () => seat));
    const idle = config.stopWhenIdleMs === 0
      ? null
      : new IdleWatch(clock, config.stopWhenIdleMs, () =>
        this.#activity(upstream.name), () =>
        void this.#unused(seat));
    const seat: Seat = { upstream, config, child, idle, busy: false };
    return [seat];
  }

  // Started and stopped by requests, and by their absence

  /** Hears of waiting requests and of signals, as far as somebody needs it. */
  #listen(): void {
    const wanted = this.#seats.some(({ config }) => config.startOnDemand || config.stopWhenIdleMs > 0);
    if (wanted && this.#unwatch === null) {
      this.#unwatch = this.#gate?.watch((event) => {
        if (event.event === "held") this.#wanted(event.upstream);
        else if (event.event === "released") this.#held.delete(event.upstream);
      }) ?? null;
    } else if (!wanted) {
      this.#unwatch?.();
      this.#unwatch = null;
      this.#held.clear();
    }
    for (const name of new Set(this.#seats.flatMap(({ config }) => config.forward))) {
      const signal = `SIG${name}` as const;
      if (this.#signalled.has(signal)) continue;
      this.#signalled.add(signal);
      this.#options.system.onSignal(signal, () => {
        for (const { config, child } of this.#seats) if (config.forward.includes(name)) child.forward(signal);
      });
    }
  }

  /** A request waits for the command. */
  #wanted(upstream: string): void {
    this.#held.add(upstream);
    const seat = this.#seats.find((each) => each.upstream.name === upstream);
    // One that stops is started when it has stopped: see `#unused`.
    if (seat?.child.state === "stopped" && !seat.busy) this.#startIfSeated(seat);
  }

  async #upstream(named: string): Promise<UpstreamStatus | undefined> {
    const status = await this.#gate?.status();
    return status?.upstreams.find(({ name }) => name === named);
  }

  /** Whether a request has been sent to the command since then. Wall-clock milliseconds. */
  async #used(upstream: string, since: number): Promise<boolean> {
    const found = await this.#upstream(upstream);
    return found?.endpoints.some(({ last_request: at }) => at !== null && Date.parse(at) >= since) === true;
  }

  async #activity(upstream: string): Promise<Activity> {
    const found = await this.#upstream(upstream);
    return {
      inFlight: found?.in_flight ?? 0,
      waiting: found?.waiting ?? 0,
      requests: found?.totals.requests ?? 0,
    };
  }

  async #unused(seat: Seat): Promise<void> {
    const gate = this.#gate;
    if (gate === null || seat.busy || this.#stopping || seat.child.state !== "running") return;
    seat.busy = true;
    try {
      const stopped = await stopUnused(
        gate,
        seat.upstream.name,
        seat.child,
        () => this.#activity(seat.upstream.name),
      );
      if (stopped) {
        this.#options.logger.info(
          "child_idle",
          `${seat.upstream.name}: no request for a while: command stopped`,
        );
      } else if (seat.child.state === "running") {
        seat.idle?.start();
      }
    } finally {
      seat.busy = false;
      // Requests that came while it stopped. The cast: the compiler takes the state to be what it was.
      if (this.#held.has(seat.upstream.name) && (seat.child.state as string) === "stopped") {
        this.#startIfSeated(seat);
      }
    }
  }

  // What happens to them

  #observer(upstream: string, config: ChildConfig, seat: () => Seat): ChildObserver {
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
        seat().idle?.start();
      },
      childStopped: (pid, how) => {
        seat().idle?.stop();
        this.#stoppedWith(how, `SIG${config.stopSignal}`);
        tell("child_ended", pid, "told to stop");
      },
      childEnded: (pid, how, why) => {
        seat().idle?.stop();
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
    if (!this.#exitWithChild) return false;
    this.#ownCode ??= exitCodeOf(how);
    this.#stopping = true;
    this.#ended.resolve(`the command of ${upstream} ${endWords(why)}`);
    return true;
  }

  #stoppedWith(how: CommandExit, told: SignalName): void {
    if (this.#stopping) this.#toldCode ||= stoppedCodeOf(how, told);
  }
}
