/**
 * The command that is the backend of one upstream: started, watched, started again after a pause when it ends
 * by itself, stopped gracefully. It knows nothing of requests; `Backends` holds them meanwhile.
 *
 *     stopped ── start ──> starting ── accepts ──> running ── stop ──> stopping ──> stopped
 *                             ^  └───── ends by itself ─────┴──> waiting, or given_up
 *                             └── after a pause ──────────────────┘
 */

import type {
  Clock,
  CommandExit,
  CommandProcess,
  SignalName,
  Timer,
} from "../../runtime/contract/contract.ts";
import { restartPause } from "../process/supervisor/restart_pause.ts";
import { notStarted } from "./backend_exit.ts";
import type { BackendStatus } from "../process/worker/status.ts";

/** A command that lived for so long is well: its next end counts as the first one. Milliseconds. */
const QUICK_MS = 10_000;
/** How often it is looked whether others of a group are left: no event tells. Milliseconds. */
const GROUP_CHECK_MS = 20;

export interface BackendSettings {
  /** For status, with `{port}` where it is to be filled in. */
  readonly command: readonly string[];
  readonly stopSignal: SignalName;
  /** From that signal to SIGKILL. Milliseconds. */
  readonly stopTimeoutMs: number;
  /** Quick ends in a row after which it is given up; 0 = never. */
  readonly maxFailures: number;
}

/** What a child needs of the snapshot. Nothing of it calls back inside the call. */
export interface BackendHost {
  readonly clock: Clock;
  /** 0 to 1. */
  random(): number;
  /** Starts the command in a group of its own. One that cannot be started is told by `exited`. */
  spawn(exited: (how: CommandExit) => void): CommandProcess;
  /**
   * Looks whether the command can listen where it is to, before anything is started.
   *
   * @param looked called once: null = it can, else what listens there
   * @returns gives up
   */
  look(looked: (taken: string | null) => void): () => void;
  /** Whether a request has been sent to it since then (wall-clock milliseconds), as far as is known. */
  used(since: number): boolean | Promise<boolean>;
  /** Calls `accepted` once connections are accepted. @returns gives up */
  untilAccepting(accepted: () => void): () => void;
}

/** Told what happens; may call back. */
export interface BackendObserver {
  childStarted(pid: number): void;
  /** It accepts connections. */
  childRuns(pid: number, bootMs: number): void;
  /** It was told to end, and has. */
  childStopped(pid: number, how: CommandExit): void;
  /**
   * It ended by itself, or could not be started (`pid` 0 then).
   *
   * @returns false = do not start it again
   */
  childEnded(pid: number, how: CommandExit, why: string): boolean;
  /** It is started again after `pauseMs`. */
  childWaits(pid: number, why: string, pauseMs: number): void;
  childGivenUp(pid: number, why: string): void;
}

export class Backend {
  readonly settings: BackendSettings;
  readonly #host: BackendHost;
  readonly #observer: BackendObserver;
  #state: BackendStatus["state"] = "stopped";
  #sinceMs: number;
  #command: CommandProcess | null = null;
  #startedAt = 0;
  #startedWallMs = 0;
  #stopProbe: () => void = () => {};
  #timer: Timer | null = null;
  #nextStartMs: number | null = null;
  /** Quick ends in a row: the pauses before the next start grow with them. */
  #failures = 0;
  /**
   * Quick ends that followed no request. Others may be the doing of a request that crashes every program that gets it,
   * and a command is not given up for that.
   */
  #unprovoked = 0;
  #restarts = 0;
  #lastExit = "";
  /** Wanted again as soon as it has stopped. */
  #startAgain = false;
  #dismissed = false;
  #whenStopped: (() => void)[] = [];
  #whenSettled: (() => void)[] = [];

  constructor(settings: BackendSettings, host: BackendHost, observer: BackendObserver) {
    this.settings = settings;
    this.#host = host;
    this.#observer = observer;
    this.#sinceMs = host.clock.wall();
  }

  get state(): BackendStatus["state"] {
    return this.#state;
  }

  /** 0 when there is no command. */
  get pid(): number {
    return this.#command?.pid ?? 0;
  }

  status(): BackendStatus {
    return {
      command: this.settings.command,
      state: this.#state,
      pid: this.pid === 0 ? null : this.pid,
      since: new Date(this.#sinceMs).toISOString(),
      restarts: this.#restarts,
      last_exit: this.#lastExit,
      next_start: this.#nextStartMs === null ? null : new Date(this.#nextStartMs).toISOString(),
    };
  }

  /** Starts it now, also one that was given up or waits. While it stops: afterwards. Else nothing. */
  start(): void {
    if (this.#dismissed) return;
    switch (this.#state) {
      case "starting":
      case "running":
        return;
      case "stopping":
        this.#startAgain = true;
        return;
      case "given_up":
        this.#forget();
        this.#launch();
        return;
      case "stopped":
      case "waiting":
        this.#launch();
        return;
      default:
        this.#state satisfies never;
    }
  }

  /**
   * Ends it: the stop signal, and SIGKILL after the stop timeout, to all of its group. It is not started again.
   * Resolves when all of them are gone, or have been sent SIGKILL.
   */
  stop(): Promise<void> {
    this.#startAgain = false;
    if (this.#state === "stopping") return this.#stopped();
    const command = this.#command;
    this.#stopProbe();
    this.#clearTimer();
    if (command === null) {
      this.#forget();
      this.#enter("stopped");
      this.#settle();
      return Promise.resolve();
    }
    this.#enter("stopping");
    command.signal(this.settings.stopSignal);
    this.#killLater(command, this.settings.stopTimeoutMs);
    return this.#stopped();
  }

  /** Ends it for good: a later `start` does nothing. */
  dismiss(): Promise<void> {
    this.#dismissed = true;
    return this.stop();
  }

  /** Ends it at once, and for good. */
  kill(): Promise<void> {
    const stopped = this.dismiss();
    // The rest of the group is not waited for any more.
    this.#clearTimer();
    this.#command?.signal("SIGKILL");
    return stopped;
  }

  /** Passes a signal on to the command itself. */
  forward(name: SignalName): void {
    if (this.#state !== "stopping") this.#command?.signal(name, true);
  }

  /** Resolves when it runs, or when its start has come to nothing (look at `state`). */
  settled(): Promise<void> {
    if (this.#state !== "starting" && this.#state !== "stopping") return Promise.resolve();
    return new Promise((resolve) => this.#whenSettled.push(resolve));
  }

  #stopped(): Promise<void> {
    return new Promise((resolve) => this.#whenStopped.push(resolve));
  }

  #launch(): void {
    this.#clearTimer();
    this.#startedAt = this.#host.clock.now();
    this.#startedWallMs = this.#host.clock.wall();
    this.#enter("starting");
    let looking = true;
    const giveUp = this.#host.look((taken) => {
      looking = false;
      this.#stopProbe = () => {};
      if (taken === null) this.#spawn();
      else this.#ended(0, notStarted(taken), true);
    });
    if (!looking) return;
    this.#stopProbe = () => {
      giveUp();
      this.#stopProbe = () => {};
    };
  }

  #spawn(): void {
    const command = this.#host.spawn((how) => {
      if (this.#command === command) this.#exited(command, how);
    });
    this.#command = command;
    if (command.pid === 0) return;
    this.#observer.childStarted(command.pid);
    const stopProbe = this.#host.untilAccepting(() => {
      if (this.#command !== command || this.#state !== "starting") return;
      this.#enter("running");
      this.#observer.childRuns(command.pid, this.#host.clock.now() - this.#startedAt);
      this.#settle();
    });
    this.#stopProbe = () => {
      stopProbe();
      this.#stopProbe = () => {};
    };
  }

  #exited(command: CommandProcess, how: CommandExit): void {
    this.#stopProbe();
    if (this.#state === "stopping") {
      this.#lastExit = howItEnded(how);
      this.#observer.childStopped(command.pid, how);
      this.#awaitGroup(command, () => this.#gone());
      return;
    }
    this.#endOthers(command);
    this.#command = null;
    this.#ended(command.pid, how);
  }

  /**
   * It ended by itself, or could not be started (`pid` 0).
   *
   * @param taken another program has its address: it is tried again for as long as that is so, since nothing is wrong with it
   */
  #ended(pid: number, how: CommandExit, taken = false): void {
    this.#lastExit = howItEnded(how);
    const lived = this.#host.clock.now() - this.#startedAt;
    this.#failures = lived >= QUICK_MS ? 1 : this.#failures + 1;
    const again = this.#observer.childEnded(pid, how, this.#lastExit);
    if (!again) {
      this.#enter("stopped");
    } else {
      if (lived >= QUICK_MS) this.#unprovoked = 0;
      const pauseMs = restartPause(this.#failures, this.#host.random());
      this.#wait(pauseMs);
      const timer = this.#timer;
      const judged = (provoked: boolean): void => {
        if (!provoked && !taken) this.#unprovoked++;
        // Meanwhile it may have been told to start or to stop.
        if (this.#timer !== timer) return;
        const { maxFailures } = this.settings;
        if (!taken && maxFailures > 0 && this.#unprovoked >= maxFailures) this.#giveUp(pid);
        else this.#observer.childWaits(pid, this.#lastExit, pauseMs);
      };
      const used = this.#host.used(this.#startedWallMs);
      if (typeof used === "boolean") judged(used);
      else void used.then(judged, () => judged(false));
    }
    this.#settle();
  }

  #wait(pauseMs: number): void {
    this.#nextStartMs = this.#host.clock.wall() + pauseMs;
    this.#enter("waiting");
    this.#timer = this.#host.clock.setTimer(pauseMs, () => {
      this.#restarts++;
      this.#launch();
    });
  }

  #giveUp(pid: number): void {
    this.#clearTimer();
    this.#enter("given_up");
    const times = this.#unprovoked === 1 ? "once" : `${this.#unprovoked} times in a row`;
    this.#observer.childGivenUp(
      pid,
      `ended ${times} within ${QUICK_MS / 1000} s of its start: ${this.#lastExit}`,
    );
  }

  /** What it had started and left behind could keep its port, and must not pile up. */
  #endOthers(command: CommandProcess): void {
    if (command.signal(this.settings.stopSignal)) {
      let left = Math.ceil(this.settings.stopTimeoutMs / GROUP_CHECK_MS);
      const look = () => {
        if (!command.alive()) return;
        if (left-- > 0) this.#host.clock.setTimer(GROUP_CHECK_MS, look, true);
        else command.signal("SIGKILL");
      };
      look();
    }
  }

  // While it stops

  #killLater(command: CommandProcess, ms: number): void {
    this.#timer = this.#host.clock.setTimer(ms, () => {
      this.#timer = null;
      command.signal("SIGKILL");
    });
  }

  /** The command itself is gone; others of its group have until the kill timer. */
  #awaitGroup(command: CommandProcess, gone: () => void): void {
    if (this.#timer === null || !command.alive()) gone();
    else this.#host.clock.setTimer(GROUP_CHECK_MS, () => this.#awaitGroup(command, gone));
  }

  #gone(): void {
    this.#clearTimer();
    this.#command = null;
    this.#forget();
    this.#enter("stopped");
    for (const resolve of this.#whenStopped.splice(0)) resolve();
    if (this.#startAgain) {
      this.#startAgain = false;
      this.#launch();
    } else {
      this.#settle();
    }
  }

  /** What was before counts no more. */
  #forget(): void {
    this.#failures = 0;
    this.#unprovoked = 0;
  }

  #settle(): void {
    for (const resolve of this.#whenSettled.splice(0)) resolve();
  }

  #enter(state: BackendStatus["state"]): void {
    this.#state = state;
    this.#sinceMs = this.#host.clock.wall();
  }

  #clearTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#nextStartMs = null;
  }
}

/** `exit code 1`, `signal SIGKILL`, or why it did not start. */
function howItEnded({ code, signal, failure }: CommandExit): string {
  if (failure !== "") return failure;
  return signal === "" ? `exit code ${code}` : `signal ${signal}`;
}
