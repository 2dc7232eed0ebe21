/** Peers that stop reading, or never stop sending: they get what is theirs, and do not keep a connection. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Socket, SocketEvents } from "../../../runtime/contract.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import {
  createMemoryRuntime,
  type MemoryNetworkOptions,
  type MemoryRuntime,
} from "../../support/memory_runtime.ts";
import { TestProxy } from "../../support/proxy.ts";

const ORIGIN_PORT = 3001;

/** One end of a connection: says what it is told, keeps what it gets. */
class Peer implements SocketEvents {
  socket!: Socket; // set by whoever opens it
  received = "";
  end = "";
  onData: ((peer: Peer) => void) | null = null;

  say(text: string): void {
    const bytes = new TextEncoder().encode(text);
    assert.equal(this.socket.write(bytes, 0, bytes.length), bytes.length);
  }

  data(bytes: Uint8Array): void {
    this.received += new TextDecoder().decode(bytes);
    this.onData?.(this);
  }

  drained(): void {}

  ended(): void {
    this.end += "ended ";
  }

  closed({ code }: { code: string }): void {
    this.end += code;
  }
}

interface Lab {
  readonly runtime: MemoryRuntime;
  readonly proxy: TestProxy;
  readonly origins: Peer[];
  dial(): Peer;
}

async function lab(
  yaml: string,
  options: MemoryNetworkOptions,
  onRequest: (peer: Peer) => void,
): Promise<Lab> {
  const runtime = createMemoryRuntime({ clock: new FakeClock(), ...options });
  const proxy = await TestProxy.start(yaml, { runtime });
  const origins: Peer[] = [];
  const open = (peer: Peer) => (socket: Socket) => {
    peer.socket = socket;
    return peer;
  };
  await runtime.listen({
    address: { kind: "tcp", host: "127.0.0.1", port: ORIGIN_PORT },
    backlog: 10,
    reusePort: false,
    tls: null,
    handshakeTimeoutMs: 1000,
  }, {
    accepted(socket) {
      const peer = new Peer();
      peer.onData = onRequest;
      origins.push(peer);
      return open(peer)(socket);
    },
    acceptFailed() {},
  });
  const dial = (): Peer => {
    const peer = new Peer();
    const address = { kind: "tcp", host: "127.0.0.1", port: proxy.port } as const;
    runtime.dial({ address, timeoutMs: 1000, tls: null }, { opened: open(peer), failed: ({ detail }) => assert.fail(detail) });
    runtime.network.run();
    return peer;
  };
  return { runtime, proxy, origins, dial };
}

const answer = (peer: Peer): void =>
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + "a".repeat(100));

test("an idle client whose kernel still holds our answer is dropped in the end", async () => {
  const yaml = "to: 3001\nkeep_alive_timeout: 1s\nbody_idle_timeout: 2s\n";
  const { runtime, proxy, dial } = await lab(yaml, { receiveBufferBytes: 64 }, answer);
  const client = dial();
  client.socket.pause();
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.advance(500);
  assert.equal(proxy.ended.length, 1);
  runtime.network.advance(10_000);
  assert.equal(proxy.front.connections, 0);
});

test("an idle endpoint that has not taken all of its request is dropped in the end", async () => {
  const yaml = "to: 3001\npool: {idle_timeout: 1s}\n";
  const { runtime, proxy, origins, dial } = await lab(yaml, { receiveBufferBytes: 64 }, (peer) => {
    peer.onData = null;
    peer.socket.pause();
    answer(peer);
  });
  const client = dial();
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.run();
  assert.equal(proxy.ended[0]?.status, 200);
  assert.equal(proxy.upstream().endpoints[0]?.idle.size, 1);
  runtime.network.advance(20_000);
  assert.equal(origins[0]?.end, "reset");
});

test("a slow client gets all of an answer that ends its connection", async () => {
  const yaml = "to: 3001\nbody_idle_timeout: 60s\n";
  const { runtime, dial } = await lab(yaml, { receiveBufferBytes: 64 }, answer);
  const client = dial();
  client.socket.pause();
  // It does not ask for the end, so we linger after our last answer.
  client.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\nGET bad\r\n\r\n");
  runtime.network.advance(10_000);
  client.socket.resume();
  runtime.network.run();
  assert.match(client.received, /^HTTP\/1.1 200 OK[^]*a{100}HTTP\/1.1 400 [^]*reason: \w+\n$/);
});

test("a client that never stops sending after our last answer is not listened to for ever", async () => {
  const yaml = "to: 3001\n";
  const { runtime, proxy, dial } = await lab(yaml, {}, answer);
  const client = dial();
  client.say("no request\r\n\r\n");
  for (let i = 0; i < 60; i++) {
    if (client.end.includes("reset")) break;
    if (!client.end.includes("finished")) client.say("x");
    runtime.network.advance(1000);
  }
  assert.equal(proxy.front.connections, 0);
  assert.match(client.received, /^HTTP\/1.1 400 /);
});
