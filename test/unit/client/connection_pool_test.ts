/** Idle connections: newest first, bounded, and given up before the origin closes them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { IoTurn } from "../../../src/conn/io_turn.ts";
import { UpstreamConnection } from "../../../src/conn/upstream_connection.ts";
import type { UpstreamPeer } from "../../../src/http/upstream_stream.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { ConnectionPool, type PoolSettings } from "../../../src/client/connection_pool.ts";
import { SharingPeer } from "../../support/sharing_peer.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { StubSocket } from "../../support/stub_socket.ts";

class Lab {
  readonly clock: FakeClock;
  readonly turn: IoTurn;
  readonly pool: ConnectionPool;
  readonly sockets = new Map<UpstreamPeer, StubSocket>();
  readonly #below = new Map<SharingPeer, UpstreamConnection>();

  constructor(settings: Partial<PoolSettings> = {}, clock = new FakeClock()) {
    this.clock = clock;
    this.turn = new IoTurn({ clock, capabilities: { ownChunks: false }, releaseMemory() {}, discard() {} });
    this.pool = new ConnectionPool({ size: 4, idleTimeoutMs: 60_000, maxAgeMs: 0, ...settings });
  }

  connection(keepAliveHintMs = 0): UpstreamConnection {
    this.turn.begin();
    const socket = new StubSocket();
    const connection = new UpstreamConnection(this.turn, socket, DEFAULT_LIMITS, {
      idleLost: (lost, idleMs) => this.pool.lost(lost, idleMs, this.turn.now),
    });
    socket.events = connection;
    connection.keepAliveHintMs = keepAliveHintMs;
    this.sockets.set(connection, socket);
    return connection;
  }

  put(keepAliveHintMs = 0): UpstreamConnection {
    const connection = this.connection(keepAliveHintMs);
    this.pool.put(connection, this.turn.now);
    return connection;
  }

  take(): UpstreamPeer | null {
    this.turn.begin();
    return this.pool.take(this.turn.now);
  }

  /** One that carries several streams. */
  sharing(streams: number): SharingPeer {
    const below = this.connection();
    const connection = new SharingPeer(below, streams);
    this.#below.set(connection, below);
    return connection;
  }

  /** What it stands on. */
  below(connection: SharingPeer): UpstreamConnection {
    const below = this.#below.get(connection);
    assert.ok(below !== undefined);
    return below;
  }

  /** Takes one and opens a stream. */
  stream(): UpstreamPeer | null {
    const connection = this.take();
    connection?.openStream();
    return connection;
  }

  /** A stream comes to its end. */
  over(connection: SharingPeer): void {
    this.turn.begin();
    const [stream] = connection.streams;
    stream?.completes();
    this.pool.streamEnded(connection, this.turn.now);
  }

  calls(connection: UpstreamPeer): readonly string[] {
    return this.sockets.get(connection)?.calls ?? [];
  }

  /** The origin ends the connection. */
  originCloses(connection: UpstreamConnection): void {
    connection.ended();
  }

  /** For how many milliseconds a connection put now is kept. */
  keptFor(keepAliveHintMs = 0): number {
    const connection = this.put(keepAliveHintMs);
    const kept = connection.deadlineAt - this.turn.now;
    this.clock.advance(Math.min(kept, 1e7) + 100);
    assert.equal(this.pool.size, 0);
    assert.deepEqual(this.calls(connection), ["close"]);
    return kept;
  }
}

test("newest first", () => {
  const lab = new Lab();
  const [a, b, c] = [lab.put(), lab.put(), lab.put()];
  assert.deepEqual([lab.take(), lab.take(), lab.take(), lab.take()], [c, b, a, null]);
});

test("bounded: the oldest makes room; a size of 0 keeps none", () => {
  const lab = new Lab({ size: 2 });
  const [a, b, c] = [lab.put(), lab.put(), lab.put()];
  assert.equal(lab.pool.size, 2);
  assert.deepEqual(lab.calls(a), ["close"]);
  assert.deepEqual([lab.take(), lab.take()], [c, b]);
  const full = new Lab({ size: 1 });
  const good = full.put();
  full.put(200);
  assert.deepEqual(full.calls(good), [], "one that cannot be kept pushes nobody out");
  const none = new Lab({ size: 0 });
  assert.deepEqual(none.calls(none.put()), ["close"]);
});

test("idle for too long: closed in order", () => {
  assert.equal(new Lab({ idleTimeoutMs: 5000 }).keptFor(), 5000);
});

test("after a standstill of the process an overdue connection is not handed out", () => {
  class Sleeper extends FakeClock {
    asleep = 0;
    override now(): number {
      return super.now() + this.asleep;
    }
  }
  const clock = new Sleeper();
  const lab = new Lab({ idleTimeoutMs: 5000 }, clock);
  const connection = lab.put();
  clock.asleep = 5001;
  assert.equal(lab.take(), null);
  assert.deepEqual(lab.calls(connection), ["close"]);
});

test("older than max_age: neither kept nor handed out", () => {
  const lab = new Lab({ maxAgeMs: 10_000 });
  const young = lab.connection();
  lab.clock.advance(9000);
  lab.turn.begin();
  lab.pool.put(young, lab.turn.now);
  assert.equal(lab.pool.size, 1);
  lab.clock.advance(1000);
  assert.equal(lab.take(), null);
  assert.deepEqual(lab.calls(young), ["close"]);
  const old = lab.connection();
  lab.clock.advance(10_000);
  lab.turn.begin();
  lab.pool.put(old, lab.turn.now);
  assert.equal(lab.pool.size, 0);
  assert.deepEqual(lab.calls(old), ["close"]);
});

test("a Keep-Alive hint is honoured with a margin, and never lengthens", () => {
  assert.equal(new Lab().keptFor(5000), 4000);
  assert.equal(new Lab().keptFor(1000), 750);
  assert.equal(new Lab().keptFor(30_000), 28_000);
  assert.equal(new Lab().keptFor(600_000), 60_000);
  const lab = new Lab();
  assert.deepEqual(lab.calls(lab.put(200)), ["close"], "too short to be of use");
});

test("bytes, an end or a reset take an idle connection out at once", () => {
  const lab = new Lab();
  const [a, b, c] = [lab.put(), lab.put(), lab.put()];
  a.data(new TextEncoder().encode("HTTP/1.1 408 Request Timeout\r\n\r\n"));
  b.ended();
  c.closed({ code: "reset", detail: "ECONNRESET" });
  assert.equal(lab.pool.size, 0);
  assert.equal(lab.take(), null);
  assert.deepEqual([lab.calls(a), lab.calls(b)], [["abort"], ["abort"]]);
});

test("the age at which an origin closes is learned from two like observations at two times", () => {
  const lab = new Lab();
  for (let i = 0; i < 2; i++) {
    assert.equal(lab.pool.habitMs, Infinity);
    const connection = lab.put();
    lab.clock.advance(5000 + i * 100);
    lab.originCloses(connection);
  }
  assert.equal(lab.pool.habitMs, 5000);
  assert.equal(lab.keptFor(), 4000);
  lab.pool.clear();
  assert.equal(lab.pool.habitMs, 5000, "closing connections forgets nothing");
  lab.pool.unlearn();
  assert.equal(lab.pool.habitMs, Infinity);
});

test("no habit: unlike ages, young ones, our own closing, and a restart that ends many at once", () => {
  const lab = new Lab({ idleTimeoutMs: 3000 });
  for (const ms of [5000, 400, 900, 700, 2000, 450]) {
    const connection = lab.put();
    lab.clock.advance(Math.min(ms, 2900));
    if (lab.pool.size > 0) lab.originCloses(connection);
    lab.clock.advance(3000);
  }
  const restarted = [lab.put(), lab.put(), lab.put(), lab.put()];
  lab.clock.advance(700);
  for (const connection of restarted) lab.originCloses(connection);
  for (let i = 0; i < 3; i++) lab.keptFor();
  assert.equal(lab.pool.habitMs, Infinity);
});

test("clear closes all; retireOldest the one that has waited longest", () => {
  const lab = new Lab();
  const [a, b, c] = [lab.put(), lab.put(), lab.put()];
  lab.pool.retireOldest();
  assert.deepEqual([lab.calls(a), lab.calls(b)], [["close"], []]);
  lab.pool.clear();
  assert.deepEqual([lab.calls(b), lab.calls(c)], [["close"], ["close"]]);
  assert.equal(lab.pool.size, 0);
  lab.pool.retireOldest();
});

test("a connection that does not close in time is dropped", () => {
  const lab = new Lab({ size: 0 });
  const connection = lab.put();
  lab.clock.advance(10_000);
  assert.deepEqual(lab.calls(connection), ["close", "abort"]);
});

test("several streams: those in use go first, up to their limit; then the newest that rests", () => {
  const lab = new Lab();
  const [a, b] = [lab.sharing(2), lab.sharing(2)];
  for (const connection of [a, b]) lab.pool.put(connection, lab.turn.now);
  assert.deepEqual([lab.stream(), lab.stream(), lab.stream()], [b, b, a]);
  assert.deepEqual([lab.pool.size, lab.pool.surplus, lab.pool.available], [0, 1, true]);
  assert.equal(lab.stream(), a);
  assert.deepEqual([lab.pool.surplus, lab.pool.available, lab.stream()], [2, false, null]);
  lab.over(b);
  assert.deepEqual([lab.pool.surplus, lab.pool.available], [1, true]);
  lab.over(b);
  assert.deepEqual([lab.pool.size, lab.pool.surplus], [1, 1]);
  lab.over(a);
  assert.equal(lab.stream(), a, "although b rests");
});

test("several streams: too old for another one, but not cut", () => {
  const lab = new Lab({ maxAgeMs: 10_000 });
  const [a, b] = [lab.sharing(3), lab.sharing(3)];
  lab.pool.put(a, lab.turn.now);
  lab.stream();
  lab.clock.advance(10_000);
  assert.equal(lab.stream(), null);
  assert.deepEqual([a.retired, a.ended], [true, false]);
  lab.over(a);
  assert.equal(a.ended, true);
  const other = new Lab({ maxAgeMs: 10_000 });
  other.pool.share(b);
  b.openStream();
  other.pool.takeFrom(b);
  b.openStream();
  other.clock.advance(20_000);
  other.over(b);
  assert.deepEqual([b.retired, b.ended, other.pool.available], [true, false, false]);
  other.over(b);
  assert.deepEqual([b.ended, other.pool.size, other.pool.surplus], [true, 0, 0]);
});

test("several streams: clear and keepOnly let those under way go on, also where none is free", () => {
  for (const act of [(lab: Lab) => lab.pool.clear(), (lab: Lab) => lab.pool.keepOnly(["192.0.2.1"])]) {
    const lab = new Lab();
    const [busy, full, resting] = [lab.sharing(3), lab.sharing(2), lab.sharing(3)];
    lab.pool.share(full);
    full.openStream();
    lab.pool.takeFrom(full);
    full.openStream();
    lab.pool.share(busy);
    busy.openStream();
    lab.pool.put(resting, lab.turn.now);
    act(lab);
    assert.deepEqual([busy.ended, full.ended, resting.ended], [false, false, true]);
    assert.equal(lab.stream(), null);
    lab.over(busy);
    lab.over(full);
    assert.deepEqual([busy.ended, full.ended], [true, false]);
    lab.over(full);
    assert.deepEqual([full.ended, lab.pool.size, lab.pool.surplus], [true, 0, 0]);
  }
});

test("several streams: room for a new connection is made by one that rests", () => {
  const lab = new Lab({ size: 1 });
  const [busy, one, other] = [lab.sharing(3), lab.sharing(3), lab.sharing(3)];
  lab.pool.share(busy);
  busy.openStream();
  lab.pool.put(one, lab.turn.now);
  lab.pool.put(other, lab.turn.now);
  lab.pool.retireOldest();
  assert.deepEqual([busy.retired, one.retired, other.retired], [false, true, true]);
});

test("several streams: the age of one that rests tells of a habit, the end of one in use does not", () => {
  const lab = new Lab();
  for (let i = 0; i < 2; i++) {
    const connection = lab.sharing(3);
    connection.owner = { idleLost: (lost, idleMs) => lab.pool.lost(lost, idleMs, lab.turn.now) };
    lab.pool.put(connection, lab.turn.now);
    lab.stream();
    lab.clock.advance(9000);
    lab.over(connection);
    lab.clock.advance(5000 + i * 100);
    lab.originCloses(lab.below(connection));
  }
  assert.equal(lab.pool.habitMs, 5000);
  assert.equal(lab.pool.size, 0);
});

test("several streams: one that rests and takes none any more is not handed out", () => {
  const lab = new Lab();
  const [good, bad] = [lab.sharing(3), lab.sharing(3)];
  for (const connection of [good, bad]) lab.pool.put(connection, lab.turn.now);
  bad.limit = 0;
  assert.equal(lab.stream(), good);
  assert.equal(bad.ended, true);
});
