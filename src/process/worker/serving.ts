/**
 * What a worker serves: a gateway, its upstreams, and the listeners, as one configuration says. It can go over to
 * another configuration in two steps, so that all workers do it or none: `prepare` does whatever can fail,
 * `commit` nothing that can.
 */

import type {
  Address,
  FlushPatience,
  Runtime,
  ServerTls,
  System,
} from "../../../runtime/contract/contract.ts";
import { ScriptError } from "../../answer/script_error.ts";
import { listenKeys } from "../../config/values/address.ts";
import type { Config } from "../../config/values/config.ts";
import { IoTurn } from "../../conn/io_turn.ts";
import type { Change, CommandResult, DesiredState } from "./messages.ts";
import { Gateway } from "../../gateway/gateway.ts";
import type { Telemetry } from "../../observe/telemetry.ts";
import { allDestinations } from "../../gateway/forward/forward_snapshot.ts";
import type { Credential } from "../../credentials/credential.ts";
import { OwnListeners } from "../../forward/own_listeners.ts";
import type { Destinations } from "../../upstream/destinations.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { bindAll, certifyAll, type OpenListener } from "./bind_listeners.ts";
import { filesAside, roomWarning } from "./descriptor_room.ts";
import { interfaceAddresses } from "./interface_addresses.ts";
import { OperatedUpstreams } from "./operated_upstreams.ts";
import type { Prepared } from "./prepared.ts";
import { RetiredDestinations } from "./retired_destinations.ts";
import { RetiredUpstreams } from "./retired_upstreams.ts";
import { ConfigurationTurn } from "./configuration_turn.ts";
import type { LoadedScripts } from "./loaded_scripts.ts";
import { Scripting, type ScriptPlace } from "./scripting.ts";
import { startFailure } from "./start_failure.ts";
import { readServerTls } from "../shared/tls_files.ts";
import { buildSnapshot, type BuiltSnapshot, type Sharing } from "./snapshot.ts";

export class Serving {
  readonly gateway: Gateway;
  readonly telemetry: Telemetry;
  /** Upstreams and endpoints in the hands of an operator. */
  readonly operated: OperatedUpstreams;
  readonly #runtime: Runtime;
  readonly #system: System;
  readonly #turn: IoTurn;
  readonly #sharing: Sharing;
  readonly #shared: boolean;
  #config: Config;
  #built: BuiltSnapshot;
  #tls: ServerTls | null = null;
  #listeners: readonly OpenListener[] = [];
  #prepared: Prepared | null = null;
  readonly #turns = new ConfigurationTurn();
  /** What is prepared is a change of our own, which no rollback of the supervisor's means. */
  #ownChange = false;
  /** Listeners are closed, or are about to be. */
  #ending = false;
  readonly #retired: RetiredUpstreams;
  readonly #retiredDestinations: RetiredDestinations;
  readonly #own: OwnListeners;
  readonly scripting: Scripting;

  /** Where this Sluice listens besides. To be set before `listen`. */
  besides: readonly Address[] = [];

  private constructor(
    runtime: Runtime,
    system: System,
    telemetry: Telemetry,
    turn: IoTurn,
    config: Config,
    built: BuiltSnapshot,
    sharing: Sharing,
    shared: boolean,
    own: OwnListeners,
    scripting: Scripting,
  ) {
    this.#runtime = runtime;
    this.scripting = scripting;
    this.#own = own;
    this.#retiredDestinations = new RetiredDestinations(turn);
    this.#system = system;
    this.telemetry = telemetry;
    this.#turn = turn;
    this.#config = config;
    this.#built = built;
    this.#sharing = sharing;
    this.#shared = shared;
    this.gateway = new Gateway(runtime, built.snapshot, telemetry);
    this.#retired = new RetiredUpstreams(
      runtime.clock,
      turn,
      this.gateway,
      (upstream) => this.#prepared?.built.upstreams.includes(upstream) === true,
    );
    const upstreams = () => this.upstreams;
    this.operated = new OperatedUpstreams(this.gateway, this.#retired, upstreams);
    telemetry.watch(this.gateway);
    scripting.requests = this.gateway.scriptHost;
    scripting.onUpstreamSet = () => this.#useScriptUpstreams();
  }

  /**
   * Serves nothing before `listen`.
   *
   * @param sharing what other workers leave to this one
   * @param shared other processes listen on the same ports
   * @throws SystemError when a file that the configuration names cannot be used
   * @throws ScriptLoadFault
   */
  static async open(
    runtime: Runtime,
    system: System,
    telemetry: Telemetry,
    config: Config,
    sharing: Sharing,
    shared: boolean,
    place: ScriptPlace,
  ): Promise<Serving> {
    const turn = new IoTurn(runtime);
    const own = new OwnListeners([], interfaceAddresses(runtime.clock, system));
    const scripting = new Scripting(runtime.clock, system, telemetry, place);
    const scripts = await scripting.prepare(config, true);
    const effective = scripts?.upstreams.over(config) ?? config;
    const built = await buildSnapshot(
      runtime,
      system,
      effective,
      telemetry,
      sharing,
      turn,
      null,
      [],
      own,
      scripts,
    );
    const serving = new Serving(
      runtime,
      system,
      telemetry,
      turn,
      config,
      built,
      sharing,
      shared,
      own,
      scripting,
    );
    scripting.use(scripts, config, () => false, 0);
    serving.#tls = await readServerTls(system, config);
    serving.#tellRoom(config);
    return serving;
  }

  /** Fewer clients may be let in than the configuration says. */
  #tellRoom(config: Config): void {
    const { descriptorLimit } = this.#system;
    const aside = filesAside(descriptorLimit, config, this.#sharing.slots === null);
    const warning = roomWarning(config.server.maxConnections, descriptorLimit, aside);
    if (warning !== "") this.telemetry.log("warn", warning);
  }

  get config(): Config {
    return this.#config;
  }

  /** When a connection had its last event, in monotonic milliseconds. */
  get lastEventAt(): number {
    return this.#turn.now;
  }

  get upstreams(): readonly Upstream[] {
    return this.#built.upstreams;
  }

  /** Upstreams that are not in the configuration any more and still have requests. */
  get retired(): readonly Upstream[] {
    return this.#retired.all;
  }

  get credentials(): readonly Credential[] {
    return this.#built.credentials.list;
  }

  /** Of the forward proxy, those of earlier configurations that still have requests included. */
  get destinations(): readonly Destinations[] {
    return [...allDestinations(this.#built.snapshot.forward), ...this.#retiredDestinations.all];
  }

  /** Where each listener of the configuration is bound. */
  get addresses(): readonly Address[] {
    return this.#listeners.map(({ listener }) => listener.address);
  }

  /** Binds all listeners or none. @param addresses null = where the configuration says */
  async listen(addresses: readonly Address[] | null): Promise<CommandResult> {
    const keys = listenKeys(this.#config.listen);
    const wanted = keys.map((key, at) => ({ key, at, address: addresses?.[at] ?? null }));
    const bound = await bindAll(this.#config, this.gateway, this.#tls, wanted, this.#shared);
    if (!Array.isArray(bound)) return { ok: false, failure: bound };
    this.#listeners = bound;
    this.#tellOwn();
    return { ok: true, addresses: this.addresses };
  }

  /** What is bound is no destination of the forward proxy. Other workers are bound to the same. */
  #tellOwn(): void {
    this.#own.replace([...this.addresses, ...this.besides].filter((address) => address.kind === "tcp"));
  }

  // Another configuration

  /** Makes everything ready for `config`: files are read, new listeners bound. They accept nothing yet. */
  async prepare(change: Change): Promise<CommandResult> {
    await this.rollback();
    await this.#turns.begin();
    const { config, scriptsAnew } = change;
    let scripts: LoadedScripts | null = null;
    try {
      scripts = await this.scripting.prepare(config, scriptsAnew);
      const result = await this.#prepare(change, scripts);
      if (result.ok) return result;
      await this.scripting.drop(scripts);
      this.#turns.end();
      return result;
    } catch (error) {
      await this.scripting.drop(scripts);
      this.#turns.end();
      const failure = startFailure(error);
      if (failure === null) throw error;
      return { ok: false, failure };
    }
  }

  async #prepare({ config, listen }: Change, scripts: LoadedScripts | null): Promise<CommandResult> {
    const effective = scripts?.upstreams.over(config) ?? config;
    const built = await buildSnapshot(
      this.#runtime,
      this.#system,
      effective,
      this.telemetry,
      { ...this.#sharing, slots: this.#sharing.slots === null ? null : () => 0 },
      this.#turn,
      this.#built,
      this.retired,
      this.#own,
      scripts,
    );
    const tls = await readServerTls(this.#system, config);
    const kept = new Map(this.#listeners.map((open) => [open.key, open]));
    const wanted = listenKeys(config.listen).map((key, at) => ({ key, at, address: listen[at] ?? null }));
    const missing = wanted.filter(({ key }) => !kept.has(key));
    const bound = await bindAll(config, this.gateway, tls, missing, this.#shared);
    if (!Array.isArray(bound)) return { ok: false, failure: bound };
    const all = new Map([...kept, ...bound.map((open) => [open.key, open] as const)]);
    const listeners = wanted.map(({ key }) => all.get(key) as OpenListener);
    this.#prepared = { config, built, tls, listeners, bound, scripts };
    // Whether a certificate can be used turns out only by its use, so this comes before the commit.
    const other = tls !== null && !this.#ending && !sameTls(tls, this.#tls);
    const fault = other ? await certifyAll(this.#listeners, tls) : null;
    if (fault !== null) {
      await this.#rollback();
      return { ok: false, failure: { kind: "bind", message: fault } };
    }
    if (config.server.maxConnections !== this.#config.server.maxConnections) this.#tellRoom(config);
    return {
      ok: true,
      addresses: listeners.map(({ listener }) => listener.address),
      upstreams: built.changed,
      certificate: tls !== null && this.#tls !== null && !sameTls(tls, this.#tls),
      ...(scripts === null ? {} : { scriptFiles: scripts.files }),
    };
  }

  /** Forgets what was prepared. */
  async rollback(): Promise<void> {
    if (this.#prepared === null || this.#ownChange) return;
    this.#turns.end();
    await this.#rollback();
  }

  async #rollback(): Promise<void> {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared === null) return;
    for (const { listener } of prepared.bound) await this.gateway.unbind(listener);
    await this.scripting.drop(prepared.scripts);
    const own = this.#tls;
    if (own === null || sameTls(prepared.tls, own)) return;
    for (const { tls, listener } of this.#listeners) if (tls) await listener.certify(own).catch(() => {});
  }

  /**
   * Serves what was prepared from now on. What is in flight goes on as it began; upstreams and endpoints that are
   * the same keep everything.
   *
   * @param drainMs for requests and tunnels of endpoints and upstreams that are not in use any more
   * @param desired what is paused and drained from now on
   * @returns resolves when nothing is accepted where the new configuration does not listen. All else is done inside the call
   */
  async commit(drainMs: number, desired: Pick<DesiredState, "paused" | "drained">): Promise<void> {
    this.#turns.end();
    await this.#commit(drainMs, desired);
  }

  /** An upstream that a script has set is used from now on. What operators have asked for stays. */
  async #useScriptUpstreams(): Promise<void> {
    await this.#turns.begin();
    this.#ownChange = true;
    try {
      const change = { config: this.#config, listen: this.addresses, scriptsAnew: false };
      const result = await this.#prepare(change, this.scripting.current);
      if (!result.ok) throw new ScriptError(result.failure.message);
      await this.#commit(this.#config.server.drainTimeoutMs, null);
    } finally {
      this.#ownChange = false;
      this.#turns.end();
    }
  }

  /** @param desired null = as it is */
  async #commit(
    drainMs: number,
    desired: Pick<DesiredState, "paused" | "drained"> | null,
  ): Promise<void> {
    const prepared = this.#prepared;
    if (prepared === null) return;
    this.#prepared = null;
    const { config, built, tls, listeners, scripts } = prepared;
    const before = this.#built;
    const open = this.#listeners;
    this.#config = config;
    this.#built = built;
    this.#tls = tls;
    this.#listeners = listeners;
    this.#tellOwn();
    this.scripting.use(scripts, config, this.gateway.traffic.underWay(), drainMs);
    this.gateway.use(built.snapshot);
    for (const [at, { listener }] of listeners.entries()) {
      this.gateway.setForward(listener, config.listen[at]?.forward === true);
    }
    const dropped = built.apply();
    if (dropped.length > 0) this.gateway.drainEndpoints(dropped, drainMs);
    for (const { endpoints } of built.upstreams) {
      // One that came back while it was drained serves new requests: they are not cut with what it had before.
      for (const endpoint of endpoints) if (endpoint.enabled) this.gateway.keepEndpoint(endpoint);
    }
    const gone = before.upstreams.filter((upstream) => !built.upstreams.includes(upstream));
    this.#retired.takeBack(built.upstreams);
    if (desired !== null) this.operated.apply(desired);
    this.#retired.retire(gone, drainMs, this.gateway.traffic.beingAsked());
    this.#retired.pauseWith(this.upstreams);
    this.#retiredDestinations.replace(before.snapshot.forward, built.snapshot.forward);
    this.telemetry.counters.keepOnly(built.upstreams, config.routes);
    const unused = open.filter((each) => !listeners.includes(each));
    await Promise.all(unused.map(({ listener }) => this.gateway.unbind(listener)));
  }

  // The end

  /**
   * Stops accepting, and lets what is in flight end within the drain time.
   * @param closed called when nothing is accepted any more
   * @param drainMs null = what the configuration says
   */
  drainAll(closed: () => void, drainMs: number | null): Promise<void> {
    this.#ending = true;
    return this.gateway.drain(drainMs ?? this.#config.server.drainTimeoutMs, closed);
  }

  /**
   * Ends everything now.
   * @param patience with readers of the logs
   * @returns false when lines of the access log are lost
   */
  async close(patience: FlushPatience): Promise<boolean> {
    await this.gateway.abortAll();
    for (const upstream of this.upstreams) upstream.stop();
    this.#retired.stop();
    for (const destinations of allDestinations(this.#built.snapshot.forward)) destinations.stop();
    this.#retiredDestinations.stop();
    await this.scripting.end();
    return await this.telemetry.close(patience);
  }
}

function sameTls(a: ServerTls | null, b: ServerTls | null): boolean {
  return a?.cert === b?.cert && a?.key === b?.key;
}
