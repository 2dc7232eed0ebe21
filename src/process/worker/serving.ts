/**
 * What a worker serves: a gateway, its upstreams, and the listeners, as one configuration says. It can go over to
 * another configuration in two steps, so that all workers do it or none: `prepare` does whatever can fail,
 * `commit` nothing that can.
 */

import {
  type Address,
  type FlushPatience,
  type Runtime,
  type ServerTls,
  SocketFailure,
  type System,
  SystemError,
} from "../../../runtime/contract/contract.ts";
import { listenKeys } from "../../config/values/address.ts";
import type { Config } from "../../config/values/config.ts";
import { IoTurn } from "../../conn/io_turn.ts";
import type { Change, CommandResult, DesiredState, EndpointName } from "./messages.ts";
import { Gateway } from "../../gateway/gateway.ts";
import type { Telemetry } from "../../observe/telemetry.ts";
import { allDestinations } from "../../gateway/forward/forward_snapshot.ts";
import { OwnListeners } from "../../forward/own_listeners.ts";
import type { Credential } from "../../credentials/credential.ts";
import type { Destinations } from "../../upstream/destinations.ts";
import type { Endpoint } from "../../upstream/endpoint.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { bindAll, type OpenListener } from "./bind_listeners.ts";
import { filesAside, roomWarning } from "./descriptor_room.ts";
import { interfaceAddresses } from "./interface_addresses.ts";
import { RetiredDestinations } from "./retired_destinations.ts";
import { RetiredUpstreams } from "./retired_upstreams.ts";
import { readServerTls } from "../shared/tls_files.ts";
import { buildSnapshot, type BuiltSnapshot, type Sharing } from "./snapshot.ts";

/** What has been made ready for a change of configuration. */
interface Prepared {
  readonly config: Config;
  readonly built: BuiltSnapshot;
  readonly tls: ServerTls | null;
  readonly listeners: readonly OpenListener[];
  /** The listeners that were bound for this. */
  readonly bound: readonly OpenListener[];
}

export interface FoundEndpoint {
  readonly upstream: Upstream;
  readonly endpoint: Endpoint;
}

export class Serving {
  readonly gateway: Gateway;
  readonly telemetry: Telemetry;
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
  /** Listeners are closed, or are about to be. */
  #ending = false;
  readonly #retired: RetiredUpstreams;
  readonly #retiredDestinations: RetiredDestinations;
  readonly #own: OwnListeners;

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
  ) {
    this.#runtime = runtime;
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
    telemetry.watch(this.gateway);
  }

  /**
   * Serves nothing before `listen`.
   *
   * @param sharing what other workers leave to this one
   * @param shared other processes listen on the same ports
   * @throws SystemError when a file that the configuration names cannot be used
   */
  static async open(
    runtime: Runtime,
    system: System,
    telemetry: Telemetry,
    config: Config,
    sharing: Sharing,
    shared: boolean,
  ): Promise<Serving> {
    const turn = new IoTurn(runtime);
    const own = new OwnListeners([], interfaceAddresses(runtime.clock, system));
    const built = await buildSnapshot(runtime, system, config, telemetry, sharing, turn, null, [], own);
    const serving = new Serving(runtime, system, telemetry, turn, config, built, sharing, shared, own);
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

  /** Of the forward proxy, those of earlier configurations that still have requests included. */
  get credentials(): readonly Credential[] {
    return this.#built.credentials.list;
  }

  get destinations(): readonly Destinations[] {
    const { forward } = this.#built.snapshot;
    return [...(forward === null ? [] : [forward.destinations]), ...this.#retiredDestinations.all];
  }

  /** Where each listener of the configuration is bound. */
  get addresses(): readonly Address[] {
    return this.#listeners.map(({ listener }) => listener.address);
  }

  /** Also of upstreams that no route leads to any more. */
  find(name: EndpointName): FoundEndpoint | null {
    return this.#findBy(name, (upstream) => upstream.endpoint(name.endpoint));
  }

  /** The one whose slots are meant: also one that was replaced, for which requests may still wait. */
  findSharing(name: EndpointName): FoundEndpoint | null {
    return this.#findBy(name, (upstream) => upstream.sharedEndpoint(name.endpoint));
  }

  #findBy(name: EndpointName, find: (upstream: Upstream) => Endpoint | undefined): FoundEndpoint | null {
    for (const upstream of [...this.upstreams, ...this.retired]) {
      if (upstream.name !== name.upstream) continue;
      const endpoint = find(upstream);
      if (endpoint !== undefined) return { upstream, endpoint };
    }
    return null;
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
    const { admin } = this.#config;
    const addresses = [...this.addresses, ...(admin === null ? [] : [admin.address])];
    this.#own.replace(addresses.filter((address) => address.kind === "tcp"));
  }

  // Desired state

  setDesired({ paused, drained }: DesiredState): void {
    this.pause(paused);
    for (const name of drained) this.drain(name, 0);
  }

  pause(names: readonly string[]): void {
    for (const upstream of this.upstreams) if (names.includes(upstream.name)) upstream.pause();
    this.#retired.pauseWith(this.upstreams);
  }

  resume(names: readonly string[]): void {
    for (const upstream of this.upstreams) if (names.includes(upstream.name)) upstream.resume();
    this.#retired.pauseWith(this.upstreams);
  }

  drain(name: EndpointName, windowMs: number): void {
    const found = this.find(name);
    if (found === null) return;
    const { upstream, endpoint } = found;
    upstream.withdraw(endpoint);
    // The newer window counts.
    this.gateway.keepEndpoint(endpoint);
    this.gateway.drainEndpoints([endpoint], windowMs);
  }

  undrain(name: EndpointName): void {
    const found = this.find(name);
    if (found === null) return;
    this.gateway.keepEndpoint(found.endpoint);
    found.upstream.restore(found.endpoint);
  }

  // Another configuration

  /** Makes everything ready for `config`: files are read, new listeners bound. They accept nothing yet. */
  async prepare({ config, listen }: Change): Promise<CommandResult> {
    await this.rollback();
    try {
      const built = await buildSnapshot(
        this.#runtime,
        this.#system,
        config,
        this.telemetry,
        { ...this.#sharing, slots: this.#sharing.slots === null ? null : () => 0 },
        this.#turn,
        this.#built,
        this.retired,
        this.#own,
      );
      const tls = await readServerTls(this.#system, config);
      const kept = new Map(this.#listeners.map((open) => [open.key, open]));
      const wanted = listenKeys(config.listen).map((key, at) => ({ key, at, address: listen[at] ?? null }));
      const missing = wanted.filter(({ key }) => !kept.has(key));
      const bound = await bindAll(config, this.gateway, tls, missing, this.#shared);
      if (!Array.isArray(bound)) return { ok: false, failure: bound };
      const all = new Map([...kept, ...bound.map((open) => [open.key, open] as const)]);
      const listeners = wanted.map(({ key }) => all.get(key) as OpenListener);
      this.#prepared = { config, built, tls, listeners, bound };
      const fault = await this.#certify(tls);
      if (fault !== null) {
        await this.rollback();
        return { ok: false, failure: { kind: "bind", message: fault } };
      }
      if (config.server.maxConnections !== this.#config.server.maxConnections) this.#tellRoom(config);
      return {
        ok: true,
        addresses: listeners.map(({ listener }) => listener.address),
        upstreams: built.changed,
        certificate: tls !== null && this.#tls !== null && !sameTls(tls, this.#tls),
      };
    } catch (error) {
      if (error instanceof SystemError) {
        return { ok: false, failure: { kind: "system", message: error.message } };
      }
      throw error;
    }
  }

  /**
   * Open listeners get the certificate if it is another one. Whether it can be used turns out only by its use, so
   * this comes before the commit; `rollback` takes it back.
   *
   * @returns why it cannot be used
   */
  async #certify(tls: ServerTls | null): Promise<string | null> {
    if (tls === null || this.#ending || sameTls(tls, this.#tls)) return null;
    try {
      for (const open of this.#listeners) if (open.tls) await open.listener.certify(tls);
      return null;
    } catch (error) {
      if (!(error instanceof SocketFailure)) throw error;
      return `the certificate of tls.cert and tls.key cannot be used: ${error.message}`;
    }
  }

  /** Forgets what was prepared. */
  async rollback(): Promise<void> {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared === null) return;
    for (const { listener } of prepared.bound) await this.gateway.unbind(listener);
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
    const prepared = this.#prepared;
    if (prepared === null) return;
    this.#prepared = null;
    const { config, built, tls, listeners } = prepared;
    const before = this.#built;
    const open = this.#listeners;
    this.#config = config;
    this.#built = built;
    this.#tls = tls;
    this.#listeners = listeners;
    this.#tellOwn();
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
    this.#apply(desired);
    this.#retired.retire(gone, drainMs);
    this.#retired.pauseWith(this.upstreams);
    this.#retiredDestinations.replace(
      allDestinations(before.snapshot.forward),
      allDestinations(built.snapshot.forward),
    );
    this.telemetry.counters.keepOnly(config.upstreams, config.routes);
    const unused = open.filter((each) => !listeners.includes(each));
    await Promise.all(unused.map(({ listener }) => this.gateway.unbind(listener)));
  }

  #apply({ paused, drained }: Pick<DesiredState, "paused" | "drained">): void {
    for (const upstream of this.upstreams) {
      if (paused.includes(upstream.name)) upstream.pause();
      else upstream.resume();
      for (const endpoint of upstream.endpoints) {
        const out = drained.some((name) =>
          name.upstream === upstream.name && name.endpoint === endpoint.name
        );
        if (!out) upstream.restore(endpoint);
        else if (endpoint.enabled) upstream.withdraw(endpoint);
      }
    }
  }

  // The end

  /**
   * Stops accepting, and lets what is in flight end within the drain time.
   * @param closed called when nothing is accepted any more
   */
  drainAll(closed: () => void): Promise<void> {
    this.#ending = true;
    return this.gateway.drain(this.#config.server.drainTimeoutMs, closed);
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
    return await this.telemetry.close(patience);
  }
}

function sameTls(a: ServerTls | null, b: ServerTls | null): boolean {
  return a?.cert === b?.cert && a?.key === b?.key;
}
