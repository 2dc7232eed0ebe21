/** What all parts of the soak test have: a Sluice, two applications, a configuration to change, and how the end is judged. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { ScratchFolder } from "../../test/smoke/program.ts";
import { localhostCertificate, wildcardCertificate } from "../../test/support/certificates.ts";
import { freePort } from "../../test/support/free_port.ts";
import { askOnce } from "../../test/support/raw_client.ts";
import { SoakAccount } from "./soak_account.ts";
import { SoakBackend } from "./soak_backend.ts";
import type { SoakLoad } from "./soak_load.ts";
import { soakScript } from "./soak_script.ts";
import { type Resources, SoakSluice } from "./soak_sluice.ts";

export interface SoakOptions {
  readonly program: string;
  readonly sockets: "native" | "epoll";
  readonly workers: number;
  /** A script stands in front of all requests. */
  readonly scripted: boolean;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** Resident memory that may be gained between a warm-up and the end. */
const MOST_GROWTH_MIB = 32;
const ROUTES = 100;
/** Lines of the access log are written by then. */
const LOGGED_MS = 2000;
/** Requests after which Sluice gives memory back that it does not need. */
const SETTLE_REQUESTS = 40;

export interface Scene {
  readonly sluice: SoakSluice;
  /** Where it listens. */
  readonly port: number;
  /** The same on a Unix socket, which several workers cannot share; then null. */
  readonly path: string | null;
  readonly backends: readonly [SoakBackend, SoakBackend];
  readonly account: SoakAccount;
  /** All of the access log so far. */
  accessLog(): string;
  /** Writes the configuration anew; each generation differs from the one before. */
  write(generation: number): void;
}

/**
 * @param limit of requests in flight to each application
 * @param drainSeconds what a Sluice that is replaced gets to end: requests that are held for longer there are cut, and
 *   accounted for
 */
export async function withScene(
  options: SoakOptions,
  limit: number,
  drainSeconds: number,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const folder = new ScratchFolder();
  const [port, first, second, secure] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const backends = [
    new SoakBackend(first, folder.file("journal-1"), limit),
    new SoakBackend(second, folder.file("journal-2"), limit),
  ] as const;
  const file = folder.file("sluice.yaml");
  const path = options.workers === 1 ? folder.file("listen") : null;
  const listen = [
    `127.0.0.1:${port}`,
    `https://127.0.0.1:${secure}`,
    ...(path === null ? [] : [`unix:${path}`]),
  ];
  const accessLog = folder.file("access.log");
  const account = new SoakAccount(drainSeconds * 1000);
  const write = (generation: number) => {
    const { cert, key } = generation % 2 === 0 ? localhostCertificate : wildcardCertificate;
    writeFileSync(folder.file("cert.pem"), cert);
    writeFileSync(folder.file("key.pem"), key);
    if (options.scripted) writeFileSync(folder.file("soak.ts"), soakScript(generation));
    const routes = Array.from(
      { length: ROUTES },
      (_, at) => `  - {match: {path: /fixed/${at}}, respond: "generation ${generation}, ${"x".repeat(100)}"}`,
    );
    writeFileSync(
      file,
      `${options.scripted ? "script: soak.ts\n" : ""}access_log: {format: json, to: ${accessLog}}
drain_timeout: ${drainSeconds}s
listen: ${JSON.stringify(listen)}
tls: {cert: ${folder.file("cert.pem")}, key: ${folder.file("key.pem")}}
queue: {size: ${1000 + generation}}
max_in_flight: ${limit}
upstreams: {app: {endpoints: [${first}]}}
routes:
${routes.join("\n")}
  - {to: app}
`,
    );
  };
  write(0);
  let sluice: SoakSluice | null = null;
  try {
    for (const backend of backends) await backend.start();
    const args = ["--config", file, "--sockets", options.sockets, "--workers", String(options.workers)];
    sluice = await SoakSluice.start(options.program, args, folder, (...verb) => account.note(...verb));
    await body({
      sluice,
      port,
      path,
      backends,
      account,
      accessLog: () => readFileSync(accessLog, "latin1"),
      write,
    });
    await sluice.stop();
  } finally {
    sluice?.kill();
    for (const backend of backends) await backend.kill();
    folder.remove();
  }
}

/**
 * Ends the load. Nothing has failed for which there is no documented cause, been lost or been sent twice, no limit was
 * exceeded, and nothing is left.
 */
export async function assertWell(
  load: SoakLoad,
  scene: Scene,
  limit: number,
  say: SoakOptions["say"],
): Promise<void> {
  const { sluice, backends, account } = scene;
  await load.stop();
  await assertEmpty(sluice);
  await rest(LOGGED_MS);
  const { documented, others } = account.judge(load.failures, scene.accessLog());
  for (const [cause, times] of documented) say(`${times} requests cut: ${cause}`);
  assert.equal(others.length, 0, `${others.length} failures:\n   ${others.slice(0, 20).join("\n   ")}`);
  const posts = new Map<string, number>();
  const halves: string[] = [];
  for (const backend of backends) {
    for (const [id, times] of backend.posts()) posts.set(id, (posts.get(id) ?? 0) + times);
    assert.deepEqual(backend.excesses(), [], `more than ${limit} requests in flight`);
  }
  for (const id of posts.keys()) if (id.startsWith("left-")) halves.push(id);
  assert.deepEqual(
    halves.slice(0, 5),
    [],
    "bodies whose client left in the middle of them arrived as whole ones",
  );
  const lost = load.confirmed.filter((id) => !posts.has(id));
  assert.equal(lost.length, 0, `confirmed and never arrived: ${lost.slice(0, 5).join(", ")}`);
  const repeated = [...posts].filter(([, times]) => times > 1).map(([id]) => id);
  assert.equal(repeated.length, 0, `arrived more than once: ${repeated.slice(0, 5).join(", ")}`);
}

/** Nothing is in flight or waits any more. */
async function assertEmpty(sluice: SoakSluice): Promise<void> {
  await sluice.ask("/wait", { for: "idle", timeout_ms: 10_000 });
  for (const { name, in_flight, waiting } of (await sluice.status()).upstreams) {
    assert.deepEqual([in_flight, waiting], [0, 0], `${name}: requests in flight and waiting`);
  }
}

/** What it uses after traffic whose end has it give back what it can. */
export async function settled(sluice: SoakSluice, port: number): Promise<Resources> {
  for (let i = 0; i < SETTLE_REQUESTS; i++) await get(port);
  await rest(4000);
  return sluice.resources();
}

export async function get(port: number): Promise<void> {
  const answer = await askOnce(port, "GET /get/1 HTTP/1.1\r\nHost: soak.test\r\nConnection: close\r\n\r\n");
  assert.equal(`${answer.status} ${answer.text}`, "200 got 1");
}

/** @param mostDescriptors by which the two may differ: connections to endpoints come and go */
export function compare(
  what: string,
  before: Resources,
  after: Resources,
  mostDescriptors: number,
  say: (line: string) => void,
): void {
  const mib = (resources: Resources) => resources.mib.toFixed(0);
  say(
    `${what}: ${mib(before)} → ${mib(after)} MiB, ${before.descriptors} → ${after.descriptors} descriptors`,
  );
  assert.ok(after.mib - before.mib < MOST_GROWTH_MIB, `${what}: ${mib(before)} → ${mib(after)} MiB`);
  const more = after.descriptors - before.descriptors;
  assert.ok(more <= mostDescriptors, `${what}: ${more} descriptors more`);
  assert.equal(after.processes, before.processes, `${what}: processes`);
}

export function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
