/**
 * The whole proxy over the in-memory runtime, from a printed seed: random configurations, clients and
 * origins that behave or do not, random chunking and interleaving, a fake clock.
 *
 * Invariants:
 * - Nothing throws, and no call that the socket contract forbids is made.
 * - What a client receives is a prefix of well-formed responses in the order of its requests; each complete
 *   one belongs to its request (the id is echoed, the content follows from the id), so no response is
 *   ever given to another request; and a body that the origin cut is never seen as complete.
 * - What an origin receives is a sequence of well-formed requests, each complete one whole and unaltered.
 * - A request that may not be repeated is seen by all origins together at most once; none is seen more often
 *   than `retry.tries`.
 * - A malformed request is never forwarded, nor is anything that follows it on its connection; one whose body
 *   is malformed, or that the client did not send to its end, never looks complete.
 * - `max_in_flight` is never exceeded, and what waits for a peer that does not read stays bounded.
 * - A peer that stalls for ever does not keep anything: when all deadlines have passed, every counter is
 *   zero, no timer is left and no socket is open.
 * - Every request ends up in exactly one report, and each one that failed has a reason.
 * - As a forward proxy: who may not ask, or not go there, reaches nothing; nobody's credentials for the proxy and nothing that was
 *   meant for a tunnel goes to an origin as a request; the bytes of a tunnel are in order both ways; and what was made for
 *   a destination is gone when nobody has asked for it for a while.
 * - With a script, which decides at random, at once or later, and fails now and then: all of this holds all the same.
 * - Progress: where clients and origins behave, every request is answered 2xx, whatever the
 *   interleaving, even if the endpoints go away and return within the hold time.
 *
 * Run: `bun test/fuzz/proxy_fuzz.ts --seconds 5 --seed 1` (or node, or deno run -A). With `--cases N` it
 * ends after so many, `--case K` runs that one alone, and `--trace` tells what happens in it.
 */

import process from "node:process";
import type { Address } from "../../runtime/contract/contract.ts";
import { loadConfig } from "../../src/config/load_config.ts";
import type { Config, RetryCondition, RetryConfig } from "../../src/config/values/config.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { createMemoryRuntime, MemoryNetwork } from "../support/memory_runtime.ts";
import { FuzzClient } from "./support/fuzz_client.ts";
import { FuzzOrigin } from "./support/fuzz_origin.ts";
import { FuzzedSluice } from "./support/sluice.ts";
import { mixedSeed, Random } from "./support/random.ts";
import { contentOf } from "./support/content.ts";
import { randomScript } from "./support/fuzz_script.ts";
import { FuzzDestination } from "./support/fuzz_destination.ts";
import {
  type ForwardWishes,
  makeRequest,
  type PlannedRequest,
  type RequestSort,
} from "./support/requests.ts";
import type { Actor, Flavour, Mood, Scene } from "./support/scene.ts";
import { Finding } from "./support/strict_reader.ts";

/** Every deadline of a case is shorter than this, and what is made for destinations is forgotten within it. */
const LONGEST_DEADLINE_MS = 200_000;
/** A case that takes longer than this is stuck. */
const LONGEST_CASE_MS = 1_200_000;
const MOST_STEPS = 4_000_000;
const FIRST_PORT = 3001;
/** Where tunnels lead. */
const TUNNEL_PORTS = [3101, 3102];
/** Denied to clients of the forward proxy, and one that nobody listens on. */
const DENIED_PORT = 3201;
const DEAD_PORT = 3202;
const TOKEN = "fuzz-token";
/** Of the forward proxy, which decides what is allowed from the start. */
const PROXY: Address = { kind: "tcp", host: "127.0.0.1", port: 3128 };

interface CaseOptions {
  readonly seed: number;
  readonly index: number;
  readonly trace: ((line: string) => void) | null;
}

interface Counts {
  requests: number;
  complete: number;
  calm: number;
  steps: number;
}

const base = baseConfig();

function baseConfig(): Config {
  const text = "to: [3001, 3002, 3003]\n";
  const loaded = loadConfig({ flags: {}, env: {}, file: { path: "fuzz.yaml", text } });
  if (!loaded.ok) throw new Error("the configuration of the fuzz target is refused");
  return loaded.config;
}

/** What a case may ask for; where everybody behaves nothing may run out. */
function randomConfig(random: Random, calm: boolean, endpoints: number, role: Role): Config {
  const [upstream] = base.upstreams;
  if (upstream === undefined) throw new Error("no upstream");
  const retry: RetryConfig = {
    on: calm ? ["reset"] : random.pick<RetryCondition[]>([
      ["reset"],
      ["reset"],
      ["reset", "timeout", 502, 503, 504],
      ["reset", 503],
      [],
    ]),
    methods: upstream.retry.methods,
    tries: calm ? 0 : random.pick([0, 0, 1, 2, 3]),
    unansweredTries: calm ? 0 : random.pick([0, 0, 1, 3]),
    unanswered: !calm && random.once(6),
  };
  const timeout = (): number => calm ? 30_000 : random.pick([100, 1000, 8000]);
  const config: Config = {
    ...base,
    server: {
      ...base.server,
      headTimeoutMs: timeout(),
      bodyIdleTimeoutMs: timeout(),
      keepAliveTimeoutMs: timeout(),
      maxBodyBytes: !calm && random.once(6) ? 1000 : 0,
      maxConnections: !calm && random.once(10) ? random.between(1, 3) : 1000,
    },
    upstreams: [{
      ...upstream,
      endpoints: upstream.endpoints.slice(0, endpoints),
      policy: random.pick(["round_robin", "least_conn", "random"]),
      holdMs: calm ? 40_000 : random.pick([0, 0, 50, 1000, 10_000]),
      holdIntervalMs: random.once(4) ? 10 : null,
      maxInFlight: random.pick([0, 0, 1, 1, 2, 3]),
      queue: {
        size: calm ? 1000 : random.pick([0, 1, 3, 1000]),
        bytes: calm ? 64 << 20 : random.pick([100, 2000, 64 << 20]),
        timeoutMs: calm ? 50_000 : random.pick([0, 20, 1000, 10_000]),
      },
      requestBufferBytes: calm ? 65_536 : random.pick([0, 0, 10, 1000, 65_536]),
      retry,
      connectTimeoutMs: timeout(),
      firstByteTimeoutMs: timeout(),
      bodyIdleTimeoutMs: timeout(),
      tunnelIdleTimeoutMs: timeout(),
      pool: {
        size: random.pick([0, 1, 2, 100]),
        idleTimeoutMs: random.pick([20, 1000, 5000]),
        maxAgeMs: random.pick([0, 0, 30, 1000]),
      },
      hostHeader: random.once(4) ? { kind: "endpoint" } : { kind: "pass" },
    }],
  };
  return withForward(
    random,
    calm,
    role === "routes" && !calm ? withCredential(random, config) : config,
    role,
  );
}

/** Requests to the endpoints are mostly sent with a credential of ours. */
function withCredential(random: Random, config: Config): Config {
  const scheme = random.pick(["", "basic", "digest", "digest", "ntlm", "ntlm"] as const);
  if (scheme === "") return config;
  return {
    ...config,
    credentials: [{
      name: "fuzz",
      schemes: [scheme],
      user: "fuzz",
      domain: "",
      service: "",
      helper: null,
      cleartext: false,
      secret: { kind: "sample" },
    }],
    upstreams: config.upstreams.map((upstream) => ({ ...upstream, credential: "fuzz" })),
  };
}

/** What the proxy is: for routes only, or also a forward proxy, which may ask clients who they are. */
type Role = "routes" | "open forward" | "forward with tokens";

/** The configuration, of a forward proxy too, whose destinations are treated like the endpoints. */
function withForward(random: Random, calm: boolean, config: Config, role: Role): Config {
  const [direct] = config.upstreams;
  if (role === "routes" || direct === undefined) return config;
  return {
    ...config,
    listen: config.listen.map((listen) => ({ ...listen, address: PROXY, forward: true })),
    forward: {
      allow: [],
      deny: [`127.0.0.1:${DENIED_PORT}`],
      ports: null,
      clients: [],
      usersFile: null,
      digestFile: null,
      credentials: [],
      tokensFile: role === "open forward" ? null : "/tokens",
      maxTunnels: calm ? 1000 : random.pick([1, 2, 1000]),
      https: false,
      pacHost: null,
      rules: [],
      byRule: [],
      byDefault: null,
      noParent: "",
      holdDirect: [],
      direct: { ...direct, name: "forward" },
    },
  };
}

function schemeOf({ credentials: [credential] }: Config): Scene["challenges"] {
  const scheme = credential?.schemes[0];
  return scheme === "basic" || scheme === "digest" || scheme === "ntlm" ? scheme : "";
}

/** Runs one case. @throws Finding, or what was thrown */
async function runCase(options: CaseOptions, counts: Counts): Promise<void> {
  const random = new Random(mixedSeed(options.seed, options.index));
  const mathRandom = Math.random;
  Math.random = () => random.fraction();
  try {
    await runSeeded(options, random, counts);
  } finally {
    Math.random = mathRandom;
  }
}

async function runSeeded(options: CaseOptions, random: Random, counts: Counts): Promise<void> {
  const mood: Mood = random.once(3) ? "calm" : "wild";
  const calm = mood === "calm";
  const flavour: Flavour = random.once(2)
    ? "mixed"
    : calm
    ? random.pick(["tunnels", "flood"])
    : random.pick(["tunnels", "jumpy", "flood", "extra"]);
  const flood = flavour === "flood";
  /** Endpoints go away and connections end as they like: only what may be repeated is sure to get through. */
  const restless = random.once(2);
  const endpoints = random.between(1, 3);
  const whole = random.once(flavour === "extra" ? 1 : 6);
  const clock = new FakeClock();
  const bufferBytes = whole || flood ? 65_536 : random.pick([1, 16, 300, 5000, 5000, 65_536, 65_536, 65_536]);
  const chunking = whole || flood
    ? "whole"
    : random.pick(["whole", "whole", "random", "random", "random", "bytes"] as const);
  const slow = bufferBytes < 300 || chunking === "bytes";
  const most = flood
    ? 60_000
    : slow
    ? 400
    : bufferBytes < 65_536
    ? 20_000
    : random.once(6)
    ? 400_000
    : 20_000;
  const seed = random.next(2 ** 31);
  const network = new MemoryNetwork({
    clock,
    seed,
    ownChunks: seed % 2 === 1,
    chunking,
    sendBufferBytes: bufferBytes,
    receiveBufferBytes: whole ? 65_536 : random.pick([bufferBytes, Math.max(16, bufferBytes)]),
    resetQueueOnClose: random.once(2),
  });
  const began = clock.now();
  const trace = options.trace === null ? () => {} : (who: string, what: string): void => {
    options.trace?.(`${(clock.now() - began).toFixed(1).padStart(9)} ${who.padEnd(9)} ${what}`);
  };
  const role: Role = random.pick(["routes", "routes", "open forward", "forward with tokens"]);
  const config = randomConfig(random, calm, endpoints, role);
  const [{ retry, requestBufferBytes }] = config.upstreams as [Config["upstreams"][0]];
  const requests = new Map<string, PlannedRequest>();
  const script = random.once(3) ? randomScript(random, clock, calm) : null;
  const files = { "/tokens": `${TOKEN} fuzz\n` };
  const sluice = await FuzzedSluice.start(network, config, trace, files, script);
  const tunnelBytes = random.size(most);
  const forward: ForwardWishes | null = role === "routes" ? null : {
    origins: Array.from({ length: endpoints }, (_, at) => FIRST_PORT + at),
    tunnels: TUNNEL_PORTS,
    deniedPort: DENIED_PORT,
    deadPort: DEAD_PORT,
    behaved: calm,
    token: role === "open forward" ? "" : TOKEN,
    tunnelBytes,
  };
  const clientPlans = [];
  for (let i = random.between(1, random.once(3) ? 6 : 3); i > 0; i--) {
    const planned: PlannedRequest[] = [];
    let forbidden = false;
    let unknown = false;
    for (
      let count = flood
        ? random.between(1, 40)
        : random.once(4)
        ? random.between(1, 12)
        : random.between(1, 4);
      count > 0;
      count--
    ) {
      const wild: RequestSort = random.pick([
        "valid",
        "valid",
        "valid",
        "valid",
        "bad_head",
        "bad_body",
        "wild",
      ]);
      // Altered bytes change the meaning of what comes after them as well.
      const sort: RequestSort = calm ? "valid" : unknown ? "wild" : wild;
      unknown = sort === "wild";
      const request = makeRequest(random, requests.size + 1, {
        sort,
        most: flood ? 100 : calm && restless ? Math.min(most, requestBufferBytes) : most,
        repeatable: calm && restless,
        last: count === 1,
        forbidden,
        forward,
        upgrades: flavour === "tunnels" ? 1 : 10,
      });
      if (sort === "bad_head" || sort === "bad_body") forbidden = true;
      planned.push(request);
      requests.set(request.id, request);
    }
    clientPlans.push({
      name: `client${i}`,
      port: sluice.port,
      requests: planned,
      depth: flood ? 100 : random.pick([1, 1, 2, 100]),
      pieceBytes: random.pick([1, 20, 1000, 100_000]),
      deafMs: flood && random.once(2) ? random.between(1, calm ? 10_000 : 30_000) : 0,
      startMs: random.once(2) ? 0 : random.between(0, 300),
      chaos: calm ? random.pick([0, 0, 10, 50]) : random.pick([0, 5, 30, 200]),
    });
  }
  const scene: Scene = {
    mood,
    flavour,
    random,
    network,
    clock,
    runtime: createMemoryRuntime({ network }),
    requests,
    repeatableMethods: retry.methods,
    challenges: schemeOf(config),
    unanswered: retry.unanswered,
    tries: retry.tries,
    whole,
    mostContent: most,
    tunnelBytes,
    destinationSays: contentOf("a destination", 0, tunnelBytes),
    hasWild: [...requests.values()].some(({ sort }) => sort === "wild"),
    stopping: false,
    trace,
  };
  const clients = clientPlans.map((plan) => new FuzzClient(scene, plan));
  const origins = Array.from({ length: endpoints }, (_, i) =>
    new FuzzOrigin(scene, {
      name: `origin${i + 1}`,
      port: FIRST_PORT + i,
      pieceBytes: random.pick([1, 50, 5000, 100_000]),
      chaos: calm ? 0 : random.pick([0, 2, 5, 20]),
      moods: calm && !restless ? 0 : random.pick([0, 2, 3, 10]),
      absences: restless ? random.pick([0, 1, 3]) : 0,
      longestAbsenceMs: calm ? 8000 : random.pick([100, 3000, 15_000]),
    }));
  const destinations = forward === null ? [] : TUNNEL_PORTS.map((port, at) =>
    new FuzzDestination(scene, {
      name: `there${at + 1}`,
      port,
      pieceBytes: random.pick([1, 50, 5000, 100_000]) + Math.ceil(tunnelBytes / 300),
      chaos: calm ? random.pick([0, 20]) : random.pick([0, 5, 20]),
      says: scene.destinationSays,
    })
  );
  const peers = [...origins, ...destinations];
  trace(
    "case",
    `${mood}, ${flavour}, ${role}${script === null ? "" : ", script"}${restless ? ", restless" : ""}, ${
      JSON.stringify(config.upstreams[0])
    }`,
  );
  trace("case", `${JSON.stringify(config.server)}, buffers of ${bufferBytes}, ${network.chunking}`);
  if (!calm && random.once(8)) {
    clock.setTimer(random.between(0, 400), () => {
      scene.stopping = true;
      trace("case", "Sluice is to stop");
      void sluice.gateway.drain(5000);
    });
  }
  play(scene, sluice, clients, peers);
  settle(scene, sluice, clients, peers);
  counts.steps += network.steps;
  counts.requests += requests.size;
  if (calm) counts.calm++;
  for (const client of clients) counts.complete += client.statuses.length;
}

/** Whoever Sluice connects to. */
type Peer = FuzzOrigin | FuzzDestination;

/** Lets things happen until every client is gone or has stalled. */
function play(
  scene: Scene,
  sluice: FuzzedSluice,
  clients: readonly FuzzClient[],
  peers: readonly Peer[],
): void {
  const { random, network, clock } = scene;
  const until = clock.now() + LONGEST_CASE_MS;
  const ready: Actor[] = [];
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    if (steps % 16 === 0) sluice.check();
    if (random.once(3)) {
      gather(ready, clients, peers);
      if (ready.length > 0) {
        random.pick(ready).act();
        continue;
      }
    }
    if (random.once(60)) clock.advance(random.next(random.once(10) ? 50 : 3));
    if (network.step()) continue;
    if (clients.every(({ isClosed, stalled }) => isClosed || stalled)) return;
    gather(ready, clients, peers);
    if (ready.length > 0) {
      random.pick(ready).act();
      continue;
    }
    const next = clock.nextTimerAt;
    if (next === null || next > until) {
      const stuck = clients.find(({ isClosed, stalled }) => !isClosed && !stalled);
      throw new Finding(`${stuck?.plan.name} waits for ever after ${stuck?.answered} responses`);
    }
    clock.advance(next - clock.now());
  }
  throw new Finding(`not at rest after ${MOST_STEPS} steps`);
}

function gather(
  ready: Actor[],
  clients: readonly FuzzClient[],
  peers: readonly Peer[],
): void {
  ready.length = 0;
  for (const client of clients) if (client.ready) ready.push(client);
  for (const peer of peers) {
    if (peer instanceof FuzzOrigin && peer.ready) ready.push(peer);
    for (const connection of peer.connections) if (connection.ready) ready.push(connection);
  }
}

/** Lets all deadlines pass; what stalls must not keep anything. */
function settle(
  scene: Scene,
  sluice: FuzzedSluice,
  clients: readonly FuzzClient[],
  peers: readonly Peer[],
): void {
  const { network, clock, random } = scene;
  const until = clock.now() + LONGEST_DEADLINE_MS;
  const ready: Actor[] = [];
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    if (network.step()) continue;
    gather(ready, clients, peers);
    if (ready.length > 0) {
      random.pick(ready).act();
      continue;
    }
    const next = clock.nextTimerAt;
    if (next === null || next > until) break;
    clock.advance(next - clock.now());
  }
  sluice.checkEnd();
  if (clock.pendingTimers > 0) throw new Finding(`${clock.pendingTimers} timers are left`);
  const others = clients.filter(({ isOpen }) => isOpen).length +
    peers.reduce((sum, { connections }) => sum + connections.size, 0);
  if (network.openSockets !== others) {
    throw new Finding(`${network.openSockets - others} sockets of Sluice are open at the end`);
  }
  if (network.misuses.length > 0) throw new Finding(`misuse: ${network.misuses.join(", ")}`);
}

function numberOption(name: string): number | null {
  const at = process.argv.indexOf(`--${name}`);
  if (at < 0) return null;
  const value = Number(process.argv[at + 1]);
  if (!Number.isFinite(value)) throw new Error(`--${name} needs a number`);
  return value;
}

async function main(): Promise<number> {
  const seed = numberOption("seed") ?? Date.now() % 1_000_000;
  const only = numberOption("case");
  const seconds = numberOption("seconds") ?? 5;
  const last = only ?? (numberOption("cases") ?? 1e12) - 1;
  const tracing = process.argv.includes("--trace");
  const counts: Counts = { requests: 0, complete: 0, calm: 0, steps: 0 };
  const end = performance.now() + seconds * 1000;
  let cases = 0;
  for (let index = only ?? 0; index <= last; index++) {
    if (only === null && performance.now() > end) break;
    cases++;
    try {
      await runCase({ seed, index, trace: tracing ? (line) => console.log(line) : null }, counts);
    } catch (error) {
      console.error(error instanceof Finding ? error.message : (error as Error).stack);
      console.error(`reproducer: --seed ${seed} --case ${index}`);
      return 1;
    }
  }
  console.log(
    `proxy_fuzz: seed ${seed}, ${cases} cases (${counts.calm} calm), ${counts.requests} requests, ` +
      `${counts.complete} complete responses, ${counts.steps} steps, no finding`,
  );
  return 0;
}

process.exitCode = await main();
