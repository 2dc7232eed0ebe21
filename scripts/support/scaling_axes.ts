/** What is made larger, in which steps, and what is measured at each of them. */

import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { until200 } from "./bench_answer.ts";
import { cpuMicros, residentMiB } from "./bench_proc.ts";
import { type Running, sleep, type Workspace } from "./bench_workspace.ts";
import { Load, requestOf } from "./scaling_load.ts";

/** How a figure is thought to grow. */
export type Growth = "line" | "doublings" | "constant";

export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly growth: Growth;
  /** Smaller sizes are shown but no line is drawn through them. */
  readonly from?: number;
}

export interface Sample {
  /** What was reached of the size, where that may be less. */
  readonly size?: number;
  /** In the order of the axis's metrics. */
  readonly values: readonly number[];
}

export interface Axis {
  readonly name: string;
  readonly title: string;
  readonly sizes: readonly number[];
  readonly quick: readonly number[];
  readonly metrics: readonly Metric[];
  measure(ground: Ground, size: number): Promise<Sample>;
}

/** Requests at a time. */
const AT_ONCE = 64;
/** Bytes that one round moves at most. */
const ROUND_BYTES = 1 << 30;

interface Started {
  readonly port: number;
  readonly running: Running;
}

/** Where measurements are taken. */
export class Ground {
  readonly space: Workspace;
  readonly #sluice: string;
  readonly #originPort: number;
  /** Path of the origin's Unix socket. */
  readonly #socket: string;
  readonly #quick: boolean;
  readonly #rounds: number;
  #names = 0;

  /** @param sluice a command line for the shell */
  constructor(
    space: Workspace,
    sluice: string,
    originPort: number,
    socket: string,
    quick: boolean,
    rounds: number,
  ) {
    this.space = space;
    this.#sluice = sluice;
    this.#originPort = originPort;
    this.#socket = socket;
    this.#quick = quick;
    this.#rounds = rounds;
  }

  /** Requests in one round. */
  get requests(): number {
    return this.#quick ? 100 : 10_000;
  }

  get restMs(): number {
    return this.#quick ? 100 : 5000;
  }

  get origin(): string {
    return `127.0.0.1:${this.#originPort}`;
  }

  /** Paths of so many Unix sockets: `well` of them lead to the origin, the others nowhere. */
  sockets(count: number, well: number): string[] {
    const folder = join(this.space.folder, `s${++this.#names}`);
    mkdirSync(folder);
    return Array.from({ length: count }, (_, i) => {
      const path = join(folder, String(i));
      if (i < well) symlinkSync(this.#socket, path);
      return `unix:${path}`;
    });
  }

  /** Starts Sluice, does what is to be measured and ends it again. */
  async with<T>(config: string, use: (sluice: Started, load: Load) => Promise<T>): Promise<T> {
    const port = await this.space.freePort();
    const file = this.space.file(`sluice-${++this.#names}.yaml`, `listen: "127.0.0.1:${port}"\n${config}`);
    const command = ["sh", "-c", `exec ${this.#sluice} --config ${file}`];
    const running = this.space.launch(`sluice-${this.#names}`, { command }, "proxy");
    const load = new Load();
    try {
      await until200(port, "/1", running);
      return await use({ port, running }, load);
    } finally {
      load.end();
      await this.space.end(running.child);
    }
  }

  /**
   * CPU time of Sluice for one request, in microseconds: the least of several rounds.
   *
   * @param known requests that have to pass before everything is known and open
   * @param bytes that a request and its answer carry
   */
  async perRequest(
    { running }: Started,
    load: Load,
    requests: readonly Buffer[],
    known: number,
    bytes = 0,
  ): Promise<number> {
    const count = Math.max(20, Math.min(this.requests, Math.floor(ROUND_BYTES / Math.max(1, bytes))));
    await load.run(requests, Math.max(count, known), AT_ONCE);
    let least = Infinity;
    for (let round = 0; round < this.#rounds; round++) {
      const before = cpuMicros(running.pid);
      await load.run(requests, count, AT_ONCE);
      least = Math.min(least, (cpuMicros(running.pid) - before) / count);
    }
    return least;
  }
}

/** Microseconds of CPU time in one second during which nothing is asked. */
async function atRest({ running }: Started, ms: number): Promise<number> {
  await sleep(ms / 5);
  const before = cpuMicros(running.pid);
  await sleep(ms);
  return ((cpuMicros(running.pid) - before) / ms) * 1000;
}

function to(ground: Ground, more = ""): string {
  return `upstreams: {app: {endpoints: ["${ground.origin}"]}}\nroutes: [{to: app}]\n${more}`;
}

const perRequest = (growth: Growth): Metric => ({ name: "CPU per request", unit: "µs", growth });
const memory = (growth: Growth): Metric => ({ name: "resident memory", unit: "MiB", growth });

/** A host that many requests are for. */
const HOST = "scaling.test";

export const AXES: readonly Axis[] = [
  {
    name: "connections",
    title: "clients' connections, each kept; 64 requests at a time go round all of them",
    sizes: [1, 10, 100, 1000, 5000, 15_000],
    quick: [1, 20],
    metrics: [
      memory("line"),
      { name: "CPU at rest", unit: "ms/s", growth: "constant" },
      // With fewer it goes to sleep and wakes up between requests.
      { ...perRequest("doublings"), from: AT_ONCE },
    ],
    measure: (ground, size) =>
      ground.with(to(ground), async (sluice, load) => {
        await load.open(sluice.port, size);
        await load.run([requestOf(HOST, 3)], size, AT_ONCE);
        const rest = await atRest(sluice, ground.restMs);
        const resident = residentMiB(sluice.running.pid);
        const cost = await ground.perRequest(sluice, load, [requestOf(HOST, 3)], 2 * size);
        return { values: [resident, rest / 1000, cost] };
      }),
  },
  {
    name: "rate",
    title: "requests a second over 64 connections",
    sizes: [500, 1000, 2000, 5000, 10_000],
    quick: [100, 400],
    metrics: [{ name: "CPU", unit: "ms/s", growth: "line" }],
    measure: (ground, size) =>
      ground.with(to(ground), async ({ port, running }, load) => {
        await load.open(port, AT_ONCE);
        await load.run([requestOf(HOST, 3)], ground.requests, AT_ONCE);
        const before = cpuMicros(running.pid);
        const begun = performance.now();
        const answers = await load.pace(requestOf(HOST, 3), size, ground.restMs);
        const seconds = (performance.now() - begun) / 1000;
        return { size: answers / seconds, values: [(cpuMicros(running.pid) - before) / 1000 / seconds] };
      }),
  },
  {
    name: "head",
    title: "bytes of a request's head, in up to 40 fields",
    sizes: [100, 500, 1000, 2000, 4000, 8000, 15_000],
    quick: [100, 1000],
    metrics: [perRequest("line")],
    measure: (ground, size) =>
      ground.with(to(ground), async (sluice, load) => {
        await load.open(sluice.port, AT_ONCE);
        const request = requestOf(HOST, 3, size);
        return { size: request.length, values: [await ground.perRequest(sluice, load, [request], 0, size)] };
      }),
  },
  {
    name: "response",
    title: "bytes of a response's body, of known length",
    sizes: [1, 1024, 16_384, 65_536, 262_144, 1_048_576],
    quick: [1, 2048],
    metrics: [perRequest("line")],
    measure: (ground, size) =>
      ground.with(to(ground), async (sluice, load) => {
        await load.open(sluice.port, AT_ONCE);
        return { values: [await ground.perRequest(sluice, load, [requestOf(HOST, size)], 0, size)] };
      }),
  },
  {
    name: "request",
    title: "bytes of a request's body, of known length; up to 64 KiB are complete before a request goes on",
    sizes: [1, 1024, 16_384, 65_536, 262_144, 1_048_576],
    quick: [1, 2048],
    metrics: [perRequest("line")],
    measure: (ground, size) =>
      ground.with(to(ground), async (sluice, load) => {
        await load.open(sluice.port, AT_ONCE);
        const request = requestOf(HOST, 3, 0, size);
        return { values: [await ground.perRequest(sluice, load, [request], 0, size)] };
      }),
  },
  {
    name: "endpoints",
    title: "endpoints of one upstream, by Unix sockets; all of them well, then all but one away",
    sizes: [1, 10, 100, 1000, 5000],
    quick: [1, 20],
    metrics: [
      { name: "CPU per request, all well", unit: "µs", growth: "doublings" },
      memory("line"),
      { name: "CPU per request, one well", unit: "µs", growth: "doublings" },
    ],
    measure: async (ground, size) => {
      const config = (well: number): string =>
        `upstreams: {app: {endpoints: ${JSON.stringify(ground.sockets(size, well))}}}\nroutes: [{to: app}]\n`;
      const request = [requestOf(HOST, 3)];
      const values: number[] = [];
      await ground.with(config(size), async (sluice, load) => {
        await load.open(sluice.port, AT_ONCE);
        const cost = await ground.perRequest(sluice, load, request, 3 * size);
        values.push(cost, residentMiB(sluice.running.pid));
      });
      await ground.with(config(1), async (sluice, load) => {
        await load.open(sluice.port, AT_ONCE);
        values.push(await ground.perRequest(sluice, load, request, 3 * size));
      });
      return { values };
    },
  },
  {
    name: "routes",
    title: "routes by host; requests go round 100 of them",
    sizes: [1, 10, 100, 1000, 10_000],
    quick: [1, 20],
    metrics: [perRequest("doublings"), memory("line")],
    measure: (ground, size) => {
      const host = (i: number): string => `h${i}.${HOST}`;
      const routes = Array.from({ length: size - 1 }, (_, i) => `  - {match: {host: ${host(i)}}, to: app}\n`);
      const config = `upstreams: {app: {endpoints: ["${ground.origin}"]}}\nroutes:\n${
        routes.join("")
      }  - {to: app}\n`;
      const requests = Array.from(
        { length: 100 },
        (_, i) => requestOf(host(Math.floor((i * size) / 100)), 3),
      );
      return ground.with(config, async (sluice, load) => {
        await load.open(sluice.port, AT_ONCE);
        const cost = await ground.perRequest(sluice, load, requests, 0);
        return { values: [cost, residentMiB(sluice.running.pid)] };
      });
    },
  },
  {
    name: "workers",
    title:
      "workers that share the port and here one core, 64 connections; memory that workers share is counted for each",
    sizes: [1, 2, 3, 4],
    quick: [1, 2],
    metrics: [perRequest("constant"), memory("line")],
    measure: (ground, size) =>
      ground.with(to(ground, `workers: ${size}\n`), async (sluice, load) => {
        await load.open(sluice.port, AT_ONCE);
        // Each has a compiler of its own, and it has to have seen as much as the only one of another size.
        const cost = await ground.perRequest(sluice, load, [requestOf(HOST, 3)], size * 5 * ground.requests);
        return { values: [cost, residentMiB(sluice.running.pid)] };
      }),
  },
];
