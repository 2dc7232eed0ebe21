/** Scenarios of a forward proxy. No load tool asks for tunnels, so those are bench_clients.ts's. */

import { join } from "node:path";
import { BODY_BYTES } from "./bench_bodies.ts";
import type { Entrant } from "./bench_entrant.ts";
import { small } from "./bench_loads.ts";
import { IDLE_TUNNELS } from "./bench_memory.ts";
import type { Sample } from "./bench_metric.ts";
import { measured, type Measuring, type Scenario } from "./bench_scenario.ts";
import { FAILED, type Load, PATIENCE } from "./bench_tools.ts";
import { root, tool } from "./child.ts";

/** Clients that ask for one tunnel after the other. */
const CONNECT_CLIENTS = 32;
const GIB = 2 ** 30;

const OF_FORWARD = {
  part: "forward",
  onDemand: true,
  references: ["squid", "tinyproxy"],
  direct: false,
} as const;

async function tunnelLoad(
  { space, seconds }: Measuring,
  { port, role }: Entrant,
  kind: "connect" | "tunnel",
  count: number,
): Promise<Load> {
  const origin = new URL(`http://${role.origin}`).port;
  const program = join(root, "scripts/support/bench_clients.ts");
  const command = [tool("node"), program, kind, String(port), String(count), origin, String(seconds)];
  const { output } = await space.run(command, seconds + PATIENCE);
  const line = /^\{"requests".*\}$/m.exec(output)?.[0];
  if (line === undefined) return FAILED;
  const { requests, seconds: took, p50, p99, failed } = JSON.parse(line) as Record<keyof Load, number | null>;
  return {
    requests: requests ?? 0,
    seconds: took ?? NaN,
    p50: p50 ?? NaN,
    p99: p99 ?? NaN,
    failed: failed ?? 1,
  };
}

async function tunnel(measuring: Measuring, entrant: Entrant): Promise<Sample> {
  const sample = await measured(measuring, entrant, () => tunnelLoad(measuring, entrant, "tunnel", 1));
  const perAnswer = BODY_BYTES["/8m"];
  return {
    ...sample,
    megabytes: ((sample.rate ?? NaN) * perAnswer) / 1e6,
    cpuPerGiB: ((sample.cpuMicros ?? NaN) / 1e6) * (GIB / perAnswer),
  };
}

const forward64: Scenario = {
  ...small("forward64", "absolute-form GET of small answers, 64 keep-alive connections", {
    path: "/small",
    connections: 64,
    absolute: true,
  }),
  ...OF_FORWARD,
  group: "forward",
};

export const FORWARD: readonly Scenario[] = [
  forward64,
  {
    ...forward64,
    name: "connect",
    title: `CONNECT, dial, a request and an answer of 1 KiB each, close; ${CONNECT_CLIENTS} at a time`,
    tools: [],
    run: (measuring, entrant) =>
      measured(measuring, entrant, () => tunnelLoad(measuring, entrant, "connect", CONNECT_CLIENTS)),
  },
  {
    ...forward64,
    name: "tunnel",
    title: "answers of 8 MiB through one tunnel",
    tools: [],
    columns: ["cpuPerGiB", "megabytes", "busy", "peakMiB", "failed"],
    summary: ["cpuPerGiB"],
    run: tunnel,
  },
  { ...IDLE_TUNNELS, ...OF_FORWARD, group: "tunnels" },
];
