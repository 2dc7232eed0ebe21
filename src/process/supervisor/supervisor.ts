/**
 * Starts the workers, watches and replaces them, hands out slots among them, adds up what they count, and
 * ends them together. It has no socket and no route: whatever happens here, requests are served on.
 *
 * One worker that never ends by itself, in the same process, is the ordinary case and no special one. During an upgrade
 * there are participants that are no workers: see lineage.ts.
 */

import type { Address, Clock } from "../../../runtime/contract/contract.ts";
import type { Config } from "../../config/values/config.ts";
import { type Changed, ConfigRollout, type RolloutHost } from "./config_rollout.ts";
import { endpointLimits } from "../worker/limits.ts";
import { Lineage, type LineageHost } from "./lineage.ts";
import { ELDER } from "./lineage_messages.ts";
import {
  type CommandResult,
  type CommonCommand,
  type DesiredState,
  type EndpointName,
  PROTOCOL,
  type StartFailure,
  type ToSupervisor,
} from "../worker/messages.ts";
import { Participants } from "./participants.ts";
import { type Report, unanswered } from "../worker/report.ts";
import type { SupervisorObserver } from "./supervisor_observer.ts";
import {
  type KnownWorker,
  knownWorker,
  newWorkerHandle,
  type Started,
  workerEnds,
  type WorkerHandle,
  workerListens,
} from "./worker_handle.ts";
import { Shutdown } from "./shutdown.ts";
import { type StallHost, StallWatch, UNWATCHED, type WatchedProcesses } from "./stall_watch.ts";
import type { Noted } from "../shared/script_note.ts";
import { SlotLedger } from "./slot_ledger.ts";
import { type StarterHost, WorkerStarter } from "./worker_starter.ts";
import type { StartWorker, WorkerExit, WorkerLink } from "../worker/worker_link.ts";

/** What a worker gets on top of the drain time to end by itself. */
const STOP_GRACE_MS = 5_000;
/** For how long a worker is suspected after the one before it in its place had to be ended. */
const SUSPECTED_MS = 10 * 60_000;

export class Supervisor {
  readonly #clock: Clock;
  readonly #rollout: ConfigRollout;
  readonly #starter: WorkerStarter;
  readonly #observer: SupervisorObserver;
  readonly #handles: WorkerHandle[];
  readonly #participants: Participants;
  readonly #ledger: SlotLedger;
  /** The processes before and after this one. */
  readonly lineage: Lineage;
  #serving = false;
  #desired: DesiredState = { paused: [], drained: [], watched: false };
  readonly #shutdown: Shutdown;
  readonly #stalls: StallWatch;
  /** An upgrade is being tried: what is commanded meanwhile is done when the other process knows of it as well. */
  #trial: Promise<unknown> | null = null;
  readonly #started = Promise.withResolvers<Started>();

  /** Where this Sluice listens besides: no destination of its forward proxy. To be set before `start`. */
  besides: readonly Address[] = [];

  /** @param processes what is known of the workers' processes from outside */
  constructor(
    clock: Clock,
    config: Config,
    workers: number,
    startWorker: StartWorker,
    observer: SupervisorObserver,
    processes: WatchedProcesses = UNWATCHED,
  ) {
    this.#clock = clock;
    this.#observer = observer;
    this.#handles = Array.from({ length: workers }, (_, index) => newWorkerHandle(index));
    this.#participants = new Participants(clock, this.#handles, () => this.lineage);
    this.#shutdown = new Shutdown(clock, this.#handles, () => this.lineage);
    this.#rollout = new ConfigRollout(this.#rolloutHost(), config);
    this.#ledger = new SlotLedger(endpointLimits(config), workers, () => clock.now(), {
      grant: (holder, slots) => {
        if (this.lineage.grant(holder, slots)) return;
        this.#handles[holder]?.link?.send({ type: "grant", ...slots });
      },
      recall: (holder, wanted) => {
        if (this.lineage.recall(holder, wanted)) return;
        this.#handles[holder]?.link?.send({ type: "recall", ...wanted });
      },
    });
    this.lineage = new Lineage(this.#lineageHost());
    this.#stalls = new StallWatch(clock, this.#handles, this.#stallHost(processes));
    this.#starter = new WorkerStarter(clock, startWorker, workers, this.#starterHost());
  }

  #starterHost(): StarterHost {
    const serves = () => this.phase === "serving" && this.#handles.some(({ state }) => state === "listening");
    return {
      get serves() {
        return serves();
      },
      heard: (handle, link, message) => this.#heard(handle, link, message),
      exited: (handle, link, exit) => this.#exited(handle, link, exit),
      paused: (index, pid, why, pauseMs) => this.#observer.workerEnded(index, pid, why, pauseMs),
      giveUp: (failure) => this.#giveUp(failure),
    };
  }

  #stallHost(processes: WatchedProcesses): StallHost {
    const stallMs = () => this.config.script?.stallMs ?? null;
    return {
      get stallMs() {
        return stallMs();
      },
      processes,
      stalled: (handle, silentMs, noted) => this.#stalled(handle, silentMs, noted),
    };
  }

  #lineageHost(): LineageHost {
    const desired = () => this.#desired;
    const upstreams = () => this.config.upstreams;
    return {
      ledger: this.#ledger,
      participants: this.#participants,
      get desired() {
        return desired();
      },
      get upstreams() {
        return upstreams();
      },
      setDesired: (desired) => this.setDesired(desired),
      limits: () => endpointLimits(this.config),
      follow: (command) => this.#rollout.follow(command),
      event: (participant, event, before) => this.#observer.workerEvent(participant, event, before),
      elderGone: (counted) => {
        this.#participants.elderLeft(counted, this.config);
        this.#observer.participantGone(ELDER);
        this.#shutdown.check();
      },
      hurry: () => this.onHurry(),
      left: (token) => this.onLeft(token),
    };
  }

  #rolloutHost(): RolloutHost {
    const phase = () => this.phase;
    const desired = () => this.#desired;
    return {
      participants: this.#participants,
      get phase() {
        return phase();
      },
      get desired() {
        return desired();
      },
      setDesired: (desired) => this.setDesired(desired),
      now: () => this.#clock.now(),
      committed: (before) => {
        this.#participants.keepOnly(this.config);
        const was = this.lineage.reconfigure(before.upstreams, this.config.upstreams);
        this.#ledger.reconfigure(endpointLimits(this.config), this.#participants.ableIndexes, was);
      },
      differing: () => this.lineage.differing(),
      over: () => this.#begin(),
    };
  }

  /** The process that has taken our place wants us to end now. */
  onHurry: () => void = () => this.abort();
  /** The client that asked the process before us for the pause with this token has left. */
  onLeft: (token: string) => void = () => {};

  /** Resolves when all workers listen, or when they cannot. To be called once. */
  start(): Promise<Started> {
    for (const handle of this.#handles) if (this.phase === "starting") this.#starter.start(handle);
    return this.#started.promise;
  }

  /** Resolves when no worker accepts a connection any more, because all have been told to stop. */
  get closed(): Promise<void> {
    return this.#shutdown.closed;
  }

  /**
   * Resolves when no worker is left, nor, unless time is up, the process before us: null after a stop, or why all had to be
   * given up.
   */
  get ended(): Promise<StartFailure | null> {
    return this.#shutdown.ended;
  }

  /** Requests that the stop has cut off, those that a killed worker had when it last told included. */
  get dropped(): number {
    return this.#shutdown.dropped;
  }

  /** False when a worker has ended that could not write its last lines of the access log. */
  get logged(): boolean {
    return this.#shutdown.logged;
  }

  /** Process ids of the workers there are. */
  get pids(): number[] {
    return this.#handles.flatMap(({ link }) => link === null ? [] : [link.pid]);
  }

  get phase(): "starting" | "serving" | "stopping" {
    if (this.#shutdown.begun) return "stopping";
    return this.#serving ? "serving" : "starting";
  }

  get config(): Config {
    return this.#rollout.config;
  }

  /** Files of the scripts that serve, and of those that could not be loaded last. Absolute. */
  get scriptFiles(): readonly string[] {
    return this.#rollout.scriptFiles;
  }

  /** What is bound, in the order of the configuration; empty before. */
  get addresses(): readonly Address[] {
    return this.#rollout.addresses ?? [];
  }

  get desired(): DesiredState {
    return this.#desired;
  }

  /** Workers by index, with what they told last. */
  get workers(): readonly KnownWorker[] {
    return this.#handles.map((handle) => knownWorker(handle, this.#shutdown.begun));
  }

  /** Sums of workers that are gone. */
  get gone(): Report {
    return this.#participants.gone;
  }

  /** Slots of an endpoint, for status and tests. */
  slotsOf(name: EndpointName): { readonly free: number; readonly held: ReadonlyMap<number, number> } {
    return this.#ledger.heldOf(name);
  }

  /**
   * Sums over all participants, those included that are gone (but for what a killed one had not told). They are those
   * of the whole Sluice: during an upgrade both processes have the same.
   */
  report(): Promise<Report> {
    return this.lineage.report();
  }

  /** Orders given until then are answered when `over` has settled. */
  try(over: Promise<unknown>): void {
    this.#trial = over;
    const end = () => {
      if (this.#trial === over) this.#trial = null;
    };
    void over.then(end, end);
  }

  /**
   * Has all participants carry out a command.
   *
   * @param desired the desired state from now on: workers that start later are told at their start
   * @returns their answers; a participant that is gone before it answered has none
   */
  async command(
    command: CommonCommand,
    desired: Partial<DesiredState> = {},
  ): Promise<readonly CommandResult[]> {
    this.setDesired(desired);
    const results = await this.#participants.command(command);
    if (this.#trial !== null) await this.#trial;
    return results;
  }

  /** The desired state from now on; the workers know it. */
  setDesired(desired: Partial<DesiredState>): void {
    this.#desired = { ...this.#desired, ...desired };
  }

  /**
   * Goes over to another configuration in all workers, or in none. Listeners that are written the same in both stay as
   * they are.
   *
   * @param drainMs for what endpoints and upstreams that are not used any more still have
   * @param desired called when nothing can fail any more: what is paused and drained from now on
   * @param scriptsAnew scripts are loaded anew, also where the same ones are named
   */
  change(
    config: Config,
    drainMs: number,
    desired: () => Pick<DesiredState, "paused" | "drained"> = () => this.#desired,
    scriptsAnew = false,
  ): Promise<Changed> {
    return this.#rollout.change(config, drainMs, desired, scriptsAnew);
  }

  /** Lets all workers end gracefully, within `drain_timeout` or `drainMs`. Resolves at once with what they were doing. */
  stop(drainMs = this.#rollout.config.server.drainTimeoutMs): Promise<Report> {
    this.#shutdown.stop(drainMs, STOP_GRACE_MS);
    this.lineage.ask();
    return this.#participants.answers();
  }

  /** Ends all workers now. */
  abort(): void {
    this.#shutdown.abort();
  }

  // Life of a worker

  #heard(handle: WorkerHandle, link: WorkerLink, message: ToSupervisor): void {
    switch (message.type) {
      case "hello":
        if (message.protocol !== PROTOCOL) {
          handle.why = "the program's file is another version now: start Sluice anew";
          link.kill();
          return;
        }
        handle.state = "ready";
        this.#begin();
        return;
      case "beat":
        handle.note = message.note;
        this.#stalls.beat(handle);
        return;
      case "listening":
        this.#rollout.scriptFiles = message.scriptFiles;
        workerListens(handle, this.#clock.now(), message.sockets);
        this.#listening(handle, link, message.addresses);
        return;
      case "failed":
        handle.why = message.failure.message;
        if (this.phase === "starting") this.#giveUp(message.failure);
        else link.send({ type: "abort" });
        return;
      case "done":
        this.#participants.commands.answered(handle.index, message.id, message.result);
        return;
      case "event":
        this.#observer.workerEvent(handle.index, message.event, message.before);
        this.lineage.event(message.event, message.before);
        return;
      case "want":
        this.#ledger.want(handle.index, message);
        return;
      case "give":
        if (!this.#ledger.give(handle.index, message)) {
          this.#observer.workerConfused(handle.index, `gave ${message.count} slots that it does not have`);
        }
        return;
      case "down":
        for (const other of this.#handles) if (other !== handle) other.link?.send(message);
        this.lineage.down(message);
        return;
      case "closed":
        handle.accepts = false;
        this.#shutdown.check();
        return;
      case "stopped":
        handle.state = "stopped";
        handle.accepts = false;
        this.#shutdown.stopped(message.dropped, message.logged);
        this.#shutdown.check();
        this.#participants.reported(handle, message.report);
        return;
      case "report":
        this.#participants.reported(handle, message.report);
        return;
      default:
        message satisfies never;
    }
  }

  /** The first worker finds out what there is to listen on, the others follow. */
  #begin(): void {
    if (this.#rollout.changing) return;
    const first = this.#rollout.addresses === null;
    if (first && this.#handles.some(({ state }) => state === "started")) return;
    for (const handle of this.#handles) {
      if (handle.state !== "ready" || handle.link === null) continue;
      handle.state = "started";
      const { index, serial } = handle;
      handle.link.send({
        type: "start",
        place: { index, serial, count: this.#handles.length },
        config: this.#rollout.config,
        listen: this.#rollout.addresses,
        slots: this.#ledger.join(index),
        desired: this.#desired,
        suspected: this.#clock.now() - handle.stalledAt < SUSPECTED_MS,
        besides: this.besides,
      });
      if (first) return;
    }
  }

  #listening(handle: WorkerHandle, link: WorkerLink, addresses: readonly Address[]): void {
    if (this.phase === "serving") this.#observer.workerBack(handle.index, link.pid);
    if (this.#rollout.addresses === null) {
      this.#rollout.addresses = addresses;
      this.#begin();
    }
    if (this.phase !== "starting" || this.#handles.some(({ state }) => state !== "listening")) return;
    this.#serving = true;
    this.#started.resolve({ ok: true, addresses });
  }

  #exited(handle: WorkerHandle, { pid }: WorkerLink, exit: WorkerExit): void {
    if (handle.state !== "stopped") this.#shutdown.cutOff(unanswered(handle.report));
    const why = workerEnds(handle, exit, this.#clock.now());
    this.#stalls.gone(handle);
    this.#ledger.leave(handle.index);
    this.#participants.left(handle);
    this.#shutdown.check();
    if (this.#shutdown.begun) return;
    this.#starter.replace(handle, pid, why);
    // Another one may find out what to listen on.
    this.#begin();
  }

  #stalled(handle: WorkerHandle, silentMs: number, noted: Noted | null): void {
    const { index, link, state } = handle;
    if (link === null) return;
    this.#observer.workerStalled(index, link.pid, silentMs, noted);
    handle.stalledAt = this.#clock.now();
    handle.why = "a script did not come to an end";
    link.kill();
    // It would be the same with the next one.
    const starting = this.phase === "starting" && state === "started";
    if (starting) {
      this.#giveUp({ kind: "script", message: "a script does not come to the end of its top level" });
    }
  }

  #giveUp(failure: StartFailure): void {
    if (!this.#shutdown.fail(failure)) return;
    const starting = this.phase === "starting";
    this.abort();
    if (starting) void this.ended.then(() => this.#started.resolve({ ok: false, failure }));
  }
}
