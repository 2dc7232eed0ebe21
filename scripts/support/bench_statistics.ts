/** Medians and the like. Values that were not measured are left out. */

/** @param q 0 to 1 @returns null when there is nothing to look at */
export function quantile(values: readonly number[], q: number): number | null {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)];
  const high = sorted[Math.ceil(at)];
  if (low === undefined || high === undefined) return null;
  return low + (high - low) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number | null {
  return quantile(values, 0.5);
}

/** Distance between the least and the greatest value as a share of the median; null for fewer than two. */
export function spread(values: readonly number[]): number | null {
  const middle = median(values);
  if (values.length < 2 || middle === null || middle === 0) return null;
  return (Math.max(...values) - Math.min(...values)) / middle;
}

/**
 * Median of the ratios taken round by round: a slow spell of the machine hits both sides of a pair alike.
 *
 * @param pairs measured value and value it is compared with; null where one of them is missing
 */
export function pairedRatio(pairs: readonly (readonly [number | null, number | null])[]): number | null {
  const ratios: number[] = [];
  for (const [mine, other] of pairs) {
    if (mine !== null && other !== null && other > 0) ratios.push(mine / other);
  }
  return median(ratios);
}
