/** Which of the addresses of a name a dial opens, when the others are tried, and what it says when none answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientTls, SocketError } from "../../../runtime/contract/contract.ts";
import { interleaved } from "../../../src/resolve/address_order.ts";
import { memoryCertificate } from "../../support/memory_runtime.ts";
import { addresses, NameLab } from "../../support/name_lab.ts";

const TIMEOUT_MS = 5000;

class Scene extends NameLab {
  /** Addresses that connections were opened to. */
  readonly reached: string[] = [];

  async up(host: string, certificate: string | null = null): Promise<void> {
    await this.platform.listen({
      address: { kind: "tcp", host, port: 80 },
      backlog: 10,
      reusePort: false,
      tls: certificate === null ? null : { cert: certificate, key: certificate },
      handshakeTimeoutMs: 1000,
    }, {
      accepted: (socket) => {
        this.reached.push(host);
        return { data() {}, drained() {}, ended: () => socket.close(), closed() {} };
      },
      acceptFailed() {},
    });
  }

  silent(host: string): void {
    this.platform.network.blackhole({ kind: "tcp", host, port: 80 });
  }

  unroutable(host: string): void {
    this.platform.network.fail({ kind: "tcp", host, port: 80 }, "destination_ip_unroutable");
  }

  dial(tls: ClientTls | null = null, timeoutMs = TIMEOUT_MS) {
    const host = "app.test";
    const outcome = { address: "", error: null as SocketError | null, at: -1, cancel: () => {} };
    const dial = this.runtime.dial({ address: { kind: "tcp", host, port: 80 }, timeoutMs, tls }, {
      opened: (socket) => {
        outcome.address = socket.remoteAddress;
        outcome.at = this.now;
        return { data() {}, drained() {}, ended: () => socket.close(), closed() {} };
      },
      failed: (error) => {
        outcome.error = error;
        outcome.at = this.now;
      },
    });
    outcome.cancel = () => dial.cancel();
    return outcome;
  }

  /** The outcome of a dial, and how long it took. */
  async dialled(tls: ClientTls | null = null, timeoutMs = TIMEOUT_MS): Promise<string> {
    const began = this.now;
    const outcome = this.dial(tls, timeoutMs);
    for (let i = 0; outcome.at < 0 && i < 1000; i++) {
      await this.settle();
      if (outcome.at < 0) this.platform.network.advance(10);
    }
    return `${outcome.error?.code ?? outcome.address} after ${Math.round(outcome.at - began)}`;
  }
}

test("families take turns, beginning with the first address's", () => {
  assert.deepEqual(interleaved(["::1", "::2", "::3", "1.1.1.1"]), ["::1", "1.1.1.1", "::2", "::3"]);
  assert.deepEqual(interleaved(["1.1.1.1", "::1", "::2", "::3"]), ["1.1.1.1", "::1", "::2", "::3"]);
  assert.deepEqual(interleaved(["1.1.1.1", "2.2.2.2", "::1"]), ["1.1.1.1", "::1", "2.2.2.2"]);
  assert.deepEqual(interleaved([]), []);
});

test("an address that does not answer: the next one after 250 ms, and it is remembered", async () => {
  const scene = new Scene();
  scene.script = addresses(["10.0.0.1", "10.0.0.2"]);
  scene.silent("10.0.0.1");
  await scene.up("10.0.0.2");
  assert.equal(await scene.dialled(), "10.0.0.2 after 250");
  assert.equal(await scene.dialled(), "10.0.0.2 after 0");
  await scene.advance(30_000);
  assert.equal(await scene.dialled(), "10.0.0.2 after 250", "after a while it may be well again");
});

test("little time: the addresses get their turn within it", async () => {
  const scene = new Scene();
  scene.script = addresses(["10.0.0.1", "10.0.0.2"]);
  scene.silent("10.0.0.1");
  await scene.up("10.0.0.2");
  assert.equal(await scene.dialled(null, 90), "10.0.0.2 after 30");
});

test("an address that refuses, or has no route: the next one at once", async () => {
  const scene = new Scene();
  scene.script = addresses(["10.0.0.1", "10.0.0.2"], ["2001:db8::1"]);
  scene.unroutable("2001:db8::1");
  await scene.up("10.0.0.2");
  assert.equal(await scene.dialled(), "10.0.0.2 after 0");
});

test("the first that is connected wins, the others are given up", async () => {
  const scene = new Scene();
  scene.script = addresses(["10.0.0.1"], ["2001:db8::1"]);
  scene.silent("2001:db8::1");
  await scene.up("10.0.0.1");
  const outcome = scene.dial();
  await scene.settle();
  assert.equal(outcome.at, -1);
  // Both are under way from here on.
  await scene.advance(249);
  scene.platform.network.heal({ kind: "tcp", host: "2001:db8::1", port: 80 });
  await scene.advance(1);
  assert.equal(outcome.address, "10.0.0.1");
  await scene.advance(10_000);
  assert.deepEqual(scene.reached, ["10.0.0.1"]);
  assert.equal(scene.platform.network.openSockets, 2);
});

test("no address answers: one deadline over all; each refuses: what they said", async () => {
  const scene = new Scene();
  scene.script = addresses(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  for (const host of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) scene.silent(host);
  assert.equal(await scene.dialled(), `connection_timeout after ${TIMEOUT_MS}`);
  const refusing = new Scene();
  refusing.script = addresses(["10.0.0.1"], ["2001:db8::1"]);
  refusing.unroutable("2001:db8::1");
  assert.equal(await refusing.dialled(), "connection_refused after 0");
});

test("a look-up that takes too long is a dns_timeout; one that fails a dns_error", async () => {
  const scene = new Scene({ "/resolv.conf": "nameserver 192.0.2.1\n" });
  assert.equal(await scene.dialled(), `dns_timeout after ${TIMEOUT_MS}`);
  assert.equal(await new Scene().dialled(), "dns_error after 0");
});

test("after all addresses have refused the name is looked up again", async () => {
  const scene = new Scene();
  scene.script = addresses(["10.0.0.1"], [], 600);
  await scene.up("10.0.0.2");
  await scene.dialled();
  await scene.advance(250);
  scene.script = addresses(["10.0.0.2"], [], 600);
  assert.equal(await scene.dialled(), "connection_refused after 0");
  assert.equal(await scene.dialled(), "10.0.0.2 after 0");
});

test("TLS: a bad certificate ends it; whoever ends the handshake is passed over", async () => {
  const tls: ClientTls = { serverName: "app.test", verify: true, ca: "any" };
  const scene = new Scene();
  scene.script = addresses(["10.0.0.1", "10.0.0.2"]);
  await scene.up("10.0.0.1", memoryCertificate("other.test"));
  await scene.up("10.0.0.2", memoryCertificate("app.test"));
  assert.equal(await scene.dialled(tls), "tls_certificate_error after 0");
  const passing = new Scene();
  passing.script = addresses(["10.0.0.1", "10.0.0.2"]);
  await passing.up("10.0.0.2", memoryCertificate("app.test"));
  assert.equal(await passing.dialled(tls), "10.0.0.2 after 0");
});

test("a handshake that takes long is no reason to try another address", async () => {
  const scene = new Scene();
  scene.script = addresses(["10.0.0.1", "10.0.0.2"]);
  // It accepts TCP, and never speaks TLS.
  await scene.up("10.0.0.1");
  await scene.up("10.0.0.2", memoryCertificate("app.test"));
  const outcome = scene.dial({ serverName: "app.test", verify: true, ca: "any" });
  await scene.settle();
  await scene.advance(1000);
  assert.deepEqual(scene.reached, ["10.0.0.1"]);
  outcome.cancel();
  await scene.settle();
});

test("cancelled during the look-up, between attempts and after: nothing is heard, nothing stays open", async () => {
  for (const after of [0, 100, 300]) {
    const scene = new Scene();
    scene.script = addresses(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    scene.silent("10.0.0.1");
    scene.silent("10.0.0.2");
    await scene.up("10.0.0.3");
    const outcome = scene.dial();
    if (after > 0) await scene.settle();
    await scene.advance(after);
    outcome.cancel();
    await scene.advance(10_000);
    assert.equal(outcome.at, -1);
    assert.deepEqual(scene.reached, []);
    assert.equal(scene.platform.network.openDatagramSockets, 0);
  }
});

test("a listener on a name is bound to its first IPv4 address", async () => {
  const lab = new NameLab({ "/hosts": "::1 here\n127.0.0.5 here\n" });
  const listener = await lab.runtime.listen({
    address: { kind: "tcp", host: "here", port: 0 },
    backlog: 1,
    reusePort: false,
    tls: null,
    handshakeTimeoutMs: 1,
  }, { accepted: () => ({ data() {}, drained() {}, ended() {}, closed() {} }), acceptFailed() {} });
  assert.equal(listener.address.kind === "tcp" && listener.address.host, "127.0.0.5");
});
