/** The rules of a configuration as requests go by them, each with its way: made anew only where it is another one. */

import type { Runtime } from "../../../runtime/contract/contract.ts";
import { PARENTS, ruleUpstream } from "../../config/build_forward.ts";
import type { ForwardConfig, ForwardRuleConfig, ParentsConfig } from "../../config/values/config.ts";
import { judgedBytes } from "../../forward/address_class.ts";
import { type DestinationRule, matchesRule, parseDestinationRule } from "../../forward/destination_rule.ts";
import { NoProxy } from "../../forward/no_proxy.ts";
import { RuleMatcher } from "../../forward/rule_conditions.ts";
import { ForwardRule } from "../../gateway/forward/forward_rule.ts";
import type {
  DecidedRule,
  ForwardAction,
  ForwardSnapshot,
  ForwardWay,
  SnapshotRule,
} from "../../gateway/forward/forward_snapshot.ts";
import type { EndpointSettings } from "../../upstream/endpoint_settings.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import {
  byDestination,
  heldDirect,
  sharedByAll,
  type WayParts,
  type WayPools,
  wayPools,
} from "./forward_ways.ts";

/** Rules whose figures are kept apart, those of earlier configurations included; others count with the default. */
const MOST_FIGURES = 10_000;

/** Parents, and those of them that are HTTP proxies. */
export interface Parents {
  readonly config: ParentsConfig;
  /** Null where each destination has connections of its own. */
  readonly shared: Upstream | null;
  readonly proxies: readonly EndpointSettings[];
}

export interface PathParts {
  readonly parts: WayParts;
  /** Equal for equal rules about destinations. */
  readonly key: string;
  /** Those of the configuration before. */
  readonly before: ReadonlyMap<string, WayPools>;
  /** What requests count for that no rule is for. */
  readonly rule: ForwardRule;
  /** By names of rules. Those that are new are added. */
  readonly figures: Map<string, ForwardRule>;
}

export type ForwardPaths =
  & Pick<ForwardSnapshot, "rules" | "byDefault" | "held" | "lookUp">
  & {
    readonly ways: readonly ForwardWay[];
    /** Of these, by all that they were made from. */
    readonly pools: ReadonlyMap<string, WayPools>;
  };

/** @param parents by the names of their upstreams */
export function forwardPaths(
  forward: ForwardConfig,
  parents: ReadonlyMap<string, Parents>,
  { parts, key, before, rule, figures }: PathParts,
): ForwardPaths {
  const ways = new Map<string, ForwardWay>();
  const pools = new Map<string, WayPools>();
  // The way is made anew, since credentials may be others; its connections are kept.
  const kept = (config: ParentsConfig, proxies: readonly EndpointSettings[]): ForwardWay => {
    const text = JSON.stringify([key, config, proxies]);
    const known = ways.get(text);
    if (known !== undefined) return known;
    const own = before.get(text) ?? wayPools(config.upstream, parts);
    const way = byDestination(config, proxies, parts, own);
    pools.set(text, own);
    ways.set(text, way);
    return way;
  };
  const byParents = (name: string): ForwardWay => {
    // The cast: there is an entry for each list of parents.
    const { config, shared, proxies } = parents.get(name) as Parents;
    if (shared !== null) return sharedByAll(config, parts.settings(shared, config.upstream));
    return kept(config, proxies);
  };
  const heldFor = (holdMs: number): ForwardWay => kept(heldDirect(forward.direct, holdMs), []);
  const actionOf = ({ name, action, holdMs }: ForwardRuleConfig): ForwardAction => {
    if (action.kind === "deny") return action;
    if (action.kind === "parents") return { kind: "parents", way: byParents(ruleUpstream(name)) };
    return { kind: "direct", way: holdMs === null || holdMs === 0 ? null : heldFor(holdMs) };
  };
  const rules = forward.rules.map((config): SnapshotRule => ({
    name: config.name,
    matcher: new RuleMatcher(config.conditions),
    action: actionOf(config),
    rule: figuresOf(config.name, figures, rule),
  }));
  const held = forward.holdDirect.flatMap(({ destination, holdMs }): Held[] => {
    const result = parseDestinationRule(destination);
    return result.kind === "ok" ? [{ rule: result.rule, way: holdMs === 0 ? null : heldFor(holdMs) }] : [];
  });
  const byDefault = defaultRule(forward, byParents, rule);
  return {
    ways: [...ways.values()],
    pools,
    rules,
    byDefault,
    held: heldBy(held),
    lookUp: lookUpBy(parts.runtime),
  };
}

interface Held {
  readonly rule: DestinationRule;
  readonly way: ForwardWay | null;
}

// Not parts of `forwardPaths`, whose variables their closures would keep: `before` among them, and all that were before that.

function heldBy(all: readonly Held[]): ForwardSnapshot["held"] {
  if (all.length === 0) return () => null;
  return (host, port) => {
    const bytes = judgedBytes(host);
    const candidate = { name: bytes === null ? host : null, bytes, port };
    return all.find(({ rule }) => matchesRule(rule, candidate))?.way ?? null;
  };
}

function lookUpBy(runtime: Pick<Runtime, "resolve">): ForwardSnapshot["lookUp"] {
  return (host) => runtime.resolve(host).catch(() => []);
}

function defaultRule(
  { byDefault, noParent }: ForwardConfig,
  byParents: (name: string) => ForwardWay,
  rule: ForwardRule,
): ForwardSnapshot["byDefault"] {
  const direct: DecidedRule = { name: "", rule, action: { kind: "direct", way: null } };
  if (byDefault === null) return () => direct;
  const byParent: DecidedRule = { name: "", rule, action: { kind: "parents", way: byParents(PARENTS) } };
  const skipped = new NoProxy(noParent);
  return (host, port) => skipped.has(host, port) ? direct : byParent;
}

function figuresOf(name: string, figures: Map<string, ForwardRule>, others: ForwardRule): ForwardRule {
  const known = figures.get(name);
  if (known !== undefined) return known;
  if (figures.size >= MOST_FIGURES) return others;
  const made = new ForwardRule(`${others.name}/${name}`);
  figures.set(name, made);
  return made;
}
