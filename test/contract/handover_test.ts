/** Listening sockets that are given to another process, on the runtime that runs the test. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type Address,
  FIRST_GIVEN_DESCRIPTOR,
  type Listener,
  type ListenOptions,
  type ServerTls,
  SocketFailure,
  type WorkerProcess,
} from "../../runtime/contract/contract.ts";
import { createSystem } from "../../runtime/shared/system.ts";
import { adapterFactory } from "../support/adapter.ts";
import { localhostCertificate } from "../support/certificates.ts";
import { within } from "../support/watchdog.ts";
import type { WorkerCommand } from "./handover_child.ts";

const system = createSystem();
const runtime = (await adapterFactory())({
  onHandlerError: (error) => {
    throw error;
  },
});
const anyPort: Address = { kind: "tcp", host: "127.0.0.1", port: 0 };
const { handover } = runtime.capabilities;

/** The process that gets the sockets. */
class Child {
  readonly process: WorkerProcess;
  readonly exited: Promise<
    { readonly code: number | null; readonly signal: string; readonly detail: string }
  >;
  readonly #heard: unknown[] = [];
  #wake: (() => void) | null = null;

  constructor(binary: string, descriptors: readonly number[]) {
    const exited = Promise.withResolvers<{ code: number | null; signal: string; detail: string }>();
    this.exited = exited.promise;
    this.process = system.startSuccessor(binary, {
      message: (message) => {
        this.#heard.push(message);
        this.#wake?.();
      },
      exited: exited.resolve,
    }, descriptors);
  }

  async heard(): Promise<unknown> {
    while (this.#heard.length === 0) {
      await within(new Promise<void>((resolve) => (this.#wake = resolve)), "the other process to speak");
    }
    return this.#heard.shift();
  }

  order(order: WorkerCommand): void {
    this.process.channel.send(order);
  }

  async listen(address: Address, index = 0, tls: ServerTls | null = null): Promise<void> {
    this.order({ type: "listen", address, inherited: FIRST_GIVEN_DESCRIPTOR + index, tls });
    assert.deepEqual(await this.heard(), { listening: address, descriptor: true });
  }

  async kill(): Promise<void> {
    this.process.kill();
    await within(this.exited, "the other process to end");
  }
}

interface Scene {
  readonly folder: string;
  /** Keeps what is to be closed. */
  use(listener: Listener): Listener;
  start(...descriptors: (number | null)[]): Promise<Child>;
}

async function scene(act: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-"));
  const binary = path.join(folder, "program");
  const script = fileURLToPath(new URL("./handover_child.ts", import.meta.url));
  fs.writeFileSync(binary, `#!/bin/sh\nexec '${process.execPath}' '${script}' an-argument\n`, {
    mode: 0o755,
  });
  const children: Child[] = [];
  const listeners: Listener[] = [];
  try {
    await act({
      folder,
      use(listener) {
        listeners.push(listener);
        return listener;
      },
      async start(...descriptors) {
        const child = new Child(binary, descriptors.map((each) => each ?? -1));
        children.push(child);
        assert.deepEqual(await child.heard(), { hello: ["an-argument"], channelVariable: null });
        return child;
      },
    });
  } finally {
    for (const child of children) await child.kill();
    for (const listener of listeners) await listener.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function listen(options: Partial<ListenOptions> = {}): Promise<Listener> {
  return runtime.listen({
    address: anyPort,
    backlog: 511,
    reusePort: false,
    tls: null,
    handshakeTimeoutMs: 5_000,
    ...options,
  }, {
    accepted(socket) {
      socket.abort();
      return { data() {}, drained() {}, ended() {}, closed() {} };
    },
    acceptFailed() {},
  });
}

/** What is answered to somebody who connects and asks. */
function ask(address: Address, secure = false): Promise<string> {
  let answer = "";
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  runtime.dial({
    address,
    timeoutMs: 5_000,
    tls: secure ? { serverName: "handover.test", verify: false, ca: null } : null,
  }, {
    opened(socket) {
      // After the events below are in place.
      queueMicrotask(() => socket.write(new Uint8Array([63]), 0, 1));
      return {
        data: (bytes) => (answer += new TextDecoder().decode(bytes)),
        drained() {},
        ended: () => socket.close(),
        closed: ({ code, detail }) =>
          code === "finished" ? resolve(answer) : reject(new Error(`${code}: ${detail}`)),
      };
    },
    failed: ({ code, detail }) => reject(new Error(`${code}: ${detail}`)),
  });
  return within(promise, "an answer");
}

test("handover: what cannot be done is refused", { skip: handover ? "it can" : false }, async () => {
  await assert.rejects(runtime.reserve({ address: anyPort, backlog: 1, reusePort: false }), SocketFailure);
  await assert.rejects(listen({ inherited: 3 }), SocketFailure);
  const listener = await listen();
  assert.equal(listener.descriptor, null);
  await listener.close();
});

const able = { skip: handover ? false : "listening sockets cannot be given away here" };

test(
  "handover: a listener goes on in another process, and ours may leave",
  able,
  () =>
    scene(async ({ use, start }) => {
      const ours = use(await listen());
      const child = await start(ours.descriptor);
      await child.listen(ours.address);
      await ours.leave();
      for (let i = 0; i < 5; i++) {
        assert.equal(
          await ask(ours.address),
          `${child.process.pid} 127.0.0.1 ${ours.address.kind === "tcp" ? ours.address.port : 0}`,
        );
      }
      child.order({ type: "close" });
      assert.deepEqual(await child.heard(), { closed: true });
      await assert.rejects(ask(ours.address), /connection_refused/);
    }),
);

test(
  "handover: what waits in the queue of a held socket is served by the next process",
  able,
  () =>
    scene(async ({ use, start }) => {
      const held = use(await runtime.reserve({ address: anyPort, backlog: 511, reusePort: false }));
      assert.ok(held.address.kind === "tcp" && held.address.port > 0);
      const first = await start(held.descriptor);
      await first.listen(held.address);
      assert.match(await ask(held.address), new RegExp(`^${first.process.pid} `));
      await first.kill();
      const waiting = Array.from({ length: 20 }, () => ask(held.address));
      const second = await start(held.descriptor);
      await second.listen(held.address);
      for (const answer of await Promise.all(waiting)) {
        assert.match(answer, new RegExp(`^${second.process.pid} `));
      }
      await second.kill();
      await held.close();
      await assert.rejects(ask(held.address), /connection_refused/);
    }),
);

test("handover: two held sockets share a port, where sockets can", {
  skip: handover && runtime.capabilities.reusePort ? false : "they cannot here",
}, () =>
  scene(async ({ use, start }) => {
    const one = use(await runtime.reserve({ address: anyPort, backlog: 511, reusePort: true }));
    const two = use(await runtime.reserve({ address: one.address, backlog: 511, reusePort: true }));
    assert.deepEqual(one.address, two.address);
    const child = await start(one.descriptor, two.descriptor);
    await child.listen(one.address, 0);
    await child.listen(two.address, 1);
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(one.address)));
    assert.ok(answers.every((answer) => answer.startsWith(`${child.process.pid} `)));
  }));

test(
  "handover: the path of a Unix socket stays when ours leaves, and goes with the last",
  able,
  () =>
    scene(async ({ folder, use, start }) => {
      const address: Address = { kind: "unix", path: path.join(folder, "s") };
      for (
        const open of [
          () => listen({ address }),
          () => runtime.reserve({ address, backlog: 1, reusePort: false }),
        ]
      ) {
        const ours = use(await open());
        assert.deepEqual(fs.readdirSync(folder).sort(), ["program", "s"]);
        const child = await start(ours.descriptor);
        await child.listen(address);
        await ours.leave();
        assert.equal(await ask(address), `${child.process.pid}  0`);
        await assert.rejects(
          open(),
          (error) => error instanceof SocketFailure && error.code === "address_in_use",
        );
        child.order({ type: "close" });
        assert.deepEqual(await child.heard(), { closed: true });
        assert.deepEqual(fs.readdirSync(folder), ["program"]);
      }
    }),
);

test("handover: TLS on a socket that was given", able, () =>
  scene(async ({ use, start }) => {
    const ours = use(await listen());
    const child = await start(ours.descriptor);
    await child.listen(ours.address, 0, localhostCertificate);
    await ours.leave();
    assert.match(await ask(ours.address, true), new RegExp(`^${child.process.pid} `));
  }));

test("handover: a program that is none", able, () =>
  scene(async ({ folder }) => {
    const file = path.join(folder, "text");
    fs.writeFileSync(file, "no program\n");
    for (const binary of [file, path.join(folder, "none")]) {
      let how: { readonly code: number | null; readonly detail: string };
      try {
        how = await within(new Child(binary, []).exited, "the failure");
      } catch (error) {
        how = { code: null, detail: (error as Error).message };
      }
      assert.equal(how.code, null);
      assert.match(how.detail, /EACCES|ENOENT/);
    }
  }));
