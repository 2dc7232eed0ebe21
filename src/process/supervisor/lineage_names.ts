/**
 * What the process that drains calls upstreams and endpoints, and what we call them. Names are the users': the configuration
 * that an upgrade reads may have others, and so may every reload after it, while the old process keeps those that it has
 * begun with. An upstream is recognised across processes as it is across a reload (`config/renamed.ts`), an endpoint by
 * its name within its upstream, else by its address.
 *
 * Everything that passes between the two is in their names there and in ours here; this is the only place that knows
 * both. In a chain each process has one of these for the process before it.
 *
 * Slots go by the endpoint's name as it was granted, whatever has its address by now: the ledger knows which of them
 * draw on the same slots.
 */

import { sameValue } from "../../config/config_changes.ts";
import { formerNames } from "../../config/renamed.ts";
import { printAddress } from "../../config/values/address.ts";
import type { EndpointConfig } from "../../config/values/config.ts";
import type { DesiredState, EndpointName, WorkerEvent } from "../worker/messages.ts";
import { type Report, withNames } from "../worker/report.ts";
import type { ElderCommand, Followed } from "./lineage_messages.ts";

/** An upstream as far as it can be recognised under another name. */
export interface NamedUpstream {
  readonly name: string;
  readonly endpoints: readonly EndpointConfig[];
}

interface Known {
  /** What the process that drains calls it. */
  readonly theirs: string;
  /** What we call it; their name where we have no such upstream. */
  ours: string;
  /** Those that what waits there goes to. */
  endpoints: readonly EndpointConfig[];
  /** Those it has gone over from: requests may still be on their way to them. */
  former: readonly EndpointConfig[];
}

export class LineageNames {
  readonly #known: readonly Known[];
  #ours: readonly NamedUpstream[];

  /**
   * @param theirs upstreams of the process that drains
   * @param ours those of our configuration
   */
  constructor(theirs: readonly NamedUpstream[], ours: readonly NamedUpstream[]) {
    const names = byFormerName(formerNames(theirs, ours));
    this.#known = theirs.map(({ name, endpoints }) => ({
      theirs: name,
      ours: names.get(name) ?? name,
      endpoints,
      former: [],
    }));
    this.#ours = ours;
  }

  /** By our name what they call otherwise. */
  get former(): ReadonlyMap<string, string> {
    return new Map(this.#known.flatMap(({ theirs, ours }) => theirs === ours ? [] : [[ours, theirs]]));
  }

  /**
   * Our configuration is another one. What was gone from ours and is left in the other process alone counts as well: an
   * upstream that takes over its address is that one.
   *
   * @returns by new name what we called otherwise before
   */
  reconfigure(
    before: readonly NamedUpstream[],
    after: readonly NamedUpstream[],
  ): ReadonlyMap<string, string> {
    const left = this.#known
      .filter(({ ours }) => !before.some(({ name }) => name === ours))
      .map(({ ours, endpoints }) => ({ name: ours, endpoints }));
    const former = formerNames([...before, ...left], after);
    const names = byFormerName(former);
    for (const known of this.#known) known.ours = names.get(known.ours) ?? known.ours;
    this.#ours = after;
    return former;
  }

  // Theirs to ours

  oursUpstream(upstream: string): string {
    return this.#known.find(({ theirs }) => theirs === upstream)?.ours ?? upstream;
  }

  /** Their own name of an endpoint that we do not have. */
  ours({ upstream, endpoint }: EndpointName): EndpointName {
    const known = this.#known.find(({ theirs }) => theirs === upstream);
    if (known === undefined) return { upstream, endpoint };
    const ours = this.#ours.find(({ name }) => name === known.ours)?.endpoints ?? [];
    return {
      upstream: known.ours,
      endpoint: nameAmong(ours, endpoint, [...known.endpoints, ...known.former]) ?? endpoint,
    };
  }

  oursSlots<T extends EndpointName>(slots: T): T {
    return { ...slots, upstream: this.oursUpstream(slots.upstream) };
  }

  oursEvent(event: WorkerEvent): WorkerEvent {
    if (!("upstream" in event)) return event;
    if ("endpoint" in event) return { ...event, ...this.ours(event) };
    return { ...event, upstream: this.oursUpstream(event.upstream) };
  }

  oursReport(report: Report): Report {
    return withNames(report, (upstream) => this.oursUpstream(upstream), (name) => this.ours(name).endpoint);
  }

  /** Where an endpoint of theirs is, in words; null = we have not been told. */
  addressOf({ upstream, endpoint }: EndpointName): string | null {
    const known = this.#known.find(({ theirs }) => theirs === upstream);
    const found = known?.endpoints.find(({ name }) => name === endpoint);
    return found === undefined ? null : printAddress(found.address);
  }

  // Ours to theirs

  /** Null when they have no such endpoint. */
  theirs({ upstream, endpoint }: EndpointName): EndpointName | null {
    const ours = this.#ours.find(({ name }) => name === upstream)?.endpoints ?? [];
    for (const { theirs, endpoints, former } of this.#known.filter((known) => known.ours === upstream)) {
      const found = nameAmong(endpoints, endpoint, ours) ?? nameAmong(former, endpoint, ours);
      if (found !== null) return { upstream: theirs, endpoint: found };
    }
    return null;
  }

  theirsSlots<T extends EndpointName>(slots: T): T {
    const candidates = this.#known.filter(({ ours }) => ours === slots.upstream);
    const exact = candidates.find(({ endpoints, former }) =>
      [...endpoints, ...former].some(({ name }) => name === slots.endpoint)
    );
    return { ...slots, upstream: (exact ?? candidates[0])?.theirs ?? slots.upstream };
  }

  /** Null when nothing of it concerns them. */
  theirsCommand(command: ElderCommand): ElderCommand | null {
    switch (command.command) {
      case "pause":
      case "resume": {
        const upstreams = this.#theirsUpstreams(command.upstreams);
        return upstreams.length === 0 ? null : { ...command, upstreams };
      }
      case "drain":
      case "undrain": {
        const name = this.theirs(command);
        return name === null ? null : { ...command, ...name };
      }
      case "desire":
        return { ...command, desired: this.#theirsDesired(command.desired) };
      case "follow": {
        const upstreams = command.upstreams.flatMap(({ upstream, endpoints }) =>
          this.#theirsUpstreams([upstream]).map((theirs) => ({ upstream: theirs, endpoints }))
        );
        return upstreams.length === 0 ? null : { ...command, upstreams };
      }
      case "watch":
      case "reopen":
        return command;
      default:
        return command satisfies never;
    }
  }

  /** The sums over both: what they do not know keeps apart from what they do. */
  theirsReport(report: Report): Report {
    const theirs = (upstream: string): string => {
      const [found] = this.#theirsUpstreams([upstream]);
      return found ?? (this.#known.some((known) => known.theirs === upstream) ? `\n${upstream}` : upstream);
    };
    return withNames(report, theirs, (name) => this.theirs(name)?.endpoint ?? name.endpoint);
  }

  #theirsUpstreams(upstreams: readonly string[]): string[] {
    return this.#known.flatMap(({ theirs, ours }) => upstreams.includes(ours) ? [theirs] : []);
  }

  #theirsDesired({ paused, drained, watched }: DesiredState): DesiredState {
    return {
      paused: this.#theirsUpstreams(paused),
      drained: drained.flatMap((name) => this.theirs(name) ?? []),
      watched,
    };
  }

  // Endpoints that take the place of others

  /** What has other endpoints with us, by our names. */
  differing(): Followed[] {
    return this.#ours.flatMap(({ name, endpoints }) => {
      const known = this.#known.find(({ ours }) => ours === name);
      return known === undefined || sameValue(known.endpoints, endpoints)
        ? []
        : [{ upstream: name, endpoints }];
    });
  }

  /**
   * They go over to these endpoints.
   *
   * @param upstreams by their names
   * @returns takes it back: they could not
   */
  follow(upstreams: readonly Followed[]): () => void {
    const undo = upstreams.flatMap(({ upstream, endpoints }) => {
      const known = this.#known.find(({ theirs }) => theirs === upstream);
      if (known === undefined) return [];
      const { endpoints: old, former } = known;
      const names = new Set(endpoints.map(({ name }) => name));
      const left = new Map([...former, ...old].map((endpoint) => [endpoint.name, endpoint]));
      known.endpoints = endpoints;
      known.former = [...left.values()].filter(({ name }) => !names.has(name));
      return [() => {
        if (known.endpoints !== endpoints) return;
        known.endpoints = old;
        known.former = former;
      }];
    });
    return () => undo.forEach((act) => act());
  }
}

/**
 * What an endpoint is called in a list.
 *
 * @param others where it has this name
 */
function nameAmong(
  endpoints: readonly EndpointConfig[],
  name: string,
  others: readonly EndpointConfig[],
): string | null {
  if (endpoints.some((each) => each.name === name)) return name;
  const from = others.find((each) => each.name === name);
  if (from === undefined) return null;
  const address = printAddress(from.address);
  return endpoints.find((each) => printAddress(each.address) === address)?.name ?? null;
}

function byFormerName(former: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map(Array.from(former, ([name, old]) => [old, name]));
}
