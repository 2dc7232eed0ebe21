/**
 * Which upstream of another configuration is which of the one before. Names are the users', and may change; what a
 * backend has under way, what it may have, and that it is paused does not change with them. So an upstream whose name is
 * new, and that has an address of one whose name is gone, is that one. Parents of the forward proxy are told apart by rules: what
 * waits for those of one is not for those of another, even if they have some in common.
 */

import type { Address } from "../../runtime/contract/contract.ts";
import { isOfParents } from "./build_forward.ts";
import { printAddress } from "./values/address.ts";

/** As far as it matters here. */
export interface Addressed {
  readonly name: string;
  readonly endpoints: readonly { readonly address: Address }[];
}

/**
 * @param before those that are gone or stay; `after` those there are now
 * @returns by new name what was called otherwise before. Nothing that stays is in it, and nothing twice
 */
export function renamed<T extends Addressed>(
  before: readonly T[],
  after: readonly Addressed[],
): ReadonlyMap<string, T> {
  const names = new Set(after.map(({ name }) => name));
  const known = new Set(before.map(({ name }) => name));
  const gone = new Set(before.filter(({ name }) => !names.has(name) && !isOfParents(name)));
  const found = new Map<string, T>();
  for (const upstream of after) {
    if (known.has(upstream.name) || isOfParents(upstream.name)) continue;
    let best: T | null = null;
    for (const each of gone) {
      if (shared(each, upstream) > (best === null ? 0 : shared(best, upstream))) best = each;
    }
    if (best === null) continue;
    gone.delete(best);
    found.set(upstream.name, best);
  }
  return found;
}

/** Names that were others before, by what they are now. */
export function formerNames(
  before: readonly Addressed[],
  after: readonly Addressed[],
): ReadonlyMap<string, string> {
  return new Map(Array.from(renamed(before, after), ([name, upstream]) => [name, upstream.name]));
}

/**
 * Which upstreams are held under another configuration as well. What is held is a backend, whatever its name is: an
 * upstream that takes over an address of one that is held is held, too.
 *
 * @param held names in `before`
 * @param all everything is held: so is what is new
 * @returns names in `after` that are not in `held`
 */
export function heldAsWell(
  held: ReadonlySet<string>,
  all: boolean,
  before: readonly Addressed[],
  after: readonly Addressed[],
): string[] {
  const old = new Map(before.map((upstream) => [upstream.name, addressesOf(upstream)]));
  const addresses = new Set([...held].flatMap((name) => [...old.get(name) ?? []]));
  return after.filter((upstream) => {
    const { name } = upstream;
    if (held.has(name)) return false;
    const taken = [...addressesOf(upstream)].some((address) =>
      addresses.has(address) && old.get(name)?.has(address) !== true
    );
    return taken || (all && !old.has(name));
  }).map(({ name }) => name);
}

/** Addresses that both have. */
function shared(a: Addressed, b: Addressed): number {
  const own = addressesOf(a);
  return [...addressesOf(b)].filter((address) => own.has(address)).length;
}

/** In words, so that they can be compared. How they are reached (TLS or not) does not matter: the backend is the same. */
export function addressesOf({ endpoints }: Addressed): ReadonlySet<string> {
  return new Set(endpoints.map(({ address }) => printAddress(address)));
}
