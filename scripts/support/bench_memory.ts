/** Scenarios about memory: connections that rest, and clients that hardly read. */

import { createInterface } from "node:readline";
import { join } from "node:path";
import { answerOf } from "./bench_answer.ts";
import { BODY_BYTES, type OriginPath } from "./bench_bodies.ts";
import type { Entrant } from "./bench_entrant.ts";
import type { Sample } from "./bench_metric.ts";
import { cpuMicros, residentMiB } from "./bench_proc.ts";
import { type Measuring, PLAIN, type Scenario } from "./bench_scenario.ts";
import { wrk } from "./bench_tools.ts";
import { sleep, type Workspace } from "./bench_workspace.ts";
import { root, tool } from "./child.ts";

const IDLE_CONNECTIONS = 5000;
const TRIAL_CONNECTIONS = 200;
/** How long CPU time is looked at while nobody asks anything. */
const IDLE_MS = 2000;
const SLOW_CLIENTS = 200;
/** How long slow clients trickle: the proxy has taken all it will take after one or two. */
const TRICKLE_SECONDS = 5;
/** How long memory may take to be given back after a burst. Milliseconds. */
const AFTERWARDS_MS = 3000;
const SETTLE_MS = 700;
const LOOK_EVERY_MS = 100;
/** No stage of the clients takes longer. */
const STAGE_MS = 90_000;

interface Stage {
  readonly good: number;
  readonly bad: number;
  readonly why: string;
  readonly probeP99?: number;
}

/** The program with the clients; see bench_clients.ts. */
class Clients {
  readonly #space: Workspace;
  readonly #running;
  readonly #lines;

  constructor(space: Workspace, args: readonly string[]) {
    this.#space = space;
    const command = [tool("node"), join(root, "scripts/support/bench_clients.ts"), ...args];
    this.#running = space.launch("clients", { command }, "load", "pipe");
    const { stdout, stdin } = this.#running.child;
    if (stdout === null || stdin === null) throw new Error("the clients have no pipes");
    stdin.on("error", () => {}); // they have ended; the next stage says so
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** The report of the stage under way. @param look called now and then until it comes */
  async stage(look: () => void = () => {}): Promise<Stage> {
    const timer = setInterval(look, LOOK_EVERY_MS);
    const late = Promise.withResolvers<never>();
    const limit = setTimeout(() => late.reject(new Error("the clients do not come to an end")), STAGE_MS);
    try {
      const line = await Promise.race([this.#lines.next(), late.promise]);
      if (line.done === true) throw new Error("the clients have ended early");
      return JSON.parse(line.value) as Stage;
    } finally {
      clearInterval(timer);
      clearTimeout(limit);
    }
  }

  goOn(): void {
    this.#running.child.stdin?.write("go on\n");
  }

  async end(): Promise<void> {
    await this.#space.end(this.#running.child);
  }
}

/** A process that has just been started has not grown to its working size yet. */
async function workingSize(
  { space, trial }: Measuring,
  { port }: Entrant,
  pid: number,
  base = "",
): Promise<number> {
  const { wireBytes } = await answerOf(port, "/small", { base });
  if (trial) return residentMiB(pid);
  await wrk(space, port, { path: "/small", connections: 16, base }, 1, wireBytes);
  await sleep(SETTLE_MS);
  return residentMiB(pid);
}

function pidOf({ pid }: Entrant): number {
  if (pid === null) throw new Error("nothing to measure");
  return pid;
}

/** @param tunnels to the origin, instead of connections to a gateway */
async function idle(measuring: Measuring, entrant: Entrant, tunnels: boolean): Promise<Sample> {
  const pid = pidOf(entrant);
  const { origin } = entrant.role;
  const beforeMiB = await workingSize(measuring, entrant, pid, tunnels ? `http://${origin}` : "");
  const count = measuring.trial ? TRIAL_CONNECTIONS : IDLE_CONNECTIONS;
  const idleMs = measuring.trial ? LOOK_EVERY_MS : IDLE_MS;
  const args = ["idle", String(entrant.port), String(count)];
  if (tunnels) args.push(new URL(`http://${origin}`).port);
  const clients = new Clients(measuring.space, args);
  try {
    const opened = await clients.stage();
    await sleep(SETTLE_MS);
    const after = residentMiB(pid);
    const cpu = cpuMicros(pid);
    await sleep(idleMs);
    const idleCpu = ((cpuMicros(pid) - cpu) / (idleMs * 1000)) * 100;
    clients.goOn();
    const again = await clients.stage();
    return {
      perConnectionKiB: ((after - beforeMiB) * 1024) / count,
      beforeMiB,
      residentMiB: after,
      open: opened.good,
      idleCpu,
      failed: opened.bad + again.bad,
    };
  } finally {
    await clients.end();
  }
}

async function slow(measuring: Measuring, entrant: Entrant, path: OriginPath): Promise<Sample> {
  const pid = pidOf(entrant);
  const beforeMiB = await workingSize(measuring, entrant, pid);
  const args = ["slow", String(entrant.port), String(SLOW_CLIENTS), path, String(TRICKLE_SECONDS)];
  const clients = new Clients(measuring.space, args);
  let most = beforeMiB;
  try {
    const trickled = await clients.stage(() => most = Math.max(most, residentMiB(pid)));
    clients.goOn();
    const read = await clients.stage();
    clients.goOn();
    await sleep(AFTERWARDS_MS);
    return {
      grownMiB: most - beforeMiB,
      beforeMiB,
      leftMiB: residentMiB(pid) - beforeMiB,
      probeP99: trickled.probeP99 ?? NaN,
      failed: read.bad,
    };
  } finally {
    await clients.end();
  }
}

function slowScenario(name: string, path: OriginPath): Scenario {
  return {
    ...PLAIN,
    name,
    group: "slow",
    title: `${SLOW_CLIENTS} clients trickle ${BODY_BYTES[path] >> 20} MiB each, then read the rest`,
    tools: ["wrk"],
    process: "fresh",
    columns: ["grownMiB", "beforeMiB", "leftMiB", "probeP99", "failed"],
    summary: ["grownMiB"],
    costSeconds: () => 15,
    run: (measuring, entrant) => slow(measuring, entrant, path),
  };
}

function idleScenario(name: string, title: string, tunnels: boolean): Scenario {
  return {
    ...PLAIN,
    name,
    group: "idle",
    title: `${IDLE_CONNECTIONS} ${title}`,
    tools: ["wrk"],
    process: "fresh",
    columns: ["perConnectionKiB", "beforeMiB", "residentMiB", "open", "idleCpu", "failed"],
    summary: ["perConnectionKiB"],
    costSeconds: () => 10,
    run: (measuring, entrant) => idle(measuring, entrant, tunnels),
  };
}

export const MEMORY: readonly Scenario[] = [
  idleScenario("idle", "idle keep-alive connections", false),
  slowScenario("slow8m", "/8m"),
  slowScenario("slow1m", "/1m"),
];

/** Of a forward proxy; see bench_forward.ts. */
export const IDLE_TUNNELS: Scenario = idleScenario("tunnels5k", "tunnels that rest after one request", true);
