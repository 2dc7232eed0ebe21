/** The in-memory runtime keeps the socket contract, and a seed repeats a run exactly. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  AcceptEvents,
  Address,
  CloseReason,
  DialEvents,
  ServerTls,
  Socket,
  SocketError,
  SocketEvents,
} from "../../../runtime/contract/contract.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import type { Chunking } from "../../support/memory_network.ts";
import {
  createMemoryRuntime,
  lentFiller,
  memoryCertificate,
  type MemoryListener,
  type MemoryRuntime,
} from "../../support/memory_runtime.ts";
import { ExitSignal, MemorySystem } from "../../support/memory_system.ts";

/** Records everything that happens to one socket. */
class Peer implements SocketEvents {
  socket: Socket | null = null;
  error: SocketError | null = null;
  text = "";
  log: string[] = [];
  reason: CloseReason | null = null;
  onData: (bytes: Uint8Array) => void = () => {};

  data(bytes: Uint8Array): void {
    assert.ok(bytes.length > 0, "data is never empty");
    this.log.push("data");
    this.text += new TextDecoder("latin1").decode(bytes);
    this.onData(bytes);
  }
  drained(): void {
    this.log.push("drained");
  }
  ended(): void {
    this.log.push("ended");
  }
  closed(reason: CloseReason): void {
    assert.equal(this.reason, null, "closed comes once");
    this.reason = reason;
    this.log.push("closed");
  }
  get open(): Socket {
    assert.ok(this.socket !== null, "the connection is open");
    return this.socket;
  }
  send(text: string): number {
    const bytes = new TextEncoder().encode(text);
    return this.open.write(bytes, 0, bytes.length);
  }
}

class Accepting implements AcceptEvents {
  readonly peers: Peer[] = [];
  readonly errors: SocketError[] = [];
  accepted(socket: Socket): SocketEvents {
    const peer = new Peer();
    peer.socket = socket;
    this.peers.push(peer);
    return peer;
  }
  acceptFailed(error: SocketError): void {
    this.errors.push(error);
  }
}

const somewhere: Address = { kind: "tcp", host: "127.0.0.1", port: 0 };

function listen(
  runtime: MemoryRuntime,
  events: AcceptEvents,
  tls: ServerTls | null = null,
  backlog = 10,
  address = somewhere,
): Promise<MemoryListener> {
  return runtime.listen({ address, backlog, reusePort: false, tls, handshakeTimeoutMs: 500 }, events);
}

function dialling(peer: Peer): DialEvents {
  return {
    opened(socket) {
      peer.socket = socket;
      return peer;
    },
    failed(error) {
      peer.error = error;
    },
  };
}

function dial(
  runtime: MemoryRuntime,
  address: Address,
  tls: Parameters<typeof runtime.dial>[0]["tls"] = null,
) {
  const peer = new Peer();
  const handle = runtime.dial({ address, timeoutMs: 1000, tls }, dialling(peer));
  return { peer, handle };
}

/** An open connection: [client, server]. */
async function pair(runtime: MemoryRuntime): Promise<[Peer, Peer]> {
  const accepting = new Accepting();
  const listener = await listen(runtime, accepting);
  const { peer } = dial(runtime, listener.address);
  runtime.network.run();
  const server = accepting.peers[0];
  assert.ok(server !== undefined && peer.socket !== null);
  return [peer, server];
}

test("memory runtime: nothing happens before a step, then bytes arrive in order", async () => {
  const runtime = createMemoryRuntime();
  const [client, server] = await pair(runtime);
  assert.equal(client.send("hello "), 6);
  assert.equal(client.send("world"), 5);
  assert.equal(server.text, "");
  runtime.network.run();
  assert.equal(server.text, "hello world");
  assert.equal(client.open.remotePort, server.open.localPort);
  assert.equal(server.open.remotePort, client.open.localPort);
});

test("memory runtime: whatever the seed and chunking, both directions carry the same bytes", async () => {
  const chunkings: Chunking[] = ["whole", "bytes", "random"];
  for (const chunking of chunkings) {
    for (let seed = 0; seed < 20; seed++) {
      const runtime = createMemoryRuntime({ seed, chunking, sendBufferBytes: 7, receiveBufferBytes: 5 });
      const [client, server] = await pair(runtime);
      const text = "The quick brown fox jumps over the lazy dog.".repeat(3);
      for (const peer of [client, server]) {
        let rest = text;
        const push = () => {
          rest = rest.slice(peer.send(rest));
          if (rest === "") peer.open.finish();
        };
        peer.drained = push;
        push();
      }
      runtime.network.run();
      for (const peer of [client, server]) {
        assert.equal(peer.text, text, `seed ${seed}`);
        assert.deepEqual(peer.log.slice(-2), ["ended", "closed"]);
        assert.equal(peer.reason?.code, "finished");
      }
      assert.equal(runtime.network.openSockets, 0);
      assert.deepEqual(runtime.network.misuses, []);
    }
  }
});

test("memory runtime: a seed repeats a run, different seeds differ", async () => {
  const trace = async (seed: number) => {
    const runtime = createMemoryRuntime({ seed, sendBufferBytes: 16 });
    const [client, server] = await pair(runtime);
    const order: string[] = [];
    client.onData = (bytes) => order.push(`c${bytes.length}`);
    server.onData = (bytes) => order.push(`s${bytes.length}`);
    client.send("0123456789");
    server.send("abcdefghij");
    runtime.network.run();
    return order.join(" ");
  };
  assert.equal(await trace(5), await trace(5));
  const seen = new Set<string>();
  for (let seed = 0; seed < 10; seed++) seen.add(await trace(seed));
  assert.ok(seen.size > 3);
});

test("memory runtime: a lent chunk is destroyed after data, written bytes are copied", async () => {
  const runtime = createMemoryRuntime();
  const [client, server] = await pair(runtime);
  let kept = new Uint8Array(0);
  server.onData = (bytes) => {
    kept = bytes as Uint8Array<ArrayBuffer>;
  };
  const bytes = new TextEncoder().encode("abc");
  client.open.write(bytes, 0, 3);
  bytes.fill(0);
  runtime.network.run();
  assert.equal(server.text, "abc");
  assert.deepEqual([...kept], [lentFiller, lentFiller, lentFiller]);
});

test("memory runtime: a full socket takes part, reports drained once, and notes a write too many", async () => {
  const runtime = createMemoryRuntime({ sendBufferBytes: 4, receiveBufferBytes: 4 });
  const [client, server] = await pair(runtime);
  server.open.pause();
  assert.equal(client.send("123456"), 4);
  runtime.network.run(); // four bytes move on: room again
  assert.deepEqual(client.log, ["drained"]);
  assert.equal(client.send("567890"), 4);
  assert.equal(client.send("9"), 0);
  assert.equal(runtime.network.misuses.length, 1);
  runtime.network.run();
  assert.deepEqual(client.log, ["drained"]);
  server.open.resume();
  runtime.network.run();
  assert.equal(server.text, "12345678");
  assert.deepEqual(client.log, ["drained", "drained"]);
});

test("memory runtime: pause inside data takes effect at once, the end waits for resume", async () => {
  const runtime = createMemoryRuntime({ chunking: "bytes" });
  const [client, server] = await pair(runtime);
  server.onData = () => server.open.pause();
  client.send("ab");
  client.open.finish();
  runtime.network.run();
  assert.equal(server.text, "a");
  server.open.resume();
  runtime.network.run();
  assert.equal(server.text, "ab");
  assert.ok(!server.log.includes("ended"));
  server.open.resume();
  runtime.network.run();
  assert.deepEqual(server.log, ["data", "data", "ended"]);
});

test("memory runtime: half-open, an answer goes out after the peer has finished", async () => {
  const runtime = createMemoryRuntime();
  const [client, server] = await pair(runtime);
  client.send("question");
  client.open.finish();
  assert.equal(client.send("more"), 0);
  runtime.network.run();
  assert.deepEqual(server.log, ["data", "ended"]);
  server.send("answer");
  server.open.finish();
  runtime.network.run();
  assert.equal(client.text, "answer");
  assert.equal(client.reason?.code, "finished");
  assert.equal(server.reason?.code, "finished");
});

test("memory runtime: close sends what was taken and needs no end of the peer", async () => {
  const runtime = createMemoryRuntime();
  const [client, server] = await pair(runtime);
  server.send("bye");
  server.open.close();
  runtime.network.run();
  assert.deepEqual(server.log, ["closed"]);
  assert.equal(server.reason?.code, "finished");
  assert.deepEqual(client.log, ["data", "ended"]);
  assert.equal(client.text, "bye");
  client.send("nobody reads this");
  runtime.network.run();
  assert.equal(client.reason?.code, "reset");
});

test("memory runtime: close with unread bytes resets the peer", async () => {
  const runtime = createMemoryRuntime();
  const [client, server] = await pair(runtime);
  server.open.pause();
  client.send("unread");
  runtime.network.run();
  server.send("lost");
  server.open.close();
  runtime.network.run();
  assert.equal(client.reason?.code, "reset");
  assert.equal(client.text, "");
  assert.equal(server.reason?.code, "finished");
});

test("memory runtime: abort resets the peer even while that is paused; a later call does nothing", async () => {
  const runtime = createMemoryRuntime();
  const [client, server] = await pair(runtime);
  server.open.pause();
  client.send("x");
  client.open.abort();
  client.open.abort();
  runtime.network.run();
  assert.deepEqual(client.log, ["closed"]);
  assert.equal(client.reason?.code, "aborted");
  assert.deepEqual(server.log, ["closed"]);
  assert.equal(server.reason?.code, "reset");
  for (const socket of [client.open, server.open]) {
    socket.resume();
    socket.finish();
    socket.close();
    socket.abort();
    assert.equal(socket.write(new Uint8Array(1), 0, 1), 0);
  }
  runtime.network.run();
  assert.equal(client.log.length + server.log.length, 2);
});

test("memory runtime: a handler that throws is reported and its socket aborted", async () => {
  const errors: unknown[] = [];
  const runtime = createMemoryRuntime({ onHandlerError: (error) => errors.push(error) });
  const [client, server] = await pair(runtime);
  server.onData = () => {
    throw new Error("bug");
  };
  client.send("x");
  runtime.network.run();
  assert.equal(errors.length, 1);
  assert.equal(server.reason?.code, "aborted");
  assert.equal(client.reason?.code, "reset");
});

test("memory runtime: without onHandlerError the step throws", async () => {
  const runtime = createMemoryRuntime();
  const [client, server] = await pair(runtime);
  server.onData = () => {
    throw new Error("bug");
  };
  client.send("x");
  assert.throws(() => runtime.network.run(), /bug/);
});

test("memory runtime: refused, unknown, unroutable and black-holed dials", async () => {
  const clock = new FakeClock();
  const runtime = createMemoryRuntime({ clock });
  const at = (host: string, port: number): Address => ({ kind: "tcp", host, port });
  runtime.network.blackhole(at("10.0.0.1", 80));
  runtime.network.fail(at("10.0.0.2", 80), "destination_ip_unroutable");
  const accepting = new Accepting();
  await listen(runtime, accepting, null, 10, at("127.0.0.2", 8080));
  const peers = [
    dial(runtime, at("127.0.0.1", 8080)).peer,
    dial(runtime, { kind: "unix", path: "/nowhere" }).peer,
    dial(runtime, at("nobody.example", 80)).peer,
    dial(runtime, at("10.0.0.2", 80)).peer,
    dial(runtime, at("10.0.0.1", 80)).peer,
    dial(runtime, at("127.0.0.2", 8080)).peer,
  ];
  runtime.network.run();
  const codes = () => peers.map((peer) => peer.error?.code ?? (peer.socket === null ? "pending" : "open"));
  const before = ["connection_refused", "connection_refused", "dns_error", "destination_ip_unroutable"];
  assert.deepEqual(codes(), [...before, "pending", "open"]);
  runtime.network.advance(999);
  assert.equal(codes()[4], "pending");
  runtime.network.advance(1);
  assert.equal(codes()[4], "connection_timeout");
  assert.equal(clock.pendingTimers, 0);
});

test("memory runtime: a cancelled dial is never heard of, its connection is dropped", async () => {
  for (let seed = 0; seed < 10; seed++) {
    const runtime = createMemoryRuntime({ seed });
    const accepting = new Accepting();
    const listener = await listen(runtime, accepting);
    const { peer, handle } = dial(runtime, listener.address);
    for (let i = 0; i < seed % 4; i++) runtime.network.step();
    const opened = peer.socket !== null;
    handle.cancel();
    handle.cancel();
    runtime.network.run();
    assert.equal(peer.socket !== null, opened);
    assert.equal(peer.error, null);
    if (!opened) { for (const server of accepting.peers) assert.equal(server.reason?.code, "reset"); }
  }
});

test("memory runtime: a full accept queue makes dials wait, a closing listener resets what waits in it", async () => {
  const runtime = createMemoryRuntime();
  const accepting = new Accepting();
  const listener = await listen(runtime, accepting, null, 1);
  listener.hold();
  const first = dial(runtime, listener.address).peer;
  const second = dial(runtime, listener.address).peer;
  runtime.network.run();
  assert.ok(first.socket !== null);
  assert.equal(second.socket ?? second.error, null);
  await listener.close();
  await listener.close();
  runtime.network.run();
  assert.equal(accepting.peers.length, 0);
  assert.equal(first.reason?.code, "reset");
  assert.equal(second.error?.code, "connection_refused");
  assert.equal(runtime.network.openListeners, 0);
});

test("memory runtime: with resetQueueOnClose false the queue is still accepted", async () => {
  const runtime = createMemoryRuntime({ resetQueueOnClose: false });
  const accepting = new Accepting();
  const listener = await listen(runtime, accepting);
  const { peer } = dial(runtime, listener.address);
  listener.hold();
  runtime.network.run();
  assert.ok(peer.socket !== null);
  await listener.close();
  listener.release();
  const late = dial(runtime, listener.address).peer;
  runtime.network.run();
  assert.equal(accepting.peers.length, 1);
  assert.equal(late.error?.code, "connection_refused");
});

test("memory runtime: an address is taken once, unless all ask to share it; close frees it", async () => {
  const runtime = createMemoryRuntime();
  const accepting = new Accepting();
  const listener = await listen(runtime, accepting);
  const again = () => listen(runtime, accepting, null, 10, listener.address);
  await assert.rejects(again(), { code: "address_in_use" });
  await listener.close();
  await (await again()).close();
  const shared = { address: listener.address, backlog: 1, reusePort: true, tls: null, handshakeTimeoutMs: 1 };
  await runtime.listen(shared, accepting);
  await createMemoryRuntime({ network: runtime.network }).listen(shared, accepting);
  await assert.rejects(runtime.resolve("nobody.example"), { code: "dns_error" });
  assert.deepEqual(await runtime.resolve("::1"), ["::1"]);
});

test("memory runtime: TLS settles name, protocol and certificate", async () => {
  const runtime = createMemoryRuntime();
  const accepting = new Accepting();
  const cert = memoryCertificate("default.example");
  const other = memoryCertificate("*.other.example");
  const listener = await listen(runtime, accepting, {
    cert,
    key: cert,
    alpn: ["http/1.1"],
    names: [{ name: "*.other.example", cert: other, key: other }],
  });
  const to = (serverName: string, verify = true, alpn: string[] = ["http/1.1"]) =>
    dial(runtime, listener.address, { serverName, verify, ca: "any", alpn }).peer;
  const peers = [
    to("default.example"),
    to("a.other.example", true, []),
    to("wrong.example"),
    to("wrong.example", false),
    to("default.example", true, ["h9"]),
  ];
  runtime.network.run();
  assert.deepEqual(
    peers.map((peer) => peer.error?.code ?? `${peer.open.tls?.serverName}/${peer.open.tls?.alpn}`),
    [
      "default.example/http/1.1",
      "a.other.example/",
      "tls_certificate_error",
      "wrong.example/http/1.1",
      "tls_protocol_error",
    ],
  );
  assert.equal(accepting.peers.length, 3);
  assert.deepEqual(accepting.errors.map((error) => error.code), [
    "tls_certificate_error",
    "tls_protocol_error",
  ]);
  accepting.peers[0]?.send("hi");
  runtime.network.run();
  assert.equal(peers[0]?.text, "hi");
});

test("memory runtime: TLS to a plain server and plain to a TLS server fail as in the world", async () => {
  const clock = new FakeClock();
  const runtime = createMemoryRuntime({ clock });
  const plain = new Accepting();
  const plainListener = await listen(runtime, plain);
  const secure = new Accepting();
  const cert = memoryCertificate("a");
  const secureListener = await listen(runtime, secure, { cert, key: cert });

  const tlsClient = dial(runtime, plainListener.address, { serverName: "a", verify: true, ca: null }).peer;
  runtime.network.run();
  assert.equal(plain.peers[0]?.text.charCodeAt(0), 0x16);
  plain.peers[0]?.send("HTTP/1.1 400 Bad Request\r\n\r\n");
  runtime.network.run();
  assert.equal(tlsClient.error?.code, "tls_protocol_error");
  assert.equal(plain.peers[0]?.reason?.code, "reset");

  const talking = dial(runtime, secureListener.address).peer;
  const silent = dial(runtime, secureListener.address).peer;
  runtime.network.run();
  talking.send("GET / HTTP/1.1\r\n");
  runtime.network.run();
  assert.deepEqual(secure.errors.map((error) => error.code), ["tls_protocol_error"]);
  assert.equal(talking.reason?.code, "reset");
  runtime.network.advance(500);
  assert.deepEqual(secure.errors.map((error) => error.code), ["tls_protocol_error", "connection_timeout"]);
  assert.equal(silent.reason?.code, "reset");
});

test("memory runtime: peers that keep each other busy for ever are an error of run", async () => {
  const runtime = createMemoryRuntime({ seed: 1 });
  const [client, server] = await pair(runtime);
  client.onData = () => client.send("ping");
  server.onData = () => server.send("pong");
  client.send("ping");
  assert.throws(() => runtime.network.run(1000), /not idle after 1000 steps \(seed 1\)/);
});

test("memory runtime: autorun delivers without being stepped", async () => {
  const runtime = createMemoryRuntime({ autorun: true, seed: 3 });
  const accepting = new Accepting();
  const listener = await listen(runtime, accepting);
  const received = new Promise<string>((resolve) => {
    const peer = new Peer();
    runtime.dial({ address: listener.address, timeoutMs: 1000, tls: null }, {
      opened(socket) {
        peer.socket = socket;
        peer.ended = () => resolve(peer.text);
        return peer;
      },
      failed: (error) => assert.fail(error.code),
    });
  });
  accepting.accepted = (socket) => {
    const bytes = new TextEncoder().encode("welcome");
    socket.write(bytes, 0, bytes.length);
    socket.finish();
    return new Peer();
  };
  assert.equal(await received, "welcome");
});

test("fake clock: timers fire in order of time, then of setting, also those set meanwhile", () => {
  const clock = new FakeClock(0);
  const fired: string[] = [];
  clock.setTimer(20, () => fired.push(`c@${clock.now()}`));
  clock.setTimer(10, () => {
    fired.push(`a@${clock.now()}`);
    clock.setTimer(5, () => fired.push(`b@${clock.now()}`));
  });
  clock.setTimer(10, () => fired.push("a2"));
  const cancelled = clock.setTimer(1, () => fired.push("never"));
  cancelled.cancel();
  cancelled.cancel();
  clock.setTimer(1000, () => {}, true);
  assert.equal(clock.pendingTimers, 4);
  assert.equal(clock.pendingForegroundTimers, 3);
  clock.advance(30);
  assert.deepEqual(fired, ["a@10", "a2", "b@15", "c@20"]);
  assert.equal(clock.now(), 30);
  assert.equal(clock.pendingTimers, 1);
  assert.equal(clock.pendingForegroundTimers, 0);
});

test("fake clock: a timer that re-arms itself at once is an error, not an endless loop", () => {
  const clock = new FakeClock();
  const again = () => void clock.setTimer(0, again);
  again();
  assert.throws(() => clock.advance(1), /re-arms/);
});

test("memory system: files, sinks, signals and exit", async () => {
  const system = new MemorySystem({ args: ["run"], files: { "/etc/sluice.yaml": "a: 1" }, stdin: "in" });
  assert.equal(await system.readText("/etc/sluice.yaml"), "a: 1");
  await assert.rejects(system.readText("/nowhere"), { code: "ENOENT" });
  await system.writeText("/tmp/x", "y");
  await system.remove("/tmp/x");
  await system.remove("/tmp/x");
  const sink = await system.openSink(1, 4);
  sink.write("abc");
  sink.stalled = true;
  sink.write("defg");
  sink.write("h");
  assert.equal(sink.dropped, 1);
  assert.equal(system.stdout, "abc");
  await sink.flush();
  assert.equal(system.stdout, "abcdefg");
  let terms = 0;
  system.onSignal("SIGTERM", () => terms++);
  assert.equal(system.signal("SIGTERM"), true);
  assert.equal(system.signal("SIGHUP"), false);
  assert.equal(terms, 1);
  assert.throws(() => system.exit(3), ExitSignal);
  assert.equal(system.exitCode, 3);
});
