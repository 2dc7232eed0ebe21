/** Lines through measured points. */

import { median } from "./bench_statistics.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** `base + slope · x`, where x may stand for its logarithm; see `fitLine`. */
export interface Line {
  readonly base: number;
  readonly slope: number;
  /** How far the points are off the line at most, as a share of what it says there. */
  readonly off: number;
}

/**
 * The line with the least sum of squares of what the points are off by as a share of themselves, so that the
 * small sizes count as much as the large ones.
 *
 * @param points at least two of them at different x, with y >= 0
 * @param scale what of x the line is drawn over
 */
export function fitLine(points: readonly Point[], scale: (x: number) => number = (x) => x): Line {
  // Nothing at all would weigh too much.
  const least = Math.max(...points.map(({ y }) => y)) / 1000;
  let [w, wx, wxx, wy, wxy] = [0, 0, 0, 0, 0];
  for (const { x, y } of points) {
    const at = scale(x);
    const weight = 1 / Math.max(y, least) ** 2;
    w += weight;
    wx += weight * at;
    wxx += weight * at * at;
    wy += weight * y;
    wxy += weight * at * y;
  }
  const slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
  const base = (wy - slope * wx) / w;
  const off = Math.max(...points.map(({ x, y }) => {
    const said = base + slope * scale(x);
    return Math.abs(y - said) / Math.abs(said);
  }));
  return { base, slope, off };
}

/** Logarithm to base 2 of what is counted from 1. */
export function doublings(x: number): number {
  return Math.log2(Math.max(1, x));
}

/** The median of what does not depend on x, and how far the points are off it. */
export function fitConstant(points: readonly Point[]): Line {
  const base = median(points.map(({ y }) => y)) ?? NaN;
  return { base, slope: 0, off: Math.max(...points.map(({ y }) => Math.abs(y - base) / base)) };
}
