import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientTls, ServerTls, SocketError, TlsSession } from "../../../../runtime/contract/contract.ts";
import { HandshakeOwner } from "../../../../runtime/bun/handshake.ts";
import type { NativeSocket } from "../../../../runtime/bun/native.ts";
import type { Host } from "../../../../runtime/bun/socket.ts";

const CLIENT: ClientTls = { serverName: "origin.example", verify: true, ca: null };
const SERVER: ServerTls = { cert: "", key: "" };

class Recorded extends HandshakeOwner {
  readonly log: string[] = [];
  protected override get over(): boolean {
    return this.log.length > 0;
  }
  protected override secured(_native: NativeSocket, { alpn, serverName }: TlsSession): void {
    this.log.push(`secured ${alpn} ${serverName}`);
  }
  protected override refused({ code }: SocketError): void {
    this.log.push(`refused ${code}`);
  }
  protected override lost({ code, detail }: SocketError): void {
    this.log.push(`lost ${code}: ${detail}`);
  }
}

function setUp(tls: ClientTls | ServerTls | null, authorized = true) {
  const bugs: unknown[] = [];
  // The cast: the owner reports errors to its host, and asks it for nothing else.
  const owner = new Recorded(
    tls,
    { onHandlerError: (error: unknown) => bugs.push(error) } as unknown as Host,
  );
  // The cast: this is what a handshake looks at.
  const native = {
    authorized,
    alpnProtocol: "h2",
    getTLSVersion: () => "TLSv1.3",
    getServername: () => "asked.example",
  } as unknown as NativeSocket;
  return { owner, native, bugs };
}

test("bun handshake: a client's session has the name it asked for, a server's the one it was asked for", () => {
  const client = setUp(CLIENT);
  client.owner.onHandshake(client.native, true, null);
  assert.deepEqual(client.owner.log, ["secured h2 origin.example"]);
  const server = setUp(SERVER);
  server.owner.onHandshake(server.native, true, null);
  assert.deepEqual(server.owner.log, ["secured h2 asked.example"]);
});

test("bun handshake: an unverified certificate is refused, by a server only where it asks for one", () => {
  const client = setUp(CLIENT, false);
  client.owner.onHandshake(client.native, true, null);
  assert.deepEqual(client.owner.log, ["refused tls_certificate_error"]);
  const asks = setUp({ ...SERVER, clientCa: "" }, false);
  asks.owner.onHandshake(asks.native, true, null);
  assert.deepEqual(asks.owner.log, ["refused tls_certificate_error"]);
  const open = setUp(SERVER, false);
  open.owner.onHandshake(open.native, true, new Error("of no interest"));
  assert.deepEqual(open.owner.log, ["secured h2 asked.example"]);
});

test("bun handshake: after the outcome, and without TLS, a handshake says nothing", () => {
  const { owner, native } = setUp(CLIENT);
  owner.onHandshake(native, true, null);
  owner.onHandshake(native, true, null);
  assert.equal(owner.log.length, 1);
  const plain = setUp(null);
  plain.owner.onHandshake(plain.native, true, null);
  assert.deepEqual(plain.owner.log, []);
});

test("bun handshake: a connection that closes has been lost; what is no platform's error is a bug", () => {
  for (const nothing of [undefined, null]) {
    const { owner } = setUp(SERVER);
    owner.onClose(nothing);
    assert.deepEqual(owner.log, ["lost connection_terminated: closed during the TLS handshake"]);
  }
  const reset = setUp(SERVER);
  reset.owner.onError(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
  assert.match(reset.owner.log[0] ?? "", /^lost connection_terminated/);
  assert.deepEqual(reset.bugs, []);
  const bug = setUp(SERVER);
  bug.owner.onError(new TypeError("x is not a function"));
  assert.equal(bug.bugs.length, 1);
  assert.equal(bug.owner.log.length, 1);
});
