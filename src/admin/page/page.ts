/**
 * The status page: one HTML document, complete without JavaScript and without anything from elsewhere. With
 * JavaScript it stays up to date (script.ts).
 */

import { socketsSummary } from "../../process/shared/chosen_sockets.ts";
import type { RecentFailure, Status, UpstreamStatus } from "../../process/worker/status.ts";
import { type ReasonCode, REASONS } from "../../exchange/reason.ts";
import { percentile } from "../flow.ts";
import { recentFlow, SAMPLE_MS, WINDOW_SAMPLES } from "../history.ts";
import { Html, markup, type Piece } from "./html.ts";
import { ago, badge, type Column, counted, middleAndTail, note, table, waitWords } from "./parts.ts";
import { sparkline } from "./pictures.ts";
import { PAGE_SCRIPT } from "./script.ts";
import { PAGE_STYLE } from "./style.ts";
import { type PageContext, upstreamSection } from "./upstream.ts";
import { countWords, durationWords, msWords, rateWords, sizeWords } from "../words.ts";

/** Failures shown. */
const MOST_FAILURES = 15;
/** Of very many more upstreams and routes a page makes no picture that helps anybody. */
const MOST_UPSTREAMS = 100;
const MOST_ROUTES = 200;

/** A gate in the water. */
const GLYPH = "M2 3h3v18H2zM19 3h3v18h-3zM7 3h10v7H7zM7 15q2.5-2.5 5 0t5 0v6H7z";
const ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E" +
  `%3Cpath fill='%230a6a7b' d='${GLYPH}'/%3E%3C/svg%3E`;
/** For browsers without JavaScript. A page with a token in its form is left alone. */
const RELOAD = markup`<noscript><meta http-equiv="refresh" content="5"></noscript>`;
const ACTIONS_FORM = markup`<form class="actions" id="actions" method="post" action="/actions">
<label for="token">Token for actions</label>
<input type="password" id="token" name="token" autocomplete="off" required minlength="16">
<output id="result" for="token"></output></form>`;

export function renderPage(context: PageContext): string {
  const { status, nowMs, actions } = context;
  const window = `${(SAMPLE_MS * WINDOW_SAMPLES) / 1000} seconds`;
  return markup`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title(status)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${!actions && RELOAD}
<link rel="icon" href="${ICON}">
<style>${new Html(PAGE_STYLE)}</style>
</head>
<body>
<header><h1><svg viewBox="0 0 24 24" aria-hidden="true"><path d="${GLYPH}"/></svg>Sluice</h1>
<span id="live">As of ${new Date(nowMs).toISOString().slice(11, 19)} UTC</span></header>
${actions && ACTIONS_FORM}
<main>
${mainPart(context)}</main>
<footer><a href="/metrics">Metrics</a><a href="/status.json">Status as JSON</a><a href="/-/ready">Readiness</a>
<span>Rates and their percentiles: the last ${window}. Curves: the last 5 minutes.</span></footer>
<script>${new Html(PAGE_SCRIPT)}</script>
</body>
</html>
`.text;
}

function title(status: Status): string {
  if (status.state !== "serving") return `${status.state} · Sluice`;
  const trouble = troubleOf(status)[0];
  return trouble === undefined ? "Sluice" : `${trouble.name} ${trouble.state} · Sluice`;
}

function troubleOf({ upstreams }: Status): readonly UpstreamStatus[] {
  return upstreams.filter(({ state }) => state !== "up");
}

function mainPart(context: PageContext): Html {
  const { status } = context;
  const more = status.upstreams.length - MOST_UPSTREAMS;
  return markup`${facts(status)}
<p class="summary">${summary(status)}</p>
${tiles(context)}
${status.upstreams.slice(0, MOST_UPSTREAMS).map((upstream) => upstreamSection(upstream, context))}
${more > 0 && markup`<p class="note">${counted(more, "more upstream")} in the JSON.</p>`}
${forwardSection(status)}
${failures(context)}
<div class="columns">${routes(status)}${workers(status)}</div>
`;
}

function facts(status: Status): Html {
  const rows: (readonly [string, Piece])[] = [
    ["State", badge(status.state === "serving" ? "good" : "warn", status.state)],
    ["Listening on", status.listeners.join(", ") || "nothing yet"],
    ["Up", durationWords(status.uptime_ms)],
    ["Configuration", `generation ${status.generation}`],
    ["Version", `${status.version} on ${status.runtime}`],
    ["Sockets", socketsSummary(status.workers) || "none yet"],
  ];
  return markup`<dl class="meta">${
    rows.map(([term, value]) => markup`<div><dt>${term}</dt><dd>${value}</dd></div>\n`)
  }</dl>`;
}

/** All in one sentence. */
function summary(status: Status): string {
  if (status.state === "starting") return "Sluice is starting.";
  if (status.state === "stopping") {
    return `Sluice is stopping: ${counted(status.connections, "connection")} left.`;
  }
  const [first, ...rest] = troubleOf(status);
  if (first !== undefined) {
    const others = rest.length === 0
      ? ""
      : ` ${counted(rest.length, "other upstream")} ${rest.length === 1 ? "is" : "are"} down or paused.`;
    return `${first.name} is ${first.state}: ${waitWords(first)}.${others}`;
  }
  const down =
    status.upstreams.flatMap(({ endpoints }) =>
      endpoints.filter(({ state }) => state === "down" || state === "unhealthy")
    ).length;
  if (down > 0) {
    return `${counted(down, "endpoint")} ${down === 1 ? "is" : "are"} down; others of the upstream serve.`;
  }
  const queued = status.upstreams.find(({ waiting }) => waiting > 0);
  if (queued !== undefined) return `All is well; at ${queued.name} ${waitWords(queued)}.`;
  return "All is well, and nobody waits.";
}

function tiles({ status, history }: PageContext): Html {
  const { totals, upstreams } = status;
  const { points } = history;
  const flow = recentFlow(history.reference(status), status, (each) => each.totals);
  const minutes = durationWords(points.length * SAMPLE_MS);
  const inFlight = upstreams.reduce((sum, each) => sum + each.in_flight, status.forward?.in_flight ?? 0);
  const waiting = upstreams.reduce((sum, each) => sum + each.waiting, status.forward?.waiting ?? 0);
  const below = (part: number) => msWords(percentile(flow.latency, part));
  const aSecond = markup` <span class="unit" title="a second">/s</span>`;
  const curve = (values: readonly (number | null)[], what: string) =>
    sparkline([{ values, style: "main" }], `${what} in the last ${minutes}`);
  const rates = curve(points.map(({ perSecond }) => perSecond), "Requests a second");
  const medians = curve(points.map(({ p50 }) => p50), "Median latency");
  const failures = curve(points.map(({ failedPerSecond }) => failedPerSecond), "Failures a second");
  const traffic = `${sizeWords(flow.inPerSecond)}/s in, ${sizeWords(flow.outPerSecond)}/s out`;
  const tile = (term: string, value: Piece, ...notes: readonly Piece[]) => {
    const lines = notes.map((line) => markup`<dd class="note">${line}</dd>`);
    return markup`<div class="tile"><dt>${term}</dt><dd class="big">${value}</dd>${lines}</div>\n`;
  };
  return markup`<dl class="tiles">
${
    tile(
      "Requests",
      [rateWords(flow.perSecond), aSecond],
      rates,
      `${countWords(totals.requests)} in all`,
    )
  }
${tile("Latency, half below", below(0.5), medians, `p90 ${below(0.9)} · p99 ${below(0.99)}`)}
${
    tile(
      "Failed",
      [rateWords(flow.failedPerSecond), aSecond],
      failures,
      `${countWords(totals.failed)} in all`,
    )
  }
${
    tile(
      "Waiting",
      countWords(waiting),
      `${countWords(inFlight)} in flight`,
      `${countWords(totals.held)} were held`,
    )
  }
${tile("Connections", countWords(status.connections), counted(status.tunnels, "tunnel"), traffic)}
${tile("Memory", sizeWords(status.resident_bytes), counted(status.workers.length, "worker"))}</dl>`;
}

function forwardSection({ forward }: Status): Html | false {
  if (forward === undefined) return false;
  const { totals } = forward;
  const denied = Object.entries(forward.denied).filter(([, count]) => count > 0).map(([code, count]) =>
    markup`<li><strong>${countWords(count)}</strong> <span class="mono">${code}</span></li>\n`
  );
  const rows: (readonly [string, Piece])[] = [
    ["Listening on", forward.listeners.join(", ")],
    ["Tunnels", `${countWords(forward.tunnels)} of ${countWords(forward.max_tunnels)}`],
    ["Tunnels begun", countWords(forward.tunnels_begun)],
    ["Requests", `${countWords(totals.requests)}, ${countWords(forward.in_flight)} in flight`],
    ["Destinations", `${countWords(forward.destinations)}, ${counted(forward.idle, "idle connection")}`],
    ["Bytes", `${sizeWords(totals.request_bytes)} out, ${sizeWords(totals.response_bytes)} back`],
    ["Wrong credentials", countWords(forward.authentication_failures)],
  ];
  const rules = forward.rules.map(({ name, action, totals: { requests, failed } }) =>
    markup`<li><strong>${countWords(requests)}</strong> <span class="mono">${name}</span> ${action}${
      action !== "deny" && failed > 0 && `, ${countWords(failed)} failed`
    }</li>\n`
  );
  return markup`<section class="card" aria-labelledby="forward">
<div class="head"><h2 id="forward">Forward proxy</h2></div>
<dl class="meta">${rows.map(([term, value]) => markup`<div><dt>${term}</dt><dd>${value}</dd></div>\n`)}</dl>
${denied.length > 0 && markup`<ul class="reasons" aria-label="Denied by reason">${denied}</ul>`}
${rules.length > 0 && markup`<ul class="reasons" aria-label="Requests by rule">${rules}</ul>`}
</section>
`;
}

function failures({ status, nowMs }: PageContext): Html {
  const counts = (Object.entries(status.reasons) as [ReasonCode, number][])
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) =>
      markup`<li><strong>${countWords(count)}</strong> <span class="mono">${code}</span></li>\n`
    );
  const recent = status.recent_failures.slice(0, MOST_FAILURES).map((failure) => failureItem(failure, nowMs));
  const sums = markup`<ul class="reasons" aria-label="Failures by reason since the start">${counts}</ul>`;
  const list = markup`<ol class="failures">${recent}</ol>`;
  return markup`<section class="card" aria-labelledby="failures">
<div class="head"><h2 id="failures">Recent failures</h2></div>
${counts.length > 0 && sums}
${recent.length === 0 ? markup`<p class="note">None since the start.</p>` : list}</section>
`;
}

function failureItem(failure: RecentFailure, nowMs: number): Html {
  const { reason, status, method, target, upstream, endpoint, detail } = failure;
  const where = [upstream, endpoint].filter((name) => name !== "").join(" · ");
  const request = method === "" ? "a request that could not be read" : `${method} ${target}`;
  const answer = note(status === 0 ? "no answer" : `answered ${status}`);
  const more = markup`${where !== "" && ` to ${where}`}: <code>${reason}</code>${
    detail !== "" && `, ${detail}`
  }`;
  return markup`<li>${note(ago(failure.at, nowMs))}<div>
<p>${REASONS[reason].sentence} ${answer}</p>
<p class="note"><code>${request}</code>${more}</p></div></li>
`;
}

const ROUTE_COLUMNS: readonly Column[] = [
  { head: "Route" },
  { head: "Upstream" },
  { head: "Requests", number: true },
  { head: "Failed", number: true },
  { head: "Latency, p50 · p99", number: true },
];

function routes({ routes }: Status): Html {
  const rows = routes.slice(0, MOST_ROUTES).map(({ name, upstream, totals }) => [
    name,
    upstream === "" ? note("answered here") : upstream,
    countWords(totals.requests),
    countWords(totals.failed),
    middleAndTail(totals.latency),
  ]);
  const more = routes.length - MOST_ROUTES;
  return markup`<section class="card" aria-labelledby="routes">
<div class="head"><h2 id="routes">Routes</h2>${note("since the start")}</div>
${table("routes", ROUTE_COLUMNS, rows)}
${more > 0 && markup`<p class="note">${counted(more, "more route")} in the JSON.</p>`}</section>
`;
}

const WORKER_COLUMNS: readonly Column[] = [
  { head: "Worker" },
  { head: "State" },
  { head: "Connections", number: true },
  { head: "Memory", number: true },
  { head: "Restarts", number: true },
];

function workers({ workers }: Status): Html {
  const rows = workers.map(({ worker, pid, state, connections, resident_bytes: bytes, restarts }) => [
    markup`${worker}${pid !== null && note(` process ${pid}`)}`,
    badge(state === "serving" ? "good" : state === "ended" ? "bad" : "warn", state),
    connections,
    sizeWords(bytes),
    restarts,
  ]);
  return markup`<section class="card" aria-labelledby="workers">
<div class="head"><h2 id="workers">Workers</h2></div>
${table("workers", WORKER_COLUMNS, rows)}</section>
`;
}
