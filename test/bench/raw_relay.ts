/**
 * The floor under a proxy: a relay of raw bytes, which understands nothing, keeps nothing and checks nothing. Each client gets a
 * connection to the origin of its own.
 *
 *     bun test/bench/raw_relay.ts epoll 8080 127.0.0.1:9000     over the runtime layer, with system calls of our own
 *     bun test/bench/raw_relay.ts native 8080 127.0.0.1:9000    over the runtime layer, with the platform's sockets
 *     bun test/bench/raw_relay.ts bun 8080 127.0.0.1:9000       Bun's sockets alone
 *
 * Beside Sluice, nginx and the same in C (raw_relay.c): `npm run bench -- --scenarios c64 --candidate NAME='…'`.
 */

import process from "node:process";
import type { Runtime, Socket, SocketEvents } from "../../runtime/contract/contract.ts";

const [over = "", port = "", origin = ""] = process.argv.slice(2);
const [originHost = "", originPort = ""] = origin.replace(/^http:\/\//, "").split(":");
const DIAL_TIMEOUT_MS = 5000;

/** What one side receives goes to the other: at once, or, while that is not open yet, when it is. */
class Half implements SocketEvents {
  #to: Socket | null = null;
  #early: Uint8Array[] = [];

  lead(to: Socket): void {
    this.#to = to;
    for (const bytes of this.#early) to.write(bytes, 0, bytes.length);
    this.#early = [];
  }

  data(bytes: Uint8Array): void {
    // What the kernel does not take is lost: small requests and answers are taken.
    if (this.#to === null) this.#early.push(bytes.slice());
    else this.#to.write(bytes, 0, bytes.length);
  }

  drained(): void {}

  ended(): void {
    this.#to?.finish();
  }

  closed(): void {
    this.#to?.abort();
  }
}

async function relayOver(runtime: Runtime): Promise<void> {
  const address = { kind: "tcp", host: originHost, port: Number(originPort) } as const;
  await runtime.listen({
    address: { kind: "tcp", host: "127.0.0.1", port: Number(port) },
    backlog: 4096,
    reusePort: false,
    tls: null,
    handshakeTimeoutMs: 1000,
  }, {
    accepted(client) {
      const [up, down] = [new Half(), new Half()];
      down.lead(client);
      runtime.dial({ address, timeoutMs: DIAL_TIMEOUT_MS, tls: null }, {
        opened(endpoint) {
          up.lead(endpoint);
          return down;
        },
        failed: () => client.abort(),
      });
      return up;
    },
    acceptFailed() {},
  });
}

/** The sockets of the platform, as little of them as goes. */
interface BunSocket {
  data: { peer: BunSocket | null; early: Uint8Array[] };
  write(bytes: Uint8Array): number;
  end(): void;
}

interface BunSockets {
  listen(options: object): unknown;
  connect(options: object): Promise<BunSocket>;
}

function relayOverBun(): void {
  const { listen, connect } = (globalThis as unknown as { Bun: BunSockets }).Bun;
  const socket = {
    data({ data }: BunSocket, bytes: Uint8Array) {
      if (data.peer === null) data.early.push(bytes.slice());
      else data.peer.write(bytes);
    },
    close: ({ data }: BunSocket) => data.peer?.end(),
    error() {},
  };
  listen({
    hostname: "127.0.0.1",
    port: Number(port),
    socket: {
      ...socket,
      open(client: BunSocket) {
        client.data = { peer: null, early: [] };
        void connect({
          hostname: originHost,
          port: Number(originPort),
          data: { peer: client, early: [] },
          socket,
        }).then((endpoint) => {
          client.data.peer = endpoint;
          for (const bytes of client.data.early) endpoint.write(bytes);
        });
      },
    },
  });
}

if (over === "bun") relayOverBun();
else if (over === "epoll" || over === "native") {
  const options = { onHandlerError: (error: unknown) => console.error(error) };
  const { createBunRuntime } = await import("../../runtime/bun/adapter.ts");
  const runtime = createBunRuntime(options);
  const why = over === "epoll" ? runtime.useEpoll?.() : null;
  if (why !== null) throw new Error(`no sockets over epoll: ${why}`);
  await relayOver(runtime);
} else {
  console.error("usage: raw_relay.ts epoll|native|bun PORT ORIGIN");
  process.exitCode = 2;
}
