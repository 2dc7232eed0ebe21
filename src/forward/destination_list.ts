/** A list of destinations, looked up by name: lists of names to deny have a hundred thousand entries. */

import { type Candidate, type DestinationRule, matchesRule } from "./destination_rule.ts";

const NONE: readonly DestinationRule[] = [];

export class DestinationList {
  readonly size: number;
  /** By the name of a host, or by a suffix with its dot. */
  readonly #byName = new Map<string, DestinationRule[]>();
  /** Entries about addresses, and `*`. */
  readonly #others: DestinationRule[] = [];

  constructor(rules: readonly DestinationRule[]) {
    this.size = rules.length;
    for (const rule of rules) {
      const { pattern } = rule;
      if (pattern.kind !== "host" && pattern.kind !== "suffix") {
        this.#others.push(rule);
        continue;
      }
      const same = this.#byName.get(pattern.name);
      if (same === undefined) this.#byName.set(pattern.name, [rule]);
      else same.push(rule);
    }
  }

  /** Entries that match. Linear in the labels of the name and in the entries that are about addresses. */
  matching(candidate: Candidate): readonly DestinationRule[] {
    if (this.size === 0) return NONE;
    let found = addMatching(null, this.#others, candidate);
    const { name } = candidate;
    if (name === null || this.#byName.size === 0) return found ?? NONE;
    found = addMatching(found, this.#byName.get(name), candidate);
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      found = addMatching(found, this.#byName.get(name.slice(dot)), candidate);
    }
    return found ?? NONE;
  }

  /** Entries about addresses that may match a name once its address is known. */
  matchingLater({ bytes, port }: Candidate): readonly DestinationRule[] {
    if (bytes !== null || this.size === 0) return NONE;
    return this.#others.filter((rule) =>
      rule.pattern.kind !== "any" && (rule.port === null || rule.port === port)
    );
  }
}

/** Those of `rules` that match, behind those that were found before; null while there are none. */
function addMatching(
  found: DestinationRule[] | null,
  rules: readonly DestinationRule[] | undefined,
  candidate: Candidate,
): DestinationRule[] | null {
  let all = found;
  for (const rule of rules ?? NONE) if (matchesRule(rule, candidate)) (all ??= []).push(rule);
  return all;
}
