/** The figures of the scaling measurements as Markdown. */

import type { Axis, Growth, Metric } from "./scaling_axes.ts";
import { doublings, fitConstant, fitLine, type Line, type Point } from "./scaling_fit.ts";

export interface Row {
  readonly axis: Axis;
  /** For each metric the points that were measured. */
  readonly points: readonly (readonly Point[])[];
}

const BEGIN = "<!-- scaling: written by scripts/scaling.ts -->";
const END = "<!-- scaling: end -->";

/** @param circumstances a paragraph on the machine and the day */
export function report(rows: readonly Row[], circumstances: string): string {
  const parts = [circumstances];
  for (const { axis, points } of rows) {
    parts.push(`**${axis.name}**: ${axis.title}.`);
    const sizes = (points[0] ?? []).map(({ x }) => amount(x));
    const lines = [["", ...sizes], ["---", ...sizes.map(() => "---:")]];
    axis.metrics.forEach((metric, i) => {
      lines.push([`${metric.name}, ${metric.unit}`, ...(points[i] ?? []).map(({ y }) => figure(y))]);
    });
    parts.push(table(lines));
  }
  const lines = [["with", "what", "line", "off by at most", "so at"], ["---", "---", "---", "---:", "---"]];
  for (const { axis, points } of rows) {
    axis.metrics.forEach((metric, i) => lines.push([axis.name, ...fitCells(metric, points[i] ?? [])]));
  }
  parts.push("The lines:", table(lines));
  return parts.join("\n\n") + "\n";
}

function fitCells(metric: Metric, measured: readonly Point[]): string[] {
  const large = measured.filter(({ x }) => x >= (metric.from ?? 0));
  const points = large.length < 2 ? measured : large;
  const line = fit(metric.growth, points);
  const twice = 2 * Math.max(...points.map(({ x }) => x));
  return [
    `${metric.name}, ${metric.unit}`,
    wording(metric.growth, line, twice),
    `${(line.off * 100).toFixed(0)} %`,
    `${amount(twice)}: ${figure(at(metric.growth, line, twice))} ${metric.unit}`,
  ];
}

export function fit(growth: Growth, points: readonly Point[]): Line {
  if (growth === "constant") return fitConstant(points);
  return growth === "line" ? fitLine(points) : fitLine(points, doublings);
}

export function at(growth: Growth, { base, slope }: Line, x: number): number {
  return base + slope * (growth === "doublings" ? doublings(x) : x);
}

/** @param most the largest x that is spoken of */
function wording(growth: Growth, { base, slope }: Line, most: number): string {
  if (growth === "constant") return figure(base);
  const sign = slope < 0 ? "−" : "+";
  const size = Math.abs(slope);
  if (growth === "doublings") return `${figure(base)} ${sign} ${figure(size)} for every doubling`;
  const each = most < 1000 ? `${figure(size)} for each` : `${figure(size * 1000)} for every 1,000`;
  return `${figure(base)} ${sign} ${each}`;
}

/** Three figures. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return grouped(value.toFixed(digits));
}

function amount(value: number): string {
  return grouped(String(Math.round(value)));
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",");
}

function table(lines: readonly (readonly string[])[]): string {
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** @returns the page with `text` where the figures belong @throws Error when the page has no such place */
export function replaceFigures(page: string, text: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the page has no place for figures: ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n${page.slice(end)}`;
}
