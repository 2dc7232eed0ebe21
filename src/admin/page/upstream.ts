/** The part of the status page about one upstream: its waiting room, its curves, its endpoints. */

import { OWNER_WORDS } from "../../process/worker/pause_owner.ts";
import type { BackendStatus, EndpointStatus, Status, UpstreamStatus } from "../../process/worker/status.ts";
import { percentile } from "../flow.ts";
import { type History, recentFlow, SAMPLE_MS } from "../history.ts";
import { type Html, markup, type Piece } from "./html.ts";
import {
  actionButton,
  ago,
  type Column,
  counted,
  endpointBadge,
  middleAndTail,
  note,
  spell,
  table,
  upstreamBadge,
  waitWords,
} from "./parts.ts";
import { scaleOf, sparkline, waitingRoom } from "./pictures.ts";
import { countWords, durationWords, msWords, rateWords } from "../words.ts";

export interface PageContext {
  readonly status: Status;
  readonly history: History;
  /** Wall-clock milliseconds since 1970. */
  readonly nowMs: number;
  /** There are buttons. */
  readonly actions: boolean;
}

export function upstreamSection(upstream: UpstreamStatus, context: PageContext): Html {
  const { name, totals, child } = upstream;
  const sums = `${countWords(totals.requests)} ended · ${countWords(totals.failed)} failed · ` +
    `${countWords(totals.held)} held · ${countWords(totals.retries)} retries`;
  return markup`<section class="card" aria-label="Upstream ${name}">
<div class="head"><h2>${name}</h2>${upstreamBadge(upstream.state)}
${context.actions && pauseButton(upstream)}
${note(sums)}</div>
<div class="split">
<figure>${waitingRoom(upstream, `The waiting room: ${roomWords(upstream)}`)}
<figcaption>${roomCaption(upstream, context)}</figcaption></figure>
${curves(upstream, context)}</div>
${child !== null && childLine(child, context)}
${endpointTable(upstream, context)}</section>
`;
}

function pauseButton({ name, paused }: UpstreamStatus): Html {
  // The pauses of other owners are not the page's to end.
  const operators = paused?.owners.some(({ owner }) => owner === "operator") === true;
  return !operators
    ? actionButton("Pause", `Pause ${name}`, { do: "pause", upstream: name })
    : actionButton("Resume", `Resume ${name}`, { do: "resume", upstream: name });
}

/** What the picture of the waiting room shows. */
function roomWords(upstream: UpstreamStatus): string {
  const { state, in_flight: inFlight } = upstream;
  const gate = state === "up" ? "the gate is open" : `the gate is shut (${state})`;
  return `${waitWords(upstream)}, ${gate}, ${inFlight} in flight`;
}

function roomCaption(upstream: UpstreamStatus, { nowMs }: PageContext): Html {
  const { waiting, waits_ms: waits, paused } = upstream;
  const parts: Piece[] = [];
  if (waiting === 0) {
    parts.push(markup`<strong>Nobody waits</strong>`);
  } else {
    const oldest = `${msWords(upstream.oldest_wait_ms)} (dashed line: ${msWords(scaleOf(waits[0] ?? 0))})`;
    parts.push(markup`<strong>${countWords(waiting)} waiting</strong>, the oldest for ${oldest}`);
    if (waits.length < waiting) parts.push(` · the oldest ${waits.length} are drawn`);
  }
  parts.push(` · ${countWords(upstream.in_flight)} in flight`);
  parts.push(` · room for ${countWords(upstream.queue_size)}`);
  if (paused !== null) {
    for (const { owner, since, lease_until: until } of paused.owners) {
      parts.push(markup` · paused by ${OWNER_WORDS[owner]} for ${spell(since, nowMs)}`);
      const leftMs = until === null ? null : Date.parse(until) - nowMs;
      if (leftMs !== null) parts.push(`, ends by itself in ${durationWords(Math.max(0, leftMs))}`);
    }
  }
  return markup`${parts}`;
}

function curves(upstream: UpstreamStatus, { history, status }: PageContext): Html {
  const points = history.pointsOf(upstream.name);
  const flow = recentFlow(
    history.reference(status),
    status,
    ({ upstreams }) => upstreams.find(({ name }) => name === upstream.name)?.totals,
  );
  const minutes = durationWords(points.length * SAMPLE_MS);
  const rates = points.map(({ perSecond }) => perSecond);
  const now = rateWords(flow.perSecond);
  const most = rateWords(Math.max(0, ...rates));
  const below = (part: number) => msWords(percentile(flow.latency, part));
  const rateCurve = sparkline(
    [{ values: rates, style: "main" }],
    `Requests a second in the last ${minutes}: now ${now}, most ${most}`,
  );
  const latencyCurve = sparkline(
    [
      { values: points.map(({ p99 }) => p99), style: "main" },
      { values: points.map(({ p50 }) => p50), style: "second" },
    ],
    `Latency in the last ${minutes}: p99 and, dashed, p50`,
  );
  const rateText = markup`<strong>${now}</strong> requests a second, most ${most}`;
  const latencyText = markup`Latency p50 ${below(0.5)}, p90 ${below(0.9)}, p99 <strong>${
    below(0.99)
  }</strong>`;
  return markup`<div class="curves">
<figure><figcaption>${rateText}</figcaption>${rateCurve}</figure>
<figure><figcaption>${latencyText}</figcaption>${latencyCurve}</figure></div>`;
}

const ENDPOINT_COLUMNS: readonly Column[] = [
  { head: "Endpoint" },
  { head: "State" },
  { head: "In flight", number: true },
  { head: "Idle", number: true },
  { head: "Answered", number: true },
  { head: "5xx", number: true },
  { head: "Failures", number: true },
  { head: "First byte, p50 · p99", number: true },
];

function endpointTable(upstream: UpstreamStatus, context: PageContext): Html {
  const columns = context.actions
    ? [...ENDPOINT_COLUMNS, { head: "Action", number: true }]
    : ENDPOINT_COLUMNS;
  return table(
    "endpoints",
    columns,
    upstream.endpoints.map((endpoint) => [
      ...endpointCells(endpoint, context),
      ...(context.actions ? [drainButton(upstream, endpoint)] : []),
    ]),
  );
}

function endpointCells(endpoint: EndpointStatus, { nowMs }: PageContext): Piece[] {
  const { name, weight, state, last_error: error, max_in_flight: max, dialing, pinned } = endpoint;
  const last = error !== null &&
    markup`<div class="error">last failure ${ago(error.at, nowMs)}: ${error.code}</div>`;
  return [
    markup`${name}${weight > 1 && note(` weight ${weight}`)}`,
    markup`${endpointBadge(state)} ${note(markup`for ${spell(endpoint.since, nowMs)}`)}${last}`,
    markup`${endpoint.in_flight}${max > 0 && note(` of ${max}`)}${
      dialing > 0 && note(` + ${dialing} dialling`)
    }`,
    markup`${endpoint.idle}${pinned > 0 && note(` + ${pinned} pinned`)}`,
    countWords(endpoint.answered),
    countWords(endpoint.by_class[5] ?? 0),
    countWords(endpoint.failures),
    middleAndTail(endpoint.first_byte),
  ];
}

function drainButton({ name: upstream }: UpstreamStatus, { name: endpoint, state }: EndpointStatus): Html {
  return state === "draining" || state === "drained"
    ? actionButton("Undrain", `Undrain ${endpoint} of ${upstream}`, { do: "undrain", upstream, endpoint })
    : actionButton("Drain", `Drain ${endpoint} of ${upstream}`, { do: "drain", upstream, endpoint });
}

function childLine(child: BackendStatus, { nowMs }: PageContext): Html {
  const { command, state, pid, restarts, last_exit: last, next_start: next } = child;
  const more = [
    pid === null ? "" : `, process ${pid}`,
    restarts === 0 ? "" : `, ${counted(restarts, "restart")}`,
    last === "" ? "" : `, ended last with ${last}`,
    next === null ? "" : `, starts again in ${durationWords(Math.max(0, Date.parse(next) - nowMs))}`,
  ].join("");
  const since = markup`${state.replace("_", " ")} for ${spell(child.since, nowMs)}`;
  return markup`<p class="note">Command <span class="mono">${command.join(" ")}</span>: ${since}${more}</p>`;
}
