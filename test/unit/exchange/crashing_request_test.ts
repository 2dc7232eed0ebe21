/** A request that crashes whoever gets it: how often it is sent, and what becomes of the others. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type MemoryLab, memoryLab, type Peer } from "../../support/memory_lab.ts";
import { Random } from "../../fuzz/support/random.ts";
import { walkSeeds } from "../../support/seeds.ts";

const ADDRESS = { kind: "tcp", host: "127.0.0.1", port: 3001 } as const;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** How the backend ends: as a process does, or as one of several processes that share a port. */
type Crash = "process" | "worker, read" | "worker, unread";

/** `/slow` is answered after so long. Milliseconds. */
const SLOW_MS = 30;
/** A process is back after this. Milliseconds. */
const BOOT_MS = 100;

interface CrashLab extends MemoryLab {
  /** Times that the backend was ended by a request. */
  readonly crashes: () => number;
  /** Paths in the order in which they came. */
  readonly seen: string[];
}

/** A backend that `/die`, and whatever begins like it, ends with all its connections. */
async function crashLab(
  yaml: string,
  crash: Crash = "process",
  seed: number | null = null,
): Promise<CrashLab> {
  let crashes = 0;
  const seen: string[] = [];
  const lab: MemoryLab = await memoryLab(`to: 3001\n${yaml}`, { seed }, (peer) => {
    const requests = peer.received.split("\r\n\r\n");
    if (requests.at(-1) !== "") return;
    const path = /^GET (\S+)/.exec(requests.at(-2) ?? "")?.[1] ?? "";
    seen.push(path);
    if (path.startsWith("/die")) {
      crashes++;
      for (const each of crash === "process" ? lab.origins : [peer]) {
        if (each.end !== "") continue;
        if (crash === "worker, unread") each.socket.abort();
        else each.socket.close();
      }
      if (crash !== "process") return;
      lab.runtime.network.fail(ADDRESS, "connection_refused");
      lab.runtime.clock.setTimer(BOOT_MS, () => lab.runtime.network.heal(ADDRESS));
    } else if (path === "/slow") {
      lab.runtime.clock.setTimer(SLOW_MS, () => {
        if (peer.end === "") peer.say(OK);
      });
    } else peer.say(OK);
  });
  return { ...lab, crashes: () => crashes, seen };
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

for (
  const [yaml, times] of [
    ["", 3],
    ["retry: {unanswered_tries: 1}\n", 1],
    ["retry: {unanswered_tries: 5}\n", 5],
    ["retry: {unanswered_tries: 5, tries: 2}\n", 2],
    ["retry: {unanswered_tries: 0, tries: 7}\n", 7],
  ] as const
) {
  test(`a request that crashes its endpoint is sent ${times} times with ${yaml.trim() || "no options"}`, async () => {
    const lab = await crashLab(yaml);
    const client = lab.dial();
    client.say(get("/die"));
    lab.runtime.network.advance(20_000);
    assert.equal(lab.crashes(), times);
    assert.match(client.received, /^HTTP\/1\.1 502 /);
    const [ended] = lab.proxy.ended;
    assert.deepEqual([ended?.reason, ended?.attempts], ["connection_terminated", times]);
    if (times > 1) assert.match(ended?.detail ?? "", new RegExp(`^sent ${times} times without an answer`));
    client.say(get("/"));
    lab.runtime.network.advance(1000);
    assert.ok(client.received.endsWith("ok"), "it serves again");
  });
}

test("pooled connections do not add to it: all further attempts are on new ones", async () => {
  const lab = await crashLab("");
  const others = Array.from({ length: 10 }, lab.dial);
  for (const other of others) other.say(get("/"));
  lab.runtime.network.advance(2000);
  const client = lab.dial();
  client.say(get("/die"));
  // Connections that others leave in the pool between two of its attempts.
  for (let rounds = 0; rounds < 100; rounds++) {
    for (const other of others) other.say(get("/"));
    lab.runtime.network.advance(100);
  }
  assert.equal(lab.crashes(), 3, "the one on a connection that might have been closed anyhow included");
  assert.match(client.received, /^HTTP\/1\.1 502 /);
  for (const other of others) assert.equal(other.received.split("200 OK").length, 102);
});

test("from its second failure on it lets others go first", async () => {
  const lab = await crashLab("max_in_flight: 1\nqueue: {timeout: 60s}\n");
  const first = lab.dial();
  first.say(get("/slow"));
  lab.runtime.network.run();
  const death = lab.dial();
  death.say(get("/die"));
  lab.runtime.network.advance(1);
  const others = Array.from({ length: 5 }, lab.dial);
  others.forEach((other, at) => other.say(get(`/${at}`)));
  lab.runtime.network.advance(5000);
  // It arrived before the others, and had its turn. A pooled connection may have been closed, or a restart have been to
  // blame, once, but not twice.
  assert.deepEqual(lab.seen, ["/slow", "/die", "/die", "/0", "/1", "/2", "/3", "/4", "/die"]);
  assert.match(death.received, /^HTTP\/1\.1 502 /);
  for (const other of others) assert.match(other.received, /^HTTP\/1\.1 200 /);
});

for (const crash of ["worker, read", "worker, unread"] as const) {
  test(`a worker that dies of it while others answer on the same port (${crash})`, async () => {
    const lab = await crashLab("", crash);
    const client = lab.dial();
    client.say(get("/die"));
    const other = lab.dial();
    for (let rounds = 0; rounds < 50; rounds++) {
      other.say(get("/"));
      lab.runtime.network.advance(100);
    }
    // Until its second failure the port has shown no sign of life since the first: one end of a process would look the same.
    assert.equal(lab.crashes(), 4);
    assert.match(client.received, /^HTTP\/1\.1 502 /);
    assert.match(client.received, /sent 4 times without an answer/);
    assert.equal(other.received.split("200 OK").length, 51, "others are served");
  });
}

for (
  const [what, begun] of [
    ["an interim response", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"],
    ["half a head", "HTTP/1.1 200 OK\r\nX: "],
  ] as const
) {
  test(`a worker that dies of it after ${what} has lived: that is no end which was under way`, async () => {
    let crashes = 0;
    const lab = await memoryLab("to: 3001\n", {}, (peer) => {
      if (!peer.received.endsWith("\r\n\r\n")) return;
      crashes++;
      peer.say(begun);
      lab.runtime.clock.setTimer(2, () => peer.socket.abort());
    });
    const client = lab.dial();
    client.say(get("/"));
    lab.runtime.network.advance(20_000);
    assert.equal(crashes, 3);
    assert.match(client.received, /sent 3 times without an answer/);
  });
}

test("steady traffic and any number of such requests: each is sent a few times at most, and nothing else is lost", async () => {
  for (const seed of walkSeeds(16)) {
    const random = new Random(seed);
    const yaml = random.pick(["", "max_in_flight: 1\n", "pool: {size: 0}\n"]);
    const crash: Crash = random.pick(["process", "worker, read", "worker, unread"]);
    const lab = await crashLab(yaml, crash, seed);
    const others = Array.from({ length: 1 + random.next(3) }, lab.dial);
    const killers = Array.from({ length: 1 + random.next(2) }, lab.dial);
    const pauseMs = random.pick([20, 50, 100]);
    let said = 0;
    const speak = (): void => {
      said++;
      for (const other of others) other.say(get("/"));
      lab.runtime.network.advance(pauseMs);
    };
    for (let rounds = 0; rounds < 3; rounds++) speak();
    killers.forEach((killer, at) => {
      killer.say(get(`/die${at}`));
      if (random.next(2) === 0) speak();
    });
    for (let rounds = 0; rounds < 3000 / pauseMs; rounds++) speak();
    lab.runtime.network.advance(5000);
    const scene = `seed ${seed}, ${yaml.trim()}`;
    killers.forEach((killer, at) => {
      assert.match(killer.received, /^HTTP\/1\.1 502 /, scene);
      const times = lab.seen.filter((path) => path === `/die${at}`).length;
      // A process that is gone refuses connections: each of its ends is told from the next.
      assert.ok(times <= (crash === "process" ? 3 : 4), `${scene}: ${times} times`);
    });
    for (const other of others) assert.equal(other.received.split("200 OK").length - 1, said, scene);
  }
});

/** How a port drops a connection that leads nowhere. */
type Drop = "FIN" | "reset";

/**
 * A port that accepts connections and drops each after `dropMs`, for as long as what is behind it is down.
 *
 * @param lazy it drops connections only when bytes have come
 */
async function forwardingLab(yaml: string, seed: number, drop: Drop, dropMs: number, lazy = false) {
  let down = true;
  let lost = 0;
  const dropped = new Set<Peer>();
  const dropLater = (peer: Peer): void => {
    if (dropped.has(peer)) return;
    dropped.add(peer);
    lab.runtime.clock.setTimer(dropMs, () => {
      if (!down || peer.end !== "") return;
      if (peer.received !== "") lost++;
      if (drop === "FIN") peer.socket.close();
      else peer.socket.abort();
    });
  };
  const lab = await memoryLab(`to: 3001\n${yaml}`, { seed }, (peer) => {
    if (down) {
      if (lazy) dropLater(peer);
    } else if (peer.received.endsWith("\r\n\r\n")) peer.say(OK);
  });
  const advance = (ms: number): void => {
    for (let left = ms; left > 0; left -= 1) {
      lab.runtime.network.advance(1);
      if (!lazy) lab.origins.forEach(dropLater);
    }
  };
  /** What is behind it is back: connections that led nowhere end all the same. */
  const serve = (): void => {
    for (const peer of lab.origins) if (peer.end === "") peer.socket.abort();
    down = false;
  };
  return { ...lab, advance, serve, lost: () => lost };
}

test("a port that takes connections and drops them is down: requests are held for it", async () => {
  // The last two: a third request gets connections that have stood open for those before it.
  for (const seed of [...walkSeeds(24), 107, 1025]) {
    const random = new Random(seed);
    const dropMs = random.pick([0, 1, 10, 49, 120, 400, 900]);
    const yaml = random.pick(["", "max_in_flight: 2\n", "pool: {size: 0}\n"]);
    const lab = await forwardingLab(yaml, seed, random.pick(["FIN", "reset"]), dropMs);
    const clients = Array.from({ length: 1 + random.next(4) }, lab.dial);
    for (const client of clients) {
      client.say(get("/"));
      lab.advance(random.next(200));
    }
    lab.advance(10_000);
    const scene = `seed ${seed}, dropped after ${dropMs} ms, ${yaml.trim()}`;
    for (const client of clients) assert.equal(client.received, "", scene);
    assert.ok(lab.lost() <= 2 * clients.length, `${scene}: ${lab.lost()} lost`);
    lab.serve();
    lab.advance(6000);
    for (const client of clients) assert.match(client.received, /^HTTP\/1\.1 200 /, scene);
  }
});

test("a port that drops connections after seconds is survived, too", async () => {
  const lab = await forwardingLab("hold: 60s\n", 1, "reset", 3000);
  const client = lab.dial();
  client.say(get("/"));
  lab.advance(20_000);
  assert.equal(client.received, "");
  lab.serve();
  lab.advance(6000);
  assert.match(client.received, /^HTTP\/1\.1 200 /);
});

test("a POST that such a port may have passed on is not repeated", async () => {
  const lab = await forwardingLab("", 1, "reset", 10);
  const client = lab.dial();
  client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  lab.advance(100);
  assert.match(client.received, /^HTTP\/1\.1 502 /);
  assert.equal(lab.lost(), 1);
});

test("a port that drops connections when they carry a request looks like a crash, and 0 tries are the way out", async () => {
  for (const tries of [3, 0]) {
    const lab = await forwardingLab(`retry: {unanswered_tries: ${tries}}\n`, 1, "FIN", 5, true);
    const client = lab.dial();
    client.say(get("/"));
    lab.advance(5000);
    if (tries > 0) {
      assert.equal(lab.lost(), tries + 1, "the first two may have been one end");
      assert.match(client.received, /^HTTP\/1\.1 502 /);
      continue;
    }
    assert.ok(lab.lost() > 3);
    assert.equal(client.received, "");
    lab.serve();
    lab.advance(1000);
    assert.match(client.received, /^HTTP\/1\.1 200 /);
  }
});

test("a pooled connection that was closed costs a request one attempt, also when only one may be lost", async () => {
  const lab = await crashLab("retry: {unanswered_tries: 1}\n");
  const client = lab.dial();
  client.say(get("/"));
  lab.runtime.network.run();
  // The reset and the request are under way at the same time.
  client.say(get("/"));
  lab.origins[0]?.socket.abort();
  lab.runtime.network.advance(1000);
  assert.equal(client.received.split("200 OK").length, 3);
});
