/**
 * A program: many clients that keep connections open, for the benchmarks of memory, and clients of a forward
 * proxy that ask for tunnels, which no load tool does. It runs on Node, whose sockets can be read a few bytes at a time.
 *
 *     node scripts/support/bench_clients.ts idle PORT COUNT [ORIGIN]   each asks once, then rests
 *     node scripts/support/bench_clients.ts slow PORT COUNT PATH SECONDS   each trickles, then reads all
 *     node scripts/support/bench_clients.ts connect PORT COUNT ORIGIN SECONDS   so many tunnels at a time, one request through each
 *     node scripts/support/bench_clients.ts tunnel PORT COUNT ORIGIN SECONDS    so many tunnels, large answers through each
 *
 * PORT is the proxy's, ORIGIN the port that tunnels are asked for; both are of 127.0.0.1.
 *
 * Prints a line of JSON after each stage. `idle` and `slow` wait for a line on standard input before the next one.
 */

import { createInterface } from "node:readline";
import type { OriginPath } from "./bench_bodies.ts";
import { Client, type ClientOptions } from "./bench_client.ts";
import { quantile } from "./bench_statistics.ts";

/** Connections begun at a time: more than an accept queue holds would be a test of the kernel. */
const BATCH = 100;
const BATCH_PAUSE_MS = 15;
const TRICKLE_PAUSE_MS = 50;
/** Longest wait for what should come at once. */
const PATIENCE_MS = 30_000;
/** After a failure, so that a proxy that has ended is not asked in a tight loop. */
const FAILURE_PAUSE_MS = 10;
/** What a short tunnel carries to the origin; the answer's body is as long. */
const SHORT_BYTES = 1024;

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

async function openClients(count: number, options: ClientOptions): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    for (let i = 0; i < BATCH && clients.length < count; i++) clients.push(new Client(options));
    await sleep(BATCH_PAUSE_MS);
  }
  return clients;
}

/** Waits until each has `answers` answers, or has failed, or nothing has happened for long. */
async function answered(clients: readonly Client[], answers: number): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (performance.now() < until && clients.some((one) => one.failed === "" && one.answers < answers)) {
    await sleep(20);
  }
}

function tell(clients: readonly Client[], answers: number, more: Record<string, number | null> = {}): void {
  const good = clients.filter((client) => client.failed === "" && client.answers >= answers).length;
  const why = clients.find(({ failed }) => failed !== "")?.failed ?? "";
  console.log(JSON.stringify({ good, bad: clients.length - good, why, ...more }));
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function idle(count: number, options: ClientOptions): Promise<void> {
  const clients = await openClients(count, options);
  await answered(clients, 1);
  tell(clients, 1);
  await lines.next();
  const some = clients.filter(({ failed }) => failed === "").slice(0, 100);
  for (const client of some) client.ask();
  await answered(some, 2);
  tell(some, 2);
  await lines.next();
  for (const client of clients) client.end();
}

async function slow(port: number, count: number, path: OriginPath, seconds: number): Promise<void> {
  const probe = new Client({ port, path: "/small", greedy: true });
  await answered([probe], 1);
  const clients = await openClients(count, { port, path, greedy: false });
  const until = performance.now() + seconds * 1000;
  const waits: number[] = [];
  while (performance.now() < until) {
    for (const client of clients) client.sip();
    if (!Number.isNaN(probe.tookMs)) {
      waits.push(probe.tookMs);
      probe.ask();
    }
    await sleep(TRICKLE_PAUSE_MS);
  }
  waits.push(probe.waitedMs);
  tell(clients, 0, { probeP99: quantile(waits, 0.99) });
  await lines.next();
  for (const client of clients) {
    client.greedy = true;
    client.sip();
  }
  await answered(clients, 1);
  tell(clients, 1);
  await lines.next();
  for (const client of [...clients, probe]) client.end();
}

/** Requests one after the other in each of `count` lanes. @param reopen a connection for each request */
async function load(count: number, seconds: number, reopen: boolean, options: ClientOptions): Promise<void> {
  const begun = performance.now();
  const until = begun + seconds * 1000;
  const took: number[] = [];
  let failed = 0;
  const lane = async (): Promise<void> => {
    let client: Client | null = null;
    while (performance.now() < until) {
      if (client === null) client = new Client(options);
      else client.ask();
      await client.settled();
      const { failed: why, openedAt, tookMs } = client;
      if (why === "") took.push(reopen ? performance.now() - openedAt : tookMs);
      else failed++;
      if (reopen || why !== "") {
        client.end();
        client = null;
      }
      if (why !== "") await sleep(FAILURE_PAUSE_MS);
    }
    client?.end();
  };
  await Promise.all(Array.from({ length: count }, lane));
  console.log(JSON.stringify({
    requests: took.length,
    seconds: (performance.now() - begun) / 1000,
    p50: quantile(took, 0.5),
    p99: quantile(took, 0.99),
    failed,
  }));
}

const [what, portText, countText, third, seconds] = process.argv.slice(2);
const [port, count] = [Number(portText), Number(countText)];
const tunnel = Number(third ?? 0);
if (what === "idle") await idle(count, { port, path: "/small", greedy: true, tunnel });
else if (what === "connect") {
  const options = { port, path: "/kib", greedy: true, tunnel, requestBytes: SHORT_BYTES } as const;
  await load(count, Number(seconds), true, options);
} else if (what === "tunnel") {
  await load(count, Number(seconds), false, { port, path: "/8m", greedy: true, tunnel });
} else await slow(port, count, third as OriginPath, Number(seconds));
