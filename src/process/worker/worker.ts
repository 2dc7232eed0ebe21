/**
 * A worker: serves what the supervisor tells it to, in a process of its own or in the supervisor's. All it
 * knows of the other workers is which part of the limits is its own.
 */

import type {
  ExposedBytes,
  Runtime,
  SocketError,
  System,
  Timer,
} from "../../../runtime/contract/contract.ts";
import { type ChosenSockets, socketsWords } from "../shared/chosen_sockets.ts";
import { retryLeast, shareConfig } from "./limits.ts";
import {
  type CommandResult,
  type DownHint,
  PROTOCOL,
  type Slots,
  type ToSupervisor,
  type ToWorker,
  type Wanted,
  type WorkerCommand,
  type WorkerPlace,
} from "./messages.ts";
import { emptyReport, type Report } from "./report.ts";
import type { Config } from "../../config/values/config.ts";
import type { Logger } from "../../observe/logger.ts";
import { type ExchangeSink, Telemetry } from "../../observe/telemetry.ts";
import type { Endpoint } from "../../upstream/endpoint.ts";
import type { SlotSource } from "../../upstream/slot_share.ts";
import type { ObservedUpstream } from "../../upstream/upstream_observer.ts";
import { chooseSockets } from "../shared/choose_sockets.ts";
import { EventStream } from "./event_stream.ts";
import { named } from "./files.ts";
import { NOTE_BYTES, ScriptNote } from "../shared/script_note.ts";
import { HURRIED, PATIENT } from "../shared/patience.ts";
import { Serving } from "./serving.ts";
import { releaseStartMemory } from "./start_memory.ts";
import { workerReport } from "./worker_report.ts";
import { startFailure } from "./start_failure.ts";
import type { Sharing } from "./snapshot.ts";

/** How often the supervisor hears of a worker with scripts: several times before it loses its patience. Milliseconds. */
export function beatMs(stallMs: number): number {
  return Math.min(1000, stallMs / 4);
}

/** Exchanges of a worker are numbered from a multiple of this, so that no two of one run share a number. */
const IDS_PER_WORKER = 100_000_000_000;

type StartMessage = Extract<ToWorker, { readonly type: "start" }>;

export class Worker {
  readonly #runtime: Runtime;
  readonly #system: System;
  readonly #send: (message: ToSupervisor) => void;
  readonly #logger: Logger | null;
  readonly #exchanges: ExchangeSink | undefined;
  #serving: Serving | null = null;
  #place: WorkerPlace = { index: 0, count: 1, serial: 0 };
  #phase: "idle" | "starting" | "serving" | "stopping" | "failed" = "idle";
  /** Told to end now. */
  #hurried = false;
  /** What a stop gives to what is in flight; null = what the configuration says. */
  #drainMs: number | null = null;
  readonly #now = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<void>();
  /** Messages that came while it was starting. */
  #early: ToWorker[] = [];
  #events: EventStream | null = null;
  #sockets: ChosenSockets = { kind: "native", reason: "" };
  #beats: Timer | null = null;
  /** Null before there are scripts, and where nobody could read it. */
  #exposed: ExposedBytes | null = null;

  /**
   * @param logger of the supervisor, in whose process we are; null = in a process of our own
   * @param exchanges told of each that has ended
   */
  constructor(
    runtime: Runtime,
    system: System,
    send: (message: ToSupervisor) => void,
    logger: Logger | null,
    exchanges?: ExchangeSink,
  ) {
    this.#runtime = runtime;
    this.#system = system;
    this.#send = send;
    this.#logger = logger;
    this.#exchanges = exchanges;
  }

  /** Resolves when nothing is open any more and `stopped` has been sent. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Says that it is there. Whatever else happens is an answer to a message. */
  begin(): void {
    this.#send({ type: "hello", protocol: PROTOCOL, pid: this.#system.pid });
  }

  receive(message: ToWorker): void {
    if (this.#phase === "starting" && message.type !== "abort") {
      this.#early.push(message);
      return;
    }
    switch (message.type) {
      case "start":
        if (this.#phase === "idle") void this.#start(message);
        return;
      case "grant":
        this.#granted(message);
        return;
      case "recall":
        this.#recalled(message);
        return;
      case "down":
        this.#reportedByPeer(message);
        return;
      case "command":
        this.#carryOut(message.id, message.command);
        return;
      case "report":
        this.#send({ type: "report", report: this.report() });
        return;
      case "stop":
        this.stop(message.drainMs);
        return;
      case "abort":
        this.abort();
        return;
      default:
        message satisfies never;
    }
  }

  /** Opens the log files anew. A failure is logged as well. */
  async reopen(): Promise<CommandResult> {
    const why = await this.#serving?.telemetry.reopen() ?? null;
    return why === null ? { ok: true } : { ok: false, failure: { kind: "system", message: why } };
  }

  /**
   * Ends gracefully: no new connections, what is in flight may end within the drain time.
   * @param drainMs null = that of the configuration
   */
  stop(drainMs: number | null = null): void {
    if (this.#phase === "stopping") return;
    const before = this.#phase;
    this.#phase = "stopping";
    this.#drainMs = drainMs;
    this.#send({ type: "report", report: this.report() });
    // Without one that serves, or while it is being built, there is nothing to wait for.
    if (before !== "starting") void this.#end();
  }

  /** Ends now. */
  abort(): void {
    this.#hurried = true;
    this.#now.resolve();
    this.stop();
  }

  async #start(message: StartMessage): Promise<void> {
    this.#phase = "starting";
    const bound = await this.#serve(message);
    const early = this.#early;
    this.#early = [];
    // The cast: `abort` may have come meanwhile, which the compiler does not see.
    if ((this.#phase as string) === "stopping") {
      await this.#end();
      return;
    }
    if (bound.ok) {
      this.#phase = "serving";
      this.#send({
        type: "listening",
        addresses: bound.addresses ?? [],
        sockets: this.#sockets,
        scriptFiles: this.#serving?.scripting.current?.files ?? [],
      });
      releaseStartMemory(this.#runtime, () => this.#serving?.lastEventAt ?? -Infinity);
    } else {
      this.#phase = "failed";
      this.#send({ type: "failed", failure: bound.failure });
    }
    for (const next of early) this.receive(next);
  }

  /** At once, but for what needs files or sockets: `done` is called at its end. */
  #carryOut(id: number, command: WorkerCommand): void {
    const done = (result: CommandResult) => this.#send({ type: "done", id, result });
    const serving = this.#serving;
    if (serving === null) {
      done({ ok: true });
      return;
    }
    switch (command.command) {
      case "prepare":
        void serving.prepare({ ...command, config: shareConfig(command.config, this.#place) }).then(done);
        return;
      case "rollback":
        void serving.rollback().then(() => done({ ok: true }));
        return;
      case "pause":
        serving.operated.pause(command.upstreams);
        break;
      case "resume":
        serving.operated.resume(command.upstreams);
        break;
      case "drain":
        serving.operated.drain(command, command.windowMs);
        break;
      case "undrain":
        serving.operated.undrain(command);
        break;
      case "watch":
        this.#events?.watch(command.watched, serving.upstreams);
        break;
      case "commit":
        void serving.commit(command.drainMs, command).then(() => done({ ok: true }));
        this.#beat(serving.config);
        return;
      case "reopen":
        void this.reopen().then(done);
        return;
      default:
        command satisfies never;
    }
    done({ ok: true });
  }

  async #serve(
    { place, config, listen, slots, desired, suspected, besides = [] }: StartMessage,
  ): Promise<CommandResult> {
    // The supervisor, in another process, logs as well.
    const shared = place.count > 1 || this.#logger === null;
    const ours = shareConfig(config, place);
    this.#place = place;
    this.#beat(config);
    const chosen = chooseSockets(this.#runtime, this.#system, config);
    if (typeof chosen === "string") return { ok: false, failure: { kind: "system", message: chosen } };
    this.#sockets = chosen;
    try {
      const events = new EventStream(this.#runtime.clock, this.#send);
      this.#events = events;
      const telemetry = await named(
        "access_log.to: cannot be opened",
        () =>
          Telemetry.open(this.#runtime, this.#system, ours.log, {
            shared,
            firstId: place.serial * IDS_PER_WORKER + 1,
            events,
            ...(this.#exchanges === undefined ? {} : { exchanges: this.#exchanges }),
            ...(this.#logger === null ? {} : { logger: this.#logger }),
            ...(shared
              ? { onDown: (upstream, endpoint, error) => this.#tellDown(upstream, endpoint, error) }
              : {}),
          }),
      );
      if (this.#logger === null) telemetry.log("debug", `sockets: ${socketsWords(chosen)}`);
      const sharing = this.#sharing(place, slots);
      const { index, count } = place;
      const serving = await Serving.open(this.#runtime, this.#system, telemetry, ours, sharing, shared, {
        index,
        count,
        suspected,
        note: () => this.#noteOfCalls(),
      });
      serving.besides = besides;
      this.#serving = serving;
      serving.operated.begin(desired);
      events.watch(desired.watched, serving.upstreams);
      return await serving.listen(listen);
    } catch (error) {
      const failure = startFailure(error);
      if (failure === null) throw error;
      return { ok: false, failure };
    }
  }

  /** Tells now and again that it is alive, while there are scripts; within the supervisor's process nobody could miss it. */
  #beat({ script }: Pick<Config, "script">): void {
    this.#beats?.cancel();
    this.#beats = null;
    if (script === null || this.#logger !== null) return;
    this.#sendBeat();
    const next = () => this.#beat(this.#serving?.config ?? { script });
    this.#beats = this.#runtime.clock.setTimer(beatMs(script.stallMs), next, true);
  }

  #sendBeat(): void {
    this.#send({ type: "beat", note: this.#exposed?.address ?? 0 });
  }

  /** Where the supervisor can read which call into a script we are in; null within its process, and where it could not. */
  #noteOfCalls(): ScriptNote | null {
    if (this.#logger !== null) return null;
    if (this.#exposed === null) {
      this.#exposed = this.#system.exposeBytes(NOTE_BYTES);
      // The first call that never ends may come before the next beat.
      if (this.#exposed !== null) this.#sendBeat();
    }
    return this.#exposed === null ? null : new ScriptNote(this.#exposed.bytes);
  }

  #sharing(place: WorkerPlace, slots: StartMessage["slots"]): Sharing {
    const source: SlotSource = {
      want: (upstream, endpoint, count, waitedMs) =>
        this.#send({ type: "want", upstream, endpoint: endpoint.name, count, waitedMs }),
      give: (upstream, endpoint, count) =>
        this.#send({ type: "give", upstream, endpoint: endpoint.name, count }),
    };
    const ours = new Map(slots.map((held) => [`${held.upstream}\n${held.endpoint}`, held.count]));
    return {
      slots: (upstream, endpoint) => ours.get(`${upstream}\n${endpoint}`) ?? 0,
      upstream: { slotSource: source, ...(place.count === 1 ? {} : { retryLeast: retryLeast(place) }) },
    };
  }

  #tellDown(upstream: ObservedUpstream, endpoint: Endpoint, error: SocketError): void {
    // Being out of descriptors is our own trouble and says nothing about the endpoint.
    if (error.code === "resource_exhausted") return;
    this.#send({ type: "down", upstream: upstream.name, endpoint: endpoint.name, ...error });
  }

  #granted({ upstream, endpoint, count }: Slots): void {
    const found = this.#serving?.operated.findSharing({ upstream, endpoint }) ?? null;
    if (found !== null) found.upstream.slotsGranted(found.endpoint, count);
    // They were asked for before a reload took the endpoint away.
    else this.#send({ type: "give", upstream, endpoint, count });
  }

  #recalled(wanted: Wanted): void {
    const found = this.#serving?.operated.findSharing(wanted) ?? null;
    found?.upstream.slotsRecalled(found.endpoint, wanted.count, wanted.waitedMs);
  }

  #reportedByPeer(down: DownHint): void {
    const found = this.#serving?.operated.find(down) ?? null;
    found?.upstream.reportedByPeer(found.endpoint, errorOf(down));
  }

  /** What it has counted until now. */
  report(): Report {
    const serving = this.#serving;
    if (serving === null) return emptyReport();
    return workerReport(this.#runtime.clock, this.#system, serving);
  }

  /**
   * With its listener the kernel resets the connections that it has accepted and we have not. So let the loop
   * take in what is there, and close right afterwards: of 1.25 connections lost when one of two workers ended
   * under 7,000 new ones a second 0.5 remain.
   */
  #acceptQueued(): Promise<void> {
    const { clock } = this.#runtime;
    return new Promise((done) => clock.setTimer(1, () => clock.setTimer(0, done)));
  }

  async #end(): Promise<void> {
    let logged = true;
    if (this.#serving !== null) {
      await Promise.race([this.#acceptQueued(), this.#now.promise]);
      const closed = () => this.#send({ type: "closed" });
      await Promise.race([this.#serving.drainAll(closed, this.#drainMs), this.#now.promise]);
      logged = await this.#serving.close(this.#hurried ? HURRIED : PATIENT);
    }
    const dropped = this.#serving?.gateway.dropped ?? 0;
    this.#send({ type: "stopped", report: this.report(), dropped, logged });
    this.#done.resolve();
  }
}

function errorOf({ code, detail }: DownHint): SocketError {
  // The cast: it was a code when it left the other worker.
  return { code: code as SocketError["code"], detail };
}
