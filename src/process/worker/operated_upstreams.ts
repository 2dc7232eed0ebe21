/** What operators ask for of upstreams and endpoints, carried out on those that serve. */

import type { Gateway } from "../../gateway/gateway.ts";
import type { Endpoint } from "../../upstream/endpoint.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { DesiredState, EndpointName } from "./messages.ts";
import type { RetiredUpstreams } from "./retired_upstreams.ts";

export interface FoundEndpoint {
  readonly upstream: Upstream;
  readonly endpoint: Endpoint;
}

export class OperatedUpstreams {
  readonly #gateway: Gateway;
  readonly #retired: RetiredUpstreams;
  readonly #upstreams: () => readonly Upstream[];

  /** @param upstreams those that serve */
  constructor(gateway: Gateway, retired: RetiredUpstreams, upstreams: () => readonly Upstream[]) {
    this.#gateway = gateway;
    this.#retired = retired;
    this.#upstreams = upstreams;
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
    for (const upstream of [...this.#upstreams(), ...this.#retired.all]) {
      if (upstream.name !== name.upstream) continue;
      const endpoint = find(upstream);
      if (endpoint !== undefined) return { upstream, endpoint };
    }
    return null;
  }

  /** At the start: all else is as the configuration has it. */
  begin({ paused, drained }: DesiredState): void {
    this.pause(paused);
    for (const name of drained) this.drain(name, 0);
  }

  pause(names: readonly string[]): void {
    for (const upstream of this.#upstreams()) if (names.includes(upstream.name)) upstream.pause();
    this.#retired.pauseWith(this.#upstreams());
  }

  resume(names: readonly string[]): void {
    for (const upstream of this.#upstreams()) if (names.includes(upstream.name)) upstream.resume();
    this.#retired.pauseWith(this.#upstreams());
  }

  drain(name: EndpointName, windowMs: number): void {
    const found = this.find(name);
    if (found === null) return;
    const { upstream, endpoint } = found;
    upstream.withdraw(endpoint);
    // The newer window counts.
    this.#gateway.keepEndpoint(endpoint);
    this.#gateway.drainEndpoints([endpoint], windowMs);
  }

  undrain(name: EndpointName): void {
    const found = this.find(name);
    if (found === null) return;
    this.#gateway.keepEndpoint(found.endpoint);
    found.upstream.restore(found.endpoint);
  }

  /** All that is desired, after a change of configuration. */
  apply({ paused, drained }: Pick<DesiredState, "paused" | "drained">): void {
    for (const upstream of this.#upstreams()) {
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
}
