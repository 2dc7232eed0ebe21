/**
 * What was asked of a Sluice while it served and stands in none of its files. The Sluice that takes its place
 * goes on with it. JSON values; part of the succession's protocol.
 */

import type { Config, EndpointConfig, UpstreamConfig } from "../config/values/config.ts";
import { sameValue } from "../config/config_changes.ts";
import { heldAsWell } from "../config/renamed.ts";
import type { LineageNames, NamedUpstream } from "../process/supervisor/lineage_names.ts";
import type { EndpointName } from "../process/worker/messages.ts";
import type { PauseOwner } from "../process/worker/pause_owner.ts";

/** Endpoints that took the place of those that the configuration names. */
export interface HandedSwap {
  readonly upstream: string;
  readonly configured: readonly EndpointConfig[];
  readonly instead: readonly EndpointConfig[];
}

/** A pause of one upstream. A pause of several has an entry for each, all with its token. */
export interface HandedPause {
  readonly upstream: string;
  readonly token: string;
  /** Missing from a Sluice that knew of operators only. */
  readonly owner?: PauseOwner;
  /** Upstreams that a reload adds are paused as well. */
  readonly all?: boolean;
  /** Wall-clock milliseconds. */
  readonly since: number;
  /** Null = until it is resumed. */
  readonly leaseUntil: number | null;
}

export interface HandoverState {
  readonly swapped: readonly HandedSwap[];
  readonly paused: readonly HandedPause[];
  readonly drained: readonly EndpointName[];
}

export const NOTHING_HANDED: HandoverState = { swapped: [], paused: [], drained: [] };

/** The configuration as it serves: what was swapped stays so as long as the configuration says what it said then. */
export function withSwapped(config: Config, swapped: readonly HandedSwap[]): Config {
  if (swapped.length === 0) return config;
  const upstreams = config.upstreams.map((upstream) => {
    const swap = swapOf(upstream, config, swapped);
    return swap === undefined ? upstream : { ...upstream, endpoints: swap.instead };
  });
  return { ...config, upstreams };
}

/** The swap of an upstream of `config`, which may have had another name when it was swapped. */
export function swapOf(
  upstream: UpstreamConfig,
  config: Config,
  swapped: readonly HandedSwap[],
): HandedSwap | undefined {
  return swapped.find((each) =>
    sameValue(upstream.endpoints, each.configured) &&
    (each.upstream === upstream.name || !config.upstreams.some(({ name }) => name === each.upstream))
  );
}

/**
 * The state under a configuration that may have other names.
 *
 * @param names of the one that tells the state, and of the one that goes on with it
 */
export function stateUnder(
  { swapped, paused, drained }: HandoverState,
  before: readonly NamedUpstream[],
  after: readonly NamedUpstream[],
  names: LineageNames,
): HandoverState {
  const tokens = new Set(paused.map(({ token }) => token));
  return {
    swapped: swapped.map((swap) => ({ ...swap, upstream: names.oursUpstream(swap.upstream) })),
    paused: [...tokens].flatMap((token) =>
      pauseUnder(paused.filter((each) => each.token === token), before, after)
    ),
    drained: drained.map((name) => names.ours(name)),
  };
}

/** @param pause its entries, at least one */
function pauseUnder(
  pause: readonly HandedPause[],
  before: readonly NamedUpstream[],
  after: readonly NamedUpstream[],
): HandedPause[] {
  const held = new Set(pause.map(({ upstream }) => upstream));
  const first = pause[0] as HandedPause;
  return [...held, ...heldAsWell(held, first.all === true, before, after)]
    .filter((name) => after.some((upstream) => upstream.name === name))
    .map((upstream) => ({ ...first, upstream }));
}
