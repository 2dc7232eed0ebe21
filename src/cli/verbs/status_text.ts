/** `sluice status` for people: one screen. */

import type { ScriptReport } from "../../process/worker/script_report.ts";
import { socketsSummary } from "../../process/shared/chosen_sockets.ts";
import type {
  BackendStatus,
  CredentialStatus,
  EndpointStatus,
  ForwardRuleStatus,
  ForwardStatus,
  RecentFailure,
  Status,
  UpstreamStatus,
  WorkerStatus,
} from "../../process/worker/status.ts";
import { pauseWords } from "./pause_words.ts";
import { alignedRows, roughDuration, roughSize } from "./text_table.ts";
import { printable } from "./verb_call.ts";

/** Newest failures shown. */
const MOST_FAILURES = 5;
const MAX_DETAIL = 60;

export function statusText(status: Status): string {
  /** Sluice's own clock: ours may be another. */
  const now = Date.parse(status.started) + status.uptime_ms;
  const { totals } = status;
  const traffic = [
    count(status.connections, "connection"),
    ...(status.tunnels > 0 ? [count(status.tunnels, "tunnel")] : []),
    count(totals.requests, "request"),
    `${totals.failed} failed`,
    ...(totals.held > 0 ? [`${totals.held} held`] : []),
    ...(totals.retries > 0 ? [count(totals.retries, "retry", "retries")] : []),
    roughSize(status.resident_bytes),
  ];
  const lines = [
    `sluice ${status.version} on ${status.runtime}, process ${status.pid}: ${status.state} for ` +
    `${roughDuration(status.uptime_ms)}, generation ${status.generation}`,
    `listening on ${status.listeners.join(", ")}`,
    traffic.join(", "),
    ...socketsLine(status.workers),
    ...(status.predecessor == null ? [] : [predecessorLine(status.predecessor)]),
    ...(status.workers.length > 1 ? ["", ...workerLines(status.workers)] : []),
    ...(status.forward === undefined ? [] : ["", ...forwardLines(status.forward)]),
    ...(status.scripts === undefined ? [] : ["", ...status.scripts.map(scriptLine)]),
    ...(status.credentials === undefined ? [] : ["", ...credentialLines(status.credentials)]),
    ...status.upstreams.flatMap((upstream) => ["", ...upstreamLines(upstream, now)]),
    ...failureLines(status, now),
  ];
  return lines.map((line) => printable(line) + "\n").join("");
}

/** A Sluice of an earlier version does not tell. */
function socketsLine(workers: readonly WorkerStatus[]): string[] {
  const summary = socketsSummary(workers);
  return summary === "" ? [] : [`sockets: ${summary}`];
}

function predecessorLine(
  { pid, answers, connections, in_flight: inFlight, waiting }: NonNullable<Status["predecessor"]>,
): string {
  const [has, silence] = answers === false ? ["had", "; it does not answer"] : ["still has", ""];
  return `process ${pid}, which was replaced, ${has} ${count(connections, "connection")}, ` +
    `${inFlight} in flight, ${waiting} waiting (counted in all sums)${silence}`;
}

function workerLines(workers: readonly WorkerStatus[]): string[] {
  return alignedRows([
    ["worker", "process", "state", "connections", "memory", "restarts"],
    ...workers.map((worker) => [
      String(worker.worker),
      worker.pid === null ? "-" : String(worker.pid),
      worker.state,
      String(worker.connections),
      roughSize(worker.resident_bytes),
      String(worker.restarts),
    ]),
  ], new Set([3, 4, 5]));
}

function forwardLines(forward: ForwardStatus): string[] {
  const { totals } = forward;
  const denied = Object.entries(forward.denied).filter(([, number]) => number > 0)
    .map(([reason, number]) => `${reason} ${number}`);
  return [
    `forward proxy on ${
      forward.listeners.join(", ")
    }: ${forward.tunnels} of ${forward.max_tunnels} tunnels, ` +
    `${forward.in_flight} in flight, ${forward.waiting} waiting`,
    `  ${count(totals.requests, "request")} so far, ${count(forward.tunnels_begun, "tunnel")} begun, ` +
    `${roughSize(totals.request_bytes)} out, ${roughSize(totals.response_bytes)} back`,
    `  ${count(forward.destinations, "destination")} known, ${count(forward.idle, "idle connection")}`,
    ...(denied.length === 0 ? [] : [`  denied: ${denied.join(", ")}`]),
    ...(forward.authentication_failures === 0
      ? []
      : [`  wrong credentials: ${count(forward.authentication_failures, "request")}`]),
    ...forward.rules.map(ruleLine),
  ];
}

function scriptLine({ name, error, timeout, stalled, slow }: ScriptReport): string {
  const told = [[error, "error"], [timeout, "timeout"], [stalled, "stalled call"], [
    slow,
    "slow call",
  ]] as const;
  const faults = told.filter(([number]) => number > 0).map(([number, noun]) => count(number, noun));
  return `script ${name}: ${faults.length === 0 ? "no faults" : faults.join(", ")}`;
}

function ruleLine({ name, action, totals }: ForwardRuleStatus): string {
  const failed = action === "deny" || totals.failed === 0 ? "" : `, ${totals.failed} failed`;
  return `  rule ${name} (${action}): ${count(totals.requests, "request")}${failed}`;
}

function credentialLines(credentials: readonly CredentialStatus[]): string[] {
  return alignedRows([
    ["credential", "used", "challenged", "rejected"],
    ...credentials.map((
      { name, used, challenged, rejected },
    ) => [name, String(used), String(challenged), String(rejected)]),
  ], new Set([1, 2, 3]));
}

function upstreamLines(upstream: UpstreamStatus, now: number): string[] {
  const { paused, child } = upstream;
  const waiting = upstream.waiting === 0
    ? "nobody waits"
    : `${upstream.waiting} of ${upstream.queue_size} wait, the oldest for ${
      roughDuration(upstream.oldest_wait_ms)
    }`;
  const head = `upstream ${upstream.name}: ${upstream.state}, ${upstream.in_flight} in flight, ${waiting}`;
  return [
    head,
    ...(paused?.owners ?? []).map((pause) => `  ${pauseWords(pause, now)}`),
    ...(child === null ? [] : [childLine(child, now)]),
    ...alignedRows([
      ["  endpoint", "state", "since", "in flight", "idle", "answered", "failures", "last error"],
      ...upstream.endpoints.map((endpoint) => endpointRow(endpoint, now)),
    ], new Set([3, 4, 5, 6])),
  ];
}

function endpointRow(endpoint: EndpointStatus, now: number): string[] {
  const { last_error: error, max_in_flight: most } = endpoint;
  return [
    `  ${endpoint.name}`,
    endpoint.state,
    age(endpoint.since, now),
    most === 0 ? String(endpoint.in_flight) : `${endpoint.in_flight}/${most}`,
    endpoint.pinned === 0 ? String(endpoint.idle) : `${endpoint.idle} + ${endpoint.pinned} pinned`,
    String(endpoint.answered),
    String(endpoint.failures),
    error === null ? "" : `${error.code}, ${age(error.at, now)} ago`,
  ];
}

function childLine(child: BackendStatus, now: number): string {
  const parts = [
    `${child.state} for ${age(child.since, now)}`,
    ...(child.pid === null ? [] : [`process ${child.pid}`]),
    ...(child.restarts === 0 ? [] : [count(child.restarts, "restart")]),
    ...(child.last_exit === "" ? [] : [`ended last: ${child.last_exit}`]),
    ...(child.next_start === null
      ? []
      : [`next start in ${roughDuration(Math.max(0, Date.parse(child.next_start) - now))}`]),
  ];
  return `  command ${child.command.join(" ").slice(0, MAX_DETAIL)}: ${parts.join(", ")}`;
}

function failureLines(status: Status, now: number): string[] {
  const reasons = Object.entries(status.reasons).filter(([, number]) => number > 0)
    .sort(([, a], [, b]) => b - a).map(([reason, number]) => `${reason} ${number}`);
  if (reasons.length === 0) return [];
  return [
    "",
    `failures: ${reasons.join(", ")}`,
    ...alignedRows(status.recent_failures.slice(0, MOST_FAILURES).map((failure) => failureRow(failure, now))),
  ];
}

function failureRow(failure: RecentFailure, now: number): string[] {
  return [
    `  ${age(failure.at, now)} ago`,
    failure.reason,
    String(failure.status),
    `${failure.method} ${failure.target}`.slice(0, MAX_DETAIL),
    [failure.upstream, failure.endpoint].filter((name) => name !== "").join(" "),
    failure.detail.slice(0, MAX_DETAIL),
  ];
}

function age(at: string, now: number): string {
  return roughDuration(Math.max(0, now - Date.parse(at)));
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
