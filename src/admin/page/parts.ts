/** Pieces of the status page that several of its sections use. */

import type { EndpointStatus, Histogram, UpstreamStatus } from "../../process/worker/status.ts";
import { percentile } from "../flow.ts";
import { type Html, markup, type Piece } from "./html.ts";
import { durationWords, msWords } from "../words.ts";

type Tone = "good" | "warn" | "bad" | "hold";

/** Shapes differ as well as colours. */
const SHAPES: Readonly<Record<Tone, string>> = {
  good: "M5 0a5 5 0 1 1 0 10a5 5 0 1 1 0-10z",
  warn: "M5 0a5 5 0 1 1 0 10a5 5 0 1 1 0-10zm0 2v6a3 3 0 0 0 0-6z",
  bad: "M5 0L10 10H0z",
  hold: "M1 0h3v10h-3zM6 0h3v10h-3z",
};

/** A state as a word with a shape. */
export function badge(tone: Tone, words: string): Html {
  const shape = markup`<svg viewBox="0 0 10 10" aria-hidden="true"><path d="${SHAPES[tone]}"/></svg>`;
  return markup`<span class="badge ${tone}">${shape}${words}</span>`;
}

const ENDPOINT_BADGES: Readonly<Record<EndpointStatus["state"], readonly [Tone, string]>> = {
  up: ["good", "up"],
  probing: ["warn", "probing"],
  down: ["bad", "down"],
  draining: ["hold", "draining"],
  drained: ["hold", "drained"],
  unhealthy: ["bad", "unhealthy"],
};

export function endpointBadge(state: EndpointStatus["state"]): Html {
  return badge(...ENDPOINT_BADGES[state]);
}

const UPSTREAM_BADGES: Readonly<Record<UpstreamStatus["state"], readonly [Tone, string]>> = {
  up: ["good", "up"],
  down: ["bad", "down"],
  paused: ["hold", "paused"],
};

export function upstreamBadge(state: UpstreamStatus["state"]): Html {
  return badge(...UPSTREAM_BADGES[state]);
}

/** Smaller and paler. */
export function note(text: Piece): Html {
  return markup`<span class="note">${text}</span>`;
}

/** A column of a table. */
export interface Column {
  readonly head: string;
  /** Set to the right. */
  readonly number?: boolean;
}

/** A table; the first cell of each row is its heading. */
export function table(name: string, columns: readonly Column[], rows: readonly (readonly Piece[])[]): Html {
  const classOf = ({ number }: Column) => number === true && markup` class="number"`;
  const head = columns.map((column) => markup`<th scope="col"${classOf(column)}>${column.head}</th>`);
  const body = rows.map((cells) => {
    const items = cells.map((cell, at) => {
      const column = columns[at];
      if (at === 0 || column === undefined) return markup`<th scope="row">${cell}</th>`;
      return markup`<td${classOf(column)}>${cell}</td>`;
    });
    return markup`<tr>${items}</tr>\n`;
  });
  const content = markup`<thead><tr>${head}</tr></thead>\n<tbody>\n${body}</tbody>`;
  // Wider than the screen it can be scrolled, by the keyboard too.
  const region = markup`class="scroll" tabindex="0" role="region" aria-label="Table of ${name}"`;
  return markup`<div ${region}><table class="${name}">\n${content}</table></div>\n`;
}

/** `p50 · p99` of a histogram. */
export function middleAndTail(histogram: Histogram): string {
  const p50 = percentile(histogram, 0.5);
  return p50 === null ? "–" : `${msWords(p50)} · ${msWords(percentile(histogram, 0.99))}`;
}

/** A time of day as how long ago it was. */
export function ago(iso: string, nowMs: number): Html {
  const ms = Math.max(0, nowMs - Date.parse(iso));
  return time(iso, ms < 1000 ? "now" : `${durationWords(ms)} ago`);
}

/** A time of day as how long it has been since. */
export function spell(iso: string, nowMs: number): Html {
  return time(iso, durationWords(Math.max(0, nowMs - Date.parse(iso))));
}

function time(iso: string, words: string): Html {
  return markup`<time datetime="${iso}" title="${iso}">${words}</time>`;
}

/** `1 request`, `2 requests`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** `1 request waits`, `2 requests wait`, and for how long; `nobody waits`. */
export function waitWords({ waiting, oldest_wait_ms: oldest }: UpstreamStatus): string {
  if (waiting === 0) return "nobody waits";
  const verb = waiting === 1 ? "waits" : "wait";
  return `${counted(waiting, "request")} ${verb}, the oldest for ${msWords(oldest)}`;
}

/** A button of the one form there is: `what` is what is asked for. */
export function actionButton(words: string, label: string, what: Readonly<Record<string, string>>): Html {
  const value = new URLSearchParams(what).toString();
  return markup`<button form="actions" name="action" value="${value}" aria-label="${label}">${words}</button>`;
}
