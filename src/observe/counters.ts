/**
 * Sums over all exchanges, as plain numbers. Labels come from closed sets: reason codes, status classes, and
 * the names of the configuration. Sums of names that a reload takes away remain in the overall ones only.
 */

import type { ExchangeRecord } from "../exchange/exchange_record.ts";
import { bucketOf, EndpointTally, type Tallied, Tally } from "../upstream/counters.ts";

/** An endpoint, as far as counting goes. */
export interface TalliedEndpoint {
  readonly name: string;
  tally: EndpointTally | null;
}

export class Counters {
  readonly all = new Tally();
  readonly #upstreams = new Map<string, Tally>();
  readonly #routes = new Map<string, Tally>();
  readonly #endpoints = new Map<string, EndpointTally>();

  /**
   * Adds one exchange that has ended. Constant time; no look-up and no allocation after the first one of a
   * route, an upstream or an endpoint, unless it failed.
   *
   * @param route null when the request matched none, `upstream` when it was answered without one
   * @param endpoint the one that answered, null when none did; only with `upstream`
   */
  record(
    record: ExchangeRecord,
    route: Tallied | null,
    upstream: Tallied | null,
    endpoint: TalliedEndpoint | null,
  ): void {
    const { status, waitMs } = record;
    // How long a tunnel was used says nothing about how soon requests are answered.
    const latencyMs = record.upgraded
      ? record.headMs + record.bodyMs + waitMs + record.firstByteMs
      : record.totalMs;
    const statusClass = status >= 100 && status <= 599 ? (status / 100) | 0 : 0;
    const latency = bucketOf(latencyMs);
    const waited = waitMs > 0 ? bucketOf(waitMs) : -1;
    add(this.all, record, statusClass, latencyMs, latency, waited);
    if (route !== null) add(this.#ofRoute(route), record, statusClass, latencyMs, latency, waited);
    if (upstream === null) return;
    add(this.#ofUpstream(upstream), record, statusClass, latencyMs, latency, waited);
    if (endpoint === null) return;
    const { firstByteMs } = record;
    const tally = this.#ofEndpoint(upstream, endpoint);
    tally.byClass[statusClass] = (tally.byClass[statusClass] as number) + 1;
    const bucket = bucketOf(firstByteMs);
    tally.firstByte[bucket] = (tally.firstByte[bucket] as number) + 1;
    tally.firstByteMs += firstByteMs;
  }

  /** Sums of an upstream by its name; null when it has none yet. */
  upstream(name: string): Tally | null {
    return this.#upstreams.get(name) ?? null;
  }

  route(name: string): Tally | null {
    return this.#routes.get(name) ?? null;
  }

  endpoint(upstream: string, endpoint: string): EndpointTally | null {
    return this.#endpoints.get(keyOf(upstream, endpoint)) ?? null;
  }

  /**
   * Forgets the sums of names that are gone, so that reloads do not pile them up. Requests of theirs that are
   * still under way count in the overall sums.
   */
  keepOnly(
    upstreams: readonly { readonly name: string; readonly endpoints: readonly { readonly name: string }[] }[],
    routes: readonly { readonly name: string }[],
  ): void {
    keepKeys(this.#upstreams, upstreams.map(({ name }) => name));
    keepKeys(this.#routes, routes.map(({ name }) => name));
    keepKeys(
      this.#endpoints,
      upstreams.flatMap(({ name, endpoints }) => endpoints.map((endpoint) => keyOf(name, endpoint.name))),
    );
  }

  // An object that is new after a reload goes on with the sums of its name.

  #ofRoute(route: Tallied): Tally {
    return route.tally ??= filed(this.#routes, route.name, newTally);
  }

  #ofUpstream(upstream: Tallied): Tally {
    return upstream.tally ??= filed(this.#upstreams, upstream.name, newTally);
  }

  #ofEndpoint(upstream: Tallied, endpoint: TalliedEndpoint): EndpointTally {
    return endpoint.tally ??= filed(
      this.#endpoints,
      keyOf(upstream.name, endpoint.name),
      newEndpointTally,
    );
  }
}

function add(
  tally: Tally,
  record: ExchangeRecord,
  statusClass: number,
  latencyMs: number,
  latency: number,
  waited: number,
): void {
  tally.requests++;
  tally.byClass[statusClass] = (tally.byClass[statusClass] as number) + 1;
  tally.latency[latency] = (tally.latency[latency] as number) + 1;
  tally.latencyMs += latencyMs;
  tally.requestBytes += record.requestBodyBytes;
  tally.responseBytes += record.responseBodyBytes;
  if (waited >= 0) {
    tally.waited[waited] = (tally.waited[waited] as number) + 1;
    tally.waitedMs += record.waitMs;
  }
  if (record.attempts > 1) tally.retries += record.attempts - 1;
  if (record.heldMs > 0) tally.held++;
  if (record.reason === "") return;
  tally.failed++;
  tally.reasons.set(record.reason, (tally.reasons.get(record.reason) ?? 0) + 1);
}

function newTally(): Tally {
  return new Tally();
}

function newEndpointTally(): EndpointTally {
  return new EndpointTally();
}

function filed<T>(map: Map<string, T>, name: string, create: () => T): T {
  let found = map.get(name);
  if (found === undefined) map.set(name, found = create());
  return found;
}

function keepKeys(map: Map<string, unknown>, names: readonly string[]): void {
  const kept = new Set(names);
  for (const name of map.keys()) if (!kept.has(name)) map.delete(name);
}

function keyOf(upstream: string, endpoint: string): string {
  return `${upstream}\n${endpoint}`;
}
