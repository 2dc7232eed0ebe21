/**
 * Starts the workers, watches and replaces them, hands out slots among them, adds up what they count, and
 * ends them together. It has no socket and no route: whatever happens here, requests are served on.
 *
 * One worker that never ends by itself, in the same process, is the ordinary case and no special one.
 */

import type { Address, Clock, Timer } from "../../runtime/contract.ts";
import { listenKeys } from "../config/address.ts";
import type { Config } from "../config/config.ts";
import type { KnownWorker } from "./build_status.ts";
import {
  type EndpointName,
  type Order,
  type OrderResult,
  PROTOCOL,
  type Standing,
  type StartFailure,
  type ToController,
  type WorkerEvent,
} from "./messages.ts";
import { OrderBook } from "./order_book.ts";
import { addReports, emptyReport, keepNames, type Report, sumsOnly } from "./report.ts";
import { restartPause } from "./restart_pause.ts";
import { RollCall } from "./roll_call.ts";
import { newSeat, type Seat } from "./seat.ts";
import { type LimitedEndpoint, SlotLedger } from "./slot_ledger.ts";
import type { StartWorker, WorkerExit, WorkerLink } from "./worker_link.ts";

/** A worker that has served for so long is well: its next end counts as the first one. */
const HEALTHY_MS = 60_000;
/** Ends in a row before it listened after which a worker is given up, unless others serve. */
const MOST_START_FAILURES = 5;
/** What a worker gets on top of the drain time to end by itself. */
const STOP_GRACE_MS = 5_000;
/** What it gets once it has to end now. */
const ABORT_GRACE_MS = 1_000;

/** Told what happens; must not call back. */
export interface ControllerObserver {
  /** A worker ended that nobody had asked to; it is replaced after `pauseMs`. */
  workerEnded(index: number, pid: number, why: string, pauseMs: number): void;
  /** A worker that replaces another serves. */
  workerBack(index: number, pid: number): void;
  /** A worker did what only a bug can do. */
  workerConfused(index: number, what: string): void;
  /** Something happened in a worker; told while it is watched. `before`: it is not new. */
  workerEvent(index: number, event: WorkerEvent, before: boolean): void;
}

/** What became of the start: all workers listen on the same addresses, or why they do not. */
export type Started =
  | { readonly ok: true; readonly addresses: readonly Address[] }
  | { readonly ok: false; readonly failure: StartFailure };

/** What became of a change of configuration. */
export type Changed =
  | {
    readonly ok: true;
    /** Clients get another certificate. */
    readonly certificate: boolean;
    /** Upstreams that were there before and are others now. */
    readonly upstreams: readonly string[];
  }
  /** Nothing has changed. */
  | { readonly ok: false; readonly message: string };

export class Controller {
  readonly #clock: Clock;
  #config: Config;
  readonly #startWorker: StartWorker;
  readonly #observer: ControllerObserver;
  readonly #seats: Seat[];
  readonly #ledger: SlotLedger;
  #addresses: readonly Address[] | null = null;
  #serial = 0;
  #phase: "starting" | "serving" | "stopping" = "starting";
  /** Sums of workers that are gone. */
  #gone: Report = emptyReport();
  readonly #calls = new RollCall();
  readonly #orders = new OrderBook();
  #standing: Standing = { paused: [], drained: [], watched: false };
  /** The configuration is being changed: no worker starts meanwhile. */
  #changing = false;
  #killTimer: Timer | null = null;
  #dropped = 0;
  readonly #started = Promise.withResolvers<Started>();
  readonly #ended = Promise.withResolvers<StartFailure | null>();
  #failure: StartFailure | null = null;

  constructor(
    clock: Clock,
    config: Config,
    workers: number,
    startWorker: StartWorker,
    observer: ControllerObserver,
  ) {
    this.#clock = clock;
    this.#config = config;
    this.#startWorker = startWorker;
    this.#observer = observer;
    this.#seats = Array.from({ length: workers }, (_, index) => newSeat(index));
    this.#ledger = new SlotLedger(limitedEndpoints(config), workers, () => clock.now(), {
      grant: (worker, slots) => this.#seats[worker]?.link?.send({ type: "grant", ...slots }),
      recall: (worker, wanted) => this.#seats[worker]?.link?.send({ type: "recall", ...wanted }),
    });
  }

  /** Resolves when all workers listen, or when they cannot. To be called once. */
  start(): Promise<Started> {
    for (const seat of this.#seats) if (this.#phase === "starting") this.#fill(seat);
    return this.#started.promise;
  }

  /** Resolves when no worker is left: null after a stop, or why all had to be given up. */
  get ended(): Promise<StartFailure | null> {
    return this.#ended.promise;
  }

  /** Requests that the stop has cut off, those that a killed worker had when it last told included. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Process ids of the workers there are. */
  get pids(): number[] {
    return this.#seats.flatMap(({ link }) => link === null ? [] : [link.pid]);
  }

  get phase(): "starting" | "serving" | "stopping" {
    return this.#phase;
  }

  get config(): Config {
    return this.#config;
  }

  /** What is bound, in the order of the configuration; empty before. */
  get addresses(): readonly Address[] {
    return this.#addresses ?? [];
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** Workers by index, with what they told last. */
  get workers(): readonly KnownWorker[] {
    return this.#seats.map(({ link, state, restarts, report }) => ({
      pid: link === null || link.pid === 0 ? null : link.pid,
      state: link === null
        ? "ended"
        : this.#phase === "stopping" || state === "stopped"
        ? "stopping"
        : state === "listening"
        ? "serving"
        : "starting",
      restarts,
      report,
    }));
  }

  /** Sums of workers that are gone. */
  get gone(): Report {
    return this.#gone;
  }

  /** Slots of an endpoint, for status and tests. */
  slotsOf(name: EndpointName): { readonly free: number; readonly held: ReadonlyMap<number, number> } {
    return this.#ledger.heldOf(name);
  }

  /** Sums over all workers, those included that are gone (but for what a killed one had not told). */
  report(): Promise<Report> {
    for (const { link } of this.#seats) link?.send({ type: "report" });
    return this.#answers();
  }

  /**
   * Has all workers carry out an order.
   *
   * @param standing what stands from now on: workers that start later are told at their start
   * @returns their answers; who is gone before it answered has none
   */
  order(order: Order, standing: Partial<Standing> = {}): Promise<readonly OrderResult[]> {
    this.stand(standing);
    return this.#issue(order, this.#seats);
  }

  /** What stands from now on; the workers know. */
  stand(standing: Partial<Standing>): void {
    this.#standing = { ...this.#standing, ...standing };
  }

  #issue(order: Order, seats: readonly Seat[]): Promise<readonly OrderResult[]> {
    // One that starts has been told what to start with, and does what comes later afterwards.
    const able = seats.filter(({ link, state }) =>
      link !== null && (state === "started" || state === "listening")
    );
    return this.#orders.issue(
      able.map(({ index }) => index),
      (id) => {
        for (const { link } of able) link?.send({ type: "order", id, order });
      },
    );
  }

  /**
   * Goes over to another configuration in all workers, or in none.
   *
   * Listeners that are written the same in both stay as they are.
   *
   * @param drainMs for what endpoints and upstreams that are not used any more still have
   */
  async change(
    config: Config,
    drainMs: number,
  ): Promise<Changed> {
    if (this.#changing) return { ok: false, message: "the configuration is being changed already" };
    if (this.#phase !== "serving") return { ok: false, message: `Sluice is ${this.#phase}` };
    this.#changing = true;
    const bound = new Map(listenKeys(this.#config.listen).map((key, at) => [key, this.#addresses?.[at]]));
    const listen = listenKeys(config.listen).map((key) => bound.get(key) ?? null);
    try {
      const prepared = await this.#prepare(config, listen);
      const failed = prepared.find((result) => !result.ok);
      if (failed !== undefined || this.phase !== "serving") {
        await this.#issue({ order: "rollback" }, this.#seats);
        return { ok: false, message: failed?.ok === false ? failed.failure.message : "Sluice is stopping" };
      }
      // From here on a worker that is replaced has the new one.
      this.#config = config;
      this.#addresses = addressesOf(prepared) ?? this.#addresses;
      this.#gone = keepNames(this.#gone, config.upstreams, config.routes);
      const committed = this.#issue({ order: "commit", drainMs }, this.#seats);
      const serving = this.#seats.filter(({ state }) => state === "started" || state === "listening");
      this.#ledger.reconfigure(limitedEndpoints(config), serving.map(({ index }) => index));
      await committed;
      const first = prepared.find((result) => result.ok);
      return { ok: true, certificate: first?.certificate ?? false, upstreams: first?.upstreams ?? [] };
    } finally {
      this.#changing = false;
      this.#begin();
    }
  }

  /** The first worker finds out where to listen, where that is open; the others follow. */
  async #prepare(config: Config, listen: readonly (Address | null)[]): Promise<readonly OrderResult[]> {
    const able = this.#seats.filter(({ state }) => state === "started" || state === "listening");
    const first = able.find(({ state }) => state === "listening");
    if (first === undefined) return [{ ok: false, failure: { kind: "system", message: "no worker serves" } }];
    const results = await this.#issue({ order: "prepare", config, listen }, [first]);
    const addresses = addressesOf(results);
    if (addresses === null) return results.length > 0 ? results : this.#prepare(config, listen);
    const others = able.filter((seat) => seat !== first);
    const more = await this.#issue({ order: "prepare", config, listen: addresses }, others);
    return [...results, ...more];
  }

  /** Lets all workers end gracefully. Resolves at once with what they were doing. */
  stop(): Promise<Report> {
    this.#stopAll("stop", this.#config.server.drainTimeoutMs + STOP_GRACE_MS);
    return this.#answers();
  }

  /** Ends all workers now. */
  abort(): void {
    this.#stopAll("abort", ABORT_GRACE_MS);
  }

  #stopAll(type: "stop" | "abort", patienceMs: number): void {
    this.#phase = "stopping";
    for (const seat of this.#seats) {
      seat.timer?.cancel();
      seat.timer = null;
      seat.link?.send({ type });
    }
    this.#killTimer?.cancel();
    this.#killTimer = this.#clock.setTimer(patienceMs, () => {
      for (const { link } of this.#seats) link?.kill();
    }, true);
    this.#checkEnded();
  }

  // Life of a worker

  #fill(seat: Seat): void {
    seat.timer = null;
    seat.state = "new";
    seat.serial = this.#serial++;
    const place = { index: seat.index, count: this.#seats.length, serial: seat.serial };
    try {
      const link: WorkerLink = this.#startWorker(place, {
        message: (message) => {
          if (seat.link === link) this.#heard(seat, link, message);
        },
        exited: (exit) => {
          if (seat.link === link) this.#exited(seat, link, exit);
        },
      });
      seat.link = link;
    } catch (error) {
      seat.why = error instanceof Error ? error.message : String(error);
      this.#replace(seat, 0, "cannot be started: " + seat.why);
    }
  }

  #heard(seat: Seat, link: WorkerLink, message: ToController): void {
    switch (message.type) {
      case "hello":
        if (message.protocol !== PROTOCOL) {
          seat.why = "the program's file is another version now: start Sluice anew";
          link.kill();
          return;
        }
        seat.state = "ready";
        this.#begin();
        return;
      case "listening":
        this.#listening(seat, link, message.addresses);
        return;
      case "failed":
        seat.why = message.failure.message;
        if (this.#phase === "starting") this.#giveUp(message.failure);
        else link.send({ type: "abort" });
        return;
      case "done":
        this.#orders.done(seat.index, message.id, message.result);
        return;
      case "event":
        this.#observer.workerEvent(seat.index, message.event, message.before);
        return;
      case "want":
        this.#ledger.want(seat.index, message);
        return;
      case "give":
        if (!this.#ledger.give(seat.index, message)) {
          this.#observer.workerConfused(seat.index, `gave ${message.count} slots that it does not have`);
        }
        return;
      case "away":
        for (const other of this.#seats) if (other !== seat) other.link?.send(message);
        return;
      case "stopped":
        seat.state = "stopped";
        if (this.#phase === "stopping") this.#dropped += message.dropped;
        this.#reported(seat, message.report);
        return;
      case "report":
        this.#reported(seat, message.report);
        return;
      default:
        message satisfies never;
    }
  }

  /** The first worker finds out what there is to listen on, the others follow. */
  #begin(): void {
    if (this.#changing) return;
    const first = this.#addresses === null;
    if (first && this.#seats.some(({ state }) => state === "started")) return;
    for (const seat of this.#seats) {
      if (seat.state !== "ready" || seat.link === null) continue;
      seat.state = "started";
      const { index, serial } = seat;
      seat.link.send({
        type: "start",
        place: { index, serial, count: this.#seats.length },
        config: this.#config,
        listen: this.#addresses,
        slots: this.#ledger.join(index),
        standing: this.#standing,
      });
      if (first) return;
    }
  }

  #listening(seat: Seat, link: WorkerLink, addresses: readonly Address[]): void {
    seat.state = "listening";
    seat.startFailures = 0;
    seat.listeningSince = this.#clock.now();
    if (this.#phase === "serving") this.#observer.workerBack(seat.index, link.pid);
    if (this.#addresses === null) {
      this.#addresses = addresses;
      this.#begin();
    }
    if (this.#phase !== "starting" || this.#seats.some(({ state }) => state !== "listening")) return;
    this.#phase = "serving";
    this.#started.resolve({ ok: true, addresses });
  }

  #exited(seat: Seat, { pid }: WorkerLink, exit: WorkerExit): void {
    const served = seat.state === "listening" ? this.#clock.now() - seat.listeningSince : 0;
    const before = seat.state;
    if (this.#phase === "stopping" && before !== "stopped") this.#dropped += unanswered(seat.report);
    seat.link = null;
    seat.state = "new";
    this.#ledger.leave(seat.index);
    this.#gone = addReports(this.#gone, sumsOnly(seat.report));
    seat.report = emptyReport();
    this.#orders.gone(seat.index);
    this.#calls.answered(seat.index);
    if (this.#phase === "stopping") {
      this.#checkEnded();
      return;
    }
    if (served >= HEALTHY_MS || before === "stopped") seat.failures = 0;
    if (before !== "listening" && before !== "stopped") seat.startFailures++;
    const how = exit.signal === "" ? `exit code ${exit.code}` : `signal ${exit.signal}`;
    const why = seat.why === "" ? how : `${seat.why} (${how})`;
    seat.why = "";
    this.#replace(seat, pid, why);
    // Another one may find out what to listen on.
    this.#begin();
  }

  #replace(seat: Seat, pid: number, why: string): void {
    seat.failures++;
    seat.restarts++;
    if (pid === 0) seat.startFailures++;
    const serves = this.#phase === "serving" && this.#seats.some(({ state }) => state === "listening");
    if (seat.startFailures >= MOST_START_FAILURES && !serves) {
      this.#giveUp({
        kind: "system",
        message: `worker ${seat.index + 1} ended ${seat.startFailures} times before it listened: ${why}`,
      });
      return;
    }
    const pauseMs = restartPause(seat.failures, Math.random());
    this.#observer.workerEnded(seat.index, pid, why, pauseMs);
    seat.timer = this.#clock.setTimer(pauseMs, () => this.#fill(seat));
  }

  #giveUp(failure: StartFailure): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    const starting = this.#phase === "starting";
    this.abort();
    if (starting) void this.#ended.promise.then(() => this.#started.resolve({ ok: false, failure }));
  }

  #checkEnded(): void {
    if (this.#seats.some(({ link }) => link !== null)) return;
    this.#killTimer?.cancel();
    this.#killTimer = null;
    this.#ended.resolve(this.#failure);
  }

  // Reports

  async #answers(): Promise<Report> {
    // One that does not serve yet has nothing to tell.
    await this.#calls.all(this.#seats.filter(({ state }) => state === "listening").map(({ index }) => index));
    return this.#seats.reduce((all, { report }) => addReports(all, report), this.#gone);
  }

  #reported(seat: Seat, report: Report): void {
    seat.report = report;
    this.#calls.answered(seat.index);
  }
}

/** Requests that a worker had not answered when it told. */
function unanswered({ upstreams }: Report): number {
  return upstreams.reduce((sum, { waiting, inFlight, tunnels }) => sum + waiting + inFlight - tunnels, 0);
}

function addressesOf(results: readonly OrderResult[]): readonly Address[] | null {
  for (const result of results) if (result.ok && result.addresses !== undefined) return result.addresses;
  return null;
}

function limitedEndpoints(config: Config): LimitedEndpoint[] {
  return config.upstreams.flatMap(({ name, maxInFlight, endpoints }) =>
    maxInFlight === 0
      ? []
      : endpoints.map((endpoint) => ({ upstream: name, endpoint: endpoint.name, max: maxInFlight }))
  );
}
