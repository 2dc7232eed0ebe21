/**
 * A WebSocket library that knows nothing of us (npm's `ws`) on both sides of the proxy. On Deno and Node it is
 * the package over node:http; Bun puts an implementation of its own under that name, over its own server and
 * client, so that each side is also one that the other runtimes do not have.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { TestProxy } from "../support/proxy.ts";
import { within } from "../support/watchdog.ts";
import { patterned } from "./lab.ts";

interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** One side of a connection, with what has come in waiting to be asked for. */
class Side {
  readonly socket: WebSocket;
  readonly closed: Promise<Closed>;
  readonly #arrived: string[] = [];
  #tell: () => void = () => {};

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on("error", (error) => this.#add(`error ${error.message}`));
    socket.on("message", (data, isBinary) => this.#add(isBinary ? digest(data) : data.toString()));
    socket.on("ping", (data) => this.#add(`ping ${data.toString()}`));
    socket.on("pong", (data) => this.#add(`pong ${data.toString()}`));
  }

  #add(what: string): void {
    this.#arrived.push(what);
    this.#tell();
  }

  /** The next message (bytes as `digest` has them), ping or pong. */
  next(): Promise<string> {
    const taken = async (): Promise<string> => {
      while (this.#arrived.length === 0) await new Promise<void>((resolve) => (this.#tell = resolve));
      return this.#arrived.shift() as string;
    };
    return within(taken(), "a message");
  }

  end(): Promise<Closed> {
    return within(this.closed, "the end of a WebSocket");
  }
}

interface Pair {
  readonly client: Side;
  readonly server: Side;
}

/** Length and a sum that shows lost, changed and exchanged bytes. */
function digest(bytes: Uint8Array): string {
  let sum = 0;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
  return `${bytes.length} bytes ${sum}`;
}

/** @param scene is given a function that opens a WebSocket through the proxy */
async function withServer(
  scene: (open: () => Promise<Pair>, proxy: TestProxy) => Promise<void>,
): Promise<void> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  const accepted = new Map<string, (socket: WebSocket) => void>();
  server.on("connection", (socket) => {
    // Connections may be accepted in another order than they were opened in; the first message says which.
    const first = (data: Uint8Array) => {
      socket.off("message", first);
      accepted.get(new TextDecoder().decode(data))?.(socket);
    };
    socket.on("message", first);
  });
  await within(new Promise<void>((resolve) => server.on("listening", resolve)), "the server to listen");
  const proxy = await TestProxy.start(`to: 127.0.0.1:${server.address().port}\n`);
  const clients: WebSocket[] = [];
  const open = async (): Promise<Pair> => {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/chat?a=b`);
    const name = `name ${clients.push(socket)}`;
    const client = new Side(socket);
    const met = new Promise<WebSocket>((resolve) => accepted.set(name, resolve));
    await within(new Promise<void>((resolve) => socket.on("open", resolve)), "a WebSocket to open");
    socket.send(name);
    return { client, server: new Side(await within(met, "the server's side")) };
  };
  try {
    await scene(open, proxy);
  } finally {
    for (const socket of [...clients, ...server.clients]) socket.terminate();
    await proxy.stop();
    await within(new Promise((resolve) => server.close(resolve)), "the server to close");
  }
}

/** Sends each way, and hears on the other side what was sent. */
async function exchange({ client, server }: Pair, message: string | Uint8Array): Promise<void> {
  const expected = typeof message === "string" ? message : digest(message);
  for (const [from, to] of [[client, server], [server, client]] as const) {
    from.socket.send(message);
    assert.equal(await to.next(), expected);
  }
}

test("text, bytes, and messages with each form of their length", () =>
  withServer(async (open) => {
    const pair = await open();
    await exchange(pair, "grüße ✓");
    await exchange(pair, "");
    for (const length of [0, 1, 125, 126, 65_535, 65_536, 1_048_576]) {
      await exchange(pair, patterned(length));
    }
    await exchange(pair, "x".repeat(1_048_576));
  }));

test("many messages keep their order, both ways at once", () =>
  withServer(async (open) => {
    const { client, server } = await open();
    const count = 2_000;
    for (let index = 0; index < count; index++) {
      client.socket.send(`up ${index}`);
      server.socket.send(`down ${index}`);
    }
    for (let index = 0; index < count; index++) {
      assert.equal(await server.next(), `up ${index}`);
      assert.equal(await client.next(), `down ${index}`);
    }
  }));

test("ping and pong", () =>
  withServer(async (open) => {
    const { client, server } = await open();
    client.socket.ping("from the client");
    assert.equal(await server.next(), "ping from the client");
    assert.equal(await client.next(), "pong from the client");
    server.socket.ping("from the server");
    assert.equal(await client.next(), "ping from the server");
    assert.equal(await server.next(), "pong from the server");
  }));

test("codes and reasons of a close, both ways", () =>
  withServer(async (open, proxy) => {
    for (const [code, reason] of [[1000, ""], [1001, "going away"], [4321, "tschüß"]] as const) {
      const first = await open();
      first.client.socket.close(code, reason);
      assert.deepEqual(await first.server.end(), { code, reason });
      assert.deepEqual(await first.client.end(), { code, reason });
      const second = await open();
      second.server.socket.close(code, reason);
      assert.deepEqual(await second.client.end(), { code, reason });
      assert.deepEqual(await second.server.end(), { code, reason });
    }
    await proxy.until("tunnels to end", () => proxy.ended.length === 6);
    assert.deepEqual(proxy.ended.map(({ status, reason }) => [status, reason]), Array(6).fill([101, ""]));
  }));

test("a side that vanishes is noticed by the other: 1006", () =>
  withServer(async (open) => {
    const first = await open();
    first.client.socket.terminate();
    assert.equal((await first.server.end()).code, 1006);
    const second = await open();
    second.server.socket.terminate();
    assert.equal((await second.client.end()).code, 1006);
  }));

test("a proxy that stops asks both sides to end, in the middle of their talk: 1001", () =>
  withServer(async (open, proxy) => {
    const pairs = await Promise.all(Array.from({ length: 20 }, open));
    for (const { client, server } of pairs) {
      for (let index = 0; index < 20; index++) {
        client.socket.send(`up ${index}`);
        server.socket.send(patterned(5_000 * (index % 3)));
      }
    }
    const drained = proxy.gateway.drain(10_000);
    for (const { client, server } of pairs) {
      assert.equal((await client.end()).code, 1001);
      const { code } = await server.end();
      assert.equal(code, 1001, "as the client has answered it");
      for (let index = 0; index < 20; index++) assert.equal(await server.next(), `up ${index}`);
    }
    await within(drained, "the proxy to stop");
    await proxy.until("tunnels to end", () => proxy.ended.length === 20);
    assert.deepEqual(proxy.ended.map(({ reason, detail }) => reason + detail), new Array(20).fill(""));
  }));

test("a hundred at once", () =>
  withServer(async (open, proxy) => {
    const pairs = await Promise.all(Array.from({ length: 100 }, open));
    await Promise.all(pairs.map((pair, index) => exchange(pair, `message of ${index}`)));
    await Promise.all(pairs.map((pair, index) => exchange(pair, patterned(10_000 + index))));
    for (const { client } of pairs) client.socket.close(1000);
    const ends = await Promise.all(pairs.map(({ server }) => server.end()));
    assert.deepEqual(new Set(ends.map(({ code }) => code)), new Set([1000]));
    await proxy.until("tunnels to end", () => proxy.ended.length === 100);
    assert.ok(proxy.ended.every(({ upgraded, status }) => upgraded && status === 101));
  }));
