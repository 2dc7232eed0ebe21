/** A request that crashes whoever gets it: how often it is sent, and what becomes of the others. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type MemoryLab, memoryLab } from "../../support/memory_lab.ts";

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

/** A backend that `/die` ends with all its connections. */
async function crashLab(yaml: string, crash: Crash = "process"): Promise<CrashLab> {
  let crashes = 0;
  const seen: string[] = [];
  const lab: MemoryLab = await memoryLab(`to: 3001\n${yaml}`, {}, (peer) => {
    const requests = peer.received.split("\r\n\r\n");
    if (requests.at(-1) !== "") return;
    const path = /^GET (\S+)/.exec(requests.at(-2) ?? "")?.[1] ?? "";
    seen.push(path);
    if (path === "/die") {
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
  assert.equal(lab.crashes(), 4, "once on a connection that might have been closed anyhow");
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
  // It arrived before the others, and had its turn. A pooled connection may have been closed, and a restart may have been to
  // blame once, but not twice.
  assert.deepEqual(lab.seen, ["/slow", "/die", "/die", "/die", "/0", "/1", "/2", "/3", "/4", "/die"]);
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
    // Between two answers of others it can be sent several times.
    assert.ok(lab.crashes() >= 3 && lab.crashes() <= 12, `${lab.crashes()} crashes`);
    assert.match(client.received, /^HTTP\/1\.1 502 /);
    assert.equal(other.received.split("200 OK").length, 51, "others are served");
  });
}

test("a port that takes connections and drops them is down: requests are held for it", async () => {
  let away = true;
  const lab = await memoryLab("to: 3001\nhold: 30s\n", {}, (peer) => {
    if (!away) peer.say(OK);
  });
  const client = lab.dial();
  client.say(get("/"));
  let dropped = 0;
  for (let rounds = 0; rounds < 200; rounds++) {
    for (const peer of lab.origins) {
      if (peer.end === "") {
        dropped++;
        peer.socket.abort();
      }
    }
    lab.runtime.network.advance(100);
  }
  assert.equal(client.received, "");
  assert.ok(dropped > 10, `${dropped}`);
  away = false;
  for (const peer of lab.origins) if (peer.end === "") peer.socket.abort();
  lab.runtime.network.advance(1000);
  assert.match(client.received, /^HTTP\/1\.1 200 /);
});
