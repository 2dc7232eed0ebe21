/** Accepting: whose requests a listener's are, how many clients there may be, and how all of it ends. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, type Listener, SocketFailure } from "../../../runtime/contract/contract.ts";
import { sendWhole } from "../../../src/answer/answer_writer.ts";
import { OwnAnswer } from "../../../src/answer/own_answer.ts";
import { IoTurn } from "../../../src/conn/io_turn.ts";
import { downstreamOpener } from "../../../src/conn/open_downstream.ts";
import type {
  DownstreamPeer,
  DownstreamStream,
  RequestHandler,
} from "../../../src/http/downstream_stream.ts";
import { NO_FIELDS } from "../../../src/http/field_section.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { Server, type ServerHost } from "../../../src/server/server.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { Peer } from "../../support/memory_lab.ts";
import { createMemoryRuntime, type MemoryNetworkOptions } from "../../support/memory_runtime.ts";
import { walkSeeds } from "../../support/seeds.ts";

const ASK = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const MOST = 4;
const MOST_REFUSED = 2;
const SETTINGS = {
  headTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 10_000,
  keepAliveTimeoutMs: 60_000,
  servesHalfClosed: true,
  limits: DEFAULT_LIMITS,
} as const;

function options(address: Address) {
  return { address, backlog: 16, reusePort: false, tls: null, handshakeTimeoutMs: 1000 };
}

const port = (number: number): Address => ({ kind: "tcp", host: "127.0.0.1", port: number });

function scene(more: MemoryNetworkOptions = {}) {
  const clock = new FakeClock();
  const runtime = createMemoryRuntime({ clock, ...more });
  const turn = new IoTurn(runtime);
  const open = downstreamOpener(turn, SETTINGS);
  const answer = (client: DownstreamStream, body: string, close: boolean): void =>
    sendWhole(client, OwnAnswer.of({ status: close ? 503 : 200, body }), NO_FIELDS, false, close);
  /** Clients that have asked, and wait until `answerAll`. */
  const waiting = new Set<DownstreamStream>();
  /** Those that are being told that there are too many. */
  const refused = new Set<DownstreamPeer>();
  const limits = { maxConnections: MOST, maxRefused: MOST_REFUSED };
  const host: ServerHost = {
    turn,
    limits,
    openConnection: (socket, handler) => open(socket, handler),
    refuseConnection(client) {
      refused.add(client.peer);
      answer(client, "full", true);
    },
    acceptFailed() {},
  };
  const server = new Server(runtime, host);
  const handler = (name: string, waits = false): RequestHandler => ({
    request(client) {
      if (waits) waiting.add(client);
      else answer(client, name, false);
    },
    refused: (client) => client.abort(),
    connectionClosed(peer) {
      refused.delete(peer);
      server.connections.delete(peer);
    },
  });
  const dialTo = (address: Address): Peer => {
    const peer = new Peer();
    runtime.dial({ address, timeoutMs: 1000, tls: null }, {
      opened: (socket) => {
        peer.socket = socket;
        return peer;
      },
      failed: () => peer.end = "refused",
    });
    return peer;
  };
  const answerAll = (): void => {
    turn.begin();
    for (const client of waiting) answer(client, "at last", false);
    waiting.clear();
    turn.end();
  };
  return { runtime, clock, server, limits, refused, handler, dialTo, answerAll };
}

test("server: a connection's requests are for the handler that its listener had when it came", async () => {
  const { runtime, server, handler, dialTo } = scene();
  const one = await server.bind(options(port(1000)), handler("one"));
  const two = await server.bind(options(port(2000)), handler("two"));
  const ask = (peer: Peer): string => {
    peer.received = "";
    peer.say(ASK);
    runtime.network.run();
    return peer.received.split("\r\n\r\n")[1] ?? "";
  };
  const first = dialTo(one.address);
  const second = dialTo(two.address);
  runtime.network.run();
  assert.deepEqual([ask(first), ask(second)], ["one", "two"]);
  server.setHandler(one, handler("three"));
  const third = dialTo(one.address);
  runtime.network.run();
  assert.deepEqual([ask(first), ask(third), ask(second)], ["one", "three", "two"]);
  await server.unbind(one);
  server.setHandler(one, handler("nobody"));
  const late = dialTo(one.address);
  runtime.network.run();
  assert.equal(late.end, "refused");
  assert.deepEqual([ask(first), ask(third), ask(second)], ["one", "three", "two"], "connections stay");
});

test("server: handshakes may take as many descriptors as clients leave over, and always those of refusals", async () => {
  const runtime = createMemoryRuntime();
  let room: (() => number) | undefined;
  let answersPlain = false;
  const listen = runtime.listen.bind(runtime);
  runtime.listen = (wanted, events) => {
    room = events.handshakeRoom?.bind(events);
    answersPlain = events.answerPlain !== undefined;
    return listen(wanted, events);
  };
  const limits = { maxConnections: 3, maxRefused: 1 };
  const turn = new IoTurn(runtime);
  const host: ServerHost = {
    turn,
    limits,
    openConnection: downstreamOpener(turn, SETTINGS),
    refuseConnection: (client) => client.abort(),
    acceptFailed() {},
  };
  const server = new Server(runtime, host);
  const handler: RequestHandler = { request() {}, refused() {}, connectionClosed() {} };
  const { address } = await server.bind(options(port(0)), handler);
  assert.equal(answersPlain, false, "nothing is said where the host has nothing to say");
  const rooms = [room?.()];
  for (let at = 0; at < 3; at++) {
    runtime.dial({ address, timeoutMs: 1000, tls: null }, { opened: () => new Peer(), failed() {} });
    runtime.network.run();
    rooms.push(room?.());
  }
  assert.deepEqual(rooms, [3, 2, 1, 1]);
  limits.maxConnections = 10;
  assert.equal(room?.(), 7, "limits are asked for each client");
});

test("server: another listener in the place of one takes over after its queue has been served", async () => {
  const { runtime, clock, server, handler, dialTo } = scene();
  const before = await server.bind(options(port(1000)), handler("before"));
  const after = await server.bind(options(port(2000)), handler("after"));
  server.unbindLater(before, 1000);
  clock.advance(999);
  const inTime = dialTo(before.address);
  runtime.network.run();
  inTime.say(ASK);
  runtime.network.run();
  assert.match(inTime.received, /before$/);
  clock.advance(1);
  const late = dialTo(before.address);
  const next = dialTo(after.address);
  runtime.network.run();
  assert.equal(late.end, "refused");
  next.say(ASK);
  runtime.network.run();
  assert.match(next.received, /after$/);
});

test("server: draining waits for what was asked, refuses ports at once, and late connections have their own gap", async () => {
  const { runtime, clock, server, handler, dialTo, answerAll } = scene({ resetQueueOnClose: false });
  const { address } = await server.bind(options(port(1000)), handler("slow", true));
  const asking = dialTo(address);
  const idle = dialTo(address);
  runtime.network.run();
  asking.say(ASK);
  runtime.network.run();
  const queued = dialTo(address);
  const drained = server.drain(500, 0);
  runtime.network.run();
  await drained;
  let isEmpty = false;
  void server.connections.untilEmpty(60_000).then(() => isEmpty = true);
  assert.equal(idle.end, "", "its client may be asking just now");
  assert.match(queued.end, /ended|finished|refused/);
  clock.advance(600);
  runtime.network.run();
  assert.match(idle.end, /ended/);
  assert.equal(asking.received, "");
  answerAll();
  runtime.network.run();
  assert.match(asking.received, /\r\nConnection: close\r\n[^]*at last$/);
  for (const peer of [asking, idle, queued]) peer.socket?.finish();
  runtime.network.run();
  assert.equal(server.connections.size, 0);
  for (let at = 0; at < 10; at++) await Promise.resolve();
  assert.equal(isEmpty, true);
});

test("server: random arrivals and departures keep to the limit, and leave nothing behind", async () => {
  for (const seed of walkSeeds(60)) {
    const { runtime, server, limits, refused, handler, dialTo } = scene({ seed, resetQueueOnClose: false });
    const { network } = runtime;
    const listeners: Listener[] = [];
    const peers: Peer[] = [];
    for (let turn = 0; turn < 120; turn++) {
      const what = network.random(7);
      if (what === 0 && listeners.length < 3) {
        listeners.push(await server.bind(options(port(0)), handler("let in")));
      } else if (what === 1 && listeners.length > 0) {
        const [gone] = listeners.splice(network.random(listeners.length), 1) as [Listener];
        if (network.random(2) === 0) void server.unbind(gone);
        else server.unbindLater(gone, network.random(50));
      } else if (what <= 3 && listeners.length > 0) {
        const { address } = listeners[network.random(listeners.length)] as Listener;
        peers.push(dialTo(address));
      } else if (what === 4 && peers.length > 0) {
        const peer = peers[network.random(peers.length)] as Peer;
        if (peer.socket !== undefined && peer.received === "") peer.say(ASK);
      } else if (what === 5 && peers.length > 0) {
        (peers[network.random(peers.length)] as Peer).socket?.abort();
      } else if (what === 6) {
        limits.maxConnections = 1 + network.random(MOST);
      }
      const { connections } = server;
      const before = connections.served;
      for (let step = network.random(20); step > 0 && network.step(); step--) {
        // A limit that has fallen closes nobody, and lets nobody in.
        assert.ok(
          connections.served <= Math.max(before, limits.maxConnections),
          `seed ${seed}: ${connections.served}`,
        );
        assert.ok(refused.size <= MOST_REFUSED, `seed ${seed}`);
      }
    }
    const closed = server.drain(0);
    network.run();
    await closed;
    for (const peer of peers) {
      if (!peer.end.includes("aborted")) assert.match(peer.received, /^$|let in$|full$/, `seed ${seed}`);
      peer.socket?.finish();
    }
    network.advance(40_000);
    assert.equal(server.connections.size, 0, `seed ${seed}`);
    assert.equal(network.openSockets, 0, `seed ${seed}`);
  }
});

test("server: a port that cannot be bound is a failure, and nothing of it stays", async () => {
  const { runtime, server, handler, dialTo } = scene();
  const listener = await server.bind(options(port(1000)), handler("one"));
  await assert.rejects(server.bind(options(port(1000)), handler("two")), SocketFailure);
  const client = dialTo(listener.address);
  runtime.network.run();
  const aborted = server.abort();
  runtime.network.run();
  await aborted;
  assert.match(client.end, /reset/);
  assert.equal(server.connections.size, 0);
  assert.equal((await server.bind(options(port(1000)), handler("two"))).address.kind, "tcp");
});
