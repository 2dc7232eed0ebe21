/** The pictures of the status page: plain SVG, each with its meaning in words beside it or as its name. */

import type { UpstreamStatus } from "../../process/worker/status.ts";
import { type Html, markup } from "./html.ts";
import { MOST_POINTS } from "../history.ts";

const SPARK_WIDTH = MOST_POINTS;
const SPARK_HEIGHT = 36;

/** A curve and, lighter, a second one; null is a gap. */
export interface Curve {
  readonly values: readonly (number | null)[];
  readonly style: "main" | "second";
}

/** @param name what it shows, with its figures: all that somebody who does not see it gets */
export function sparkline(curves: readonly Curve[], name: string): Html {
  const most = Math.max(1e-9, ...curves.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const paths = curves.flatMap(({ values, style }) =>
    runs(values).map((run) => {
      const points = run.map(([at, value]) => ({
        x: SPARK_WIDTH - values.length + at + 1,
        y: (SPARK_HEIGHT - 2 - (value / most) * (SPARK_HEIGHT - 4)).toFixed(2),
      }));
      return pathsOf(points, style);
    })
  );
  const floor = SPARK_HEIGHT - 0.5;
  const base = markup`<line class="base" x1="0" y1="${floor}" x2="${SPARK_WIDTH}" y2="${floor}"/>`;
  const box = `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`;
  return markup`<svg class="spark" viewBox="${box}" preserveAspectRatio="none" role="img" aria-label="${name}">
${base}
${paths}</svg>`;
}

function pathsOf(points: readonly { readonly x: number; readonly y: string }[], style: Curve["style"]): Html {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return markup``;
  const through = points.map(({ x, y }) => `${x} ${y}`).join("L");
  const line = points.length === 1 ? `M${first.x - 1} ${first.y}h1` : `M${through}`;
  const floor = SPARK_HEIGHT - 1;
  const area = markup`<path class="area" d="M${first.x} ${floor}L${through}L${last.x} ${floor}z"/>`;
  return markup`${style === "main" && area}<path class="${style}" d="${line}"/>\n`;
}

/** Stretches without a gap, as positions and values. */
function runs(values: readonly (number | null)[]): (readonly [at: number, value: number])[][] {
  const found: (readonly [number, number])[][] = [];
  let open = false;
  values.forEach((value, at) => {
    if (value === null) {
      open = false;
      return;
    }
    if (!open) found.push([]);
    open = true;
    found.at(-1)?.push([at, value]);
  });
  return found;
}

const ROOM = { width: 640, height: 120, floor: 108, gate: 520, top: 14 } as const;
const PLACE = { width: 8, step: 10 } as const;
/** Requests in flight that are drawn one by one. */
const MOST_DROPS = 24;

/**
 * The waiting room: requests stand before the gate, the oldest next to it; the taller, the longer it waits.
 * Behind the gate are those in flight.
 */
export function waitingRoom(upstream: UpstreamStatus, name: string): Html {
  const { waits_ms: waits, waiting, state, in_flight: inFlight } = upstream;
  const { width, height, floor, gate, top } = ROOM;
  const scale = scaleOf(waits[0] ?? 0);
  const tallest = floor - top - 10;
  const waiters = waits.map((wait, place) => {
    const tall = Math.max(4, (wait / scale) * tallest);
    const x = gate - 12 - (place + 1) * PLACE.step;
    const [y, h] = [(floor - tall).toFixed(1), tall.toFixed(1)];
    return markup`<rect class="waiter" x="${x}" y="${y}" width="${PLACE.width}" height="${h}" rx="3"/>\n`;
  });
  const end = gate - 12 - waits.length * PLACE.step;
  const more = [0, 1].map((dot) =>
    markup`<circle class="more" cx="${end - 4 - dot * 8}" cy="${floor - 5}" r="2"/>`
  );
  const drops = Array.from({ length: Math.min(MOST_DROPS, inFlight) }, (_, drop) => {
    const [cx, cy] = [gate + 24 + (drop % 8) * 12, floor - 9 - Math.floor(drop / 8) * 13];
    return markup`<circle class="drop" cx="${cx}" cy="${cy}" r="4.5"/>\n`;
  });
  const open = state === "up";
  const leaf = open ? { kind: "open", y: 2, tall: 34 } : { kind: "shut", y: 24, tall: floor - 24 };
  return markup`<svg class="room" viewBox="0 0 ${width} ${height}" role="img" aria-label="${name}">
<path class="bed" d="M0 ${floor}H${width}V${height}H0z"/>
${
    waits.length > 0 &&
    markup`<line class="scale" x1="0" y1="${top + 10}" x2="${gate - 10}" y2="${top + 10}"/>`
  }
${waiters}${waiting > waits.length && more}
<rect class="post" x="${gate - 4}" y="2" width="8" height="${floor - 2}"/>
<rect class="gate ${leaf.kind}" x="${gate - 9}" y="${leaf.y}" width="18" height="${leaf.tall}" rx="3"/>
${drops}</svg>`;
}

/** The height of the picture in milliseconds: a round number that the longest wait fits below. */
export function scaleOf(longestMs: number): number {
  for (let unit = 100; unit < 1e9; unit *= 10) {
    for (const times of [1, 2, 5]) if (longestMs <= unit * times) return unit * times;
  }
  return longestMs;
}
