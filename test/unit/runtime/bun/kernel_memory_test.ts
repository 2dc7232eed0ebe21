/** No address reaches the kernel that is not inside of an array of ours. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bunFfi } from "../../../../runtime/shared/libc.ts";
import type { Socket, SocketEvents } from "../../../../runtime/contract/contract.ts";
import { addressWithin, KernelMemory } from "../../../../runtime/bun/kernel_memory.ts";
import { epollTest } from "../../../support/epoll.ts";
import { redZones } from "../../../support/epoll_parts.ts";
import { OPTIONS } from "../../../support/listen_options.ts";
import { RedZones } from "../../../support/red_zones.ts";
import { within } from "../../../support/watchdog.ts";

const START = 4096;

test("an address is inside of its array, with all of its length", () => {
  for (const [size, from, length] of [[10, 0, 10], [10, 3, 7], [10, 10, 0], [1, 0, 1]] as const) {
    assert.equal(addressWithin(START, size, from, length), START + from);
  }
});

for (
  const [what, size, from, length] of [
    ["beyond the end", 10, 0, 11],
    ["that begins beyond the end", 10, 11, 0],
    ["that ends beyond the end", 10, 4, 7],
    ["before the beginning", 10, -1, 1],
    ["of negative length", 10, 5, -1],
    ["of a fraction", 10, 0.5, 1],
    ["of a length that is a fraction", 10, 0, 1.5],
    ["of no number", 10, NaN, 1],
    ["of no length", 10, 0, NaN],
    ["beyond 32 bits", 10, 2 ** 32, 1],
    ["of a length beyond 32 bits", 10, 0, 2 ** 32],
    ["whose sum is too large", 2 ** 31, 2 ** 31 - 1, 2 ** 31 - 1],
    ["in an array that was transferred", 0, 0, 1],
  ] as const
) {
  test(`an address ${what} is refused`, () => {
    assert.throws(() => addressWithin(START, size, from, length), RangeError);
  });
}

test("what is no address is refused", () => {
  for (const start of [0, -1, NaN, new Error("no pointer") as unknown as number]) {
    assert.throws(() => addressWithin(start, 10, 0, 1), RangeError);
  }
});

epollTest("kept bytes that were transferred, and arrays without bytes, are refused", async () => {
  const memory = new KernelMemory();
  const kept = memory.keep(64);
  assert.ok(kept.at(0, 64) > 0);
  (kept.bytes.buffer as ArrayBuffer).transfer(0);
  assert.throws(() => kept.at(0, 1), RangeError);
  assert.throws(() => memory.lent(new Uint8Array(0), 0, 0), RangeError);
  const gone = new Uint8Array(new ArrayBuffer(64));
  gone.buffer.transfer(0);
  assert.throws(() => memory.lent(gone, 0, 1), RangeError);
});

epollTest("red zones notice a byte on either side, and addresses that are nobody's", async () => {
  for (const at of [-1, 64]) {
    const zones = new RedZones();
    const { bytes } = zones.keep(64);
    bytes.fill(1);
    zones.verify();
    new Uint8Array(bytes.buffer)[bytes.byteOffset + at] = 0;
    assert.throws(() => zones.verify(), /bytes beside an array of 64 bytes/);
  }
  const zones = new RedZones();
  const kept = zones.keep(64);
  const answer = () => 0;
  const libc = zones.guard({ recv: answer, send: answer } as never);
  assert.equal(libc.recv(1, kept.at(0, 64), 64, 0), 0);
  assert.throws(() => libc.recv(1, kept.at(0, 64), 65, 0), /nobody's/);
  const lent = new Uint8Array(10);
  const address = zones.lent(lent, 0, 10);
  assert.equal(libc.send(1, address, 10, 0), 0);
  assert.throws(() => libc.send(1, address, 10, 0), /nobody's/, "it was lent for one call");
});

/** As many arrays of all sizes as a collection is worth, and the collection. */
function churn(): number {
  let sum = 0;
  for (let size = 1; size < 4096; size *= 2) {
    const arrays = Array.from({ length: 64 }, () => new Uint8Array(size).fill(0xff));
    // Makes those that have no ArrayBuffer get one: the engine moves their bytes.
    for (const array of arrays) sum += array.buffer.byteLength;
  }
  (globalThis as unknown as { Bun: { gc(full: boolean): void } }).Bun.gc(true);
  return sum;
}

epollTest("addresses stay those of their arrays while the engine allocates and collects", async (sockets) => {
  const { buffer } = sockets.loop;
  const address = buffer.at(0, 1);
  const zones = redZones;
  assert.ok(zones !== null);
  const before = zones.turns;
  let got = 0;
  let wrong = 0;
  const done = Promise.withResolvers<void>();
  const open = new Set<Socket>();
  const over = Promise.withResolvers<void>();
  const quiet = (socket: Socket): SocketEvents => {
    open.add(socket);
    const closed = () => void (open.delete(socket) && open.size === 0 && over.resolve());
    return { data() {}, drained() {}, ended() {}, closed };
  };
  const ROUNDS = 60;
  const listener = await sockets.listen(OPTIONS, {
    accepted: (socket) => ({
      ...quiet(socket),
      data(bytes) {
        churn();
        // What was lent to us lies in the receive buffer still.
        for (const byte of bytes) if (byte !== (got++ % 251)) wrong++;
        if (got >= total) done.resolve();
      },
    }),
    acceptFailed() {},
  });
  /** Below and above what the engine keeps inside of an array's object. */
  const sizes = [1, 7, 64, 999, 1000, 1001, 5000];
  const total = ROUNDS * sizes.reduce((sum, size) => sum + size);
  let sent = 0;
  const dialled = Promise.withResolvers<void>();
  sockets.dial({ address: listener.address, timeoutMs: 10_000, tls: null }, {
    opened(socket) {
      for (let round = 0; round < ROUNDS; round++) {
        for (const size of sizes) {
          const bytes = Uint8Array.from({ length: size }, () => sent++ % 251);
          if (size < 100) churn();
          assert.equal(socket.write(bytes, 0, size), size);
        }
      }
      dialled.resolve();
      return quiet(socket);
    },
    failed: (error) => dialled.reject(new Error(error.detail)),
  });
  await within(dialled.promise, "the bytes to be sent");
  await within(done.promise, "the bytes to arrive");
  assert.equal(wrong, 0);
  assert.equal(got, total);
  assert.equal(bunFfi()?.ptr(buffer.bytes), address);
  assert.ok(zones.turns > before);
  zones.verify();
  await listener.close();
  for (const socket of open) socket.abort();
  await within(over.promise, "both to be closed");
});
