/** TLS: both roles of the adapter against each other, and against peers that do not speak it well. */
import assert from "node:assert/strict";
import {
  type ClientTls,
  type ListenOptions,
  NO_HANDSHAKE_ROOM,
  type ServerTls,
} from "../../runtime/contract/contract.ts";
import {
  clientCertificate,
  localhostCertificate,
  otherAuthority,
  testAuthority,
  wildcardCertificate,
} from "../support/certificates.ts";
import { listenFails } from "./connect_scenarios.ts";
import type { Lab, Scenario } from "./lab.ts";
import { seesAbort } from "./misuse_scenarios.ts";
import { Pattern, Random } from "./pattern.ts";
import { rawConnect, rawServer } from "./raw_peer.ts";
import { keepsChunks } from "./socket_scenarios.ts";
import { freshPath } from "./unix_scenarios.ts";
import { turns } from "./watch.ts";

const MIB = 1024 * 1024;

const TRUSTING: ClientTls = { serverName: "localhost", verify: true, ca: testAuthority };
const LOCALHOST: ServerTls = localhostCertificate;

export const tlsScenarios: readonly Scenario[] = [
  {
    name: "chunks may be kept, and overwritten, where the platform says that they are the receiver's own",
    run: async (lab) => await keepsChunks(lab, await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING })),
  },
  {
    name: "bytes both ways, and what both sides know of the session",
    async run(lab) {
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING });
      assert.equal(client.socket.tls?.serverName, "localhost");
      assert.equal(server.socket.tls?.alpn, "");
      assert.equal(client.socket.tls?.alpn, "");
      for (const { socket } of [client, server]) {
        assert.ok(["TLSv1.3", ""].includes(socket.tls?.version ?? "?"));
      }
      assert.equal(server.socket.remotePort, client.socket.localPort);
      assert.equal(client.socket.remoteAddress, "127.0.0.1");
      client.say("question");
      await server.whenReceived(8);
      server.say("answer");
      await client.whenReceived(6);
      assert.equal(client.text, "answer");
    },
  },
  {
    name: "another certificate counts for whoever comes then, and one that cannot be used for nobody",
    async run(lab) {
      const host = await lab.listen({ tls: LOCALHOST });
      const wild: ClientTls = { serverName: "a.example.test", verify: true, ca: testAuthority };
      const before = await lab.dial(host.address, { tls: TRUSTING });
      const served = await host.accept();
      await assert.rejects(
        host.listener.certify({ ...wildcardCertificate, cert: localhostCertificate.cert }),
      );
      await lab.dial(host.address, { tls: TRUSTING });
      await host.accept();
      await host.listener.certify(wildcardCertificate);
      const { code } = await lab.dialFailure(host.address, { tls: TRUSTING });
      assert.equal(code, "tls_certificate_error");
      await lab.dial(host.address, { tls: wild });
      before.say("question");
      await served.whenReceived(8);
    },
  },
  {
    name: "the first to speak may do so inside accepted or opened",
    async run(lab) {
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING }, {
        client: (end) => end.say("from the client"),
        server: (end) => end.say("from the server"),
      });
      await Promise.all([client.whenReceived(15), server.whenReceived(15)]);
    },
  },
  {
    name: "8 MiB each way through readers that pause",
    async run(lab) {
      const random = new Random(70);
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING });
      await Promise.all([[client, server, 71] as const, [server, client, 72] as const].map(
        async ([from, to, seed]) => {
          const pattern = new Pattern(seed);
          to.expects = pattern;
          to.onData = () => {
            if (random.below(3) !== 0) return;
            to.pause();
            turns(random.below(3)).then(() => to.resume());
          };
          await from.send(pattern, 8 * MIB, 1 + random.below(60_000));
          await to.whenReceived(8 * MIB);
        },
      ));
    },
  },
  {
    name: "write comes up short when the peer stops reading, and goes on when it reads again",
    async run(lab) {
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING }, {
        server: (end) => end.pause(),
      });
      const pattern = new Pattern(73);
      server.expects = pattern;
      client.fill(pattern);
      await turns(20);
      assert.equal(server.receivedBytes, 0);
      server.resume();
      await client.whenRoom();
      await client.send(pattern, MIB);
      await server.whenReceived(client.sentBytes);
    },
  },
  {
    name: "an end behind unread records is told of during a pause, as the capability says",
    async run(lab) {
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING });
      client.say("read");
      await server.whenReceived(4);
      server.pause();
      client.say("unread");
      client.finish();
      if (lab.runtime.capabilities.endWhilePaused) {
        await server.until("the end to be told", () => server.ahead !== "no");
        assert.equal(server.ahead, "end");
      }
      server.resume();
      await server.whenEnded();
      assert.equal(server.text, "readunread");
    },
  },
  {
    name: "after the peer's close_notify we still send 4 MiB, and after ours we still receive",
    async run(lab) {
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING });
      const pattern = new Pattern(74);
      client.expects = pattern;
      client.say("request");
      client.finish();
      await server.whenEnded();
      assert.equal(server.text, "request");
      await server.send(pattern, 4 * MIB);
      server.finish();
      await client.whenEnded();
      assert.equal(client.receivedBytes, 4 * MIB);
      await Promise.all([server.whenClosed("finished"), client.whenClosed("finished")]);
    },
  },
  {
    name: "the peer's end while our bytes are stuck loses none of them",
    async run(lab) {
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING }, {
        client: (end) => end.pause(),
      });
      const pattern = new Pattern(77);
      client.expects = pattern;
      await server.saturate(pattern);
      client.finish();
      await server.whenEnded();
      client.resume();
      await server.whenRoom();
      server.finish();
      await client.whenEnded();
      assert.equal(client.receivedBytes, server.sentBytes);
    },
  },
  {
    name: "8 MiB taken before finish and before close reach a slow reader",
    async run(lab) {
      for (const method of ["finish", "close"] as const) {
        const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING });
        const pattern = new Pattern(75);
        server.expects = pattern;
        server.onData = () => {
          server.pause();
          turns(1).then(() => server.resume());
        };
        await client.send(pattern, 8 * MIB);
        client[method]();
        await server.whenEnded();
        assert.equal(server.receivedBytes, 8 * MIB);
        server.finish();
        await client.whenClosed("finished");
        // A close_notify that meets a closed socket is answered with a reset, which may come first.
        await server.whenClosed(method === "close" ? undefined : "finished");
      }
    },
  },
  {
    name: "pause holds back data and end",
    async run(lab) {
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING }, {
        server: (end) => end.pause(),
      });
      client.say("held");
      client.finish();
      await turns(50);
      assert.equal(server.receivedBytes, 0);
      server.resume();
      await server.whenEnded();
      assert.equal(server.text, "held");
    },
  },
  {
    name: "abort",
    async run(lab) {
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING });
      client.say("x");
      await server.whenReceived(1);
      client.abort();
      await client.whenClosed("aborted");
      await seesAbort(lab, server);
      const second = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING });
      second.server.abort();
      await second.server.whenClosed("aborted");
      await seesAbort(lab, second.client);
    },
  },
  {
    name: "abort inside accepted and inside opened, when session tickets are on their way",
    async run(lab) {
      for (let i = 0; i < 10; i++) {
        const host = await lab.listen({ tls: LOCALHOST });
        host.prepare = (end) => end.abort();
        const call = lab.startDial(host.address, { tls: TRUSTING }, (end) => end.abort());
        await call.until("an outcome", () => call.endpoint !== null || call.error !== null);
        await call.endpoint?.whenClosed("aborted");
        await host.until("an outcome", () => host.count + host.failures.length > 0);
        await host.waiting[0]?.whenClosed("aborted");
      }
    },
  },
  {
    name: "every method after every other",
    async run(lab) {
      const methods = ["finish", "close", "abort"] as const;
      for (const first of methods) {
        for (const second of methods) {
          const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING });
          client.say("x");
          client[first]();
          client[second]();
          await turns(1);
          client.abort();
          await client.whenClosed();
          server.abort();
          await server.whenClosed();
        }
      }
    },
  },
  {
    name: "abort while bytes are stuck, after nothing, finish and close",
    async run(lab) {
      for (const method of ["pause", "finish", "close"] as const) {
        const { client } = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING }, {
          server: (end) => end.pause(),
        });
        await client.saturate(new Pattern(76));
        client[method]();
        await turns();
        client.abort();
        await client.whenClosed("aborted");
      }
    },
  },
  {
    name: "a certificate for another name",
    async run(lab) {
      const host = await lab.listen({ tls: LOCALHOST });
      await fails(lab, host.address, { ...TRUSTING, serverName: "other.example.test" });
    },
  },
  {
    name: "an authority that is not trusted: another one, and the platform's",
    async run(lab) {
      const host = await lab.listen({ tls: LOCALHOST });
      await fails(lab, host.address, { ...TRUSTING, ca: otherAuthority });
      await fails(lab, host.address, { ...TRUSTING, ca: null });
      // The listener has seen handshakes fail and lives on.
      await lab.dial(host.address, { tls: TRUSTING });
      await host.accept();
    },
  },
  {
    name: "verify false accepts any certificate for any name",
    async run(lab) {
      const tls = { serverName: "other.example.test", verify: false, ca: null };
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls });
      client.say("hello");
      await server.whenReceived(5);
    },
  },
  {
    name: "an IP literal is checked against the certificate's addresses",
    async run(lab) {
      await lab.pair({ tls: LOCALHOST }, { tls: { ...TRUSTING, serverName: "127.0.0.1" } });
      const host = await lab.listen({ tls: LOCALHOST });
      await fails(lab, host.address, { ...TRUSTING, serverName: "127.0.0.2" });
    },
  },
  {
    name: "a client certificate is accepted as an option",
    async run(lab) {
      const tls = { ...TRUSTING, ...clientCertificate };
      const { client, server } = await lab.pair({ tls: LOCALHOST }, { tls });
      client.say("hello");
      await server.whenReceived(5);
    },
  },
  {
    name: "client certificates are required of those that connect, whichever name they ask for",
    async run(lab) {
      const names = [{ name: "*.example.test", ...wildcardCertificate }];
      const host = await lab.listen({ tls: { ...LOCALHOST, names, clientCa: testAuthority } });
      for (const serverName of ["localhost", "a.example.test"]) {
        const trusting = { ...TRUSTING, serverName };
        const client = await lab.dial(host.address, { tls: { ...trusting, ...clientCertificate } });
        client.say("hello");
        await (await host.accept()).whenReceived(5);
        // None, and one that is not for clients. The refusal may come when the client's handshake is done (TLS 1.3).
        for (const tls of [trusting, { ...trusting, ...localhostCertificate }]) {
          const call = lab.startDial(host.address, { tls });
          const error = await host.acceptFailure();
          assert.equal(error.code, "tls_certificate_error", error.detail);
          await call.whenOver();
          const { endpoint } = call;
          await endpoint?.until("a refusal", () => endpoint.endedSeen || endpoint.closedWith !== null);
        }
      }
      assert.equal(host.count, 2);
      // Another certificate comes with its own authorities, or none.
      const wild = { ...TRUSTING, serverName: "b.example.test" };
      await host.listener.certify({ ...wildcardCertificate, clientCa: testAuthority });
      await lab.dial(host.address, { tls: { ...wild, ...clientCertificate } });
      await host.accept();
      lab.startDial(host.address, { tls: wild });
      assert.equal((await host.acceptFailure()).code, "tls_certificate_error");
      await host.listener.certify({ ...wildcardCertificate, clientCa: otherAuthority });
      lab.startDial(host.address, { tls: { ...wild, ...clientCertificate } });
      assert.equal((await host.acceptFailure()).code, "tls_certificate_error");
      await host.listener.certify(wildcardCertificate);
      await lab.dial(host.address, { tls: wild });
      await host.accept();
      const strangers = await lab.listen({ tls: { ...LOCALHOST, clientCa: otherAuthority } });
      lab.startDial(strangers.address, { tls: { ...TRUSTING, ...clientCertificate } });
      const error = await strangers.acceptFailure();
      assert.equal(error.code, "tls_certificate_error", error.detail);
    },
  },
  {
    name: "the server name chooses the certificate",
    async run(lab) {
      const tls = { ...LOCALHOST, names: [{ name: "*.example.test", ...wildcardCertificate }] };
      if (!lab.runtime.capabilities.serverNames) {
        await listenFails(lab, { tls }, "platform_error");
        return;
      }
      const host = await lab.listen({ tls });
      for (const serverName of ["localhost", "a.example.test", "B.Example.Test"]) {
        const client = await lab.dial(host.address, { tls: { ...TRUSTING, serverName } });
        const server = await host.accept();
        assert.equal(server.socket.tls?.serverName.toLowerCase(), serverName.toLowerCase());
        client.say("hello");
        await server.whenReceived(5);
      }
      // "*" stands for one label: this one gets the default certificate, which is for another name.
      await fails(lab, host.address, { ...TRUSTING, serverName: "a.b.example.test" });
    },
  },
  {
    name: "ALPN: the server's favourite, seen by both; a client that offers none is accepted",
    async run(lab) {
      const tls = { ...LOCALHOST, alpn: ["h2", "http/1.1"] };
      const host = await lab.listen({ tls });
      const cases = [[["http/1.1", "h2"], "h2"], [["http/1.1"], "http/1.1"], [[], ""]] as const;
      for (const [alpn, agreed] of cases) {
        const client = await lab.dial(host.address, { tls: { ...TRUSTING, alpn } });
        const server = await host.accept();
        assert.equal(client.socket.tls?.alpn, agreed);
        assert.equal(server.socket.tls?.alpn, agreed);
      }
    },
  },
  {
    name: "garbage instead of a handshake fails that connection, and the listener lives on",
    async run(lab) {
      const host = await lab.listen({ tls: LOCALHOST });
      const peer = await rawConnect(lab, host.port);
      peer.say("GET / HTTP/1.1\r\nHost: plain.example.test\r\n\r\n");
      const error = await host.acceptFailure();
      assert.equal(error.code, "tls_protocol_error", error.detail);
      await peer.until("the drop", () => peer.endedSeen || peer.gone !== "");
      await lab.dial(host.address, { tls: TRUSTING });
      await host.accept();
      assert.equal(host.count, 1);
    },
  },
  {
    name: "a client that leaves during the handshake",
    async run(lab) {
      const host = await lab.listen({ tls: LOCALHOST });
      const peer = await rawConnect(lab, host.port);
      peer.socket.end(new Uint8Array([0x16, 3, 1]));
      const error = await host.acceptFailure();
      assert.ok(["connection_terminated", "tls_protocol_error"].includes(error.code), error.code);
      await lab.dial(host.address, { tls: TRUSTING });
    },
  },
  {
    name: "HTTP where TLS was expected is answered, and the listener lives on",
    async run(lab) {
      const host = await lab.listen({ tls: LOCALHOST });
      host.plainAnswer = "HTTP/1.1 400 This is TLS\r\n\r\n";
      for (const method of ["GET", "HEAD", "POST", "PUT"]) {
        const peer = await rawConnect(lab, host.port);
        peer.say(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
        const error = await host.acceptFailure();
        assert.equal(error.code, "tls_protocol_error", error.detail);
        await peer.until("the drop", () => peer.endedSeen || peer.gone !== "");
        assert.equal(peer.text, lab.runtime.capabilities.plainAnswer ? host.plainAnswer : "", method);
      }
      await lab.dial(host.address, { tls: TRUSTING });
      await host.accept();
    },
  },
  {
    name: "a handshake that takes too long is dropped",
    async run(lab) {
      const host = await lab.listen({ tls: LOCALHOST, handshakeTimeoutMs: 100 });
      const peer = await rawConnect(lab, host.port);
      const error = await host.acceptFailure();
      assert.equal(error.code, "connection_timeout", error.detail);
      await peer.until("the drop", () => peer.endedSeen || peer.gone !== "");
      await lab.dial(host.address, { tls: TRUSTING });
      await host.accept();
    },
  },
  {
    name:
      "a client that finds too many handshakes under way is dropped at once, and one that ends makes room",
    async run(lab) {
      const host = await lab.listen({ tls: LOCALHOST });
      host.room = 2;
      const silent = [await rawConnect(lab, host.port), await rawConnect(lab, host.port)] as const;
      const third = await rawConnect(lab, host.port);
      const error = await host.acceptFailure();
      assert.deepEqual(error, NO_HANDSHAKE_ROOM);
      await third.until("the drop", () => third.endedSeen || third.gone !== "");
      assert.equal(silent.some((peer) => peer.endedSeen || peer.gone !== ""), false);
      silent[0].socket.destroy();
      await host.acceptFailure();
      // Those that are done do not count.
      for (let i = 0; i < 3; i++) {
        await lab.dial(host.address, { tls: TRUSTING });
        await host.accept();
      }
      assert.equal(host.failures.length, 0);
    },
  },
  {
    name: "a server that does not speak TLS, and one that hangs up",
    async run(lab) {
      const server = await rawServer(lab);
      const first = lab.startDial(server.address, { tls: TRUSTING });
      (await server.accept()).say("220 mail.example.test ESMTP\r\n");
      assert.equal((await first.whenFailed()).code, "tls_protocol_error");
      const second = lab.startDial(server.address, { tls: TRUSTING });
      const peer = await server.accept();
      await peer.whenReceived(1);
      peer.finish();
      assert.equal((await second.whenFailed()).code, "connection_terminated");
    },
  },
  {
    name: "a certificate that is none is refused by listen",
    async run(lab) {
      const tls = { cert: "no certificate", key: "no key" };
      await assert.rejects(lab.listen({ tls }));
    },
  },
  {
    name: "TLS over a Unix socket",
    async run(lab) {
      if (!lab.runtime.capabilities.unixSockets) return;
      const options: Partial<ListenOptions> = { address: freshPath(lab), tls: LOCALHOST };
      const { client, server } = await lab.pair(options, { tls: TRUSTING });
      client.say("hello");
      await server.whenReceived(5);
      client.abort();
      await client.whenClosed("aborted");
      await server.until("an end", () => server.endedSeen || server.closedWith !== null);
    },
  },
];

async function fails(lab: Lab, address: ListenOptions["address"], tls: ClientTls): Promise<void> {
  const error = await lab.dialFailure(address, { tls });
  assert.equal(error.code, "tls_certificate_error", error.detail);
}
