/** The metrics of the forward proxy, for all destinations together: their names are those of clients. */

import type { ForwardRuleStatus, ForwardStatus, Status } from "../process/worker/status.ts";
import { byCode, each, type Metric, type Sample, totalsRows } from "./metric.ts";

const ofForward = each<ForwardStatus>([], ({ forward }) => forward === undefined ? [] : [[[], forward]]);

const rules = ({ forward }: Status): readonly (readonly [readonly string[], ForwardRuleStatus])[] =>
  (forward?.rules ?? []).map((rule) => [[rule.name], rule]);

const ofRule = each<ForwardRuleStatus>(["rule"], rules);

const ROWS: readonly Metric[] = [
  ofForward(
    "gauge",
    "sluice_forward_tunnels",
    "CONNECT tunnels, open and being opened.",
    ({ tunnels }) => tunnels,
  ),
  ofForward(
    "gauge",
    "sluice_forward_max_tunnels",
    "Most CONNECT tunnels at a time.",
    (forward) => forward.max_tunnels,
  ),
  ofForward(
    "counter",
    "sluice_forward_tunnels_begun_total",
    "CONNECT requests whose destination was dialled.",
    (forward) => forward.tunnels_begun,
  ),
  ofForward(
    "gauge",
    "sluice_forward_destinations",
    "Destinations of http:// requests that are known at present, in each worker.",
    ({ destinations }) => destinations,
  ),
  ofForward(
    "gauge",
    "sluice_forward_idle_connections",
    "Connections to destinations that lie ready.",
    ({ idle }) => idle,
  ),
  ofForward(
    "gauge",
    "sluice_forward_requests_in_flight",
    "Requests that a destination is working on, without CONNECT.",
    (forward) => forward.in_flight,
  ),
  ofForward(
    "gauge",
    "sluice_forward_requests_waiting",
    "Requests that wait for a connection to their destination.",
    ({ waiting }) => waiting,
  ),
  byCode(
    "sluice_forward_requests_total",
    "Requests to the forward proxy that have ended, failed ones included, by class of the status sent.",
    [],
    ({ forward }) => forward === undefined ? [] : [[[], forward.totals.by_class]],
  ),
  {
    name: "sluice_forward_denied_total",
    type: "counter",
    help: "Requests to the forward proxy that its rules did not let through, by reason code.",
    labels: ["reason"],
    samples: ({ forward }) =>
      Object.entries(forward?.denied ?? {}).map(([code, count]): Sample => [[code], count]),
  },
  {
    name: "sluice_forward_failures_total",
    type: "counter",
    help: "Requests to the forward proxy that failed, by reason code; codes that never occurred are missing.",
    labels: ["reason"],
    samples: ({ forward }) =>
      Object.entries(forward?.reasons ?? {}).map(([code, count]): Sample => [[code], count]),
  },
  ofForward(
    "counter",
    "sluice_forward_authentication_failures_total",
    "Requests to the forward proxy whose credentials were wrong.",
    (forward) => forward.authentication_failures,
  ),
  byCode(
    "sluice_forward_rule_requests_total",
    "Requests that a rule of the forward proxy has decided about and that have ended, by class of the status sent.",
    ["rule"],
    (status) => rules(status).map(([names, { totals }]) => [names, totals.by_class] as const),
  ),
  ofRule(
    "counter",
    "sluice_forward_rule_failures_total",
    "Those among them that failed, or were denied.",
    ({ totals }) => totals.failed,
  ),
  ofRule(
    "counter",
    "sluice_forward_rule_held_total",
    "Those among them that waited while there was no way.",
    ({ totals }) => totals.held,
  ),
  ofRule(
    "counter",
    "sluice_forward_rule_tunnels_begun_total",
    "CONNECT requests among them that were not refused.",
    (rule) => rule.tunnels_begun,
  ),
  ...totalsRows(
    "sluice_forward",
    " of the forward proxy",
    (type, name, help, value) => ofForward(type, name, help, ({ totals }) => value(totals)),
  ),
];

/** Where no listener is one of a forward proxy, none of them is there. */
export const FORWARD_METRICS: readonly Metric[] = ROWS.map((metric) => ({
  ...metric,
  applies: ({ forward }: Status) => forward !== undefined,
}));
