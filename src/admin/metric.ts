/** What a row of the table of metrics is, and how rows are made that have much in common. */

import type { Histogram, Status, Totals } from "../process/worker/status.ts";

export type MetricType = "counter" | "gauge" | "histogram";

/** Values of the labels, in the order of `Metric.labels`, and the number or the histogram. */
export type Sample = readonly [labels: readonly string[], value: number | Histogram];

export interface Metric {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
  samples(status: Status): readonly Sample[];
  /** Whether the metric is there at all; default: always. */
  readonly applies?: (status: Status) => boolean;
}

/** Names of the status classes, by first digit; requests that ended without a status are `none`. */
const CODE_CLASSES: readonly string[] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

export function one(
  type: MetricType,
  name: string,
  help: string,
  value: (status: Status) => number | Histogram,
): Metric {
  return { name, type, help, labels: [], samples: (status) => [[[], value(status)]] };
}

/** Metrics of each of several things. */
export function each<T>(
  labels: readonly string[],
  things: (status: Status) => readonly (readonly [labels: readonly string[], thing: T])[],
) {
  return (
    type: MetricType,
    name: string,
    help: string,
    value: (thing: T, status: Status) => number | Histogram | null,
  ): Metric => ({
    name,
    type,
    help,
    labels,
    samples: (status) =>
      things(status).flatMap(([names, thing]): Sample[] => {
        const found = value(thing, status);
        return found === null ? [] : [[names, found]];
      }),
  });
}

/** Requests by class of what `of` finds. */
export function byCode(
  name: string,
  help: string,
  labels: readonly string[],
  of: (status: Status) => readonly (readonly [labels: readonly string[], counts: readonly number[]])[],
): Metric {
  return {
    name,
    type: "counter",
    help,
    labels: [...labels, "code"],
    samples: (status) =>
      of(status).flatMap(([names, counts]) =>
        CODE_CLASSES.map((code, at): Sample => [[...names, code], counts[at] ?? 0])
      ),
  };
}

/** The rows that totals have in common. */
export function totalsRows(
  prefix: string,
  whose: string,
  row: (
    type: MetricType,
    name: string,
    help: string,
    value: (totals: Totals) => number | Histogram,
  ) => Metric,
): readonly Metric[] {
  return [
    row(
      "histogram",
      `${prefix}_request_duration_seconds`,
      `From the first byte of a request to the last of its response${whose}; of a tunnel, to its opening.`,
      ({ latency }) => latency,
    ),
    row(
      "histogram",
      `${prefix}_request_wait_seconds`,
      `Time of a request in the waiting room${whose}; 0 when it did not wait.`,
      ({ waited }) => waited,
    ),
    row(
      "counter",
      `${prefix}_request_body_bytes_total`,
      `Bytes of request bodies received${whose}.`,
      (totals) => totals.request_bytes,
    ),
    row(
      "counter",
      `${prefix}_response_body_bytes_total`,
      `Bytes of response bodies sent${whose}.`,
      (totals) => totals.response_bytes,
    ),
    row(
      "counter",
      `${prefix}_retries_total`,
      `Attempts after the first${whose}.`,
      ({ retries }) => retries,
    ),
    row(
      "counter",
      `${prefix}_requests_held_total`,
      `Requests that waited while no endpoint could be reached${whose}.`,
      ({ held }) => held,
    ),
  ];
}
