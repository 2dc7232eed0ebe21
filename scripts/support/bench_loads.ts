/** Scenarios that are a load of requests: how much CPU time each costs the proxy, and how long it takes. */

import { readFileSync, truncateSync } from "node:fs";
import { answerOf } from "./bench_answer.ts";
import { BODY_BYTES, type OriginPath, UPLOAD_BYTES } from "./bench_bodies.ts";
import type { Entrant } from "./bench_entrant.ts";
import type { Sample } from "./bench_metric.ts";
import { measured, type Measuring, PLAIN, type Scenario } from "./bench_scenario.ts";
import { ab, h2load, type Load, wrk } from "./bench_tools.ts";
import { sleep } from "./bench_workspace.ts";

/** What a browser sends with a request: about 600 bytes in ten lines. */
const BROWSER_FIELDS = [
  "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,*/*;q=0.8",
  "Accept-Language: de,en-US;q=0.7,en;q=0.3",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Referer: https://shop.example.com/catalogue/garden/chairs?page=2&order=price",
  "Cookie: sid=7f3c9a51d2e84b06a1c5e9f08b7d6243; basket=3; theme=dark; consent=necessary",
  "Upgrade-Insecure-Requests: 1",
  "Sec-Fetch-Dest: document",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Site: same-origin",
];

const RAMP_USERS = [10, 100, 500, 1000, 2000];
const RAMP_REQUESTS = 50;
/** Requests that ab gets for each second a load should last; it cannot go by time and say what failed. */
const AB_REQUESTS_PER_SECOND = 12_000;
/** For the log's last lines to be on their way, and what they cost to be counted. Milliseconds. */
const LOG_SETTLE_MS = 300;

export interface Keeping {
  readonly path: OriginPath;
  readonly connections: number;
  readonly fields?: readonly string[];
  readonly uploadBytes?: number;
  readonly varied?: boolean;
  /** The origin is asked for by URL, as a forward proxy is. */
  readonly absolute?: boolean;
}

/** What the one answer is worth that a trial has instead of a load. */
const ANSWERED: Load = { requests: 1, seconds: 1, p50: NaN, p99: NaN, failed: 0 };

/** Looks at a whole answer before and after: the load tools between only count. */
async function wrkLoad(
  { space, seconds, trial }: Measuring,
  entrant: Entrant,
  keeping: Keeping,
): Promise<Load> {
  const { path, fields, absolute = false } = keeping;
  const base = absolute ? `http://${entrant.role.origin}` : "";
  const { certificate } = entrant;
  const asking = { base, certificate, ...(fields === undefined ? {} : { fields }) };
  const { wireBytes } = await answerOf(entrant.port, path, asking);
  const tls = certificate !== null;
  // wrk goes by whole seconds: a trial has one only where wrk is told to do something that it does not do by itself.
  const load = trial && !absolute && !tls
    ? ANSWERED
    : await wrk(space, entrant.port, { ...keeping, base, tls }, Math.ceil(seconds), wireBytes);
  await answerOf(entrant.port, path, asking);
  return load;
}

const SMALL_COLUMNS = ["cpuMicros", "rate", "p50", "p99", "busy", "peakMiB", "failed"] as const;

/** A load of requests that differ in nothing from what `keeping` says. */
export function small(name: string, title: string, keeping: Keeping): Scenario {
  return {
    ...PLAIN,
    name,
    group: "small",
    title,
    tools: ["wrk"],
    columns: SMALL_COLUMNS,
    summary: ["cpuMicros"],
    direct: true,
    costSeconds: (seconds) => seconds + 0.3,
    run: (measuring, entrant) => measured(measuring, entrant, () => wrkLoad(measuring, entrant, keeping)),
  };
}

/** The same for long ones, by their bytes. @param bytes body bytes of one exchange */
export function bodies(name: string, title: string, bytes: number, keeping: Keeping): Scenario {
  const like = small(name, title, keeping);
  return {
    ...like,
    group: "bodies",
    columns: ["cpuPerGb", "megabytes", "busy", "p50", "p99", "peakMiB", "failed"],
    summary: ["cpuPerGb"],
    async run(measuring, entrant): Promise<Sample> {
      const sample = await like.run(measuring, entrant);
      const megabytes = ((sample.rate ?? NaN) * bytes) / 1e6;
      return { ...sample, megabytes, cpuPerGb: ((sample.cpuMicros ?? NaN) * 1000) / bytes };
    },
  };
}

/** So many users at once, with some requests each. */
export function rampStep(name: string, users: number, path: OriginPath): Scenario {
  const bodyBytes = BODY_BYTES[path];
  return {
    ...PLAIN,
    name,
    group: "ramp",
    title: `${users} users, ${RAMP_REQUESTS} requests each`,
    tools: ["h2load"],
    columns: ["p50", "p99", "rate", "cpuMicros", "busy", "peakMiB", "failed"],
    summary: ["p50", "p99"],
    users,
    direct: true,
    costSeconds: () => 0.2 + users / 700,
    run: (measuring, entrant) => {
      const each = measuring.trial ? 1 : RAMP_REQUESTS;
      const options = { path, users, each, bodyBytes };
      return measured(measuring, entrant, () => h2load(measuring.space, entrant.port, options));
    },
  };
}

/** The same load with the access log going to a file. */
function logged(scenario: Scenario): Scenario {
  return {
    ...scenario,
    name: `log_${scenario.name}`,
    group: "log",
    title: `${scenario.title}; access log to a file`,
    columns: ["cpuMicros", "rate", "p50", "p99", "busy", "logLines", "failed"],
    log: true,
    direct: false,
    costSeconds: (seconds) => scenario.costSeconds(seconds) + 1,
    async run(measuring, entrant): Promise<Sample> {
      const { log } = entrant.role;
      if (log === null) throw new Error("no access log");
      truncateSync(log);
      const sample = await scenario.run(measuring, entrant);
      await sleep(LOG_SETTLE_MS);
      const lines = readFileSync(log).reduce((count, byte) => byte === 10 ? count + 1 : count, 0);
      truncateSync(log);
      return { ...sample, logLines: lines / (sample.requests ?? NaN) };
    },
  };
}

const c64 = small("c64", "small answers, 64 connections", { path: "/small", connections: 64 });
const browser = small("browser", "1 KiB answers, 64 connections, a browser's ten header lines", {
  path: "/kib",
  connections: 64,
  fields: BROWSER_FIELDS,
});

export const LOADS: readonly Scenario[] = [
  {
    ...small("c1", "small answers, one connection", { path: "/small", connections: 1 }),
    columns: ["p50", "p99", "rate", "cpuMicros", "busy", "peakMiB", "failed"],
    summary: ["p50"],
  },
  c64,
  small("c512", "small answers, 512 connections", { path: "/small", connections: 512 }),
  browser,
  small("varied", "the same, but no two requests have the same target and fields", {
    path: "/kib",
    connections: 64,
    fields: BROWSER_FIELDS.filter((field) => !field.startsWith("Cookie")),
    varied: true,
  }),
  small("close", "a connection for each request, 64 at a time", {
    path: "/small",
    connections: 64,
    fields: ["Connection: close"],
  }),
  {
    ...small("abk100", "ab -k -c 100: HTTP/1.0 with keep-alive", { path: "/small", connections: 100 }),
    tools: ["ab"],
    run: (measuring, entrant) =>
      measured(measuring, entrant, () =>
        ab(measuring.space, entrant.port, {
          path: "/small",
          connections: 100,
          requests: AB_REQUESTS_PER_SECOND * measuring.seconds,
          keepAlive: true,
          bodyBytes: BODY_BYTES["/small"],
        }, measuring.seconds)),
  },
  bodies("k64", "64 KiB answers, 16 connections", BODY_BYTES["/64k"], { path: "/64k", connections: 16 }),
  bodies("m1", "1 MiB answers, 8 connections", BODY_BYTES["/1m"], { path: "/1m", connections: 8 }),
  bodies("up1m", "POST of 1 MiB, 8 connections", UPLOAD_BYTES, {
    path: "/upload",
    connections: 8,
    uploadBytes: UPLOAD_BYTES,
  }),
  ...RAMP_USERS.map((users) => rampStep(`ramp${users}`, users, "/small")),
];

export const LOGGED: readonly Scenario[] = [logged(c64), logged(browser)];
