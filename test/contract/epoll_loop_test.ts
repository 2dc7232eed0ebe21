/** The epoll loop beside Bun's: both go on, whatever the other does, and the process ends when nothing is open. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Address, Listener, Socket, SocketEvents } from "../../runtime/contract/contract.ts";
import type { EpollSockets } from "../../runtime/bun/epoll/adapter.ts";
import { ScriptGeneration } from "../../runtime/shared/script_generation.ts";
import { epollTest, handlerErrors } from "../support/epoll.ts";
import { OPTIONS } from "../support/listen_options.ts";
import { until } from "../support/processes.ts";
import { within } from "../support/watchdog.ts";
import { poll } from "./watch.ts";

const SILENT: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };

/** Both ends of a connection, and what is to be closed at the end. */
interface Pair {
  readonly server: Socket;
  readonly client: Socket;
  end(): Promise<void>;
}

async function pair(sockets: EpollSockets, listen: Address, dial?: Address): Promise<Pair> {
  let closed = 0;
  const events: SocketEvents = { ...SILENT, closed: () => closed++ };
  const server = Promise.withResolvers<Socket>();
  const client = Promise.withResolvers<Socket>();
  const listener = await sockets.listen({ ...OPTIONS, address: listen }, {
    accepted(socket) {
      server.resolve(socket);
      return events;
    },
    acceptFailed: server.reject,
  });
  const address = { ...(dial ?? listener.address), port: portOf(listener) } as Address;
  sockets.dial({ address, timeoutMs: 10_000, tls: null }, {
    opened(socket) {
      client.resolve(socket);
      return events;
    },
    failed: (error) => client.reject(new Error(error.detail)),
  });
  const ends = {
    server: await within(server.promise, "accepted"),
    client: await within(client.promise, "opened"),
  };
  return {
    ...ends,
    async end() {
      ends.server.abort();
      ends.client.abort();
      await listener.close();
      await poll("both to be closed", () => closed === 2);
    },
  };
}

function portOf({ address }: Listener): number {
  return address.kind === "tcp" ? address.port : 0;
}

/** One of everything that Bun's loop does, one after the other and all at once. */
async function everythingOfBuns(): Promise<void> {
  const each: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["an immediate", () => new Promise((resolve) => setImmediate(resolve))],
    ["a timer", () => new Promise((resolve) => setTimeout(resolve, 1))],
    ["a repeated timer", () =>
      new Promise<void>((resolve) => {
        let count = 0;
        const timer = setInterval(() => {
          if (++count < 3) return;
          clearInterval(timer);
          resolve();
        }, 1);
      })],
    ["the next tick", () => new Promise<void>((resolve) => process.nextTick(resolve))],
    ["a microtask", () => new Promise<void>((resolve) => queueMicrotask(resolve))],
    ["a file", () => fs.promises.readFile("/proc/self/stat")],
    ["a command", () => new Promise((resolve) => execFile("true", resolve))],
    ["a signal", () =>
      new Promise<void>((resolve) => {
        process.once("SIGUSR2", () => resolve());
        process.kill(process.pid, "SIGUSR2");
      })],
    ["a connection of the platform", async () => {
      const server = net.createServer((socket) => socket.end("hello"));
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const client = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
      client.resume();
      await once(client, "close");
      server.close();
    }],
  ];
  for (const [what, run] of each) await within(run(), what);
  await Promise.all(each.map(([what, run]) => within(run(), what)));
}

epollTest("Bun's loop goes on while nothing happens on ours", async (sockets) => {
  const open = await pair(sockets, OPTIONS.address);
  await everythingOfBuns();
  await open.end();
});

epollTest("Bun's loop goes on while ours never has nothing to do, and ours does as well", async (sockets) => {
  const { server, client, end } = await pair(sockets, OPTIONS.address);
  const byte = new Uint8Array(1);
  let exchanges = 0;
  server.events = { ...server.events, data: () => void server.write(byte, 0, 1) };
  client.events = {
    ...client.events,
    data() {
      exchanges++;
      client.write(byte, 0, 1);
    },
  };
  client.write(byte, 0, 1);
  await everythingOfBuns();
  const before = exchanges;
  await poll("exchanges to go on", () => exchanges > before + 100);
  await end();
});

epollTest("timers of ours that set themselves anew at once leave room for both loops", async (sockets) => {
  const { server, client, end } = await pair(sockets, OPTIONS.address);
  let fired = 0;
  let going = true;
  const again = () => {
    fired++;
    if (going) sockets.setTimer(0, again, false);
  };
  again();
  await everythingOfBuns();
  let received = 0;
  server.events = { ...server.events, data: (bytes) => void (received += bytes.length) };
  client.write(new Uint8Array(10), 0, 10);
  await poll("the bytes", () => received === 10);
  assert.ok(fired > 0);
  going = false;
  await end();
});

epollTest("a wait of ours is over when a timer of a script is due", async (sockets) => {
  const { end } = await pair(sockets, OPTIONS.address);
  const generation = new ScriptGeneration({}, { failed: () => {}, printed: () => {}, guard: null });
  const promises = await import("node:timers/promises");
  const steps: (() => Promise<unknown>)[] = [
    () => new Promise((done) => generation.setTimeout(done, 1)),
    () => new Promise((done) => generation.setImmediate(done)),
    () => promises.setTimeout(1),
    () => promises.setImmediate(),
  ];
  for (const step of steps) {
    // Thirty of them would take 1.5 s if each had to wait for the end of a wait.
    let late = false;
    const timer = sockets.setTimer(1000, () => late = true, false);
    for (let round = 0; round < 30; round++) await step();
    timer.cancel();
    assert.equal(late, false, String(step));
  }
  let ticks = 0;
  await new Promise<void>((done) => {
    const interval = generation.setInterval(() => {
      if (++ticks < 5) return;
      generation.clearInterval(interval);
      done();
    }, 1);
  });
  generation.retire();
  await end();
});

epollTest("promises that handlers of ours resolve go on before anything is waited for", async (sockets) => {
  const { server, client, end } = await pair(sockets, OPTIONS.address);
  const said: string[] = [];
  server.events = {
    ...server.events,
    data() {
      said.push("data");
      void Promise.resolve().then(() => Promise.resolve()).then(() => {
        said.push("promise");
        server.write(new Uint8Array(1), 0, 1);
      });
    },
  };
  let answers = 0;
  client.events = { ...client.events, data: () => void answers++ };
  for (let round = 1; round <= 3; round++) {
    client.write(new Uint8Array(1), 0, 1);
    await poll("an answer", () => answers === round);
  }
  assert.deepEqual(said, ["data", "promise", "data", "promise", "data", "promise"]);
  await end();
});

epollTest("a handler and a timer that throw are reported, and the loop goes on", async (sockets) => {
  const broken = await pair(sockets, OPTIONS.address);
  const sound = await pair(sockets, OPTIONS.address);
  const boom = new Error("thrown by a test");
  const { closed } = broken.server.events;
  broken.server.events = {
    ...SILENT,
    data() {
      throw boom;
    },
    closed,
  };
  let received = 0;
  sound.server.events = { ...sound.server.events, data: () => void received++ };
  let fired = 0;
  sockets.setTimer(0, () => {
    throw boom;
  }, false);
  sockets.setTimer(0, () => void fired++, false);
  broken.client.write(new Uint8Array(1), 0, 1);
  sound.client.write(new Uint8Array(1), 0, 1);
  await poll("both reports, the other socket and the other timer", () => {
    return handlerErrors.length === 2 && received === 1 && fired === 1;
  });
  assert.deepEqual(handlerErrors.splice(0), [boom, boom]);
  await broken.end();
  await sound.end();
});

// Addresses

for (
  const [what, listen, dial, expected] of [
    ["IPv6", "::1", "::1", "::1"],
    ["IPv6 to a listener on all addresses", "::", "::1", "::1"],
    ["IPv6 in capitals and with all zeros", "0:0:0:0:0:0:0:1", "0000::0001", "::1"],
  ] as const
) {
  epollTest(`addresses of a connection: ${what}`, async (sockets) => {
    const address = { kind: "tcp", host: listen, port: 0 } as const;
    const { server, client, end } = await pair(sockets, address, { ...address, host: dial });
    for (const socket of [server, client]) {
      assert.equal(socket.remoteAddress, expected);
      assert.equal(socket.localAddress, expected);
    }
    assert.equal(server.remotePort, client.localPort);
    assert.equal(client.remotePort, server.localPort);
    await end();
  });
}

// Processes

/** The other process. */
class Child {
  readonly exited: Promise<number | null>;
  text = "";
  readonly #process: ChildProcess;

  /** @param limit descriptors that it may have; 0 = as many as we */
  constructor(task: string, limit = 0) {
    const command = [process.execPath, fileURLToPath(new URL("./epoll_child.ts", import.meta.url)), task];
    const quoted = command.map((word) => `'${word}'`).join(" ");
    this.#process = spawn("sh", ["-c", `${limit === 0 ? "" : `ulimit -n ${limit}; `}exec ${quoted}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process.stdout?.on("data", (bytes) => this.text += String(bytes));
    this.exited = new Promise((resolve) => this.#process.on("close", resolve));
  }

  async said(pattern: RegExp): Promise<RegExpExecArray> {
    await until(`${pattern} in ${JSON.stringify(this.text)}`, () => {
      return pattern.test(this.text) || this.#process.exitCode !== null;
    });
    const found = pattern.exec(this.text);
    if (found === null) this.kill();
    assert.ok(found !== null, `${pattern} in ${JSON.stringify(this.text)}`);
    return found;
  }

  async port(): Promise<number> {
    return Number((await this.said(/^port (\d+)$/m))[1]);
  }

  /** It ends by itself. @returns its lines */
  async end(): Promise<string[]> {
    try {
      assert.equal(await within(this.exited, "the other process to end by itself"), 0);
      return this.text.split("\n").slice(0, -1);
    } finally {
      this.kill();
    }
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

/** Connects, waits for the greeting, and ends. */
async function visit(port: number): Promise<string> {
  const client = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [greeting] = await within(once(client, "data"), "a greeting");
  client.end();
  client.resume();
  await within(once(client, "close"), "the end of the connection");
  return String(greeting);
}

epollTest("a process lives as long as a listener is open, and ends by itself then", async () => {
  const child = new Child("listener");
  assert.equal(await visit(await child.port()), "hello");
  assert.equal((await child.end()).length, 1);
});

epollTest("a timer in the background does not keep a process, another one does", async () => {
  assert.deepEqual(await new Child("background").end(), ["soon"]);
});

epollTest(
  "a process ends after its listener and its timers, whatever is left in the background",
  async () => {
    assert.deepEqual(await new Child("closed").end(), ["closed"]);
  },
);

epollTest("a timer in the background fires while something of Bun's keeps the process", async () => {
  assert.deepEqual(await new Child("nap").end(), ["fired"]);
});

epollTest(
  "a background timer further away than a timer of the platform goes does not wake anybody",
  async () => {
    assert.deepEqual(await new Child("far").end(), ["waits 0"]);
  },
);

epollTest(
  "without descriptors nothing spins, all is reported, and accepting goes on when there are some",
  async () => {
    const child = new Child("exhausted", 64);
    const port = await child.port();
    await child.said(/^full$/m);
    assert.equal(await visit(port), "hello");
    assert.deepEqual((await child.end()).slice(1).sort(), [
      "accepted after 3 failures and 4 attempts",
      "bind: resource_exhausted",
      "dial: resource_exhausted",
      "failed: resource_exhausted",
      "failed: resource_exhausted",
      "failed: resource_exhausted",
      "full",
    ]);
  },
);

epollTest("a process without a descriptor for the loop is told so", async () => {
  assert.deepEqual(await new Child("refused", 64).end(), ["answer a TCP listener: EMFILE"]);
});

epollTest("reports that throw as well keep nothing else from happening", async () => {
  const lines = await new Child("throws").end();
  assert.deepEqual(lines.sort(), ["closed 3, uncaught 6", "the next timer"]);
});
