/**
 * What could make the epoll loop spin, hang, lose a connection or touch a descriptor that is somebody else's.
 * Failures that the kernel cannot be brought to here are put in the place of its answers.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import type {
  AcceptEvents,
  CloseReason,
  Listener,
  Socket,
  SocketError,
  SocketEvents,
} from "../../runtime/contract/contract.ts";
import { duplicator } from "../../runtime/bun/duplicate.ts";
import { openLibc } from "../../runtime/shared/libc.ts";
import type { EpollSockets } from "../../runtime/bun/epoll/adapter.ts";
import type { SystemCalls } from "../../runtime/bun/epoll/calls.ts";
import { EPOLLHUP } from "../../runtime/bun/epoll/numbers.ts";
import type { EpollSocket } from "../../runtime/bun/epoll/socket.ts";
import { epollTest, WaitWatch } from "../support/epoll.ts";
import { faults } from "../support/epoll_parts.ts";
import { nth } from "../support/faulty_libc.ts";
import { OPTIONS } from "../support/listen_options.ts";
import { within } from "../support/watchdog.ts";
import { poll } from "./watch.ts";

const EINTR = 4;
const ENOMEM = 12;
const ENOSPC = 28;
const EPIPE = 32;
const SHUT_RD = 0;

/** Keeps what a listener tells. */
class Accepting implements AcceptEvents {
  readonly sockets: Socket[] = [];
  readonly failures: SocketError[] = [];
  readonly ended: Socket[] = [];
  readonly closed: CloseReason[] = [];

  accepted(socket: Socket): SocketEvents {
    this.sockets.push(socket);
    return {
      data() {},
      drained() {},
      ended: () => this.ended.push(socket),
      closed: (reason) => this.closed.push(reason),
    };
  }

  acceptFailed(error: SocketError): void {
    this.failures.push(error);
  }
}

function portOf({ address }: Listener): number {
  return address.kind === "tcp" ? address.port : 0;
}

/** A client that is connected, as far as the kernel is concerned. */
async function connected(listener: Listener): Promise<net.Socket> {
  const client = net.connect({ port: portOf(listener), host: "127.0.0.1", allowHalfOpen: true });
  client.on("error", () => {});
  await within(once(client, "connect"), "a connection");
  return client;
}

/** One connection: the client's end and ours. */
async function connection(sockets: EpollSockets, act: (scene: Scene) => Promise<void>): Promise<void> {
  const events = new Accepting();
  const listener = await sockets.listen(OPTIONS, events);
  const client = await connected(listener);
  try {
    await poll("the connection", () => events.sockets.length === 1);
    await act({ events, client, ours: events.sockets[0] as EpollSocket });
  } finally {
    client.destroy();
    for (const socket of events.sockets) socket.abort();
    await listener.close();
    await poll("its end", () => events.closed.length === events.sockets.length);
  }
}

interface Scene {
  readonly events: Accepting;
  readonly client: net.Socket;
  readonly ours: EpollSocket;
}

/** Has one system call fail until the answer is called. */
function failing(calls: SystemCalls, name: "watch" | "send", errno: number): () => void {
  const holder = calls as unknown as Record<string, unknown>;
  holder[name] = () => -1;
  Object.defineProperty(calls, "errno", { get: () => errno, configurable: true });
  return () => {
    delete holder[name];
    delete holder["errno"];
  };
}

epollTest(
  "a socket that others have as well is not watched once the listener has left it",
  async (sockets) => {
    const held = await sockets.reserve(OPTIONS);
    const copy = duplicator()?.(held.descriptor ?? -1) ?? -1;
    const options = { ...OPTIONS, address: held.address, inherited: copy };
    const listener = await sockets.listen(options, new Accepting());
    await listener.leave();
    const watch = new WaitWatch(sockets.loop);
    const client = await connected(held);
    await watch.more(3);
    assert.equal(watch.events(copy), 0, "nobody takes such events away, so the loop would spin");
    watch.stop();
    client.destroy();
    await held.close();
  },
);

epollTest(
  "connections that cannot be watched are reported once a pause, and accepting goes on",
  async (sockets) => {
    const events = new Accepting();
    const listener = await sockets.listen(OPTIONS, events);
    const clients = [await connected(listener)];
    await poll("the first connection", () => events.sockets.length === 1);
    const mend = failing(sockets.loop.calls, "watch", ENOSPC);
    try {
      clients.push(...await Promise.all([connected(listener), connected(listener), connected(listener)]));
      await poll("two failures", () => events.failures.length >= 2);
    } finally {
      mend();
    }
    assert.deepEqual(events.failures.map(({ code }) => code), ["resource_exhausted", "resource_exhausted"]);
    assert.equal(events.sockets.length, 1);
    clients.push(await connected(listener));
    await poll("those that waited, and a new one", () => events.sockets.length === 4);
    await listener.close();
    for (const client of clients) client.destroy();
    for (const socket of events.sockets) socket.abort();
    await poll("all to be closed", () => events.closed.length === 4);
  },
);

epollTest(
  "a listening socket that was shut down by another process is reported and does not spin",
  async (sockets) => {
    const libc = openLibc<{ shutdown(fd: number, how: number): number }>({
      shutdown: { args: ["i32", "i32"], returns: "i32" },
    });
    const events = new Accepting();
    const listener = await sockets.listen(OPTIONS, events);
    const watch = new WaitWatch(sockets.loop);
    const fd = listener.descriptor ?? -1;
    libc?.shutdown(fd, SHUT_RD);
    await poll("two reports", () => events.failures.length === 2);
    assert.equal(events.failures[0]?.code, "platform_error");
    assert.equal(watch.events(fd), 2);
    watch.stop();
    await listener.close();
  },
);

epollTest("a write that fails although the connection lives closes it", async (sockets) => {
  await connection(sockets, async ({ events, ours }) => {
    const mend = failing(sockets.loop.calls, "send", ENOMEM);
    assert.equal(ours.write(new Uint8Array(5), 0, 5), 0);
    mend();
    assert.equal(events.closed.length, 0, "not inside the call");
    await poll("closed", () => events.closed.length === 1);
    assert.equal(events.closed[0]?.code, "failed");
  });
});

epollTest("a range outside of the bytes is refused before it reaches the kernel", async (sockets) => {
  await connection(sockets, async ({ events, client, ours }) => {
    let received = "";
    client.on("data", (bytes) => received += String(bytes));
    const bytes = new TextEncoder().encode("text");
    for (const [from, to] of [[0, 5], [-1, 4], [3, 2], [4, 100_000], [0, NaN], [NaN, 4]] as const) {
      assert.throws(() => ours.write(bytes, from, to), RangeError);
    }
    assert.equal(ours.write(bytes, 4, 4), 0);
    assert.equal(ours.write(bytes, 0, 4), 4);
    ours.finish();
    await within(once(client, "end"), "the end");
    assert.equal(received, "text");
    assert.equal(events.closed.length, 0);
  });
});

epollTest("a connection that is gone without a reason, after its end, does not spin", async (sockets) => {
  await connection(sockets, async ({ events, client, ours }) => {
    client.end();
    await poll("ended", () => events.ended.length === 1);
    ours.onReady(EPOLLHUP);
    assert.deepEqual(events.closed.map(({ code }) => code), ["reset"]);
  });
});

epollTest("finish after the peer's end and a reset tells the reset", async (sockets) => {
  await connection(sockets, async ({ events, client, ours }) => {
    client.end();
    await poll("ended", () => events.ended.length === 1);
    const mend = failing(sockets.loop.calls, "send", EPIPE);
    ours.write(new Uint8Array(5), 0, 5);
    mend();
    ours.finish();
    await poll("closed", () => events.closed.length === 1);
    assert.equal(events.closed[0]?.code, "reset");
  });
});

epollTest("a paused socket that cannot be watched again is closed", async (sockets) => {
  await connection(sockets, async ({ events, client, ours }) => {
    ours.pause();
    const watch = new WaitWatch(sockets.loop);
    client.write("unread");
    await poll("the bytes", () => watch.events(ours.fd) === 1);
    client.resetAndDestroy();
    await poll("the reset", () => watch.events(ours.fd) === 2);
    watch.stop();
    const mend = failing(sockets.loop.calls, "watch", ENOSPC);
    ours.resume();
    mend();
    await poll("closed", () => events.closed.length === 1);
    assert.equal(events.closed[0]?.code, "failed");
  });
});

epollTest(
  "an IPv6 address with a zone, which is not understood, is refused for what it is",
  async (sockets) => {
    const address = { kind: "tcp", host: "fe80::1%lo", port: 9 } as const;
    const listening = sockets.listen({ ...OPTIONS, address }, new Accepting());
    await assert.rejects(listening, { code: "address_not_available" });
    const failed = await new Promise<SocketError>((resolve, reject) => {
      sockets.dial({ address, timeoutMs: 10_000, tls: null }, {
        opened: () => {
          reject(new Error("it opened"));
          return { data() {}, drained() {}, ended() {}, closed() {} };
        },
        failed: resolve,
      });
    });
    assert.equal(failed.code, "destination_ip_unroutable");
  },
);

epollTest("a reset whose error number was spoilt is still a reset", async (sockets) => {
  await connection(sockets, async ({ events, client, ours }) => {
    const { calls } = sockets.loop;
    const holder = calls as unknown as Record<string, unknown>;
    const recv = calls.recv.bind(calls);
    let failed = 0;
    holder["recv"] = (...args: Parameters<typeof recv>) => {
      const length = recv(...args);
      if (length < 0 && args[0] === ours.fd) {
        failed++;
        Object.defineProperty(calls, "errno", { get: () => EINTR, configurable: true });
      }
      return length;
    };
    client.resetAndDestroy();
    await poll("closed", () => events.closed.length === 1);
    delete holder["recv"];
    delete holder["errno"];
    assert.equal(failed, 1);
    assert.equal(events.closed[0]?.code, "reset");
    assert.equal(events.ended.length, 0);
  });
});

epollTest("what came before a reset is delivered although the receive was interrupted", async (sockets) => {
  await connection(sockets, async ({ events, client, ours }) => {
    const received: string[] = [];
    ours.events = { ...ours.events, data: (bytes) => void received.push(new TextDecoder().decode(bytes)) };
    ours.pause();
    await new Promise<void>((sent) => client.write("the last words", () => sent()));
    const watch = new WaitWatch(sockets.loop);
    client.resetAndDestroy();
    await poll("the reset", () => watch.events(ours.fd) > 0);
    watch.stop();
    faults.arm(nth("recv", 1, { errno: EINTR }));
    ours.resume();
    await poll("closed", () => events.closed.length === 1);
    assert.equal(faults.struck, 1);
    faults.disarm();
    assert.deepEqual(received, ["the last words"]);
    assert.equal(events.closed[0]?.code, "reset");
  });
});
