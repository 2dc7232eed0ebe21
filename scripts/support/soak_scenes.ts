/** The two parts of the soak test: changes that are repeated thousands of times, and load while things change. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { Random } from "../../test/contract/pattern.ts";
import { ScratchFolder } from "../../test/smoke/program.ts";
import { localhostCertificate, wildcardCertificate } from "../../test/support/certificates.ts";
import { freePort } from "../../test/support/free_port.ts";
import { askOnce } from "../../test/support/raw_client.ts";
import { SoakBackend } from "./soak_backend.ts";
import { SoakLoad } from "./soak_load.ts";
import { type Resources, SoakSluice } from "./soak_sluice.ts";

export interface SoakOptions {
  readonly program: string;
  readonly sockets: "native" | "epoll";
  readonly workers: number;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** Resident memory that may be gained between a warm-up and the end. */
const MOST_GROWTH_MIB = 32;
/** Descriptors come and go with connections to endpoints. */
const MOST_DESCRIPTORS = 10;
const ROUTES = 100;
const MAX_IN_FLIGHT = 30;
/** Requests after which Sluice gives memory back that it does not need. */
const SETTLE_REQUESTS = 40;

interface Scene {
  readonly sluice: SoakSluice;
  /** Where it listens. */
  readonly port: number;
  readonly backends: readonly [SoakBackend, SoakBackend];
  /** Writes the configuration anew; each generation differs from the one before. */
  write(generation: number): void;
}

async function withScene(options: SoakOptions, body: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = new ScratchFolder();
  const [port, first, second, secure] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const backends = [
    new SoakBackend(first, folder.file("journal-1"), MAX_IN_FLIGHT),
    new SoakBackend(second, folder.file("journal-2"), MAX_IN_FLIGHT),
  ] as const;
  const file = folder.file("sluice.yaml");
  const write = (generation: number) => {
    const { cert, key } = generation % 2 === 0 ? localhostCertificate : wildcardCertificate;
    writeFileSync(folder.file("cert.pem"), cert);
    writeFileSync(folder.file("key.pem"), key);
    const routes = Array.from(
      { length: ROUTES },
      (_, at) => `  - {match: {path: /fixed/${at}}, respond: "generation ${generation}, ${"x".repeat(100)}"}`,
    );
    writeFileSync(
      file,
      `drain_timeout: 3s
listen: ["127.0.0.1:${port}", "https://127.0.0.1:${secure}"]
tls: {cert: ${folder.file("cert.pem")}, key: ${folder.file("key.pem")}}
queue: {size: ${1000 + generation}}
max_in_flight: ${MAX_IN_FLIGHT}
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
    sluice = await SoakSluice.start(options.program, args, folder);
    await body({ sluice, port, backends, write });
    await sluice.stop();
  } finally {
    sluice?.kill();
    for (const backend of backends) await backend.kill();
    folder.remove();
  }
}

/** How often each change is made. */
export const CHANGES = { reload: 5000, swap: 1000, drain: 1000, renewal: 300, upgrade: 20 } as const;

/** @param share 0 to 1, of the numbers of `CHANGES` */
export function soakChanges(options: SoakOptions, share: number): Promise<void> {
  return withScene(options, async ({ sluice, port, backends: [first, second], write }) => {
    const endpoint = String(first.port);
    let generation = 0;
    const acts: Readonly<Record<keyof typeof CHANGES, (nth: number) => Promise<unknown>>> = {
      reload: () => {
        write(generation += 2);
        return sluice.ask("/reload");
      },
      swap: (nth) =>
        sluice.ask("/swap", { to: [String(nth % 2 === 0 ? second.port : first.port)], drain_ms: 1000 }),
      drain: async () => {
        await sluice.ask("/drain", { endpoint, window_ms: 10_000 });
        await sluice.ask("/undrain", { endpoint });
      },
      renewal: () => {
        write(generation += 1);
        return sluice.ask("/reload");
      },
      upgrade: () => sluice.upgrade(),
    };
    for (const name of Object.keys(CHANGES) as (keyof typeof CHANGES)[]) {
      const times = Math.max(4, 2 * Math.round(CHANGES[name] * share / 2));
      const warm = Math.ceil(times / 4);
      let before: Resources | null = null;
      for (let nth = 0; nth < times; nth++) {
        if (nth === warm) before = await settled(sluice, port);
        await acts[name](nth);
        await get(port);
      }
      const after = await settled(sluice, port);
      compare(`${name}, ${times} times`, before as Resources, after, options.say);
    }
  });
}

/** @param seconds of load */
export function soakLoad(options: SoakOptions, seconds: number): Promise<void> {
  return withScene(options, async ({ sluice, port, backends, write }) => {
    const { say } = options;
    const random = new Random(options.seed);
    const clients = { gets: 6, posts: 4, streams: 4, webSockets: 6 };
    const load = new SoakLoad(port, clients);
    const end = performance.now() + seconds * 1000;
    const done = new Map<string, number>();
    let [generation, serving] = [0, 0];
    const used = () => backends[serving] as SoakBackend;
    const acts: Readonly<Record<string, () => Promise<unknown>>> = {
      reload: () => {
        write(generation += 1 + random.below(2));
        return sluice.ask("/reload");
      },
      swap: async () => {
        serving = 1 - serving;
        await sluice.ask("/swap", { to: [String(used().port)], drain_ms: 2000 });
      },
      pause: async () => {
        await sluice.ask("/pause", { wait_idle_ms: 5000, lease_ms: 20_000 }).catch(() => {});
        await rest(random.below(500));
        await sluice.ask("/resume");
      },
      drain: async () => {
        const endpoint = String(used().port);
        await sluice.ask("/drain", { endpoint, window_ms: 2000, wait: random.below(2) === 0 });
        await rest(random.below(300));
        await sluice.ask("/undrain", { endpoint });
      },
      kill: async () => {
        load.noteKill();
        await used().kill();
        await rest(random.below(1000));
        await used().start();
      },
      upgrade: () => sluice.upgrade(),
    };
    // One of each fifty is an upgrade: it takes the longest.
    const names = Object.keys(acts);
    let before: Resources | null = null;
    while (performance.now() < end) {
      const name = random.below(50) < 48 ? names[random.below(names.length - 1)] : "upgrade";
      if (name === undefined) continue;
      await acts[name]?.();
      done.set(name, (done.get(name) ?? 0) + 1);
      await rest(random.below(200));
      if (before === null && performance.now() > end - seconds * 750) before = sluice.resources();
    }
    const under = sluice.resources();
    await load.stop();
    await empty(sluice);
    say(`${[...done].map(([name, times]) => `${times} × ${name}`).join(", ")}`);
    say(
      `${load.answered} requests, ${load.confirmed.length} of them POST, ${load.echoes} echoes, ${load.killed} cut by kills`,
    );
    assert.equal(
      load.failures.length,
      0,
      `${load.failures.length} failures: ${load.failures.slice(0, 5).join("; ")}`,
    );
    const posts = new Map<string, number>();
    for (const backend of backends) {
      for (const [id, times] of backend.posts()) posts.set(id, (posts.get(id) ?? 0) + times);
      assert.deepEqual(backend.excesses(), [], `more than ${MAX_IN_FLIGHT} requests in flight`);
    }
    const lost = load.confirmed.filter((id) => !posts.has(id));
    assert.equal(lost.length, 0, `confirmed and never arrived: ${lost.slice(0, 5).join(", ")}`);
    const repeated = [...posts].filter(([, times]) => times > 1).map(([id]) => id);
    assert.equal(repeated.length, 0, `arrived more than once: ${repeated.slice(0, 5).join(", ")}`);
    if (before !== null) compare("under load", before, under, say);
  });
}

/** Nothing is in flight or waits any more. */
async function empty(sluice: SoakSluice): Promise<void> {
  await sluice.ask("/wait", { for: "idle", timeout_ms: 10_000 });
  for (const { name, in_flight, waiting } of (await sluice.status()).upstreams) {
    assert.deepEqual([in_flight, waiting], [0, 0], `${name}: requests in flight and waiting`);
  }
}

/** What it uses after traffic whose end has it give back what it can. */
async function settled(sluice: SoakSluice, port: number): Promise<Resources> {
  for (let i = 0; i < SETTLE_REQUESTS; i++) await get(port);
  await rest(4000);
  return sluice.resources();
}

async function get(port: number): Promise<void> {
  const answer = await askOnce(port, "GET /get/1 HTTP/1.1\r\nHost: soak.test\r\nConnection: close\r\n\r\n");
  assert.equal(`${answer.status} ${answer.text}`, "200 got 1");
}

function compare(what: string, before: Resources, after: Resources, say: (line: string) => void): void {
  const mib = (resources: Resources) => resources.mib.toFixed(0);
  say(
    `${what}: ${mib(before)} → ${mib(after)} MiB, ${before.descriptors} → ${after.descriptors} descriptors`,
  );
  assert.ok(after.mib - before.mib < MOST_GROWTH_MIB, `${what}: ${mib(before)} → ${mib(after)} MiB`);
  const more = after.descriptors - before.descriptors;
  assert.ok(more <= MOST_DESCRIPTORS, `${what}: ${more} descriptors more`);
  assert.equal(after.processes, before.processes, `${what}: processes`);
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
