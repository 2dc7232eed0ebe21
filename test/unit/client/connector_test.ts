/** From a dial to a connection that carries requests. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  DialEvents,
  DialOptions,
  Runtime,
  SocketError,
  SocketEvents,
} from "../../../runtime/contract/contract.ts";
import { SocketConnector } from "../../../src/client/connector.ts";
import { isTlsFailure } from "../../../src/client/dial_fault.ts";
import type { ReuseKey } from "../../../src/client/reuse_key.ts";
import { IoTurn } from "../../../src/conn/io_turn.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import type { UpstreamPeer } from "../../../src/http/upstream_stream.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { StubSocket } from "../../support/stub_socket.ts";

const KEY: ReuseKey = {
  scheme: "https",
  address: { kind: "tcp", host: "192.0.2.1", port: 443 },
  tls: { serverName: "backend.test", verify: true, ca: null },
  proxyChain: [],
  credentials: "",
};

class Lab {
  readonly clock = new FakeClock();
  readonly dials: { readonly options: DialOptions; readonly events: DialEvents }[] = [];
  readonly socket: StubSocket;
  peer: UpstreamPeer | null = null;
  error: SocketError | null = null;

  constructor(alpn: string | null = null) {
    this.socket = new StubSocket();
    const tls = alpn === null ? null : { alpn, serverName: "backend.test", version: "TLSv1.3" };
    Object.assign(this.socket, { tls });
    const turn = new IoTurn({
      clock: this.clock,
      capabilities: { ownChunks: false },
      releaseMemory() {},
      discard() {},
    });
    const dial: Runtime["dial"] = (options, events) => {
      this.dials.push({ options, events });
      return { cancel() {} };
    };
    const owner = { idleLost() {} };
    const secure = () => assert.fail("no TLS within");
    new SocketConnector({ dial, clock: this.clock, resolve: () => Promise.resolve([]), secure }, turn)
      .connect(KEY, {
        timeoutMs: 500,
        limits: DEFAULT_LIMITS,
        owner,
      }, {
        opened: (peer) => {
          this.peer = peer;
        },
        failed: (error) => {
          this.error = error;
        },
      });
  }

  get dial() {
    const [dial, ...more] = this.dials;
    assert.ok(dial !== undefined && more.length === 0);
    return dial;
  }

  opens(): SocketEvents {
    return this.dial.events.opened(this.socket);
  }
}

test("what is dialled is what the key says, and nothing is offered that it does not offer", () => {
  const { options } = new Lab().dial;
  assert.deepEqual(options, { address: KEY.address, tls: KEY.tls, timeoutMs: 500 });
});

test("without TLS, without ALPN, and where that agreed on it: HTTP/1.1", () => {
  for (const alpn of [null, "", "http/1.1"]) {
    const lab = new Lab(alpn);
    lab.clock.advance(30);
    const events = lab.opens();
    assert.equal(lab.error, null);
    assert.equal(events as unknown, lab.peer, "the connection hears its socket");
    assert.equal(lab.peer?.connectMs, 30);
    assert.equal(lab.peer?.freeStreams, 1);
    assert.deepEqual(lab.socket.calls, []);
  }
});

test("a protocol that is not spoken here: no connection, and the socket is dropped", () => {
  const lab = new Lab("h2");
  const events = lab.opens();
  assert.equal(lab.peer, null);
  assert.deepEqual(lab.error, {
    code: "tls_protocol_error",
    detail: 'the handshake agreed on "h2", which is not spoken here',
  });
  assert.ok(isTlsFailure(lab.error), "waiting does not mend it");
  assert.deepEqual(lab.socket.calls, ["abort"]);
  // What was under way changes nothing.
  events.data(new Uint8Array(9));
  events.ended();
  events.closed({ code: "aborted", detail: "" });
  assert.deepEqual(lab.socket.calls, ["abort"]);
});

test("a connection to itself is none", () => {
  const lab = new Lab();
  const own = { localAddress: "127.0.0.1", remoteAddress: "127.0.0.1", localPort: 3000, remotePort: 3000 };
  Object.assign(lab.socket, own);
  lab.opens();
  assert.equal(lab.peer, null);
  assert.equal(lab.error?.code, "connection_refused");
  assert.deepEqual(lab.socket.calls, ["abort"]);
});

test("a dial that fails is told as it is", () => {
  const lab = new Lab();
  const error: SocketError = { code: "connection_timeout", detail: "500 ms" };
  lab.dial.events.failed(error);
  assert.equal(lab.error, error);
});
