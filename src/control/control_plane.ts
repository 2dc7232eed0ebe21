/** What can be asked of a running Sluice, answered: the supervisor's side of every verb. */

import type { HandoverState } from "./handover_state.ts";
import type { Clock } from "../../runtime/contract/contract.ts";
import type { Config } from "../config/values/config.ts";
import type { Loaded } from "../config/load.ts";
import { Alarm } from "../time/alarm.ts";
import { buildStatus } from "./build_status.ts";
import { type ChangeParts, Changes, type Probe } from "./changes.ts";
import { quietOf, until, within } from "./conditions.ts";
import type { Supervisor } from "../process/supervisor/supervisor.ts";
import { Drains } from "./drains.ts";
import type { ControlEvent } from "./event.ts";
import type { EachAddress } from "./each_address.ts";
import type { EventHub } from "./event_hub.ts";
import { refuse, upstreamNamed, upstreamsNamed } from "./names.ts";
import type { PauseOwner } from "../process/worker/pause_owner.ts";
import { Pauses } from "./pauses.ts";
import type {
  ControlPlane,
  ExplainRequest,
  HealthQuestion,
  Outcome,
  Quiet,
  ReloadDone,
  Resumed,
} from "./plane.ts";
import { silentWords, unlessSilent } from "./silent_process.ts";
import type { BackendStatus, Status } from "../process/worker/status.ts";

/** How long a status waits for workers that do not answer; then it has what they told last. */
const STATUS_PATIENCE_MS = 2000;
/** How often the names are looked at whose addresses are endpoints; the resolver keeps what it knows. */
const FOLLOW_MS = 1000;
/** For one dial that asks whether an endpoint can be reached. */
const PROBE_TIMEOUT_MS = 2000;

/** What others carry out; each may be replaced until it is first asked for. */
export interface Extensions {
  restart: ControlPlane["restart"];
  upgrade: ControlPlane["upgrade"];
  explain: ControlPlane["explain"];
  /** Commands that Sluice runs, by upstream. */
  children: () => ReadonlyMap<string, BackendStatus>;
}

export interface PlaneParts {
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  readonly events: EventHub;
  readonly version: string;
  readonly runtime: string;
  readonly pid: number;
  readonly residentBytes: () => number;
  readonly source: ChangeParts["source"];
  readonly probe: Probe;
  readonly addresses: EachAddress;
  /** The configuration is another one now. */
  readonly changed?: (config: Config) => void | Promise<void>;
  /** Told of a reload before it begins, and lets it. */
  readonly reloading?: <T>(reload: () => Promise<T>) => Promise<T>;
  /** Begins to end. Not to be done before the call has returned. */
  readonly stop: (now: boolean) => void;
}

export class SluicePlane implements ControlPlane {
  readonly #parts: PlaneParts;
  /** For owners that hold requests without a question of the control socket. */
  readonly pauses: Pauses;
  readonly #drains: Drains;
  readonly #changes: Changes;
  readonly #startedAt: number;
  readonly #began: number;
  #reopened = 0;
  readonly #follow: Alarm;
  readonly extensions: Extensions = {
    restart: () => notPossible("No upstream has a command to restart."),
    upgrade: () => notPossible("This Sluice cannot replace itself."),
    explain: () => notPossible("This Sluice cannot explain."),
    children: () => new Map(),
  };

  constructor(parts: PlaneParts) {
    this.#parts = parts;
    const { clock, supervisor, events } = parts;
    this.#follow = new Alarm(clock, FOLLOW_MS, () => {
      void this.#changes.followNames().then(() => this.followNames());
    });
    this.#startedAt = clock.wall();
    this.#began = clock.now();
    this.pauses = new Pauses(clock, supervisor, events);
    this.#drains = new Drains(clock, supervisor, events);
    this.#changes = new Changes({
      clock,
      supervisor,
      events,
      pauses: this.pauses,
      drains: this.#drains,
      source: parts.source,
      probe: parts.probe,
      addresses: parts.addresses,
      changed: (config) => {
        this.followNames();
        return parts.changed?.(config);
      },
    });
    events.onWatched = (watched) => void supervisor.command({ command: "watch", watched }, { watched });
  }

  /** What was asked of us and is in none of our files. */
  handoverState(): HandoverState {
    return {
      swapped: this.#changes.handoverState(),
      paused: this.pauses.handoverState(),
      drained: this.#drains.handoverState(),
    };
  }

  /** Goes on with what was asked of another Sluice. Before the start. */
  restore({ swapped, paused, drained }: HandoverState): Promise<void> {
    this.#changes.restore(swapped);
    this.#drains.restore(drained);
    return this.pauses.restore(paused);
  }

  /** What may have changed there since. Resolves when it is so here. */
  async takeOver({ paused, drained }: HandoverState): Promise<void> {
    await Promise.all([this.pauses.restore(paused), this.#drains.takeOver(drained)]);
  }

  /** A reload or a swap is under way. */
  get changing(): boolean {
    return this.#changes.busy;
  }

  async status(): Promise<Status> {
    const { clock, supervisor } = this.#parts;
    await within(clock, supervisor.report(), STATUS_PATIENCE_MS);
    return this.knownStatus();
  }

  /** The same without asking workers in other processes: what they told last. */
  knownStatus(): Status {
    const { clock, supervisor, version, runtime, pid, residentBytes } = this.#parts;
    return buildStatus({
      version,
      runtime,
      pid,
      state: supervisor.phase,
      startedAt: this.#startedAt,
      uptimeMs: clock.now() - this.#began,
      generation: this.#changes.generation,
      configLoadedAt: this.#changes.loadedAt,
      config: supervisor.config,
      addresses: supervisor.addresses,
      residentBytes: residentBytes(),
      workers: supervisor.workers,
      elder: supervisor.lineage.elder,
      elderSilent: supervisor.lineage.silent !== null,
      gone: supervisor.gone,
      paused: this.pauses.status(),
      children: this.extensions.children(),
    });
  }

  watch(heard: (event: ControlEvent) => void): () => void {
    return this.#parts.events.watch(heard);
  }

  pause(
    upstream: string | null,
    waitIdleMs: number,
    leaseMs: number | null,
    signal?: AbortSignal,
    owner?: PauseOwner,
  ): Promise<Outcome<Quiet & { readonly token: string }>> {
    return this.pauses.pause(upstream, waitIdleMs, leaseMs, signal, owner);
  }

  async resume(upstream: string | null, token?: string): Promise<Outcome<Resumed>> {
    return this.#byAll(await this.pauses.resume(upstream, token));
  }

  #byAll<T>(outcome: Outcome<T>): Outcome<T> {
    return unlessSilent(outcome, this.#parts.supervisor.lineage.silent);
  }

  // deno-lint-ignore require-await -- the contract wants a promise
  async renew(token: string, leaseMs: number): Promise<Outcome> {
    return this.pauses.renew(token, leaseMs);
  }

  async drain(
    endpoint: string,
    upstream: string | null,
    windowMs: number,
    wait: boolean,
  ): Promise<Outcome<{ readonly in_flight: number }>> {
    return this.#byAll(await this.#drains.drain(endpoint, upstream, windowMs, wait));
  }

  async undrain(endpoint: string, upstream: string | null): Promise<Outcome> {
    return this.#byAll(await this.#drains.undrain(endpoint, upstream));
  }

  async swap(
    upstream: string | null,
    addresses: readonly string[],
    health: HealthQuestion | null,
    timeoutMs: number,
    drainMs: number,
  ): Promise<Outcome<{ readonly generation: number; readonly from: readonly string[] }>> {
    const named = upstreamNamed(this.#parts.supervisor.config, upstream);
    if (named.ok && this.extensions.children().has(named.upstream)) {
      return notPossible(`Sluice runs the command of ${named.upstream} itself: restart it instead.`);
    }
    return this.#byAll(await this.#changes.swap(upstream, addresses, health, timeoutMs, drainMs));
  }

  async wait(
    upstream: string | null,
    what: "healthy" | "idle",
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Outcome> {
    const { clock, supervisor } = this.#parts;
    const named = upstreamsNamed(supervisor.config, upstream);
    if (!named.ok) return named;
    let quiet: Quiet = { in_flight: 0, waiting: 0 };
    const look = what === "idle"
      ? async () => {
        quiet = quietOf(await supervisor.report(), upstream === null ? null : named.upstreams);
        return quiet.in_flight + quiet.waiting === 0;
      }
      : async () => {
        const reached = await Promise.all(named.upstreams.map((name) => this.#reached(name)));
        return reached.every((each) => each);
      };
    if (await until(clock, look, timeoutMs, signal)) {
      return what === "idle" ? this.#byAll({ ok: true }) : { ok: true };
    }
    if (signal?.aborted === true) return refuse("failed", "Whoever asked has gone.");
    if (what === "healthy") {
      const names = named.upstreams.join(", ");
      return refuse("timeout", `No endpoint of ${names} could be reached in ${timeoutMs} ms.`);
    }
    const still = `${quiet.in_flight} requests are still in flight, ${quiet.waiting} wait.`;
    return this.#byAll(refuse("timeout", still));
  }

  /** An open connection to an endpoint is proof enough; else one is opened. */
  async #reached(name: string): Promise<boolean> {
    const { supervisor, probe } = this.#parts;
    const config = supervisor.config.upstreams.find((each) => each.name === name);
    if (config === undefined) return false;
    const report = (await supervisor.report()).upstreams.find((each) => each.name === name);
    const states = new Map(report?.endpoints.map((endpoint) => [endpoint.name, endpoint]));
    const usable = config.endpoints.filter((endpoint) => {
      const state = states.get(endpoint.name)?.state ?? "up";
      return state !== "draining" && state !== "drained";
    });
    const open = usable.some((endpoint) => {
      const known = states.get(endpoint.name);
      return known?.state === "up" && known.idle + known.inFlight > 0;
    });
    if (open) return true;
    const probes = usable.map((endpoint) => probe(config, endpoint, null, PROBE_TIMEOUT_MS));
    return (await Promise.all(probes)).some((wrong) => wrong === null);
  }

  async reload(): Promise<Outcome<ReloadDone>> {
    const { supervisor, reloading } = this.#parts;
    const act = () => this.#changes.reload();
    const done = await (reloading === undefined ? act() : reloading(act));
    const { silent } = supervisor.lineage;
    if (!done.ok || silent === null) return done;
    return { ...done, warnings: [...done.warnings ?? [], silentWords(silent)] };
  }

  /** From now on, as long as it serves, endpoints follow the addresses of their names where that is wished for. */
  followNames(): void {
    const { supervisor } = this.#parts;
    const wished = supervisor.config.upstreams.some(({ eachAddress }) => eachAddress);
    if (wished && supervisor.phase === "serving") this.#follow.set();
  }

  /** What serves now was made of this; null when it was not read from anywhere. */
  get loaded(): Loaded | null {
    return this.#changes.loaded;
  }

  restart(
    upstream: string | null,
    timeoutMs: number,
  ): Promise<Outcome<{ readonly pids: readonly number[] }>> {
    return this.extensions.restart(upstream, timeoutMs);
  }

  upgrade(binary: string | null, timeoutMs: number): Promise<Outcome<{ readonly pid: number }>> {
    return this.extensions.upgrade(binary, timeoutMs);
  }

  async stop(now: boolean): Promise<Outcome<{ readonly connections: number }>> {
    const { supervisor, stop } = this.#parts;
    const { connections } = await supervisor.report();
    stop(now);
    return { ok: true, connections };
  }

  explain(request: ExplainRequest): Promise<Outcome<{ readonly explanation: unknown }>> {
    return this.extensions.explain(request);
  }

  /** How often log files were to be opened anew. */
  get reopened(): number {
    return this.#reopened;
  }

  async reopenLogs(): Promise<Outcome> {
    this.#reopened++;
    const results = await this.#parts.supervisor.command({ command: "reopen" });
    const problems = results.flatMap((result) => result.ok ? [] : [result.failure.message]);
    if (problems.length === 0) return this.#byAll({ ok: true });
    // Workers fail alike: they write to the same files.
    return refuse("failed", "The log files could not be opened anew: the old ones are written on.", [
      ...new Set(problems),
    ]);
  }
}

function notPossible(message: string): Promise<Outcome<never>> {
  return Promise.resolve(refuse("not_possible", message));
}
