/**
 * The metrics, one row each: what `/metrics` renders and the reference lists. Names and units follow the
 * conventions of Prometheus. Labels come from closed sets: names of the configuration, reason codes, classes.
 */

import type { EndpointStatus, RouteStatus, UpstreamStatus } from "../process/worker/status.ts";
import { CREDENTIAL_METRICS } from "./credential_metrics.ts";
import { FORWARD_METRICS } from "./forward_metrics.ts";
import { SCRIPT_METRICS } from "./script_metrics.ts";
import { byCode, each, type Metric, one, type Sample, totalsRows } from "./metric.ts";

const ofWorker = each(
  ["worker"],
  ({ workers }) => workers.map((worker) => [[String(worker.worker)], worker]),
);
const ofUpstream = each<UpstreamStatus>(
  ["upstream"],
  ({ upstreams }) => upstreams.map((upstream) => [[upstream.name], upstream]),
);
const ofEndpoint = each<EndpointStatus>(
  ["upstream", "endpoint"],
  ({ upstreams }) =>
    upstreams.flatMap(({ name, endpoints }) =>
      endpoints.map((endpoint) => [[name, endpoint.name], endpoint] as const)
    ),
);
const ofRoute = each<RouteStatus>(
  ["route", "upstream"],
  ({ routes }) => routes.map((route) => [[route.name, route.upstream], route]),
);

const seconds = (iso: string): number => Date.parse(iso) / 1000;
const flag = (condition: boolean): number => condition ? 1 : 0;

export const METRICS: readonly Metric[] = [
  {
    name: "sluice_build_info",
    type: "gauge",
    help: "Always 1; the labels say what runs.",
    labels: ["version", "runtime"],
    samples: ({ version, runtime }) => [[[version, runtime], 1]],
  },
  one(
    "gauge",
    "sluice_start_time_seconds",
    "When the program was started, since 1970.",
    ({ started }) => seconds(started),
  ),
  one(
    "gauge",
    "sluice_serving",
    "1 while serving, 0 while starting or stopping.",
    ({ state }) => flag(state === "serving"),
  ),
  one(
    "gauge",
    "sluice_config_generation",
    "1 for the configuration of the start; every change adds one.",
    ({ generation }) => generation,
  ),
  one(
    "gauge",
    "sluice_config_loaded_timestamp_seconds",
    "When the configuration in use was loaded, since 1970.",
    (status) => seconds(status.config_loaded),
  ),
  one(
    "gauge",
    "sluice_resident_memory_bytes",
    "Resident memory of all processes.",
    (status) => status.resident_bytes,
  ),
  one(
    "gauge",
    "sluice_client_connections",
    "Open connections from clients, tunnels included.",
    ({ connections }) => connections,
  ),
  one("gauge", "sluice_tunnels", "Connections that were upgraded.", ({ tunnels }) => tunnels),
  ofWorker(
    "gauge",
    "sluice_worker_up",
    "1 while the worker serves.",
    ({ state }) => flag(state === "serving"),
  ),
  ofWorker(
    "counter",
    "sluice_worker_restarts_total",
    "Times the worker was replaced after it had ended.",
    ({ restarts }) => restarts,
  ),
  ofWorker(
    "gauge",
    "sluice_worker_client_connections",
    "Open connections from clients.",
    ({ connections }) => connections,
  ),
  ofWorker(
    "gauge",
    "sluice_worker_resident_memory_bytes",
    "Resident memory of the worker.",
    (worker) => worker.resident_bytes,
  ),
  byCode(
    "sluice_requests_total",
    "Requests that have ended, failed ones included, by class of the status sent.",
    [],
    ({ totals }) => [[[], totals.by_class]],
  ),
  {
    name: "sluice_failures_total",
    type: "counter",
    help: "Requests that failed, by reason code.",
    labels: ["reason"],
    samples: ({ reasons }) => Object.entries(reasons).map(([code, count]): Sample => [[code], count]),
  },
  ...totalsRows(
    "sluice",
    "",
    (type, name, help, value) => one(type, name, help, ({ totals }) => value(totals)),
  ),
  ofUpstream(
    "gauge",
    "sluice_upstream_up",
    "1 while an endpoint of the upstream can be reached.",
    ({ endpoints }) => flag(endpoints.some(({ state }) => state === "up" || state === "probing")),
  ),
  ofUpstream(
    "gauge",
    "sluice_upstream_paused",
    "1 while its requests are held on purpose.",
    ({ paused }) => flag(paused !== null),
  ),
  ofUpstream(
    "gauge",
    "sluice_upstream_requests_in_flight",
    "Requests that an endpoint is working on.",
    (upstream) => upstream.in_flight,
  ),
  ofUpstream(
    "gauge",
    "sluice_upstream_requests_waiting",
    "Requests in the waiting room.",
    ({ waiting }) => waiting,
  ),
  ofUpstream(
    "gauge",
    "sluice_upstream_oldest_wait_seconds",
    "How long the oldest request in the waiting room has been there.",
    (upstream) => upstream.oldest_wait_ms / 1000,
  ),
  ofUpstream(
    "gauge",
    "sluice_upstream_queue_size",
    "Most requests that may wait.",
    (upstream) => upstream.queue_size,
  ),
  byCode(
    "sluice_upstream_requests_total",
    "Requests that have ended, failed ones included, by class of the status sent.",
    ["upstream"],
    ({ upstreams }) => upstreams.map(({ name, totals }) => [[name], totals.by_class]),
  ),
  {
    name: "sluice_upstream_failures_total",
    type: "counter",
    help: "Requests to the upstream that failed, by reason code; codes that never occurred are missing.",
    labels: ["upstream", "reason"],
    samples: ({ upstreams }) =>
      upstreams.flatMap(({ name, reasons }) =>
        Object.entries(reasons).map(([code, count]): Sample => [[name, code], count])
      ),
  },
  ...totalsRows(
    "sluice_upstream",
    " of the upstream",
    (type, name, help, value) => ofUpstream(type, name, help, ({ totals }) => value(totals)),
  ),
  byCode(
    "sluice_route_requests_total",
    "Requests of the route that have ended, failed ones included, by class of the status sent.",
    ["route", "upstream"],
    ({ routes }) => routes.map(({ name, upstream, totals }) => [[name, upstream], totals.by_class]),
  ),
  ofRoute(
    "counter",
    "sluice_route_failures_total",
    "Requests of the route that failed.",
    ({ totals }) => totals.failed,
  ),
  ...totalsRows(
    "sluice_route",
    " of the route",
    (type, name, help, value) => ofRoute(type, name, help, ({ totals }) => value(totals)),
  ),
  ofEndpoint(
    "gauge",
    "sluice_endpoint_up",
    "1 while the endpoint can be reached and is in use.",
    ({ state }) => flag(state === "up" || state === "probing"),
  ),
  ofEndpoint(
    "gauge",
    "sluice_endpoint_requests_in_flight",
    "Requests that the endpoint is working on, tunnels included.",
    (endpoint) => endpoint.in_flight,
  ),
  ofEndpoint(
    "gauge",
    "sluice_endpoint_max_in_flight",
    "Requests that it may be given at a time; 0 = no limit.",
    (endpoint) => endpoint.max_in_flight,
  ),
  ofEndpoint(
    "gauge",
    "sluice_endpoint_idle_connections",
    "Connections that lie ready in the pool.",
    ({ idle }) => idle,
  ),
  ofEndpoint(
    "gauge",
    "sluice_endpoint_dials",
    "Connections being opened.",
    ({ dialing }) => dialing,
  ),
  ofEndpoint(
    "gauge",
    "sluice_endpoint_pinned_connections",
    "Connections that belong to one client each, since it has authenticated on them (NTLM, Kerberos).",
    ({ pinned }) => pinned,
  ),
  byCode(
    "sluice_endpoint_requests_total",
    "Requests that the endpoint has answered, by class of the status sent.",
    ["upstream", "endpoint"],
    ({ upstreams }) =>
      upstreams.flatMap(({ name, endpoints }) =>
        endpoints.map((endpoint) => [[name, endpoint.name], endpoint.by_class] as const)
      ),
  ),
  ofEndpoint(
    "counter",
    "sluice_endpoint_connection_failures_total",
    "Dials that failed, and new connections that ended without an answer.",
    ({ failures }) => failures,
  ),
  ofEndpoint(
    "histogram",
    "sluice_endpoint_first_byte_seconds",
    "From sending a request to the first byte of its response.",
    (endpoint) => endpoint.first_byte,
  ),
  ofUpstream(
    "gauge",
    "sluice_child_running",
    "1 while the command that belongs to the upstream runs; only where there is one.",
    ({ child }) => child === null ? null : flag(child.state === "running"),
  ),
  ofUpstream(
    "counter",
    "sluice_child_restarts_total",
    "Times the command was started again after it had ended by itself.",
    ({ child }) => child === null ? null : child.restarts,
  ),
  ...CREDENTIAL_METRICS,
  ...FORWARD_METRICS,
  ...SCRIPT_METRICS,
];
