/** The load tools, and what their reports say; every count of theirs is checked against the bytes they got. */

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CLIENT_TLS } from "./bench_certificate.ts";
import { quantile } from "./bench_statistics.ts";
import { installed, type Workspace } from "./bench_workspace.ts";

/** Packages of Debian that bring the tools. */
export const PACKAGES = {
  nginx: "nginx",
  wrk: "wrk",
  ab: "apache2-utils",
  h2load: "nghttp2-client",
  openssl: "openssl",
} as const;

export type ToolName = keyof typeof PACKAGES;

/** One line for each tool that is missing. */
export function missingTools(names: Iterable<ToolName>): string[] {
  return [...new Set(names)].filter((name) => !installed(name)).map((name) =>
    `${name} is missing: install the Debian package ${PACKAGES[name]}` +
    (name === "nginx" ? " (it is the origin server, too)" : "")
  );
}

export interface Load {
  readonly requests: number;
  readonly seconds: number;
  /** Latencies in milliseconds; NaN when there was no answer. */
  readonly p50: number;
  readonly p99: number;
  /** Requests without the whole answer, at least. */
  readonly failed: number;
}

/** What is left of a load whose tool has not reported. */
export const FAILED: Load = { requests: 0, seconds: NaN, p50: NaN, p99: NaN, failed: 1 };
/** Longest time a load may take on top of the time it was meant to. Seconds. */
export const PATIENCE = 30;

/** Prints the figures as numbers, which the tool's own report rounds. */
const WRK_REPORT = `
function done(summary, latency)
  local e = summary.errors
  print(string.format("\\nfigures %d %d %d %d %.1f %.1f", summary.requests, summary.bytes, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
`;

/** A load on `port`. @param tls by TLS, with what `CLIENT_TLS` says */
function withUrl(space: Workspace, command: readonly string[], port: number, path: string, tls: boolean) {
  const url = `${tls ? "https" : "http"}://127.0.0.1:${port}${path}`;
  const settings = tls ? ["env", `OPENSSL_CONF=${space.file("openssl.cnf", CLIENT_TLS)}`] : [];
  return [...settings, ...command, url];
}

export interface WrkOptions {
  readonly path: string;
  readonly connections: number;
  readonly fields?: readonly string[];
  /** Bytes that each request carries; 0 = GET. */
  readonly uploadBytes?: number;
  /** No two requests have the same target and the same fields. */
  readonly varied?: boolean;
  /** `http://HOST:PORT` of the origin, for a target in absolute form; "" or absent = in origin form. */
  readonly base?: string;
  /** See `withUrl`. */
  readonly tls?: boolean;
}

/** A cookie and a query with the number of the request: written once per request, whatever it costs wrk. */
const WRK_VARIED = `
local count = 0
function request()
  count = count + 1
  wrk.headers["Cookie"] = string.format("sid=%08x51d2e84b06a1c5e9; basket=%d; theme=dark", count, count)
  return wrk.format(nil, wrk.path .. "?n=" .. count)
end
`;

/** @param answerBytes bytes of one whole answer, as seen before: fewer on average are lost answers */
export async function wrk(
  space: Workspace,
  port: number,
  options: WrkOptions,
  seconds: number,
  answerBytes: number,
): Promise<Load> {
  const { path, connections, fields = [], uploadBytes = 0, varied = false, base = "", tls = false } = options;
  const upload = uploadBytes === 0 ? "" : `wrk.method = "POST"\nwrk.body = string.rep("x", ${uploadBytes})\n`;
  const absolute = base === ""
    ? ""
    : `wrk.path = "${base}${path}"\nwrk.headers["Host"] = "${new URL(base).host}"\n`;
  const script = space.file("wrk.lua", upload + absolute + (varied ? WRK_VARIED : "") + WRK_REPORT);
  const command = ["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s", script];
  for (const field of fields) command.push("-H", field);
  const { output } = await space.run(withUrl(space, command, port, path, tls), seconds + PATIENCE);
  const figures = /^figures (.*)$/m.exec(output)?.[1]?.split(" ").map(Number);
  if (figures === undefined) return FAILED;
  const [requests = 0, bytes = 0, micros = 0, errors = 0, p50 = NaN, p99 = NaN] = figures;
  const short = Math.max(0, Math.ceil((requests * answerBytes - bytes) / answerBytes));
  return {
    requests,
    seconds: micros / 1e6,
    p50: p50 / 1000,
    p99: p99 / 1000,
    failed: Math.max(errors, short),
  };
}

export interface AbOptions {
  readonly path: string;
  readonly connections: number;
  readonly requests: number;
  readonly keepAlive: boolean;
  readonly bodyBytes: number;
  /** See `withUrl`. */
  readonly tls?: boolean;
}

/**
 * ab takes the first answer for the measure of all: where that is an empty one, all empty ones are complete.
 * So the bytes of the bodies are counted.
 */
export async function ab(space: Workspace, port: number, options: AbOptions, seconds: number): Promise<Load> {
  const { path, connections, requests, keepAlive, bodyBytes, tls = false } = options;
  const command = ["ab", "-q", "-s", "30", "-n", String(requests), "-c", String(connections)];
  if (keepAlive) command.push("-k");
  const { output } = await space.run(withUrl(space, command, port, path, tls), seconds + PATIENCE);
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? NaN);
  const complete = number(/^Complete requests:\s+(\d+)/m);
  if (Number.isNaN(complete)) return { ...FAILED, failed: requests };
  const bodies = number(/^HTML transferred:\s+(\d+)/m) / bodyBytes;
  const wrongStatus = number(/^Non-2xx responses:\s+(\d+)/m) || 0;
  const counted = number(/^Failed requests:\s+(\d+)/m) + (requests - complete);
  return {
    requests: complete,
    seconds: number(/^Time taken for tests:\s+([\d.]+)/m),
    p50: number(/^\s+50%\s+(\d+)/m),
    p99: number(/^\s+99%\s+(\d+)/m),
    failed: Math.max(counted, wrongStatus, requests - Math.floor(bodies)),
  };
}

/** Each of `users` connections sends `each` requests, one after the other. */
export async function h2load(
  space: Workspace,
  port: number,
  options: {
    readonly path: string;
    readonly users: number;
    readonly each: number;
    readonly bodyBytes: number;
  },
): Promise<Load> {
  const { path, users, each, bodyBytes } = options;
  const log = join(space.folder, "h2load.log");
  rmSync(log, { force: true });
  const requests = users * each;
  const command = [
    "h2load",
    "--h1",
    "-t1",
    `-c${users}`,
    `-n${requests}`,
    `--log-file=${log}`,
    "-T20",
    "-N20",
  ];
  const { output } = await space.run([...command, `http://127.0.0.1:${port}${path}`], 2 * PATIENCE);
  const latencies: number[] = [];
  for (const line of textOf(log).split("\n")) {
    const [, status = 0, micros = NaN] = line.split("\t").map(Number);
    if (status >= 200 && status < 300) latencies.push(micros / 1000);
  }
  const bodies = Number(/^traffic:.*\((\d+)\) data$/m.exec(output)?.[1] ?? 0) / bodyBytes;
  const [, amount = NaN, unit = ""] = /^finished in ([\d.]+)(us|ms|s),/m.exec(output) ?? [];
  return {
    requests: latencies.length,
    seconds: Number(amount) * ({ us: 1e-6, ms: 1e-3 }[unit] ?? 1),
    p50: quantile(latencies, 0.5) ?? NaN,
    p99: quantile(latencies, 0.99) ?? NaN,
    failed: requests - Math.min(latencies.length, Math.floor(bodies)),
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // the tool did not come that far
  }
}
