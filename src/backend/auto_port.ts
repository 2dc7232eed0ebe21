/**
 * Ports for endpoints that are `auto`. Each is chosen once and kept while Sluice runs, reloads included: the
 * address is the endpoint's name in status, logs and metrics, and what its connections are kept by. It lies below
 * the ports that kernels give to outgoing connections, so that none of those takes it while the command is away.
 */

import { type Runtime, SocketFailure } from "../../runtime/contract/contract.ts";
import { AUTO } from "../config/values/address.ts";
import type { Config, EndpointConfig, UpstreamConfig } from "../config/values/config.ts";

const HOST = "127.0.0.1";
/** Below the ephemeral ports of Linux (32,768), macOS and Windows (49,152), above the well-known ones. */
const LOWEST = 20_000;
const HIGHEST = 32_767;
/** Ports that are tried; then the kernel chooses. */
const MOST_TRIES = 20;

export class AutoPorts {
  readonly #runtime: Runtime;
  readonly #random: () => number;
  /** By name of the upstream. */
  readonly #ports = new Map<string, number>();

  /** @param random 0 to 1 */
  constructor(runtime: Runtime, random: () => number = Math.random) {
    this.#runtime = runtime;
    this.#random = random;
  }

  /**
   * The configuration with ports in the place of `auto`; the same object when there is none.
   *
   * @throws SocketFailure when no port is free
   */
  async fill(config: Config): Promise<Config> {
    if (!config.upstreams.some(hasAuto)) return config;
    const upstreams: UpstreamConfig[] = [];
    for (const upstream of config.upstreams) {
      upstreams.push(
        hasAuto(upstream) ? withPort(upstream, await this.#portOf(upstream.name)) : upstream,
      );
    }
    return { ...config, upstreams };
  }

  /** The port that was chosen for an upstream; null = none was. */
  portOf(upstream: string): number | null {
    return this.#ports.get(upstream) ?? null;
  }

  async #portOf(upstream: string): Promise<number> {
    const known = this.#ports.get(upstream);
    if (known !== undefined) return known;
    const taken = new Set(this.#ports.values());
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const port = LOWEST + Math.floor(this.#random() * (HIGHEST - LOWEST + 1));
      if (!taken.has(port) && await this.#isFree(port)) return this.#keep(upstream, port);
    }
    return this.#keep(upstream, await this.#bind(0));
  }

  #keep(upstream: string, port: number): number {
    this.#ports.set(upstream, port);
    return port;
  }

  async #isFree(port: number): Promise<boolean> {
    try {
      await this.#bind(port);
      return true;
    } catch (error) {
      if (error instanceof SocketFailure) return false;
      throw error;
    }
  }

  /** Binds and frees again. */
  async #bind(port: number): Promise<number> {
    const listener = await this.#runtime.listen({
      address: { kind: "tcp", host: HOST, port },
      backlog: 1,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1_000,
    }, {
      accepted: (socket) => {
        socket.abort();
        return { data() {}, drained() {}, ended() {}, closed() {} };
      },
      acceptFailed: () => {},
    });
    await listener.close();
    return listener.address.kind === "tcp" ? listener.address.port : port;
  }
}

function hasAuto({ endpoints }: UpstreamConfig): boolean {
  return endpoints.some(isAuto);
}

function isAuto({ name }: EndpointConfig): boolean {
  return name === AUTO;
}

function withPort(upstream: UpstreamConfig, port: number): UpstreamConfig {
  const endpoints = upstream.endpoints.map((endpoint): EndpointConfig =>
    isAuto(endpoint)
      ? { ...endpoint, address: { kind: "tcp", host: HOST, port }, name: `${HOST}:${port}` }
      : endpoint
  );
  return { ...upstream, endpoints };
}
