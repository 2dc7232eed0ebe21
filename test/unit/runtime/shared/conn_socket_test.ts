/** A socket over a connection that settles its reads and writes when the test says so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CloseReason, SocketEvents } from "../../../../runtime/contract/contract.ts";
import { ConnBuffers, LARGE_BYTES } from "../../../../runtime/shared/conn_buffers.ts";
import { ConnSocket } from "../../../../runtime/shared/conn_socket.ts";
import { FakeConn, filled, turn } from "./fake_conn.ts";

class Events implements SocketEvents {
  readonly log: string[] = [];
  reason: CloseReason | null = null;
  onData: (bytes: Uint8Array) => void = () => {};
  data(bytes: Uint8Array): void {
    this.log.push(`data ${bytes.length}`);
    this.onData(bytes);
  }
  drained(): void {
    this.log.push("drained");
  }
  ended(): void {
    this.log.push("ended");
  }
  closed(reason: CloseReason): void {
    this.reason = reason;
    this.log.push(`closed ${reason.code}`);
  }
}

function open(buffers = new ConnBuffers()) {
  const conn = new FakeConn();
  const events = new Events();
  const errors: unknown[] = [];
  const socket = new ConnSocket(conn, null, buffers, (error) => errors.push(error));
  socket.open(() => events);
  return { conn, events, socket, errors };
}

test("deno socket: written bytes are copied, at most 64 KiB wait, drained comes with room for half", async () => {
  const { conn, events, socket } = open();
  const bytes = filled(40_000, 1);
  assert.equal(socket.write(bytes, 0, 40_000), 40_000);
  bytes.fill(2);
  assert.equal(socket.write(bytes, 0, 40_000), LARGE_BYTES - 40_000);
  bytes.fill(3);
  assert.equal(socket.write(bytes, 0, 1), 0);
  assert.deepEqual(await conn.take(10_000), filled(10_000, 1));
  assert.deepEqual(events.log, []);
  assert.deepEqual(await conn.take(), filled(30_000, 1));
  assert.deepEqual(events.log, ["drained"]);
  assert.deepEqual(await conn.take(), filled(LARGE_BYTES - 40_000, 2));
  assert.deepEqual(events.log, ["drained"]);
});

test("deno socket: a chunk written on inside data keeps its bytes although the next read goes on", async () => {
  const buffers = new ConnBuffers();
  const from = open(buffers);
  const to = open(buffers);
  const also = open(buffers);
  from.events.onData = (bytes) => {
    assert.equal(to.socket.write(bytes, 0, bytes.length), bytes.length);
    assert.equal(also.socket.write(bytes, 100, 200), 100);
  };
  await from.conn.arrive(filled(50_000, 7));
  await from.conn.arrive(filled(50_000, 8).subarray(0, 10_000));
  assert.deepEqual(await to.conn.take(), filled(50_000, 7));
  assert.deepEqual(await to.conn.take(), filled(10_000, 8));
  assert.deepEqual(await also.conn.take(), filled(100, 7));
});

test("deno socket: a chunk keeps its bytes for the whole call, also when data aborts", async () => {
  const buffers = new ConnBuffers();
  const from = open(buffers);
  const to = open(buffers);
  from.events.onData = (bytes) => {
    from.socket.abort();
    to.socket.write(filled(LARGE_BYTES, 9), 0, LARGE_BYTES);
    assert.deepEqual(bytes, filled(5000, 7));
  };
  await from.conn.arrive(filled(5000, 7));
  assert.deepEqual(from.errors, []);
  assert.deepEqual(from.events.log, ["data 5000", "closed aborted"]);
});

test("deno socket: with many connections the waiting ones have a small buffer until it is filled", async () => {
  const buffers = new ConnBuffers();
  const all = Array.from({ length: 65 }, () => open(buffers));
  const last = all[64];
  assert.ok(last !== undefined);
  const size = () => last.conn.reading?.bytes.length;
  assert.equal(size(), 4096);
  await last.conn.arrive(filled(4096, 1));
  assert.equal(size(), LARGE_BYTES);
  await last.conn.arrive(filled(100, 1));
  assert.equal(size(), 4096);
});

test("deno socket: what a read brought while paused is held, and comes after resume has returned", async () => {
  const { conn, events, socket } = open();
  socket.pause();
  await conn.arrive(filled(3, 1));
  assert.equal(conn.reading, null);
  socket.resume();
  socket.pause();
  await turn();
  assert.deepEqual(events.log, []);
  socket.resume();
  assert.deepEqual(events.log, []);
  await turn();
  assert.deepEqual(events.log, ["data 3"]);
  socket.pause();
  await conn.arrive(null);
  assert.deepEqual(events.log, ["data 3"]);
  socket.resume();
  await turn();
  assert.deepEqual(events.log, ["data 3", "ended"]);
});

test("deno socket: an answer that came before a failed write is still read", async () => {
  const { conn, events, socket } = open();
  socket.write(filled(10, 1), 0, 10);
  await conn.failWrite();
  assert.equal(socket.write(filled(10, 1), 0, 10), 0);
  await conn.arrive(filled(200, 1));
  await conn.arrive(null);
  assert.deepEqual(events.log, ["data 200", "ended", "closed reset"]);
  assert.equal(conn.closes, 1);
});

test("deno socket: a failed write closes at once when nobody reads", async () => {
  const paused = open();
  paused.socket.pause();
  paused.socket.write(filled(10, 1), 0, 10);
  await paused.conn.failWrite();
  assert.deepEqual(paused.events.log, ["closed reset"]);
  const later = open();
  later.socket.write(filled(10, 1), 0, 10);
  await later.conn.failWrite();
  later.socket.pause();
  await turn();
  assert.deepEqual(later.events.log, ["closed reset"]);
});

test("deno socket: finish and close wait for what was taken; our own close rejects unseen", async () => {
  const finishing = open();
  finishing.socket.write(filled(10, 1), 0, 10);
  finishing.socket.finish();
  assert.equal(finishing.conn.fins, 0);
  await finishing.conn.take();
  assert.equal(finishing.conn.fins, 1);
  await finishing.conn.arrive(null);
  assert.deepEqual(finishing.events.log, ["ended", "closed finished"]);

  const closing = open();
  closing.socket.write(filled(10, 1), 0, 10);
  closing.socket.close();
  await closing.conn.arrive(filled(5, 1));
  assert.equal(closing.conn.closes, 0);
  await closing.conn.take();
  assert.deepEqual(closing.events.log, ["closed finished"]);

  const aborting = open();
  aborting.socket.write(filled(10, 1), 0, 10);
  aborting.socket.abort();
  await turn();
  assert.deepEqual(aborting.events.log, ["closed aborted"]);
  assert.equal(aborting.conn.closes, 1);
});
