/**
 * Sums over all exchanges, as plain numbers. Labels come from closed sets: reason codes, status classes, and
 * the names of the configuration. Sums of names that a reload takes away remain in the overall ones only.
 */

import type { ExchangeRecord } from "../exchange/exchange_record.ts";
import { bucketOf, type Counted, Counters, EndpointCounters } from "../upstream/counters.ts";

/** An endpoint, as far as counting goes. */
export interface CountedEndpoint {
  readonly name: string;
  counters: EndpointCounters | null;
}

export class ExchangeCounters {
  readonly all = new Counters();
  readonly #upstreams = new Map<string, Counters>();
  readonly #routes = new Map<string, Counters>();
  readonly #endpoints = new Map<string, EndpointCounters>();

  /**
   * Adds one exchange that has ended. Constant time; no look-up and no allocation after the first one of a
   * route, an upstream or an endpoint, unless it failed.
   *
   * @param route null when the request matched none, `upstream` when it was answered without one
   * @param endpoint the one that answered, null when none did; only with `upstream`
   */
  record(
    record: ExchangeRecord,
    route: Counted | null,
    upstream: Counted | null,
    endpoint: CountedEndpoint | null,
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
    const counters = this.#ofEndpoint(upstream, endpoint);
    counters.byClass[statusClass] = (counters.byClass[statusClass] as number) + 1;
    const bucket = bucketOf(firstByteMs);
    counters.firstByte[bucket] = (counters.firstByte[bucket] as number) + 1;
    counters.firstByteMs += firstByteMs;
  }

  /** Sums of an upstream by its name; null when it has none yet. */
  upstream(name: string): Counters | null {
    return this.#upstreams.get(name) ?? null;
  }

  route(name: string): Counters | null {
    return this.#routes.get(name) ?? null;
  }

  endpoint(upstream: string, endpoint: string): EndpointCounters | null {
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

  #ofRoute(route: Counted): Counters {
    return route.counters ??= filed(this.#routes, route.name, newTally);
  }

  #ofUpstream(upstream: Counted): Counters {
    return upstream.counters ??= filed(this.#upstreams, upstream.name, newTally);
  }

  #ofEndpoint(upstream: Counted, endpoint: CountedEndpoint): EndpointCounters {
    return endpoint.counters ??= filed(
      this.#endpoints,
      keyOf(upstream.name, endpoint.name),
      newEndpointCounters,
    );
  }
}

function add(
  counters: Counters,
  record: ExchangeRecord,
  statusClass: number,
  latencyMs: number,
  latency: number,
  waited: number,
): void {
  counters.requests++;
  counters.byClass[statusClass] = (counters.byClass[statusClass] as number) + 1;
  counters.latency[latency] = (counters.latency[latency] as number) + 1;
  counters.latencyMs += latencyMs;
  counters.requestBytes += record.requestBodyBytes;
  counters.responseBytes += record.responseBodyBytes;
  if (waited >= 0) {
    counters.waited[waited] = (counters.waited[waited] as number) + 1;
    counters.waitedMs += record.waitMs;
  }
  const tries = record.attempts - record.resubmissions;
  if (tries > 1) counters.retries += tries - 1;
  if (record.heldMs > 0) counters.held++;
  if (record.reason === "") return;
  counters.failed++;
  counters.reasons.set(record.reason, (counters.reasons.get(record.reason) ?? 0) + 1);
}

function newTally(): Counters {
  return new Counters();
}

function newEndpointCounters(): EndpointCounters {
  return new EndpointCounters();
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
