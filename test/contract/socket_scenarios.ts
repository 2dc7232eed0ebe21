/** Open TCP connections, adapter to adapter: bytes, backpressure, pausing, half-close. */
import assert from "node:assert/strict";
import type { SocketEvents } from "../../runtime/contract/contract.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Lab, Scenario } from "./lab.ts";
import { Pattern, Random } from "./pattern.ts";
import { poll, turns } from "./watch.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

export const socketScenarios: readonly Scenario[] = [
  {
    name: "both ends know the addresses of both",
    async run(lab) {
      const { client, server, host } = await lab.pair();
      assert.equal(client.socket.remoteAddress, "127.0.0.1");
      assert.equal(server.socket.remoteAddress, "127.0.0.1");
      assert.equal(client.socket.remotePort, host.port);
      assert.equal(server.socket.localPort, host.port);
      assert.equal(server.socket.localAddress, "127.0.0.1");
      assert.equal(client.socket.localPort, server.socket.remotePort);
      assert.equal(client.socket.localAddress, "127.0.0.1");
      assert.equal(client.socket.tls, null);
      assert.equal(server.socket.tls, null);
    },
  },
  {
    name: "bytes go both ways, and a range of an array means that range",
    async run(lab) {
      const { client, server } = await lab.pair();
      const bytes = new TextEncoder().encode("<<hello>>");
      assert.equal(client.write(bytes, 2, 7), 5);
      assert.equal(client.write(bytes, 3, 3), 0, "an empty range is taken whole");
      await server.whenReceived(5);
      server.say("world");
      await client.whenReceived(5);
      assert.equal(server.text, "hello");
      assert.equal(client.text, "world");
      await turns();
      assert.equal(client.drains, 0);
    },
  },
  {
    name: "data that waits at accept comes after accepted has returned",
    async run(lab) {
      const host = await lab.listen();
      const client = await lab.dial(host.address, {}, (end) => end.say("early"));
      const server = await host.accept();
      await server.whenReceived(5);
      assert.equal(server.text, "early");
      server.say("late");
      await client.whenReceived(4);
    },
  },
  {
    name: "a server may speak inside accepted",
    async run(lab) {
      const { client } = await lab.pair({}, {}, { server: (end) => end.say("banner") });
      await client.whenReceived(6);
      assert.equal(client.text, "banner");
    },
  },
  {
    name: "chunks may be kept, and overwritten, where the platform says that they are the receiver's own",
    run: async (lab) => await keepsChunks(lab, await lab.pair()),
  },
  {
    name: "32 MiB reach a reader that pauses all the time",
    async run(lab) {
      const { client, server } = await lab.pair();
      const pattern = expectPattern(server, 1);
      let pauses = 0;
      server.onData = () => {
        server.pause();
        pauses++;
        turns(1).then(() => server.resume());
      };
      await client.send(pattern, 32 * MIB);
      client.finish();
      await server.whenEnded();
      assert.equal(server.receivedBytes, 32 * MIB);
      assert.ok(pauses > 10);
    },
  },
  {
    name: "one offer of 16 MiB is taken in parts and arrives whole",
    async run(lab) {
      const { client, server } = await lab.pair();
      const pattern = expectPattern(server, 2);
      const all = pattern.bytes(0, 16 * MIB);
      while (client.sentBytes < all.length) {
        client.write(all, client.sentBytes);
        await client.whenRoom();
      }
      await server.whenReceived(all.length);
      assert.equal(server.receivedBytes, all.length);
    },
  },
  {
    name: "write comes up short when the peer stops reading, drained comes once when it reads again",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      const pattern = expectPattern(server, 3);
      await client.saturate(pattern);
      const drains = client.drains;
      assert.equal(client.write(new Uint8Array(1)), 0, "still full");
      await turns(20);
      assert.equal(client.drains, drains);
      server.resume();
      await client.whenRoom();
      await server.whenReceived(client.sentBytes);
      await turns();
      assert.equal(client.drains, drains + 1);
    },
  },
  {
    name: "sentAgoMs, where there is one, grows while the peer takes nothing, and only then",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      const { socket } = client;
      if (socket.sentAgoMs === undefined) return;
      const pattern = expectPattern(server, 6);
      await client.saturate(pattern);
      while (socket.sentAgoMs() < 100) await turns();
      assert.ok(socket.sentAgoMs() < 60_000, "known");
      const resumedAt = performance.now();
      server.resume();
      await server.whenReceived(client.sentBytes);
      // The kernel counts in steps of 10 ms at most.
      assert.ok(socket.sentAgoMs() <= performance.now() - resumedAt + 10);
      client.abort();
      assert.equal(socket.sentAgoMs(), Infinity);
    },
  },
  {
    name: "ackedBytes, where there is one, counts what the peer has, not what the kernel holds for it",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      const { socket } = client;
      if (socket.ackedBytes === undefined) return;
      const before = socket.ackedBytes();
      assert.ok(before >= 0, "known");
      const pattern = expectPattern(server, 7);
      await client.saturate(pattern);
      const stalled = socket.ackedBytes() - before;
      assert.ok(
        stalled < client.sentBytes,
        `${stalled} of ${client.sentBytes} with a peer that does not read`,
      );
      server.resume();
      await server.whenReceived(client.sentBytes);
      while (socket.ackedBytes() - before < client.sentBytes) await turns();
      client.abort();
      assert.equal(socket.ackedBytes(), -1);
    },
  },
  {
    name: "drained may write at once, until all is sent",
    async run(lab) {
      const { client, server } = await lab.pair();
      const pattern = expectPattern(server, 4);
      const fill = () => {
        while (client.sentBytes < 8 * MIB && client.offer(pattern, 8 * MIB - client.sentBytes));
      };
      client.onDrained = fill;
      fill();
      await server.whenReceived(8 * MIB);
    },
  },
  {
    name: "pause inside data holds back all that follows, in order",
    async run(lab) {
      const { client, server } = await lab.pair();
      const pattern = expectPattern(server, 5);
      server.onData = () => server.pause();
      await client.send(pattern, 1);
      await server.until("the pause", () => server.paused);
      server.onData = () => {};
      const held = server.receivedBytes;
      client.fill(pattern);
      await turns(50);
      assert.equal(server.receivedBytes, held);
      server.resume();
      await client.whenRoom();
      await server.whenReceived(client.sentBytes);
    },
  },
  {
    name: "pause inside accepted holds back the first bytes",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      const pattern = expectPattern(server, 6);
      client.fill(pattern);
      await turns(50);
      assert.equal(server.receivedBytes, 0);
      server.resume();
      await client.whenRoom();
      await server.whenReceived(client.sentBytes);
    },
  },
  {
    name: "pause inside opened holds back the first bytes",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { client: (end) => end.pause() });
      const pattern = expectPattern(client, 7);
      server.fill(pattern);
      await turns(50);
      assert.equal(client.receivedBytes, 0);
      client.resume();
      await server.whenRoom();
      await client.whenReceived(server.sentBytes);
    },
  },
  {
    name: "pause and resume are idempotent and may follow one another at once",
    async run(lab) {
      const { client, server } = await lab.pair();
      const pattern = expectPattern(server, 8);
      server.onData = () => {
        server.pause();
        server.pause();
        server.resume();
        server.resume();
      };
      await client.send(pattern, 2 * MIB);
      await server.whenReceived(2 * MIB);
      server.onData = () => {};
      for (let i = 0; i < 100; i++) {
        server.pause();
        server.resume();
      }
      server.pause();
      await client.send(pattern, 1000);
      await turns();
      assert.equal(server.receivedBytes, 2 * MIB);
      server.resume();
      server.pause();
      await turns();
      assert.equal(server.receivedBytes, 2 * MIB);
      server.resume();
      await server.whenReceived(2 * MIB + 1000);
    },
  },
  {
    name: "a FIN that comes while paused is noticed after resume, behind the bytes before it",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      const pattern = expectPattern(server, 9);
      await client.send(pattern, 100 * KIB);
      client.finish();
      await turns(50);
      assert.equal(server.endedSeen, false);
      server.resume();
      await server.whenEnded();
      assert.equal(server.receivedBytes, 100 * KIB);
      server.finish();
      await Promise.all([server.whenClosed("finished"), client.whenClosed("finished")]);
    },
  },
  {
    name: "a bare FIN that comes while paused is noticed after resume, and pausing again holds it back",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      client.finish();
      await turns(50);
      server.resume();
      server.pause();
      await turns(50);
      assert.equal(server.endedSeen, false);
      server.resume();
      await server.whenEnded();
    },
  },
  {
    name: "finish while paused: closed waits for the FIN that only resume reveals",
    async run(lab) {
      for (const text of ["bye", ""]) {
        const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
        client.say(text);
        client.finish();
        server.finish();
        await client.whenEnded();
        await turns(50);
        assert.equal(server.closedWith, null);
        server.resume();
        await server.whenClosed("finished");
        assert.equal(server.text, text);
        await client.whenClosed("finished");
      }
    },
  },
  {
    name: "finish while paused, a FIN that is held back, then close or abort instead of resume",
    async run(lab) {
      for (const method of ["close", "abort"] as const) {
        const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
        client.finish();
        server.finish();
        await client.whenEnded();
        await turns(50);
        server[method]();
        await server.whenClosed(method === "close" ? "finished" : "aborted");
        assert.equal(server.endedSeen, false);
      }
    },
  },
  {
    name: "after the peer's FIN we still send 8 MiB",
    async run(lab) {
      const { client, server } = await lab.pair();
      const pattern = expectPattern(client, 10);
      client.say("request");
      client.finish();
      await server.whenEnded();
      await server.send(pattern, 8 * MIB);
      server.finish();
      await client.whenEnded();
      assert.equal(client.receivedBytes, 8 * MIB);
      await Promise.all([server.whenClosed("finished"), client.whenClosed("finished")]);
    },
  },
  {
    name: "a FIN that comes while our bytes are stuck loses none of them",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { client: (end) => end.pause() });
      const pattern = expectPattern(client, 11);
      server.fill(pattern);
      client.finish();
      await server.whenEnded();
      client.resume();
      await server.whenRoom();
      await server.send(pattern, 4 * MIB);
      server.finish();
      await client.whenEnded();
      assert.equal(client.receivedBytes, server.sentBytes);
    },
  },
  {
    name: "after our finish we still receive 8 MiB",
    async run(lab) {
      const { client, server } = await lab.pair();
      const pattern = expectPattern(server, 12);
      server.say("goodbye");
      server.finish();
      await client.whenEnded();
      await client.send(pattern, 8 * MIB);
      await server.whenReceived(8 * MIB);
      assert.equal(server.closedWith, null);
      client.finish();
      await Promise.all([server.whenClosed("finished"), client.whenClosed("finished")]);
    },
  },
  {
    name: "20 MiB accepted before finish all arrive at a slow reader, then the FIN",
    async run(lab) {
      const { client, server } = await lab.pair();
      const pattern = slowReader(server, 13);
      await client.send(pattern, 20 * MIB);
      client.finish();
      await server.whenEnded();
      assert.equal(server.receivedBytes, 20 * MIB);
      server.finish();
      await Promise.all([server.whenClosed("finished"), client.whenClosed("finished")]);
    },
  },
  {
    name: "finish right after a short write sends all that was taken",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      const pattern = expectPattern(server, 14);
      client.fill(pattern);
      client.finish();
      const drains = client.drains;
      await turns();
      server.resume();
      await server.whenEnded();
      assert.equal(server.receivedBytes, client.sentBytes);
      await turns();
      assert.equal(client.drains, drains, "no drained after finish");
    },
  },
  {
    name: "close sends all that was taken to a slow reader and does not wait for the peer",
    async run(lab) {
      const { client, server } = await lab.pair();
      const pattern = slowReader(server, 15);
      await client.send(pattern, 20 * MIB);
      client.close();
      await client.whenClosed("finished");
      await server.whenEnded();
      assert.equal(server.receivedBytes, 20 * MIB);
      server.finish();
      await server.whenClosed();
    },
  },
  {
    name: "close right after a short write sends all that was taken",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      const pattern = expectPattern(server, 16);
      client.fill(pattern);
      client.close();
      await turns();
      server.resume();
      await server.whenEnded();
      assert.equal(server.receivedBytes, client.sentBytes);
      await client.whenClosed("finished");
    },
  },
  {
    name: "what is written as the last arrives before the FIN, as much of it as was taken",
    async run(lab) {
      for (const how of ["finish", "close"] as const) {
        for (const size of [1, 3_000, 16 * MIB]) {
          const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
          const pattern = expectPattern(server, 18);
          const bytes = pattern.bytes(0, size);
          client.write(bytes, 0, size, true);
          bytes.fill(0);
          client[how]();
          await turns();
          server.resume();
          await server.whenEnded();
          assert.equal(server.receivedBytes, client.sentBytes);
          server.finish();
          await Promise.all([server.whenClosed("finished"), client.whenClosed("finished")]);
        }
      }
    },
  },
  {
    name: "bytes behind a last write that came up short follow it after drained",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      const pattern = expectPattern(server, 19);
      const size = 16 * MIB;
      const bytes = pattern.bytes(0, size);
      if (client.write(bytes, 0, size, true) === size) return;
      server.resume();
      while (client.sentBytes < size) {
        await client.whenRoom();
        client.write(bytes, client.sentBytes, size);
      }
      client.finish();
      await server.whenEnded();
      assert.equal(server.receivedBytes, size);
    },
  },
  {
    name: "after close nothing is delivered, although the peer goes on sending",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      await client.saturate(new Pattern(17));
      client.close();
      for (let i = 0; i < 20; i++) {
        server.write(new Uint8Array(1_000));
        await turns(2);
      }
      // `Endpoint` complains about data after close.
      assert.equal(client.receivedBytes, 0);
    },
  },
  {
    name: "close after the peer's FIN",
    async run(lab) {
      const { client, server } = await lab.pair();
      client.finish();
      await server.whenEnded();
      server.say("last");
      server.close();
      await server.whenClosed("finished");
      await client.whenClosed("finished");
      assert.equal(client.text, "last");
    },
  },
  {
    name: "close after finish, while the peer is silent",
    async run(lab) {
      const { client, server } = await lab.pair();
      server.say("end");
      server.finish();
      await client.whenEnded();
      server.close();
      await server.whenClosed("finished");
      assert.equal(client.text, "end");
    },
  },
  {
    name: "finish and close inside the events",
    async run(lab) {
      const { client, server } = await lab.pair();
      server.onData = () => server.say("answer");
      server.onEnded = () => server.finish();
      client.onData = () => client.finish();
      client.say("question");
      await Promise.all([server.whenClosed("finished"), client.whenClosed("finished")]);
      const second = await lab.pair();
      second.server.onData = () => second.server.close();
      second.client.say("question");
      await second.server.whenClosed("finished");
      await second.client.whenEnded();
    },
  },
  {
    name: "events may be replaced, also inside an event",
    async run(lab) {
      const { client, server } = await lab.pair();
      const seen: string[] = [];
      const rest: Omit<SocketEvents, "data"> = {
        drained() {},
        ended: () => server.ended(),
        closed: (reason) => server.closed(reason),
      };
      server.socket.events = {
        ...rest,
        data(bytes) {
          seen.push(`first ${bytes.length}`);
          server.socket.events = { ...rest, data: (more) => void seen.push(`second ${more.length}`) };
          client.say("two");
        },
      };
      client.say("one!");
      await poll("the second receiver", () => seen.length >= 2);
      assert.deepEqual(seen, ["first 4", "second 3"]);
      client.finish();
      await server.whenEnded();
    },
  },
  ...[101, 102, 103].map((seed): Scenario => ({
    name: `random pieces and pauses in both directions at once, seed ${seed}`,
    run: (lab) => randomTraffic(lab, seed),
  })),
];

/** Checks what arrives at `end` against a pattern, which the other end is to send. */
function expectPattern(end: Endpoint, seed: number): Pattern {
  const pattern = new Pattern(seed);
  end.expects = pattern;
  return pattern;
}

/** Reads, but rests for a turn of the loop after each chunk. */
function slowReader(end: Endpoint, seed: number): Pattern {
  end.onData = () => {
    end.pause();
    turns(1).then(() => {
      if (end.closedWith === null) end.resume();
    });
  };
  return expectPattern(end, seed);
}

async function randomTraffic(lab: Lab, seed: number): Promise<void> {
  const random = new Random(seed);
  const { client, server } = await lab.pair();
  const total = 3 * MIB;
  await Promise.all([talk(client, server, seed), talk(server, client, seed + 1)]);
  await Promise.all([server.whenClosed("finished"), client.whenClosed("finished")]);

  async function talk(from: Endpoint, to: Endpoint, patternSeed: number): Promise<void> {
    const pattern = expectPattern(to, patternSeed);
    to.onData = () => {
      if (random.below(4) !== 0) return;
      to.pause();
      turns(random.below(4)).then(() => to.resume());
    };
    while (from.sentBytes < total) {
      // Mostly small pieces, some large ones.
      const size = 1 + random.below(random.below(3) === 0 ? 65_000 : 700);
      if (!from.offer(pattern, Math.min(size, total - from.sentBytes))) await from.whenRoom();
      else if (random.below(8) === 0) await turns(random.below(3));
    }
    from.finish();
    await to.whenEnded();
    assert.equal(to.receivedBytes, total);
  }
}

/**
 * Bytes of other chunks never turn up in one that is kept, also when some of them are given back. Without
 * `ownChunks` nothing is promised, but overwriting a chunk during its call must do no harm either.
 */
export async function keepsChunks(
  lab: Lab,
  { client, server }: { client: Endpoint; server: Endpoint },
): Promise<void> {
  const { ownChunks } = lab.runtime.capabilities;
  const kept: { readonly bytes: Uint8Array; readonly mark: number }[] = [];
  let received = 0;
  const arrivals: number[] = [];
  server.onData = (bytes) => {
    for (let i = 0; i < bytes.length; i += 997) {
      assert.equal(bytes[i], Math.floor((received + i) / (64 * KIB)) & 127, "as it was sent");
    }
    received += bytes.length;
    const mark = 128 + (kept.length & 127);
    bytes.fill(mark);
    arrivals.push(bytes.length);
    if (ownChunks && arrivals.length % 2 === 0) lab.runtime.discard(bytes);
    else if (ownChunks) kept.push({ bytes, mark });
  };
  const blocks = 64;
  for (let block = 0; block < blocks; block++) {
    const bytes = new Uint8Array(64 * KIB).fill(block & 127);
    let sent = 0;
    while (sent < bytes.length) {
      sent += client.write(bytes, sent);
      if (sent < bytes.length) await client.whenRoom();
    }
    // Small chunks too, and some that lie side by side in what the platform has read.
    if (block % 8 === 0) await poll("arrival of a block", () => received >= (block + 1) * 64 * KIB);
  }
  await poll("arrival of everything", () => received === blocks * 64 * KIB);
  assert.ok(arrivals.length > 1);
  for (const { bytes, mark } of kept) {
    assert.ok(bytes.every((byte) => byte === mark), "a chunk that was kept has been changed");
  }
}
