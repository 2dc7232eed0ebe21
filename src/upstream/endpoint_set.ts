/** The endpoints of an upstream: which there are, which of them cannot be reached, which must not be used. */

import { isTlsFailure } from "./dial_fault.ts";
import { Endpoint, type EndpointOwner, type EndpointSettings } from "./endpoint.ts";
import { reuseKeyText } from "./reuse_key.ts";

export class EndpointSet {
  readonly #owner: EndpointOwner;
  /** In the order of the configuration, those that are drained included. */
  all: readonly Endpoint[];
  /** Endpoints that are away; those that must not be used are not among them. */
  readonly absent = new Set<Endpoint>();
  /** How many must not be used. */
  withdrawn = 0;
  /** Replaced ones that may still have requests: when one of them comes back, those count against its limit. */
  #replaced: readonly Endpoint[] = [];

  constructor(settings: readonly EndpointSettings[], owner: EndpointOwner, now: number) {
    this.#owner = owner;
    this.all = settings.map((endpoint) => this.#new(endpoint, now));
  }

  #new(settings: EndpointSettings, now: number): Endpoint {
    const endpoint = new Endpoint(settings, this.#owner);
    endpoint.stateSince = now;
    return endpoint;
  }

  /** None can be reached as far as we know, or may be used. */
  get away(): boolean {
    return this.absent.size + this.withdrawn === this.all.length;
  }

  /** None can be reached, and time alone changes nothing about it. */
  get hopeless(): boolean {
    return this.away && this.all.every(({ lastFailure }) => isTlsFailure(lastFailure));
  }

  /** Why none can be reached, in a few words; "" when nothing is known of it. */
  get lastFailure(): string {
    if (this.absent.size === 0) return "every endpoint is drained";
    const failing = this.all.find(({ lastFailure }) => lastFailure !== null);
    return failing?.lastFailure == null ? "" : `${failing.name}: ${failing.lastFailure.code}`;
  }

  /** Requests that they could take together; `most` when it is at least so many. */
  places(most: number): number {
    let places = 0;
    for (const endpoint of this.all) {
      places += endpoint.places;
      if (places >= most) return most;
    }
    return places;
  }

  /** Looks at each anew. */
  recount(): void {
    this.absent.clear();
    this.withdrawn = 0;
    for (const endpoint of this.all) {
      if (!endpoint.enabled) this.withdrawn++;
      else if (endpoint.state === "away") this.absent.add(endpoint);
    }
  }

  /**
   * Goes by other settings. An endpoint of the same name and reuse key is the same: it keeps its connections, its
   * health and its counts, whatever else is said of it.
   *
   * @returns those that were in use and are not any more
   */
  reconfigure(settings: readonly EndpointSettings[], now: number): readonly Endpoint[] {
    const before = this.all;
    const all = settings.map((wanted) => this.#same(before, wanted) ?? this.#back(wanted, now));
    const dropped = before.filter((endpoint) => !all.includes(endpoint));
    for (const endpoint of dropped) passSlotsOn(endpoint, all);
    this.all = all;
    this.#replaced = [...this.#replaced, ...dropped].filter((endpoint) =>
      !all.includes(endpoint) && endpoint.busy + endpoint.dialing > 0
    );
    return dropped;
  }

  #same(among: readonly Endpoint[], wanted: EndpointSettings): Endpoint | null {
    const key = reuseKeyText(wanted.key);
    const same = among.find(({ name, settings }) =>
      name === wanted.name && reuseKeyText(settings.key) === key
    );
    same?.apply(wanted);
    return same ?? null;
  }

  #back(wanted: EndpointSettings, now: number): Endpoint {
    const back = this.#same(this.#replaced, wanted);
    if (back === null) return this.#new(wanted, now);
    back.slotLimit = wanted.maxInFlight === 0 ? Infinity : wanted.slots ?? wanted.maxInFlight;
    back.enabled = true;
    back.stateSince = now;
    back.ramp.restart();
    return back;
  }
}

/** Where slots are shared they go by the endpoint's name: whoever takes its place has them. */
function passSlotsOn(dropped: Endpoint, all: readonly Endpoint[]): void {
  const heir = all.find(({ name }) => name === dropped.name);
  if (heir?.settings.slots === undefined || dropped.settings.maxInFlight === 0) return;
  heir.slotLimit = dropped.slotLimit;
  heir.recalled = dropped.recalled;
}
