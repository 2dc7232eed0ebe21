/** All scenarios in the order of the report. */

import { connect } from "node:net";
import { SMALL_BODY } from "./bench_bodies.ts";
import type { Entrant } from "./bench_entrant.ts";
import { FORWARD } from "./bench_forward.ts";
import { LOADS, LOGGED } from "./bench_loads.ts";
import { MEMORY } from "./bench_memory.ts";
import type { Sample } from "./bench_metric.ts";
import { residentMiB } from "./bench_proc.ts";
import { GROUPS, type Measuring, PLAIN, type Scenario } from "./bench_scenario.ts";
import { SCRIPTS } from "./bench_scripts.ts";
import { TLS } from "./bench_tls.ts";
import { ab } from "./bench_tools.ts";
import { sleep } from "./bench_workspace.ts";

/** Longest time a program may take to listen. */
const START_MS = 15_000;
/** After its first answer a program may still be settling. */
const SETTLE_MS = 1000;
const AWAY_REQUESTS = 100;
/** Longest time for `away`; five seconds are the best that can be. */
const AWAY_SECONDS = 60;

async function away({ space }: Measuring, { port }: Entrant): Promise<Sample> {
  const { seconds, p50, p99, failed } = await ab(space, port, {
    path: "/",
    connections: 10,
    requests: AWAY_REQUESTS,
    keepAlive: false,
    bodyBytes: SMALL_BODY.length,
  }, AWAY_SECONDS);
  return { seconds, p50, p99, unfairness: p99 / p50, failed };
}

/** Milliseconds from `begun` to the first connection that was accepted, and to the first byte of an answer. */
function firstAnswer(port: number, begun: number): Promise<{ listenMs: number; answerMs: number }> {
  return new Promise((resolve, reject) => {
    const attempt = (): void => {
      const socket = connect({ port, host: "127.0.0.1" });
      let listenMs = NaN;
      socket.on("connect", () => {
        listenMs = performance.now() - begun;
        socket.write(`GET /small HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
      });
      socket.once("data", () => {
        resolve({ listenMs, answerMs: performance.now() - begun });
        socket.destroy();
      });
      socket.on("error", (error) => {
        socket.destroy();
        if (performance.now() - begun > START_MS) reject(error);
        else setTimeout(attempt, 0);
      });
    };
    attempt();
  });
}

/** The entrant has been started this very moment. */
async function start(_: Measuring, entrant: Entrant): Promise<Sample> {
  const first = await firstAnswer(entrant.port, entrant.startedAt);
  await sleep(SETTLE_MS);
  return { ...first, residentMiB: residentMiB(entrant.pid ?? 0) };
}

const AWAY: Scenario = {
  ...PLAIN,
  name: "away",
  group: "away",
  title: "the origin leaves for 50 ms after each connection: ab -n 100 -c 10",
  tools: ["ab"],
  process: "fresh",
  away: true,
  columns: ["seconds", "p50", "p99", "unfairness", "failed"],
  summary: ["seconds", "unfairness", "failed"],
  costSeconds: () => 7,
  run: away,
};

const START: Scenario = {
  ...PLAIN,
  name: "start",
  group: "start",
  title: "from exec to the first connection and answer; memory a second later",
  tools: [],
  process: "exec",
  columns: ["listenMs", "answerMs", "residentMiB"],
  summary: ["listenMs", "residentMiB"],
  costSeconds: () => 1.3,
  run: start,
};

export const SCENARIOS: readonly Scenario[] = [
  ...LOADS,
  ...MEMORY,
  AWAY,
  START,
  ...LOGGED,
  ...FORWARD,
  ...SCRIPTS,
  ...TLS,
];

/** Those that run when none is named. */
export const USUAL: readonly Scenario[] = SCENARIOS.filter(({ onDemand }) => !onDemand);

/** Those of `--quick`. */
export const QUICK: readonly string[] = ["c64", "browser", "close", "k64"];

/** @param names of scenarios or groups @throws Error for a word that is neither */
export function scenariosNamed(names: readonly string[]): Scenario[] {
  for (const name of names) {
    if (SCENARIOS.some((scenario) => scenario.name === name || scenario.group === name)) continue;
    const known = [...GROUPS, ...SCENARIOS.map((scenario) => scenario.name)];
    throw new Error(`--scenarios ${name}: use some of ${[...new Set(known)].join(" ")}`);
  }
  return SCENARIOS.filter(({ name, group }) => names.includes(name) || names.includes(group));
}
