/** The metrics of scripts. */

import type { ScriptReport } from "../process/worker/script_report.ts";
import { SCRIPT_FAULTS } from "../observe/script_log.ts";
import type { Metric } from "./metric.ts";

export const SCRIPT_METRICS: readonly Metric[] = [
  {
    name: "sluice_script_faults_total",
    type: "counter",
    help:
      "What went wrong in scripts: an exception or a wrong answer, a promise not settled in time, a call ended or slow.",
    labels: ["script", "kind"],
    applies: ({ scripts }) => scripts !== undefined,
    samples: ({ scripts = [] }) =>
      scripts.flatMap((script: ScriptReport) =>
        SCRIPT_FAULTS.map((kind) => [[script.name, kind], script[kind]] as const)
      ),
  },
];
