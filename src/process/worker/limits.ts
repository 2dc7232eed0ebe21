/**
 * Limits that are divided among the workers, so that together they allow what the configuration says and
 * not a multiple of it. `max_in_flight` is not among them: its slots move to where they are needed.
 */

import { printAddress } from "../../config/values/address.ts";
import type { Config } from "../../config/values/config.ts";
import type { EndpointName, WorkerPlace } from "./messages.ts";

/** An endpoint, and its limit. */
export interface LimitedEndpoint extends EndpointName {
  /** Requests at a time, 0 = any number: then there is nothing to account for. */
  readonly max: number;
  /** Where it is, in words. Default: nowhere else. */
  readonly address?: string;
}

/** Retries that are always allowed, over all workers; at least one in each, or it could never retry. */
const RETRY_LEAST = 3;

/** The part of `total` that falls to a worker: the parts add up to `total` and differ by one at most. */
export function shareOf(total: number, { index, count }: WorkerPlace): number {
  return Math.floor(total / count) + (index < total % count ? 1 : 0);
}

/** The configuration with what is divided cut to the worker's part. */
export function shareConfig(config: Config, place: WorkerPlace): Config {
  if (place.count === 1) return config;
  const { forward } = config;
  return {
    ...config,
    forward: forward === null ? null : {
      ...forward,
      maxTunnels: shareOf(forward.maxTunnels, place),
      direct: {
        ...forward.direct,
        pool: { ...forward.direct.pool, size: shareOf(forward.direct.pool.size, place) },
      },
    },
    server: { ...config.server, maxConnections: shareOf(config.server.maxConnections, place) },
    upstreams: config.upstreams.map((upstream) => ({
      ...upstream,
      queue: {
        ...upstream.queue,
        size: shareOf(upstream.queue.size, place),
        bytes: shareOf(upstream.queue.bytes, place),
      },
      pool: { ...upstream.pool, size: shareOf(upstream.pool.size, place) },
    })),
  };
}

export function retryLeast(place: WorkerPlace): number {
  return Math.max(1, shareOf(RETRY_LEAST, place));
}

/** All endpoints with their `max_in_flight`, 0 = none. */
export function endpointLimits(config: Config): LimitedEndpoint[] {
  return config.upstreams.flatMap(({ name, maxInFlight, endpoints }) =>
    endpoints.map((endpoint) => ({
      upstream: name,
      endpoint: endpoint.name,
      max: maxInFlight,
      address: printAddress(endpoint.address),
    }))
  );
}

/** Those that have one. */
export function limitedEndpoints(config: Config): LimitedEndpoint[] {
  return endpointLimits(config).flatMap(({ upstream, endpoint, max }) =>
    max > 0 ? [{ upstream, endpoint, max }] : []
  );
}
