/** The endpoints of an upstream: which there are, which of them cannot be reached, which must not be used. */

import type { SocketError } from "../../runtime/contract/contract.ts";
import { isLasting } from "../client/dial_fault.ts";
import { Endpoint, type EndpointOwner } from "./endpoint.ts";
import type { EndpointSettings } from "./endpoint_settings.ts";
import { RampSteps } from "./ramp_steps.ts";
import { reuseKeyText } from "../client/reuse_key.ts";
import { CandidateList, FEW } from "./candidate_list.ts";

export class EndpointSet implements EndpointOwner {
  readonly #lost: () => void;
  /** In the order of the configuration, those that are drained included. */
  all: readonly Endpoint[];
  /** Endpoints that are down; those that must not be used are not among them. */
  readonly downEndpoints = new Set<Endpoint>();
  /** How many must not be used. */
  withdrawn = 0;
  /** Of all, where there are many; see `capacity`. */
  #capacity = 0;
  /** How many failed last by what time does not mend. */
  #broken = 0;
  /** Those that can take a request. */
  #able = new CandidateList([], can);
  ramps: RampSteps = new RampSteps([]);
  #byName: ReadonlyMap<string, Endpoint> = new Map();
  /** Replaced ones that may still have requests: when one of them comes back, those count against its limit. */
  #replaced: readonly Endpoint[] = [];

  /** @param lost called when an idle connection is gone */
  constructor(settings: readonly EndpointSettings[], now: number, lost: () => void) {
    this.#lost = lost;
    this.all = settings.map((endpoint) => this.#new(endpoint, now));
    this.#list();
  }

  #new(settings: EndpointSettings, now: number): Endpoint {
    const endpoint = new Endpoint(settings, this);
    endpoint.stateSince = now;
    return endpoint;
  }

  named(name: string): Endpoint | undefined {
    return this.#byName.get(name);
  }

  /** Those whose slots are spoken of: all, and those that were replaced and still have requests or clients of their own. */
  get sharing(): readonly Endpoint[] {
    return [...this.all, ...this.#replaced.filter(({ name }) => !this.#byName.has(name))];
  }

  /** The one of that name among them. */
  sharingNamed(name: string): Endpoint | undefined {
    return this.#byName.get(name) ?? this.#replaced.find((endpoint) => endpoint.name === name);
  }

  /** None can be reached as far as we know, or may be used. */
  get allDown(): boolean {
    return this.downEndpoints.size + this.withdrawn === this.all.length;
  }

  /** None can be reached, and time alone changes nothing about it. */
  get hopeless(): boolean {
    return this.allDown && this.#broken === this.all.length;
  }

  /** Why none can be reached, in a few words; "" when nothing is known of it. */
  get lastFailure(): string {
    if (this.downEndpoints.size === 0) return "every endpoint is drained";
    const [first] = this.all;
    const failing = first?.lastFailure != null ? first : this.downEndpoints.values().next().value;
    return failing?.lastFailure == null ? "" : `${failing.name}: ${failing.lastFailure.code}`;
  }

  /** Requests that all could take together, each counted up to `MOST_CAPACITY`. */
  get capacity(): number {
    if (this.all.length > FEW) return this.#capacity;
    let capacity = 0;
    for (const endpoint of this.all) capacity += endpoint.capacity;
    return capacity;
  }

  /** Whether another than `endpoint` can take a request now. */
  hasOther(endpoint: Endpoint): boolean {
    return this.#able.find(endpoint) !== null;
  }

  /** A dial to `endpoint`, or a new connection of it, has failed. */
  noteFailure(endpoint: Endpoint, error: SocketError, now: number): void {
    const before = isLasting(endpoint.lastFailure);
    endpoint.lastFailure = error;
    endpoint.lastFailureAt = now;
    endpoint.failures++;
    endpoint.failuresTotal++;
    this.#broken += Number(isLasting(error)) - Number(before);
  }

  // EndpointOwner

  connectionLost(): void {
    this.#lost();
  }

  distrusted(endpoint: Endpoint): void {
    this.ramps.watch(endpoint);
  }

  /** Makes the lists anew. */
  #list(): void {
    const { all } = this;
    this.#capacity = 0;
    const count = (difference: number) => {
      this.#capacity += difference;
    };
    for (const endpoint of all) endpoint.begin(all.length > FEW ? count : null);
    this.#able = new CandidateList(all, can);
    this.ramps = new RampSteps(all);
    this.#byName = byName(all);
  }

  /** Looks at each anew. */
  recount(): void {
    this.downEndpoints.clear();
    this.withdrawn = 0;
    this.#broken = 0;
    for (const endpoint of this.all) {
      if (isLasting(endpoint.lastFailure)) this.#broken++;
      if (!endpoint.enabled) this.withdrawn++;
      else if (endpoint.state === "down") this.downEndpoints.add(endpoint);
    }
  }

  /**
   * Goes by other settings. An endpoint of the same name and reuse key is the same: it keeps its connections, its
   * health and its counts, whatever else is said of it.
   *
   * @param give told of slots that are given back, where other processes share them
   * @returns those that were in use and are not any more
   */
  reconfigure(
    settings: readonly EndpointSettings[],
    now: number,
    give: ((endpoint: Endpoint, count: number) => void) | null,
  ): readonly Endpoint[] {
    const before = byIdentity(this.all);
    const replaced = byIdentity(this.#replaced);
    const all = settings.map((wanted) => {
      const same = before.get(identityOf(wanted));
      if (same === undefined) return this.#back(replaced, wanted, now);
      same.apply(wanted);
      return same;
    });
    const used = new Set(all);
    const dropped = this.all.filter((endpoint) => !used.has(endpoint));
    if (give !== null) passSlotsOn(dropped, all, give);
    for (const endpoint of dropped) endpoint.begin(null);
    this.all = all;
    this.#replaced = [...this.#replaced, ...dropped].filter((endpoint) =>
      !used.has(endpoint) && (endpoint.taken > 0 || endpoint.pinned > 0)
    );
    this.#list();
    return dropped;
  }

  #back(replaced: ReadonlyMap<string, Endpoint>, wanted: EndpointSettings, now: number): Endpoint {
    const back = replaced.get(identityOf(wanted));
    if (back === undefined) return this.#new(wanted, now);
    back.apply(wanted);
    back.leave(null);
    // Where they are shared it has kept those that it uses.
    if (wanted.slots === undefined) back.slotLimit = wanted.maxInFlight === 0 ? Infinity : wanted.maxInFlight;
    back.enabled = true;
    // Its sums may have been forgotten meanwhile.
    back.counters = null;
    back.stateSince = now;
    back.ramp.restart();
    return back;
  }
}

function can(endpoint: Endpoint): boolean {
  return endpoint.can("any");
}

function byName(endpoints: readonly Endpoint[]): ReadonlyMap<string, Endpoint> {
  return new Map(endpoints.map((endpoint) => [endpoint.name, endpoint]));
}

function identityOf({ name, key }: EndpointSettings): string {
  return `${name}\n${reuseKeyText(key)}`;
}

function byIdentity(endpoints: readonly Endpoint[]): ReadonlyMap<string, Endpoint> {
  return new Map(endpoints.map((endpoint) => [identityOf(endpoint.settings), endpoint]));
}

/** Slots go by the endpoint's name: the endpoint that takes its place has them when they are not used any more. */
function passSlotsOn(
  dropped: readonly Endpoint[],
  all: readonly Endpoint[],
  give: (endpoint: Endpoint, count: number) => void,
): void {
  const heirs = byName(all);
  for (const endpoint of dropped) {
    const heir = heirs.get(endpoint.name);
    if (endpoint.settings.maxInFlight === 0) continue;
    if (heir === undefined) endpoint.leave((count) => give(endpoint, count));
    else if (heir.settings.maxInFlight > 0) {
      heir.recalled = endpoint.recalled;
      endpoint.leave((count) => heir.gain(count));
    }
  }
}
