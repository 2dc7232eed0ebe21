/** A client that waits for an acknowledgement before it sends its request gets one when the TLS handshake is done. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { ClientTls, Socket, SocketEvents } from "../../../../runtime/contract/contract.ts";
import { KernelMemory, viewOf } from "../../../../runtime/bun/kernel_memory.ts";
import { acknowledge } from "../../../../runtime/bun/quick_ack.ts";
import type { BunSocket } from "../../../../runtime/bun/socket.ts";
import { openLibc } from "../../../../runtime/shared/libc.ts";
import { adapterFactory } from "../../../support/adapter.ts";
import { localhostCertificate, testAuthority } from "../../../support/certificates.ts";
import { OPTIONS } from "../../../support/listen_options.ts";
import { within } from "../../../support/watchdog.ts";

const able = "Bun" in globalThis && process.platform === "linux";
const onBun = { skip: able ? false : "TLS over sockets of Bun's on Linux" };

interface Asking {
  getsockopt(fd: number, level: number, name: number, value: number, length: number): number;
}

/** TCP_QUICKACK of a connection: 0 while acknowledgements wait for data to go along with. */
function quickAck(fd: number): number {
  const libc = openLibc<Asking>({
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  });
  const memory = new KernelMemory();
  const [value, length] = [memory.keep(4), memory.keep(4)];
  viewOf(length.bytes).setInt32(0, 4, true);
  assert.equal(libc?.getsockopt(fd, 6, 12, value.at(0, 4), length.at(0, 4)), 0);
  return viewOf(value.bytes).getInt32(0, true);
}

const CLIENT: ClientTls = { serverName: "localhost", verify: true, ca: testAuthority };
const QUIET: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };

test("what ends a client's TLS handshake is acknowledged at once", onBun, async () => {
  const thrown: unknown[] = [];
  const runtime = (await adapterFactory())({ onHandlerError: (error) => thrown.push(error) });
  const accepted = Promise.withResolvers<Socket>();
  const listener = await runtime.listen({ ...OPTIONS, tls: localhostCertificate }, {
    accepted(socket) {
      accepted.resolve(socket);
      return QUIET;
    },
    acceptFailed: ({ detail }) => accepted.reject(new Error(detail)),
  });
  const opened = Promise.withResolvers<Socket>();
  runtime.dial({ address: listener.address, timeoutMs: 30_000, tls: CLIENT }, {
    opened(socket) {
      opened.resolve(socket);
      return QUIET;
    },
    failed: ({ detail }) => opened.reject(new Error(detail)),
  });
  const [server, client] = await within(Promise.all([accepted.promise, opened.promise]), "a TLS connection");
  server.pause();
  // The cast: the adapter of Bun makes no other ones for TLS; only a paused one tells its descriptor.
  assert.equal(quickAck((server as BunSocket).pausedDescriptor), 1);
  server.abort();
  client.abort();
  await listener.close();
  assert.deepEqual(thrown, []);
});

test("a connection that is gone, or none at all, is not asked for an acknowledgement", () => {
  acknowledge(-1);
  acknowledge(2 ** 20); // no descriptor: the kernel refuses, and nobody is told
});
