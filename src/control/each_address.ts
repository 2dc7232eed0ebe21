/**
 * Names whose addresses are endpoints of their own (`each_address`). The supervisor looks them up for all workers, so
 * that status, slots and drains know the same endpoints everywhere; a change is one of the configuration.
 */

import { type Clock, type Runtime, SocketFailure } from "../../runtime/contract/contract.ts";
import { printAddress } from "../config/values/address.ts";
import { isNamed } from "../config/check_names.ts";
import type { Config, EndpointConfig, UpstreamConfig } from "../config/values/config.ts";
import { sleep } from "./conditions.ts";

/** Addresses of one name that become endpoints. */
const MOST_ADDRESSES = 256;

export class EachAddress {
  readonly #clock: Clock;
  readonly #resolve: Runtime["resolve"];
  /** By name, what is known of it. */
  readonly #known = new Map<string, readonly string[]>();

  constructor(runtime: Pick<Runtime, "clock" | "resolve">) {
    this.#clock = runtime.clock;
    this.#resolve = (host) => runtime.resolve(host);
  }

  /**
   * Looks up all names that matter. One that cannot be resolved keeps what was known of it: endpoints that are
   * gone count as down anyway.
   *
   * @param patienceMs for how long it is waited for; what comes later counts the next time
   */
  async learn({ upstreams }: Pick<Config, "upstreams">, patienceMs: number): Promise<void> {
    const names = new Set(upstreams.filter(({ eachAddress }) => eachAddress).flatMap(namesOf));
    if (names.size === 0) return;
    const all = [...names].map(async (name) => {
      try {
        this.#known.set(name, (await this.#resolve(name)).slice(0, MOST_ADDRESSES));
      } catch (error) {
        if (!(error instanceof SocketFailure)) throw error;
      }
    });
    await Promise.race([Promise.all(all), sleep(this.#clock, patienceMs)]);
  }

  /** The configuration with addresses in the place of names, as far as they are known. */
  expand(config: Config): Config {
    if (!config.upstreams.some(({ eachAddress }) => eachAddress)) return config;
    return { ...config, upstreams: config.upstreams.map((upstream) => this.expandUpstream(upstream)) };
  }

  expandUpstream(upstream: UpstreamConfig): UpstreamConfig {
    if (!upstream.eachAddress) return { ...upstream, endpoints: asWritten(upstream.endpoints) };
    const endpoints = new Map<string, EndpointConfig>();
    for (const written of asWritten(upstream.endpoints)) {
      for (const endpoint of this.#endpointsOf(written)) {
        if (!endpoints.has(endpoint.name)) endpoints.set(endpoint.name, endpoint);
      }
    }
    return { ...upstream, endpoints: [...endpoints.values()] };
  }

  #endpointsOf(written: EndpointConfig): readonly EndpointConfig[] {
    const { address, scheme } = written;
    const addresses = address.kind === "tcp" && isNamed(written) ? this.#known.get(address.host) : undefined;
    if (address.kind !== "tcp" || addresses === undefined) return [written];
    // In an order of its own: servers turn theirs with each answer.
    return [...addresses].sort().map((host): EndpointConfig => {
      const own = { ...address, host };
      return {
        ...written,
        address: own,
        name: `${scheme === "https" ? "https://" : ""}${printAddress(own)}`,
        written,
      };
    });
  }
}

/** Endpoints as the configuration has them, each once. */
export function asWritten(endpoints: readonly EndpointConfig[]): readonly EndpointConfig[] {
  if (endpoints.every(({ written }) => written === undefined)) return endpoints;
  const names = new Map<string, EndpointConfig>();
  for (const endpoint of endpoints) {
    const written = endpoint.written ?? endpoint;
    names.set(written.name, written);
  }
  return [...names.values()];
}

function namesOf({ endpoints }: UpstreamConfig): readonly string[] {
  return asWritten(endpoints).filter(isNamed).map(({ address }) =>
    address.kind === "tcp" ? address.host : ""
  );
}
