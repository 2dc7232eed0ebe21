/** Draws what `sluice top` shows, for a terminal of any size. */

import { countWords, durationWords, msWords, rateWords, sizeWords } from "../../admin/words.ts";
import type { Status } from "../../process/worker/status.ts";
import { pauseWords } from "../verbs/pause_words.ts";
import {
  sorted,
  type SortKey,
  type TopEndpoint,
  type TopForward,
  type TopSample,
  type TopUpstream,
} from "./rows.ts";
import { printable } from "../verbs/verb_call.ts";

/** What the user has chosen. */
export interface TopView {
  readonly sort: SortKey;
  readonly reversed: boolean;
  /** Endpoints are shown below their upstream. */
  readonly endpoints: boolean;
  /** Rows scrolled past. */
  readonly from: number;
}

export interface TopPicture {
  readonly status: Status;
  readonly sample: TopSample;
  readonly view: TopView;
  /** Requests a second of the last samples, by upstream, oldest first. */
  readonly rates: (upstream: string) => readonly number[];
  /** Why there is no newer sample; "" = there is. */
  readonly trouble: string;
}

export interface TopStyle {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
  /** Characters beyond ASCII can be shown. */
  readonly unicode: boolean;
}

type Tone = "plain" | "bold" | "dim" | "good" | "warn" | "bad" | "hold" | "bar";

const CODES: Readonly<Record<Tone, string>> = {
  plain: "",
  bold: "1",
  dim: "2",
  good: "32",
  warn: "33",
  bad: "31;1",
  hold: "35;1",
  bar: "7",
};

/** Text in one style. */
type Piece = readonly [text: string, tone: Tone];

interface Column {
  readonly head: string;
  readonly width: number;
  readonly right: boolean;
  /** Not shown on terminals with fewer columns. */
  readonly from: number;
  upstream(upstream: TopUpstream, picture: TopPicture): Piece;
  endpoint(endpoint: TopEndpoint): Piece;
}

/** Columns of the rate's curve. */
const CURVE = 20;
/** From this number of columns on there is room for what is good to know. */
const WIDE = 100;
/** Least width of the names; they get what is left. */
const LEAST_NAME = 18;

const COLUMNS: readonly Column[] = [
  {
    head: "STATE",
    width: 9,
    right: false,
    from: 0,
    upstream: ({ state }) => [state, state === "up" ? "good" : state === "paused" ? "hold" : "bad"],
    endpoint: ({ state }) => [
      state,
      state === "up" ? "good" : state === "probing" ? "warn" : /^drain/.test(state) ? "hold" : "bad",
    ],
  },
  {
    head: "REQ/S",
    width: 7,
    right: true,
    from: 0,
    upstream: (upstream) => [rateWords(upstream.requests_per_second), "plain"],
    endpoint: (endpoint) => [rateWords(endpoint.answered_per_second), "dim"],
  },
  {
    head: "FAIL/S",
    width: 6,
    right: true,
    from: 0,
    upstream: (
      { failed_per_second: rate },
    ) => [rateWords(rate), rate > 0 ? "bad" : "plain"],
    endpoint: () => ["", "plain"],
  },
  {
    head: "P50",
    width: 7,
    right: true,
    from: 90,
    upstream: (upstream) => [msWords(upstream.p50_ms), "plain"],
    endpoint: (endpoint) => [msWords(endpoint.p50_ms), "dim"],
  },
  {
    head: "P90",
    width: 7,
    right: true,
    from: 110,
    upstream: (upstream) => [msWords(upstream.p90_ms), "plain"],
    endpoint: () => ["", "plain"],
  },
  {
    head: "P99",
    width: 7,
    right: true,
    from: 0,
    upstream: (upstream) => [msWords(upstream.p99_ms), "plain"],
    endpoint: (endpoint) => [msWords(endpoint.p99_ms), "dim"],
  },
  {
    head: "FLIGHT",
    width: 7,
    right: true,
    from: 0,
    upstream: (upstream) => [countWords(upstream.in_flight), "plain"],
    endpoint: (
      { in_flight: count, max_in_flight: max },
    ) => [max === 0 ? String(count) : `${count}/${max}`, "dim"],
  },
  {
    head: "WAIT",
    width: 6,
    right: true,
    from: 0,
    upstream: ({ waiting }) => [countWords(waiting), waiting > 0 ? "warn" : "plain"],
    endpoint: () => ["", "plain"],
  },
  {
    head: "OLDEST",
    width: 7,
    right: true,
    from: 0,
    upstream: (
      { waiting, oldest_wait_ms: oldest },
    ) => [waiting === 0 ? "" : msWords(oldest), "warn"],
    endpoint: () => ["", "plain"],
  },
  {
    head: "IDLE",
    width: 5,
    right: true,
    from: 100,
    upstream: () => ["", "plain"],
    endpoint: (endpoint) => [String(endpoint.idle), "dim"],
  },
  {
    head: "REQ/S, CURVE · LAST ERROR",
    width: 26,
    right: false,
    from: 130,
    upstream: ({ name }, { rates }) => [curve(rates(name)), "good"],
    endpoint: (
      endpoint,
    ) => [endpoint.last_error, endpoint.state === "down" ? "bad" : "dim"],
  },
];

/** One text for each row of the terminal, none longer than it. */
export function drawTop(picture: TopPicture, style: TopStyle): string[] {
  const { columns, rows } = style;
  const columnsShown = COLUMNS.filter(({ from }) => columns >= from);
  const others = columnsShown.reduce((sum, { width }) => sum + width + 1, 0);
  const nameWidth = Math.max(LEAST_NAME, columns - others);
  const head: Piece[][] = [
    titleLine(picture),
    trafficLine(picture.sample, columns),
    stateLine(picture),
    ...(picture.sample.forward === undefined ? [] : [forwardLine(picture.sample.forward)]),
    [],
    [[tableHead(columnsShown, nameWidth, picture.view).padEnd(columns), "bar"]],
  ];
  const body = bodyLines(picture, columnsShown, nameWidth);
  const room = Math.max(0, rows - head.length - 1);
  const from = Math.min(picture.view.from, Math.max(0, body.length - room));
  const shown = body.slice(from, from + room);
  const foot = footLine(
    picture,
    body.length > room ? `${from + 1}–${from + shown.length} of ${body.length}` : "",
  );
  const blank: Piece[][] = Array.from({ length: room - shown.length }, () => []);
  return [...head, ...shown, ...blank, foot].slice(0, rows).map((line) => rendered(line, style));
}

/** Rows of the table, to know how far it can be scrolled. */
export function rowCount({ sample, view }: TopPicture): number {
  return sample.upstreams.reduce(
    (sum, { endpoints, paused }) =>
      sum + 1 + (paused?.owners.length ?? 0) + (view.endpoints ? endpoints.length : 0),
    0,
  );
}

function titleLine({ status, sample }: TopPicture): Piece[] {
  const tone = status.state === "serving" ? "good" : "warn";
  return [
    ["sluice ", "bold"],
    [`${status.version}  `, "plain"],
    [status.state, tone],
    [
      `  up ${durationWords(status.uptime_ms)}  generation ${status.generation}  ${
        status.listeners.map(printable).join(", ")
      }  ${sample.time.slice(11, 19)} UTC`,
      "dim",
    ],
  ];
}

function trafficLine(sample: TopSample, columns: number): Piece[] {
  const failed = sample.failed_per_second;
  const times = `p50 ${msWords(sample.p50_ms)}  p90 ${msWords(sample.p90_ms)}  p99 ${msWords(sample.p99_ms)}`;
  const [came, went] = [sample.in_bytes_per_second, sample.out_bytes_per_second].map(sizeWords);
  return [
    [`${rateWords(sample.requests_per_second)} requests/s`, "bold"],
    [`  ${times}  `, "plain"],
    [`${rateWords(failed)} failed/s`, failed > 0 ? "bad" : "plain"],
    [columns < WIDE ? "" : `  in ${came}/s  out ${went}/s`, "dim"],
  ];
}

function stateLine({ sample, status }: TopPicture): Piece[] {
  return [
    [`${countWords(sample.in_flight)} in flight`, "plain"],
    [`  ${countWords(sample.waiting)} waiting`, sample.waiting > 0 ? "warn" : "plain"],
    [
      `  ${countWords(sample.connections)} connections  ${countWords(sample.tunnels)} tunnels  ${
        sizeWords(sample.resident_bytes)
      }  ${status.workers.length} ${status.workers.length === 1 ? "worker" : "workers"}`,
      "plain",
    ],
  ];
}

function forwardLine(forward: TopForward): Piece[] {
  const denied = forward.denied_per_second;
  return [
    [`forward proxy  ${rateWords(forward.requests_per_second)} requests/s`, "plain"],
    [`  ${rateWords(denied)} denied/s`, denied > 0 ? "warn" : "plain"],
    [`  ${countWords(forward.tunnels)}/${countWords(forward.max_tunnels)} tunnels`, "plain"],
    [`  ${countWords(forward.destinations)} destinations  ${countWords(forward.idle)} idle`, "plain"],
  ];
}

function tableHead(columns: readonly Column[], nameWidth: number, { sort, reversed }: TopView): string {
  const mark = reversed ? "↑" : "↓";
  const heads: Readonly<Record<SortKey, string>> = {
    name: "UPSTREAM",
    rate: "REQ/S",
    latency: "P99",
    waiting: "WAIT",
    failed: "FAIL/S",
  };
  const marked = (head: string) => heads[sort] === head ? head + mark : head;
  return [
    marked("UPSTREAM").padEnd(nameWidth),
    ...columns.map(({ head, width, right }) =>
      right ? marked(head).padStart(width) : marked(head).padEnd(width)
    ),
  ].join(" ");
}

function bodyLines(picture: TopPicture, columns: readonly Column[], nameWidth: number): Piece[][] {
  const { sample, view } = picture;
  return sorted(sample.upstreams, view.sort, view.reversed).flatMap((upstream) => [
    line(
      [upstream.name, "bold"],
      nameWidth,
      columns.map((column) => column.upstream(upstream, picture)),
      columns,
    ),
    ...(upstream.paused?.owners ?? []).map((pause): Piece[] => [
      [`  ${pauseWords(pause, Date.parse(sample.time))}`, "hold"],
    ]),
    ...(view.endpoints
      ? upstream.endpoints.map((endpoint) =>
        line(
          [`  ${endpoint.name}`, "plain"],
          nameWidth,
          columns.map((column) => column.endpoint(endpoint)),
          columns,
        )
      )
      : []),
  ]);
}

function line(name: Piece, nameWidth: number, cells: readonly Piece[], columns: readonly Column[]): Piece[] {
  return [
    [cut(printable(name[0]), nameWidth).padEnd(nameWidth), name[1]],
    ...cells.flatMap(([text, tone], at): Piece[] => {
      const { width = 0, right = false } = columns[at] ?? {};
      const fitted = cut(text, width);
      return [[" ", "plain"], [right ? fitted.padStart(width) : fitted.padEnd(width), tone]];
    }),
  ];
}

function footLine({ trouble, view }: TopPicture, position: string): Piece[] {
  if (trouble !== "") return [[`q quit  asking again: ${printable(trouble)}`, "bad"]];
  const keys = `q quit  sort: n name r rate l latency w waiting f failed  e ${
    view.endpoints ? "hide" : "show"
  } endpoints`;
  return [[position === "" ? "" : `${position}  `, "plain"], [keys, "dim"]];
}

/** A curve of block characters, the newest at the right. */
function curve(rates: readonly number[]): string {
  const shown = rates.slice(-CURVE);
  const most = Math.max(1e-9, ...shown);
  return shown.map((rate) => "▁▂▃▄▅▆▇█"[Math.min(7, Math.floor((rate / most) * 7.99))] ?? "").join("");
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : text.slice(0, Math.max(0, width - 1)) + "…";
}

/** Pieces as text with colours, cut to the width of the terminal. */
function rendered(pieces: readonly Piece[], { columns, colour, unicode }: TopStyle): string {
  let left = columns;
  let text = "";
  for (const [whole, tone] of pieces) {
    if (left <= 0) break;
    const fitted = cut(whole, left);
    const piece = unicode ? fitted : ascii(fitted);
    left -= piece.length;
    const code = CODES[tone];
    text += colour && code !== "" && piece !== "" ? `\x1b[${code}m${piece}\x1b[0m` : piece;
  }
  return text;
}

const PLAIN: Readonly<Record<string, string>> = { "–": "-", "…": "~", "·": "|", "↑": "^", "↓": "v" };

/** Each character by one of ASCII. */
function ascii(text: string): string {
  const blocks = "▁▂▃▄▅▆▇█";
  return text.replace(/[^ -~]/g, (character) => {
    const block = blocks.indexOf(character);
    return block >= 0 ? "_.-:=+*#"[block] ?? "#" : PLAIN[character] ?? "?";
  });
}
