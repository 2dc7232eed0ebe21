/** `Runtime.secure` over real connections: peers that say anything in any pieces, and the edges of the platforms. */
import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import * as tls from "node:tls";
import type { ServerTls } from "../../runtime/contract/contract.ts";
import {
  clientCertificate,
  localhostCertificate,
  otherAuthority,
  testAuthority,
} from "../support/certificates.ts";
import type { Lab, Scenario, SecureCall } from "./lab.ts";
import { openDescriptors } from "./peer_scenarios.ts";
import { rawConnect, type RawPeer, rawServer } from "./raw_peer.ts";
import {
  bothOpen,
  isRefused,
  LOCALHOST,
  nested,
  type Pair,
  securedPair,
  startBoth,
  talks,
  TRUSTING,
} from "./secured.ts";
import { freshPath } from "./unix_scenarios.ts";
import { poll, turns } from "./watch.ts";

/** A client and a server over a relay that holds what the client sends, or the server, until it is passed. */
interface Between extends Pair {
  readonly front: RawPeer;
  readonly back: RawPeer;
  /** What the client has sent and the server has not got yet. */
  held(): number;
  /** Lets so many bytes of it pass; all of them, and all that follow, if it is not said. */
  pass(bytes?: number): void;
}

async function between(lab: Lab): Promise<Between> {
  const host = await lab.listen();
  const relay = await rawServer(lab);
  const back = await rawConnect(lab, host.port);
  const client = await lab.dial(relay.address);
  const front = await relay.accept();
  const server = await host.accept();
  let held = new Uint8Array(0);
  let holding = true;
  front.socket.on("data", (bytes: Uint8Array) => {
    if (!holding) {
      back.socket.write(bytes);
      return;
    }
    const both = new Uint8Array(held.length + bytes.length);
    both.set(held);
    both.set(bytes, held.length);
    held = both;
  });
  back.socket.on("data", (bytes: Uint8Array) => front.socket.write(bytes));
  front.socket.on("end", () => back.finish());
  back.socket.on("end", () => front.finish());
  return {
    client,
    server,
    front,
    back,
    held: () => held.length,
    pass(bytes = Infinity) {
      if (bytes === Infinity) holding = false;
      if (held.length > 0) back.socket.write(held.slice(0, bytes));
      held = held.slice(bytes);
    },
  };
}

const LINE = "PROXY TCP4 192.0.2.1 192.0.2.2 4000 443\r\n";

interface Cut {
  readonly name: string;
  /** Bytes of the client's first flight that are read before TLS begins; negative: less than all of it. */
  readonly flightBytes: number;
}

const CUTS: readonly Cut[] = [
  { name: "nothing", flightBytes: 0 },
  { name: "one byte", flightBytes: 1 },
  { name: "a record's header", flightBytes: 5 },
  { name: "part", flightBytes: 100 },
  { name: "all but a byte", flightBytes: -1 },
  { name: "all", flightBytes: Infinity },
];

/** The server reads a line, and `flightBytes` of what follows; the rest comes when TLS has begun. */
async function afterLine(lab: Lab, { flightBytes }: Cut): Promise<void> {
  const scene = await between(lab);
  scene.client.say(LINE);
  const first = lab.startSecure(scene.client, TRUSTING, { prepare: (end) => end.say("early") });
  await poll("a ClientHello", () => scene.held() > LINE.length + 200);
  const flight = scene.held() - LINE.length;
  const count = flightBytes < 0 ? flight + flightBytes : Math.min(flight, flightBytes);
  const server = await new Promise<SecureCall>((resolve) => {
    const read: Uint8Array[] = [];
    scene.server.onData = (bytes) => {
      read.push(bytes.slice());
      const all = read.flatMap((piece) => [...piece]);
      if (all.length < LINE.length + count) return;
      assert.equal(new TextDecoder().decode(new Uint8Array(all.slice(0, LINE.length))), LINE);
      const alreadyRead = new Uint8Array(all.slice(LINE.length));
      // Inside of `data`, as a parser would do it.
      resolve(lab.startSecure(scene.server, LOCALHOST, { alreadyRead }));
    };
    scene.pass(LINE.length + count);
  });
  await turns(3);
  scene.pass();
  const accepted = await server.whenOpen();
  await accepted.whenReceived(5);
  assert.equal(accepted.text, "early");
  await talks({ client: await first.whenOpen(), server: accepted });
}

/** Connections that are opened, used, and ended by one side or by both. */
async function leavesNothing(lab: Lab, open: (lab: Lab) => Promise<Pair>): Promise<void> {
  const comeAndGo = async (how: "abort" | "finish") => {
    const { client, server } = await open(lab);
    await talks({ client, server });
    client[how]();
    if (how === "finish") server.finish();
    else server.abort();
    await Promise.all([client.whenClosed(), server.whenClosed()]);
  };
  const fail = async () => {
    const calls = startBoth(lab, await lab.pair(), { ...TRUSTING, ca: otherAuthority });
    await calls.client.whenFailed();
    await isRefused(calls.server);
    calls.server.endpoint?.abort();
  };
  for (let i = 0; i < 2; i++) await comeAndGo("abort");
  await turns(50);
  const before = openDescriptors();
  for (let i = 0; i < COUNT; i++) await comeAndGo(i % 2 === 0 ? "abort" : "finish");
  for (let i = 0; i < COUNT; i++) await fail();
  // Each has a listener of its own, which stays for as long as the lab.
  await poll("descriptors to be closed", () => openDescriptors() <= before + 2 * COUNT);
}

const COUNT = 8;

export const securePeerScenarios: readonly Scenario[] = [
  ...CUTS.map((cut): Scenario => ({
    name: `a server secures after a line, with ${cut.name} of the client's first flight read already`,
    run: (lab) => afterLine(lab, cut),
  })),
  {
    name: "a client may be slow: its first flight comes byte by byte, and its last with data behind it",
    async run(lab) {
      const scene = await between(lab);
      const first = lab.startSecure(scene.client, TRUSTING, { prepare: (end) => end.say("behind") });
      const server = lab.startSecure(scene.server, LOCALHOST);
      await poll("a ClientHello", () => scene.held() > 200);
      for (let left = scene.held(); left > 0; left--) {
        scene.pass(1);
        if (left % 16 === 0) await turns(1);
      }
      const client = await first.whenOpen();
      await poll("the last flight and data", () => scene.held() > 80);
      scene.pass();
      const accepted = await server.whenOpen();
      await accepted.whenReceived(6);
      await talks({ client, server: accepted });
    },
  },
  {
    name: "an IP literal is checked against the certificate's addresses, and not sent as a name",
    async run(lab) {
      for (const serverName of ["127.0.0.1", "::1"]) {
        const pair = await securedPair(lab, { ...TRUSTING, serverName });
        assert.equal(pair.server.socket.tls?.serverName, "");
        assert.equal(pair.client.socket.tls?.serverName, serverName);
        await talks(pair);
      }
    },
  },
  {
    name: "a server that hangs up, or speaks something else",
    async run(lab) {
      const server = await rawServer(lab);
      const first = lab.startSecure(await lab.dial(server.address), TRUSTING);
      (await server.accept()).say("220 mail.example.test ESMTP\r\n");
      assert.equal((await first.whenFailed()).code, "tls_protocol_error");
      const second = lab.startSecure(await lab.dial(server.address), TRUSTING);
      const peer = await server.accept();
      await peer.whenReceived(1);
      peer.finish();
      assert.equal((await second.whenFailed()).code, "connection_terminated");
      const third = lab.startSecure(await lab.dial(server.address), TRUSTING);
      const rude = await server.accept();
      await rude.whenReceived(1);
      rude.socket.resetAndDestroy();
      assert.equal((await third.whenFailed()).code, "connection_terminated");
    },
  },
  {
    name: "a client that speaks something else, has read already or not, or hangs up",
    async run(lab) {
      const host = await lab.listen();
      const request = "GET / HTTP/1.1\r\nHost: plain.example.test\r\n\r\n";
      for (const readBytes of [0, 3, request.length]) {
        const peer = await rawConnect(lab, host.port);
        peer.say(request);
        const plain = await host.accept();
        let call: SecureCall;
        if (readBytes === 0) call = lab.startSecure(plain, LOCALHOST);
        else {
          await plain.whenReceived(request.length);
          // As if the rest were still to come: it never does, or it was all there.
          const alreadyRead = new TextEncoder().encode(request).slice(0, request.length);
          call = lab.startSecure(plain, LOCALHOST, { alreadyRead });
        }
        const error = await call.whenFailed();
        assert.equal(error.code, "tls_protocol_error", error.detail);
        await peer.until("the drop", () => peer.endedSeen || peer.gone !== "");
      }
      const leaving = await rawConnect(lab, host.port);
      const call = lab.startSecure(await host.accept(), LOCALHOST);
      leaving.socket.end(new Uint8Array([0x16, 3, 1]));
      const error = await call.whenFailed();
      assert.ok(["connection_terminated", "tls_protocol_error"].includes(error.code), error.code);
    },
  },
  {
    name: "a handshake that takes too long is dropped",
    async run(lab) {
      const host = await lab.listen();
      const silent = await rawConnect(lab, host.port);
      const asServer = lab.startSecure(await host.accept(), LOCALHOST, { timeoutMs: 50 });
      assert.equal((await asServer.whenFailed()).code, "connection_timeout");
      await silent.until("the drop", () => silent.endedSeen || silent.gone !== "");
      const server = await rawServer(lab);
      const asClient = lab.startSecure(await lab.dial(server.address), TRUSTING, { timeoutMs: 50 });
      const peer = await server.accept();
      assert.equal((await asClient.whenFailed()).code, "connection_timeout");
      await peer.until("the drop", () => peer.endedSeen || peer.gone !== "");
    },
  },
  {
    name: "a certificate of ours that cannot be used, as server and as client",
    async run(lab) {
      const first = startBoth(lab, await lab.pair(), TRUSTING, { cert: "no certificate", key: "no key" });
      assert.equal((await first.server.whenFailed()).code, "platform_error");
      await isRefused(first.client);
      const second = startBoth(lab, await lab.pair(), { ...TRUSTING, cert: "no certificate", key: "no key" });
      assert.equal((await second.client.whenFailed()).code, "platform_error");
      await isRefused(second.server);
    },
  },
  {
    name: "an end below TLS is told from the peer's own",
    async run(lab) {
      const scene = await between(lab);
      scene.pass();
      const { client, server } = await bothOpen(startBoth(lab, scene));
      await talks({ client, server });
      scene.front.finish();
      await client.whenEnded();
      scene.back.finish();
      await server.whenEnded();
      assert.equal(client.socket.endedShort ?? false, lab.runtime.capabilities.tlsEnd);
      assert.equal(server.socket.endedShort ?? false, lab.runtime.capabilities.tlsEnd);
    },
  },
  {
    name: "over a Unix socket",
    async run(lab) {
      if (!lab.runtime.capabilities.unixSockets) return;
      const pair = await bothOpen(startBoth(lab, await lab.pair({ address: freshPath(lab) })));
      assert.equal(pair.client.socket.remoteAddress, "");
      await talks(pair);
      pair.client.finish();
      await pair.server.whenEnded();
    },
  },
  {
    name: "a handshake that fails: another authority, another address",
    async run(lab) {
      for (const other of [{ ca: otherAuthority }, { serverName: "127.0.0.2" }, { serverName: "::2" }]) {
        const calls = startBoth(lab, await lab.pair(), { ...TRUSTING, ...other });
        const error = await calls.client.whenFailed();
        assert.equal(error.code, "tls_certificate_error", error.detail);
        await isRefused(calls.server);
      }
    },
  },
  {
    name: "client certificates: one that is not for clients, and one that another authority signed",
    async run(lab) {
      for (
        const [client, clientCa] of [
          [localhostCertificate, testAuthority],
          [clientCertificate, otherAuthority],
        ] as const
      ) {
        const calls = startBoth(lab, await lab.pair(), { ...TRUSTING, ...client }, {
          ...LOCALHOST,
          clientCa,
        });
        const error = await calls.server.whenFailed();
        assert.equal(error.code, "tls_certificate_error", error.detail);
        await isRefused(calls.client);
      }
    },
  },
  {
    name: "a client with a certificate may resume its session",
    async run(lab) {
      const host = await lab.listen();
      const known: ServerTls = { ...LOCALHOST, clientCa: testAuthority };
      let session: Buffer | undefined;
      for (const version of ["TLSv1.3", "TLSv1.2"] as const) {
        for (let i = 0; i < 2; i++) {
          const peer = tls.connect({
            port: host.port,
            host: "127.0.0.1",
            servername: "localhost",
            ca: testAuthority,
            ...clientCertificate,
            minVersion: version,
            maxVersion: version,
            ...(session === undefined || i === 0 ? {} : { session }),
          });
          lab.defer(() => peer.destroy());
          peer.on("error", () => {});
          peer.on("session", (ticket: Buffer) => session = ticket);
          const answer = new Promise<string>((resolve, reject) => {
            peer.once("data", (bytes: Uint8Array) => resolve(new TextDecoder().decode(bytes)));
            peer.once("close", () => reject(new Error("closed without an answer")));
          });
          answer.catch(() => {});
          const server = await lab.startSecure(await host.accept(), known).whenOpen();
          server.say("welcome");
          assert.equal(await answer, "welcome");
        }
      }
    },
  },
  {
    name: "a peer that had ended before TLS began, unseen by a paused socket",
    async run(lab) {
      const host = await lab.listen();
      host.prepare = (end) => end.pause();
      for (const bytes of [[], [0x16, 3, 1]]) {
        const peer = await rawConnect(lab, host.port);
        const plain = await host.accept();
        if (bytes.length > 0) peer.socket.write(new Uint8Array(bytes));
        peer.finish();
        await turns(20);
        const { code } = await lab.startSecure(plain, LOCALHOST).whenFailed();
        assert.ok(["connection_terminated", "tls_protocol_error"].includes(code), code);
      }
    },
  },
  {
    name: "connections that come and go leave no descriptor behind, over plain TCP",
    run: (lab) => leavesNothing(lab, securedPair),
  },
  {
    name: "connections that come and go leave no descriptor behind, TLS in TLS",
    run: (lab) => leavesNothing(lab, nested),
  },
];
