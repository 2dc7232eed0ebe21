/** Other configurations while serving: read anew, or with the endpoints of one upstream swapped. One at a time. */

import { type HandedSwap, swapOf, withSwapped } from "./handover_state.ts";
import type { Clock } from "../../runtime/contract/contract.ts";
import type { Config, EndpointConfig, UpstreamConfig } from "../config/values/config.ts";
import type { Loaded, Rejected } from "../config/load.ts";
import { checkOwnAddress } from "../config/own_address.ts";
import { DEFAULT_ORIGIN, formatProblem, type Problem } from "../config/values/problem.ts";
import { endpoints as endpointsType } from "../config/values/special_types.ts";
import { sleep } from "./conditions.ts";
import { scriptFiles } from "../config/build_scripts.ts";
import { configChanges, sameValue } from "../config/config_changes.ts";
import type { Changed } from "../process/supervisor/config_rollout.ts";
import type { Supervisor } from "../process/supervisor/supervisor.ts";
import type { Drains } from "./drains.ts";
import { asWritten, type EachAddress } from "./each_address.ts";
import type { EventHub } from "./event_hub.ts";
import { refuse, upstreamNamed } from "./names.ts";
import type { Pauses } from "./pauses.ts";
import type { HealthQuestion, Outcome, ReloadDone } from "./plane.ts";
import { parseAuthority } from "../http/target.ts";

const ENDPOINTS = endpointsType();
/** How long a change waits for names; one that is not resolved by then is one endpoint, until it is. */
const NAMES_PATIENCE_MS = 1000;
/** Between two looks at an endpoint that is to become ready. */
const PROBE_PAUSE_MS = 100;

/** Where the configuration comes from. */
export interface ConfigSource {
  /** What serves now was made of this. */
  readonly loaded: Loaded;
  /** What the files of users and tokens held then, so that it can be compared; "" = there are none. */
  readonly secrets: string;
  /** All sources anew. */
  read(): Promise<Loaded | Rejected>;
  /** What is wrong with the files that it names: `problems` keep them from being used, `warnings` do not. */
  check(
    loaded: Loaded,
  ): Promise<{
    readonly problems: readonly Problem[];
    readonly warnings: readonly Problem[];
    readonly secrets: string;
  }>;
  /** Whether scripts are loaded anew that are named as before. Default: they are, since their files may have changed. */
  readonly scriptsAnew?: () => boolean;
  /** Ports that it wants to listen on and that are taken; null = none. */
  portInUse(before: Config, after: Config): Promise<string | null>;
}

/**
 * Whether an endpoint is ready: it accepts a connection and, with a question, answers GET with 200 to 399.
 *
 * @returns null when it is, else why not
 */
export type Probe = (
  upstream: UpstreamConfig,
  endpoint: EndpointConfig,
  health: HealthQuestion | null,
  timeoutMs: number,
) => Promise<string | null>;

export interface ChangeParts {
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  readonly events: EventHub;
  readonly pauses: Pauses;
  readonly drains: Drains;
  /** Or why the configuration cannot be read anew. */
  readonly source: ConfigSource | string;
  readonly probe: Probe;
  readonly addresses: EachAddress;
  /** The configuration is another one now, and `config_loaded` is now. */
  readonly changed: (config: Config) => void | Promise<void>;
}

export class Changes {
  readonly #parts: ChangeParts;
  #loaded: Loaded | null;
  /** See `ConfigSource.secrets`. */
  #secrets: string;
  /** A change is under way. */
  #busy = false;
  /** The reload that follows it; all that were asked for meanwhile get its result. */
  #nextReload: PromiseWithResolvers<Outcome<ReloadDone>> | null = null;
  /** Names have got other addresses, and the change that makes of it is under way. */
  #following: Promise<unknown> | null = null;
  /** Why that was not possible the last time. */
  #unreadable = "";
  /** By upstream. A swap lasts until the configuration itself names other endpoints. */
  readonly #swapped = new Map<string, HandedSwap>();
  /** 1 for the configuration of the start. */
  generation = 1;
  /** Wall-clock milliseconds. */
  loadedAt: number;

  constructor(parts: ChangeParts) {
    this.#parts = parts;
    const { source } = parts;
    this.#loaded = typeof source === "string" ? null : source.loaded;
    this.#secrets = typeof source === "string" ? "" : source.secrets;
    this.loadedAt = parts.clock.wall();
  }

  get busy(): boolean {
    return this.#busy;
  }

  get loaded(): Loaded | null {
    return this.#loaded;
  }

  /** See `ControlPlane.reload`. */
  reload(): Promise<Outcome<ReloadDone>> {
    const { source } = this.#parts;
    if (typeof source === "string") return Promise.resolve(refuse("not_possible", source));
    // What the change under way has read may be older than the file of the change that is asked for now.
    if (this.#busy) return (this.#nextReload ??= Promise.withResolvers()).promise;
    return this.#reloadAlone(source);
  }

  async #reloadAlone(source: ConfigSource): Promise<Outcome<ReloadDone>> {
    const { events } = this.#parts;
    const outcome = await this.#alone(() => this.#reload(source));
    if (!outcome.ok) {
      events.note({ event: "reload_failed", problems: [...(outcome.problems ?? [outcome.message])] });
    } else if (outcome.changes.length > 0) {
      events.note({ event: "reloaded", generation: outcome.generation, changes: outcome.changes });
    }
    return outcome;
  }

  async #reload(source: ConfigSource): Promise<Outcome<ReloadDone>> {
    const { addresses, supervisor } = this.#parts;
    const read = await source.read();
    const { problems, warnings, secrets } = read.ok
      ? await source.check(read)
      : { problems: read.problems, warnings: [], secrets: "" };
    if (!read.ok || problems.length > 0) {
      return refuse(
        "invalid",
        "The configuration has problems; nothing has changed.",
        problems.map(formatProblem),
      );
    }
    const before = this.#loaded as Loaded;
    const written = this.#withSwapped(read.config);
    await addresses.learn(written, NAMES_PATIENCE_MS);
    const config = addresses.expand(written);
    const inUse = await source.portInUse(supervisor.config, config);
    if (inUse !== null) {
      return refuse("invalid", "The configuration cannot be used; nothing has changed.", [inUse]);
    }
    const { changes, ignored } = configChanges(
      { config: supervisor.config, loaded: before },
      { config, loaded: read },
    );
    const serving = supervisor.config;
    const anew = source.scriptsAnew?.() ?? true;
    const done = await this.#apply(config, config.server.drainTimeoutMs, anew);
    if (!done.ok) return done;
    this.#loaded = read;
    const knewOthers = this.#secrets !== "" && secrets !== "" && secrets !== this.#secrets;
    this.#secrets = secrets;
    const swapped = this.handoverState();
    this.#swapped.clear();
    for (const upstream of read.config.upstreams) {
      const swap = swapOf(upstream, read.config, swapped);
      if (swap !== undefined) this.#swapped.set(upstream.name, { ...swap, upstream: upstream.name });
    }
    const reread = done.upstreams.filter((name) =>
      sameValue([ofName(serving, name), serving.server], [ofName(config, name), config.server])
    );
    const all = [
      ...changes,
      ...(done.certificate ? ["tls: another certificate"] : []),
      ...(knewOthers ? ["forward: other users or tokens"] : []),
      ...(anew ? scriptFiles(config) : []).map((file) => `script ${file}: loaded anew`),
      ...reread.map((name) => `upstream ${name}: the files of upstream_tls`),
    ];
    if (all.length > 0) this.generation++;
    const told = [...read.warnings, ...warnings].map(formatProblem);
    const generation = this.generation;
    return { ok: true, generation, changes: all, ignored, ...(told.length === 0 ? {} : { warnings: told }) };
  }

  #withSwapped(config: Config): Config {
    return withSwapped(config, this.handoverState());
  }

  /** What is swapped, for the Sluice that takes our place. */
  handoverState(): readonly HandedSwap[] {
    return [...this.#swapped.values()];
  }

  /** To be called before anything changes; the supervisor's configuration has been made `withSwapped` already. */
  restore(swapped: readonly HandedSwap[]): void {
    const { config } = this.#parts.supervisor;
    for (const swap of swapped) {
      const upstream = config.upstreams.find(({ name }) => name === swap.upstream);
      if (sameValue(asWritten(upstream?.endpoints ?? []), swap.instead)) {
        this.#swapped.set(swap.upstream, swap);
      }
    }
  }

  /** See `ControlPlane.swap`. */
  async swap(
    upstream: string | null,
    addresses: readonly string[],
    health: HealthQuestion | null,
    timeoutMs: number,
    drainMs: number,
  ): Promise<Outcome<{ readonly generation: number; readonly from: readonly string[] }>> {
    const { addresses: names, supervisor, events } = this.#parts;
    const named = upstreamNamed(supervisor.config, upstream);
    if (!named.ok) return named;
    const parsed = parseEndpoints(supervisor.config, addresses);
    if (!parsed.ok) return parsed;
    if (health !== null && !/^\/[\x21-\x7e]*$/.test(health.path)) {
      return refuse("invalid", `${health.path} is no path: it must begin with / and have no space.`);
    }
    if (health !== null && health.host !== null && parseAuthority(health.host) === null) {
      return refuse("invalid", `${health.host} is no host, with or without a port.`);
    }
    const name = named.upstream;
    // No operator has asked for that change, so no verb is refused for its sake.
    await this.#following;
    return await this.#alone(async () => {
      const old = supervisor.config.upstreams.find((each) => each.name === name) as UpstreamConfig;
      // Whatever is known of an endpoint that stays stays so.
      const before = asWritten(old.endpoints);
      const wanted = parsed.endpoints.map((endpoint) =>
        before.find((each) => each.name === endpoint.name) ?? endpoint
      );
      const from = before.map((endpoint) => endpoint.name);
      if (sameValue(wanted, before)) return { ok: true, generation: this.generation, from };
      const swapped = { ...old, endpoints: wanted };
      await names.learn({ upstreams: [swapped] }, NAMES_PATIENCE_MS);
      const upstream = names.expandUpstream(swapped);
      const unready = await this.#untilReady(old, upstream.endpoints, health, timeoutMs);
      if (unready.length > 0) {
        return refuse(
          "unhealthy",
          "The new endpoints did not become ready in time; nothing has changed.",
          unready,
        );
      }
      const { config } = supervisor;
      const upstreams = config.upstreams.map((each) => each === old ? upstream : each);
      const done = await this.#apply({ ...config, upstreams }, drainMs);
      if (!done.ok) return done;
      const configured = this.#swapped.get(name)?.configured ?? before;
      if (sameValue(configured, wanted)) this.#swapped.delete(name);
      else this.#swapped.set(name, { upstream: name, configured, instead: wanted });
      this.generation++;
      events.note({ event: "swapped", upstream: name, from, to: wanted.map((endpoint) => endpoint.name) });
      return { ok: true, generation: this.generation, from };
    });
  }

  /**
   * Goes over to the addresses that names have by now, where these are endpoints. Not while another change is under
   * way: the next look will do.
   */
  async followNames(): Promise<void> {
    const { addresses, supervisor } = this.#parts;
    await addresses.learn(supervisor.config, NAMES_PATIENCE_MS);
    if (this.#busy || this.#following !== null || supervisor.phase !== "serving") return;
    const config = addresses.expand(supervisor.config);
    if (sameValue(config.upstreams, supervisor.config.upstreams)) return;
    const change = this.#alone(() => this.#readdress(config));
    this.#following = change;
    try {
      const outcome = await change;
      const why = outcome.ok ? "" : (outcome.problems ?? [outcome.message]).join("; ");
      // It is tried again each time, and told of once.
      if (why !== "" && why !== this.#unreadable) {
        this.#parts.events.note({ event: "reload_failed", problems: [`new addresses of names: ${why}`] });
      }
      this.#unreadable = why;
    } finally {
      this.#following = null;
    }
  }

  async #readdress(config: Config): Promise<Outcome> {
    const { supervisor, events } = this.#parts;
    const before = supervisor.config;
    const done = await this.#apply(config, config.server.drainTimeoutMs);
    if (!done.ok) return done;
    for (const { name, endpoints } of config.upstreams) {
      const from = ofName(before, name)?.endpoints.map((each) => each.name) ?? [];
      const to = endpoints.map((each) => each.name);
      if (!sameValue(from, to)) events.note({ event: "readdressed", upstream: name, from, to });
    }
    return { ok: true };
  }

  /** @returns what is not ready when time is up, a line each */
  async #untilReady(
    upstream: UpstreamConfig,
    endpoints: readonly EndpointConfig[],
    health: HealthQuestion | null,
    timeoutMs: number,
  ): Promise<readonly string[]> {
    const { clock, probe, supervisor } = this.#parts;
    const question = health === null
      ? null
      : { path: health.path, host: health.host ?? requestHost(supervisor.config, upstream) };
    const end = clock.now() + timeoutMs;
    const lines = await Promise.all(endpoints.map(async (endpoint) => {
      for (;;) {
        const wrong = await probe(upstream, endpoint, question, Math.max(1, end - clock.now()));
        if (wrong === null) return null;
        if (clock.now() + PROBE_PAUSE_MS >= end) return `${endpoint.name}: ${wrong}`;
        await sleep(clock, PROBE_PAUSE_MS);
      }
    }));
    return lines.filter((line) => line !== null);
  }

  async #apply(
    config: Config,
    drainMs: number,
    scriptsAnew = false,
  ): Promise<Outcome<Pick<Extract<Changed, { ok: true }>, "certificate" | "upstreams">>> {
    const { supervisor, pauses, drains, events, clock, changed } = this.#parts;
    const before = supervisor.config;
    const done = await supervisor.change(config, drainMs, () => ({
      paused: pauses.follow(before, config),
      drained: drains.follow(before, config),
    }), scriptsAnew);
    if (!done.ok) {
      return refuse(
        "failed",
        "The configuration cannot be used; nothing has changed.",
        done.message.split("\n"),
      );
    }
    events.keepOnly(config.upstreams.map(({ name }) => name));
    this.loadedAt = clock.wall();
    await changed(config);
    return done;
  }

  async #alone<T>(work: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    if (this.#busy) return refuse("busy", "A reload or a swap is under way.");
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
      const next = this.#nextReload;
      this.#nextReload = null;
      // In the same step, so that no other change comes between.
      next?.resolve(this.reload());
    }
  }
}

/** Host that requests have when they leave for an upstream, as far as the configuration tells; else null. */
function requestHost({ routes }: Config, { name, hostHeader }: UpstreamConfig): string | null {
  if (hostHeader.kind === "fixed") return hostHeader.value;
  if (hostHeader.kind === "endpoint") return null;
  const leading = routes.find(({ host, target }) =>
    target.kind === "upstream" && target.upstream === name && host !== null && !host.startsWith("*")
  );
  return leading?.host ?? null;
}

function ofName(config: Config, name: string): UpstreamConfig | undefined {
  return config.upstreams.find((upstream) => upstream.name === name);
}

function parseEndpoints(
  config: Config,
  addresses: readonly string[],
): Outcome<{ readonly endpoints: readonly EndpointConfig[] }> {
  const parsed = ENDPOINTS.parse(addresses);
  if (!parsed.ok) {
    const lines = parsed.faults.map(({ message, suggestion }) =>
      suggestion === null ? message : `${message} (${suggestion})`
    );
    return refuse("invalid", "These are no addresses of endpoints.", lines);
  }
  const problems: Problem[] = [];
  checkOwnAddress(config.listen, parsed.value, DEFAULT_ORIGIN, "to", problems);
  if (problems.length > 0) {
    return refuse("invalid", "Sluice would ask itself.", problems.map(({ message }) => message));
  }
  return { ok: true, endpoints: parsed.value };
}
