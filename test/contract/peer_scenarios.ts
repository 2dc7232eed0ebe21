/** The adapter against peers that are not ours, and against a real loopback. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tcp } from "./connect_scenarios.ts";
import { DatagramPeer } from "./datagram_peer.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Lab, Scenario } from "./lab.ts";
import { Pattern, Random } from "./pattern.ts";
import { rawConnect, type RawPeer, rawServer } from "./raw_peer.ts";
import { poll, turns } from "./watch.ts";

const MIB = 1024 * 1024;
const MANY_CONNECTIONS = 2_000;
const AT_ONCE = 50;

export const peerScenarios: readonly Scenario[] = [
  {
    name: "16 MiB from a raw client, byte-exact",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      const pattern = new Pattern(40);
      ours.expects = pattern;
      await peer.send(pattern, 16 * MIB);
      peer.finish();
      await ours.whenEnded();
      assert.equal(ours.receivedBytes, 16 * MIB);
    },
  },
  {
    name: "16 MiB to a raw client that reads slowly, then FIN",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      const pattern = readSlowly(peer, 41);
      await ours.send(pattern, 16 * MIB);
      ours.finish();
      await peer.whenEnded();
      assert.equal(peer.receivedBytes, 16 * MIB);
    },
  },
  {
    name: "20 MiB taken before close reach a raw client that reads slowly",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      const pattern = readSlowly(peer, 42);
      await ours.send(pattern, 20 * MIB);
      ours.close();
      await peer.whenEnded();
      assert.equal(peer.receivedBytes, 20 * MIB);
      await ours.whenClosed("finished");
      peer.finish();
      assert.equal(await peer.whenGone(), "closed");
    },
  },
  {
    name: "after a raw client's FIN we still send 8 MiB",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      const pattern = readSlowly(peer, 43);
      peer.say("GET /");
      peer.finish();
      await ours.whenEnded();
      assert.equal(ours.text, "GET /");
      await ours.send(pattern, 8 * MIB);
      ours.finish();
      await peer.whenEnded();
      assert.equal(peer.receivedBytes, 8 * MIB);
      await ours.whenClosed("finished");
    },
  },
  {
    name: "a raw client's FIN while our bytes are stuck loses none of them",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      const pattern = new Pattern(44);
      peer.expects = pattern;
      peer.socket.pause();
      ours.fill(pattern);
      peer.finish();
      await ours.whenEnded();
      peer.socket.resume();
      await ours.whenRoom();
      ours.finish();
      await peer.whenEnded();
      assert.equal(peer.receivedBytes, ours.sentBytes);
    },
  },
  {
    // Not more: Deno's node:net, here the peer, fails with EPIPE when it has to wait after a FIN.
    name: "after our finish a raw server still sends 1 MiB",
    async run(lab) {
      const { ours, peer } = await clientSide(lab);
      const pattern = new Pattern(45);
      ours.expects = pattern;
      ours.finish();
      await peer.whenEnded();
      await peer.send(pattern, MIB);
      await ours.whenReceived(MIB);
      assert.equal(ours.closedWith, null);
      peer.finish();
      await ours.whenClosed("finished");
    },
  },
  {
    name: "a raw server that speaks at once or ends at once",
    async run(lab) {
      const speaking = await clientSide(lab, (peer) => peer.say("220 ready"));
      await speaking.ours.whenReceived(9);
      const ending = await clientSide(lab, (peer) => peer.finish());
      await ending.ours.whenEnded();
    },
  },
  {
    name: "a raw server that resets at once",
    async run(lab) {
      const server = await rawServer(lab);
      const call = lab.startDial(server.address);
      (await server.accept()).reset();
      await call.until("an outcome", () => call.endpoint !== null || call.error !== null);
      // The reset can be faster than the news that the connection is open.
      if (call.endpoint !== null) await call.endpoint.whenClosed("reset");
      else assert.equal(call.error?.code, "connection_terminated");
    },
  },
  {
    name: "a reset while idle",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      peer.reset();
      await ours.whenClosed("reset");
      assert.equal(ours.endedSeen, false);
    },
  },
  {
    name: "a reset in the middle of our writing",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      const pattern = new Pattern(46);
      peer.onData = () => {
        if (peer.receivedBytes > MIB) peer.reset();
      };
      ours.onDrained = () => {
        while (ours.offer(pattern, 65_521));
      };
      while (ours.offer(pattern, 65_521));
      await ours.whenClosed("reset");
      assert.equal(ours.write(new Uint8Array(1)), 0);
    },
  },
  {
    name: "a peer that closes without reading what we sent",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      peer.socket.pause();
      ours.fill(new Pattern(47));
      peer.socket.destroy();
      await ours.whenClosed("reset");
    },
  },
  {
    name: "a reset while paused is told now or after resume, and writing stays harmless",
    async run(lab) {
      const { ours, peer } = await serverSide(lab, (end) => end.pause());
      peer.say("unread");
      await turns();
      peer.reset();
      await turns(20);
      if (ours.closedWith === null) {
        ours.write(new Uint8Array(100));
        await turns();
        if (ours.closedWith === null) ours.resume();
      }
      await ours.whenClosed("reset");
    },
  },
  {
    name: "a raw FIN while paused, with and without bytes before it",
    async run(lab) {
      for (const text of ["", "before"]) {
        const { ours, peer } = await serverSide(lab, (end) => end.pause());
        if (text !== "") peer.say(text);
        peer.finish();
        await turns(50);
        assert.equal(ours.closedWith, null);
        ours.say("we can still answer");
        await peer.whenReceived(19);
        ours.resume();
        await ours.whenEnded();
        assert.equal(ours.text, text);
        ours.finish();
        await ours.whenClosed("finished");
        await peer.whenEnded();
      }
    },
  },
  {
    name:
      "a FIN behind unread bytes is told of during a pause, as the capability says, and again during the next one",
    async run(lab) {
      const { ours, peer } = await serverSide(lab, (end) => end.pause());
      peer.say("unread");
      peer.finish();
      for (let round = 0; round < 2 && lab.runtime.capabilities.endWhilePaused; round++) {
        await ours.until("the end to be told", () => ours.ahead !== "no");
        assert.equal(ours.ahead, "end");
        ours.say("we can still answer");
        await peer.whenReceived(19 * (round + 1));
        ours.resume();
        ours.pause();
      }
      ours.resume();
      await ours.whenEnded();
      assert.equal(ours.text, "unread");
      ours.finish();
      await ours.whenClosed("finished");
    },
  },
  {
    name: "a FIN with nothing unread is told of during a pause, as the capability says",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      peer.say("read");
      await ours.whenReceived(4);
      ours.pause();
      peer.finish();
      if (lab.runtime.capabilities.endWhilePaused) {
        await ours.until("the end to be told", () => ours.ahead !== "no");
        assert.equal(ours.ahead, "end");
      }
      ours.resume();
      await ours.whenEnded();
    },
  },
  {
    name: "a reset behind unread bytes is told of during a pause, as the capability says",
    async run(lab) {
      const { ours, peer } = await serverSide(lab, (end) => end.pause());
      peer.say("unread");
      await turns();
      peer.reset();
      if (lab.runtime.capabilities.endWhilePaused) {
        await ours.until("the reset to be told", () => ours.ahead !== "no" || ours.closedWith !== null);
        if (ours.closedWith === null) assert.equal(ours.ahead, "reset");
      }
      if (ours.closedWith === null) ours.resume();
      await ours.whenClosed("reset");
    },
  },
  {
    name: "abort inside of endAhead is the end, and so is close",
    async run(lab) {
      if (!lab.runtime.capabilities.endWhilePaused) return;
      for (const how of ["abort", "close"] as const) {
        const { ours, peer } = await serverSide(lab, (end) => end.pause());
        ours.onEndAhead = () => ours[how]();
        peer.say("unread");
        peer.finish();
        await ours.whenClosed(how === "abort" ? "aborted" : "finished");
      }
    },
  },
  {
    name: "abort reaches a raw peer as the capability says",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      ours.abort();
      await ours.whenClosed("aborted");
      if (lab.runtime.capabilities.abortSendsReset) assert.equal(await peer.whenGone(), "ECONNRESET");
      else await peer.until("an end", () => peer.endedSeen || peer.gone !== "");
    },
  },
  {
    name: "finish sends FIN and nothing else, close does not reset",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      ours.say("one");
      ours.finish();
      await peer.whenEnded();
      assert.equal(peer.text, "one");
      assert.equal(peer.gone, "");
      const second = await serverSide(lab);
      second.ours.say("two");
      second.ours.close();
      await second.peer.whenEnded();
      second.peer.finish();
      assert.equal(await second.peer.whenGone(), "closed");
      assert.equal(second.peer.text, "two");
    },
  },
  {
    name: "a client that dribbles byte by byte",
    async run(lab) {
      const { ours, peer } = await serverSide(lab);
      const pattern = new Pattern(48);
      ours.expects = pattern;
      for (let i = 0; i < 500; i++) {
        peer.socket.write(pattern.bytes(i, 1));
        await ours.whenReceived(i + 1);
      }
    },
  },
  {
    name: "random pieces in both directions at once with a raw client",
    async run(lab) {
      const random = new Random(49);
      const { ours, peer } = await serverSide(lab);
      const total = 4 * MIB;
      const [there, back] = [readSlowly(peer, 50), new Pattern(51)];
      ours.expects = back;
      ours.onData = () => {
        if (random.below(5) !== 0) return;
        ours.pause();
        turns(random.below(4)).then(() => ours.resume());
      };
      await Promise.all([
        peer.send(back, total, 10_007).then(() => peer.finish()),
        (async () => {
          while (ours.sentBytes < total) {
            const size = Math.min(1 + random.below(50_000), total - ours.sentBytes);
            if (!ours.offer(there, size)) await ours.whenRoom();
          }
          ours.finish();
        })(),
      ]);
      await Promise.all([ours.whenEnded(), peer.whenEnded()]);
      assert.equal(ours.receivedBytes, total);
      assert.equal(peer.receivedBytes, total);
      await ours.whenClosed("finished");
    },
  },
  {
    name: "a dial whose deadline passes",
    async run(lab) {
      // Never answers the ClientHello; a TCP connection alone cannot be made to hang on a loopback.
      const silent = await rawServer(lab);
      const tls = { serverName: "localhost", verify: false, ca: null };
      const error = await lab.dialFailure(silent.address, { timeoutMs: 50, tls });
      assert.equal(error.code, "connection_timeout", error.detail);
      const peer = await silent.accept();
      await peer.until("the drop", () => peer.endedSeen || peer.gone !== "");
    },
  },
  {
    name: "a dial that is cancelled during its handshake is dropped unseen",
    async run(lab) {
      const silent = await rawServer(lab);
      const tls = { serverName: "localhost", verify: false, ca: null };
      const call = lab.startDial(silent.address, { tls });
      const peer = await silent.accept();
      await peer.whenReceived(1);
      call.cancel();
      await peer.until("the drop", () => peer.endedSeen || peer.gone !== "");
      assert.equal(call.error, null);
    },
  },
  {
    name: "datagrams: only the peer's arrive, each by itself",
    async run(lab) {
      const peer = await DatagramPeer.open();
      const stranger = await DatagramPeer.open();
      const heard: string[] = [];
      const socket = lab.runtime.openDatagrams({ host: "127.0.0.1", port: peer.port }, {
        received: (bytes) => heard.push(new TextDecoder().decode(bytes)),
        failed: ({ detail }) => heard.push(`failed ${detail}`),
      });
      socket.send(new TextEncoder().encode("one"));
      await poll("the first datagram", () => peer.heard.length === 1);
      await stranger.send("a lie", peer.from);
      await peer.send("two", peer.from);
      await peer.send("three", peer.from);
      await poll("both answers", () => heard.length === 2);
      assert.deepEqual([peer.heard, heard], [["one"], ["two", "three"]]);
      socket.close();
      socket.close();
      socket.send(new TextEncoder().encode("after the end"));
      await peer.send("too late", peer.from);
      await turns(20);
      assert.deepEqual([peer.heard.length, heard.length], [1, 2]);
      await peer.close();
      await stranger.close();
    },
  },
  {
    name: "datagrams: each socket has a port of its own, and nothing is told inside a call",
    async run(lab) {
      const peer = await DatagramPeer.open();
      const ports = new Set<number>();
      for (let i = 0; i < 8; i++) {
        let inside = true;
        const socket = lab.runtime.openDatagrams({ host: "127.0.0.1", port: peer.port }, {
          received: () => assert.equal(inside, false),
          failed: () => assert.equal(inside, false),
        });
        socket.send(new Uint8Array([i]));
        inside = false;
        await poll("a datagram", () => peer.heard.length === i + 1);
        ports.add(peer.from);
        socket.close();
      }
      assert.ok(ports.size >= 7, `${ports.size} of 8 ports are different`);
      await peer.close();
      const refused = lab.runtime.openDatagrams({ host: "127.0.0.1", port: peer.port }, {
        received: () => {},
        failed: ({ code }) => assert.equal(code, "connection_refused"),
      });
      refused.send(new Uint8Array([1]));
      await turns(20);
      refused.close();
    },
  },
  {
    name: `${MANY_CONNECTIONS} connections that come and go leave no descriptor behind`,
    async run(lab) {
      const host = await lab.listen();
      host.prepare = (end) => (end.onEnded = () => end.close());
      // Whatever a runtime opens for itself is open before we count.
      await comeAndGo(lab, host.port, AT_ONCE);
      await turns(50);
      const before = openDescriptors();
      for (let i = 0; i < MANY_CONNECTIONS; i += AT_ONCE) await comeAndGo(lab, host.port, AT_ONCE);
      await poll("descriptors to be closed", () => openDescriptors() <= before);
      assert.ok(host.count >= MANY_CONNECTIONS / 2);
    },
  },
];

/** A raw client and our end of its connection. */
async function serverSide(
  lab: Lab,
  prepare: (end: Endpoint) => void = () => {},
): Promise<{ ours: Endpoint; peer: RawPeer }> {
  const host = await lab.listen();
  host.prepare = prepare;
  const peer = await rawConnect(lab, host.port);
  return { ours: await host.accept(), peer };
}

/** A raw server and our end of a connection to it. `act` runs as soon as the server has accepted. */
async function clientSide(
  lab: Lab,
  act: (peer: RawPeer) => void = () => {},
): Promise<{ ours: Endpoint; peer: RawPeer }> {
  const server = await rawServer(lab);
  const accepted = server.accept().then((peer) => {
    act(peer);
    return peer;
  });
  const ours = await lab.dial(server.address);
  return { ours, peer: await accepted };
}

/** The peer checks what arrives against a pattern and rests after each chunk. */
function readSlowly(peer: RawPeer, seed: number): Pattern {
  const pattern = new Pattern(seed);
  peer.expects = pattern;
  peer.onData = () => {
    peer.socket.pause();
    turns(1).then(() => peer.socket.resume());
  };
  return pattern;
}

/** Connections that live for one byte; every fourth is aborted, every fourth ends without one. */
async function comeAndGo(lab: Lab, port: number, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, async (_, index) => {
    const client = await lab.dial(tcp(port));
    if (index % 4 !== 1) client.say("x");
    if (index % 4 === 0) client.abort();
    else client.close();
    await client.whenClosed();
  }));
}

/** 0 where the platform does not tell. */
export function openDescriptors(): number {
  try {
    return fs.readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}
