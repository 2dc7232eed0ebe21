/** In which order endpoints have their turns, as often as their weights say, and whose turn is next. */

import type { Endpoint, Need } from "../endpoint.ts";
import { FEW } from "../candidate_list.ts";
import type { Listing } from "../listing.ts";
import { PositionSet } from "./position_set.ts";

/** A turn list longer than this would cost more memory than its precision is worth. */
const MAX_TURNS = 10_000;

/** The turns of a fixed list of endpoints. */
export class Turns {
  /** Whose turn it is, one turn after the other. */
  readonly list: readonly Endpoint[];
  readonly #able: Readonly<Record<Need, AbleTurns>> | null;

  constructor(endpoints: readonly Endpoint[]) {
    const list = turnList(endpoints);
    this.list = list;
    if (list.length <= FEW) this.#able = null;
    else {
      const owners = ownersOf(list, endpoints);
      this.#able = {
        any: new AbleTurns("any", list, owners),
        idle: new AbleTurns("idle", list, owners),
        dial: new AbleTurns("dial", list, owners),
      };
    }
  }

  /**
   * The first turn from `from` on, going round, of an endpoint that can serve `need`; -1 when none can.
   *
   * @param from index in `list`
   */
  next(need: Need, from: number): number {
    if (this.#able !== null) return this.#able[need].next(from);
    const { list } = this;
    let turn = from;
    for (let tried = list.length; tried > 0; tried--) {
      if ((list[turn] as Endpoint).can(need)) return turn;
      turn = turn + 1 === list.length ? 0 : turn + 1;
    }
    return -1;
  }
}

/** Whose turn each one is, by number, and the numbers. */
interface Owners {
  readonly ofTurn: Int32Array;
  readonly numbers: ReadonlyMap<Endpoint, number>;
}

/**
 * The turns of endpoints that can serve one need. A turn that comes although its endpoint cannot is left out;
 * all that were left out of an endpoint come back together.
 */
class AbleTurns implements Listing<Endpoint> {
  readonly #need: Need;
  readonly #turns: readonly Endpoint[];
  readonly #owners: Owners;
  readonly #positions: PositionSet;
  /** The turns left out of each endpoint, as a chain: the last one, and for each turn the one before it. */
  readonly #lastLeftOut: Int32Array;
  readonly #leftOutBefore: Int32Array;

  constructor(need: Need, turns: readonly Endpoint[], owners: Owners) {
    this.#need = need;
    this.#turns = turns;
    this.#owners = owners;
    this.#positions = new PositionSet(turns.length);
    this.#lastLeftOut = new Int32Array(owners.numbers.size).fill(-1);
    this.#leftOutBefore = new Int32Array(turns.length).fill(-1);
  }

  next(from: number): number {
    let start = from;
    for (;;) {
      let turn = this.#positions.next(start);
      if (turn < 0) turn = this.#positions.next(0);
      if (turn < 0) return -1;
      const endpoint = this.#turns[turn] as Endpoint;
      if (endpoint.can(this.#need)) return turn;
      this.#exclude(turn, endpoint);
      start = turn;
    }
  }

  #exclude(turn: number, endpoint: Endpoint): void {
    this.#positions.remove(turn);
    const owner = this.#owners.ofTurn[turn] as number;
    const before = this.#lastLeftOut[owner] as number;
    this.#leftOutBefore[turn] = before;
    this.#lastLeftOut[owner] = turn;
    if (before < 0) endpoint.exclude(this);
  }

  holds(endpoint: Endpoint): boolean {
    return endpoint.can(this.#need);
  }

  readmit(endpoint: Endpoint): void {
    const owner = this.#owners.numbers.get(endpoint);
    if (owner === undefined) return;
    let turn = this.#lastLeftOut[owner] as number;
    this.#lastLeftOut[owner] = -1;
    for (; turn >= 0; turn = this.#leftOutBefore[turn] as number) this.#positions.add(turn);
  }
}

function ownersOf(turns: readonly Endpoint[], endpoints: readonly Endpoint[]): Owners {
  const numbers = new Map(endpoints.map((endpoint, number) => [endpoint, number]));
  return { ofTurn: Int32Array.from(turns, (endpoint) => numbers.get(endpoint) as number), numbers };
}

/** Interleaves by weight: 5, 1, 1 becomes a b a a a c a, not a a a a a b c. */
export function turnList(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  if (endpoints.every((endpoint) => endpoint.weight === endpoints[0]?.weight)) return endpoints;
  const divisor = endpoints.reduce((all, { weight }) => gcd(all, weight), 0);
  let weights = endpoints.map(({ weight }) => weight / divisor);
  let total = weights.reduce((a, b) => a + b, 0);
  if (total > MAX_TURNS) {
    weights = weights.map((weight) => Math.max(1, Math.round((weight * MAX_TURNS) / total)));
    total = weights.reduce((a, b) => a + b, 0);
  }
  // Each endpoint's turns spread evenly over the round: turn k of n stands at (k + phase) / n. The phases
  // are far from one another (multiples of the golden ratio), or light endpoints would all meet in the middle.
  const turns: { at: number; endpoint: Endpoint }[] = [];
  endpoints.forEach((endpoint, i) => {
    const n = weights[i] as number;
    const phase = (0.5 + i * GOLDEN) % 1;
    for (let k = 0; k < n; k++) turns.push({ at: (k + phase) / n, endpoint });
  });
  return turns.sort((a, b) => a.at - b.at).map(({ endpoint }) => endpoint);
}

const GOLDEN = (Math.sqrt(5) - 1) / 2;

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
