import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { listenerAt } from "../../../../runtime/shared/socket_owner.ts";

const options = {
  skip: process.platform === "linux" ? false : "capability /proc: only Linux tells whose sockets are",
};

async function listening(where: object, look: (port: number) => Promise<void>): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(where, resolve));
  try {
    const address = server.address();
    await look(typeof address === "string" ? 0 : (address as AddressInfo).port);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

async function assertOurs(host: string, port: number): Promise<void> {
  const owner = await listenerAt({ kind: "tcp", host, port });
  assert.equal(owner?.pid, process.pid);
  assert.equal(owner.user, process.getuid?.());
  assert.notEqual(owner.program, "");
}

test("the process that listens on a port is found, by its own address and by all", options, async () => {
  await listening({ host: "127.0.0.1", port: 0 }, async (port) => {
    await assertOurs("127.0.0.1", port);
    await assertOurs("localhost", port);
    assert.equal(await listenerAt({ kind: "tcp", host: "127.0.0.2", port }), null);
  });
  await listening({ host: "0.0.0.0", port: 0 }, (port) => assertOurs("127.0.0.1", port));
  await listening({ host: "::", port: 0 }, (port) => assertOurs("127.0.0.1", port));
});

test("nobody listens on a port that is free", options, async () => {
  let free = 0;
  await listening({ host: "127.0.0.1", port: 0 }, async (port) => void (free = port));
  assert.equal(await listenerAt({ kind: "tcp", host: "127.0.0.1", port: free }), null);
});

test("the process that listens on a Unix socket is found", options, async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  const path = join(folder, "a socket");
  try {
    await listening({ path }, async () => {
      const owner = await listenerAt({ kind: "unix", path });
      assert.equal(owner?.pid, process.pid);
    });
    assert.equal(await listenerAt({ kind: "unix", path: join(folder, "none") }), null);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
