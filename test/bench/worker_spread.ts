/**
 * How evenly the kernel deals connections out to workers that share a port.
 *
 *     bun test/bench/worker_spread.ts                1,000 connections to dist/sluice with 2 and 4 workers
 *     bun test/bench/worker_spread.ts node runtime/main_node.ts
 *
 * All connections are open at the same time; the number of an exchange in the access log tells its worker.
 */

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Command, ScratchFolder, Serving } from "../smoke/program.ts";
import { RawClient } from "../support/raw_client.ts";

const CONNECTIONS = 1000;
const ROUNDS = 3;
const IDS_PER_WORKER = 100_000_000_000;
/** Connections opened in one go: fewer than an accept queue holds. */
const AT_ONCE = 100;

async function spread(command: Command, workers: number): Promise<number[]> {
  const folder = new ScratchFolder();
  const config = folder.file("sluice.yaml");
  writeFileSync(config, 'routes:\n  - respond: {body: "x"}\n');
  const args = ["--config", config, "--workers", String(workers), "--access-log", "json"];
  const sluice = await Serving.start(command, args, folder);
  try {
    const clients: RawClient[] = [];
    while (clients.length < CONNECTIONS) {
      const more = Array.from({ length: AT_ONCE }, () => RawClient.connect(sluice.port));
      clients.push(...await Promise.all(more));
    }
    for (const client of clients) await client.ask("GET / HTTP/1.1\r\nHost: spread.test\r\n\r\n");
    for (const client of clients) client.destroy();
    const { stdout } = await sluice.stop();
    const counts = new Array<number>(workers).fill(0);
    for (const line of stdout.trimEnd().split("\n")) {
      const { id } = JSON.parse(line) as { id: number };
      const worker = Math.floor(id / IDS_PER_WORKER);
      counts[worker] = (counts[worker] ?? 0) + 1;
    }
    return counts;
  } finally {
    sluice.kill();
    folder.remove();
  }
}

const [program = "dist/sluice", ...first] = process.argv.slice(2);
// Sluice runs in a folder of its own, so what names a file of this one is made absolute.
const absolute = (word: string) => word.includes("/") ? resolve(word) : word;
for (const workers of [2, 4]) {
  for (let round = 0; round < ROUNDS; round++) {
    const counts = await spread([absolute(program), ...first.map(absolute)], workers);
    console.log(`${workers} workers: ${counts.join(" / ")}`);
  }
}
