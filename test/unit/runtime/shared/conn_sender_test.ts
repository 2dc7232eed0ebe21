import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnBuffers, LARGE_BYTES } from "../../../../runtime/shared/conn_buffers.ts";
import { ConnSender } from "../../../../runtime/shared/conn_sender.ts";
import { FakeConn, filled, turn } from "./fake_conn.ts";

function open(buffers = new ConnBuffers()) {
  const conn = new FakeConn();
  const log: string[] = [];
  const sender = new ConnSender(conn, buffers, () => log.push("sent"), () => log.push("failed"));
  return { buffers, conn, log, sender };
}

test("conn sender: small pieces behind one under way go out together", async () => {
  const { conn, sender } = open();
  for (let i = 0; i < 5000; i++) sender.take(Uint8Array.of(i));
  assert.equal((await conn.take()).length, 1);
  const rest = await conn.take();
  assert.equal(rest.length, 4999);
  assert.equal(rest[4998], 4999 & 0xff);
  assert.equal(conn.writing, null);
});

test("conn sender: room counts what is under way and what waits; what was not taken goes out again", async () => {
  const { conn, log, sender } = open();
  assert.equal(sender.room, LARGE_BYTES);
  sender.take(filled(1000, 1));
  sender.take(filled(500, 2));
  assert.equal(sender.room, LARGE_BYTES - 1500);
  assert.deepEqual(await conn.take(400), filled(400, 1));
  assert.equal(sender.room, LARGE_BYTES - 1100);
  assert.deepEqual(await conn.take(), filled(600, 1));
  assert.equal(sender.idle, false);
  assert.deepEqual(await conn.take(), filled(500, 2));
  assert.equal(sender.idle, true);
  assert.equal(sender.room, LARGE_BYTES);
  assert.deepEqual(log, ["sent", "sent", "sent"]);
});

test("conn sender: a piece of a lent large buffer is sent from there, a small one is copied", () => {
  const { buffers, conn, sender } = open();
  const lent = buffers.take(LARGE_BYTES);
  buffers.lend(lent);
  sender.take(lent.subarray(10, 50_010));
  assert.equal(conn.writing?.bytes.buffer, lent.buffer);
  assert.equal(buffers.endLend(lent), true);

  const other = open(buffers);
  buffers.lend(lent);
  other.sender.take(lent.subarray(0, 100));
  assert.notEqual(other.conn.writing?.bytes.buffer, lent.buffer);
  assert.equal(buffers.endLend(lent), false);
});

test("conn sender: stop leaves the write that is under way and sends nothing behind it", async () => {
  const { conn, log, sender } = open();
  sender.take(filled(10, 1));
  sender.take(filled(10, 2));
  sender.stop();
  await conn.take(5);
  await turn();
  assert.equal(conn.writing, null);
  assert.deepEqual(log, []);
});

test("conn sender: a failed write drops all bytes", async () => {
  const { conn, log, sender } = open();
  sender.take(filled(10, 1));
  sender.take(filled(10, 2));
  await conn.failWrite();
  assert.deepEqual(log, ["failed"]);
  assert.equal(sender.idle, true);
  assert.equal(sender.room, LARGE_BYTES);
});
