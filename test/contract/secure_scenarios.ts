/** `Runtime.secure`: TLS on connections that are open already, with bytes of the peer read before. */
import assert from "node:assert/strict";
import type { ClientTls, ServerTls } from "../../runtime/contract/contract.ts";
import { clientCertificate, testAuthority, wildcardCertificate } from "../support/certificates.ts";
import type { Lab, Scenario, SecureCall } from "./lab.ts";
import { seesAbort } from "./misuse_scenarios.ts";
import { Pattern, Random } from "./pattern.ts";
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
import { keepsChunks } from "./socket_scenarios.ts";
import { poll, turns } from "./watch.ts";

const MIB = 1024 * 1024;

/** Both directions at once, through readers that pause. */
async function flood({ client, server }: Pair, bytes: number, seed: number): Promise<void> {
  const random = new Random(seed);
  await Promise.all([[client, server, seed + 1] as const, [server, client, seed + 2] as const].map(
    async ([from, to, of]) => {
      const pattern = new Pattern(of);
      to.expects = pattern;
      to.onData = () => {
        if (random.below(3) !== 0) return;
        to.pause();
        turns(random.below(3)).then(() => to.resume());
      };
      await from.send(pattern, bytes, 1 + random.below(60_000));
      await to.whenReceived(bytes);
    },
  ));
}

/** How a handshake fails, at the client and at the server. */
interface Failure {
  readonly name: string;
  readonly client?: Partial<ClientTls>;
  readonly server?: Partial<ServerTls>;
  /** Null: it does not matter. */
  readonly clientCode: string | null;
  readonly serverCode: string | null;
}

const FAILURES: readonly Failure[] = [
  {
    name: "the platform's authorities",
    client: { ca: null },
    clientCode: "tls_certificate_error",
    serverCode: null,
  },
  {
    name: "another name",
    client: { serverName: "other.example.test" },
    clientCode: "tls_certificate_error",
    serverCode: null,
  },
  {
    name: "no protocol in common",
    client: { alpn: ["http/1.1"] },
    server: { alpn: ["h2"] },
    clientCode: null,
    serverCode: "tls_protocol_error",
  },
];

/** Without `capabilities.tlsInTlsHalfOpen`. */
async function closesWithPeer(lab: Lab, { client, server }: Pair): Promise<void> {
  client.say("request");
  client.finish();
  await server.whenEnded();
  assert.equal(server.text, "request");
  server.fill(new Pattern(88));
  await server.whenClosed("reset");
  await client.whenClosed();
  const second = await nested(lab);
  second.server.finish();
  await second.client.whenEnded();
  assert.equal(second.client.socket.endedShort ?? false, false);
  second.client.finish();
  await Promise.all([second.client.whenClosed("finished"), second.server.whenClosed("finished")]);
}

/** What is the same whatever the connection below is. */
function everywhere(name: string, open: (lab: Lab) => Promise<Pair>): readonly Scenario[] {
  return [
    {
      name: `${name}: 4 MiB each way through readers that pause`,
      run: async (lab) => await flood(await open(lab), 4 * MIB, 80),
    },
    {
      name: `${name}: write comes up short when the peer stops reading, and goes on when it reads again`,
      async run(lab) {
        const { client, server } = await open(lab);
        const pattern = new Pattern(83);
        server.expects = pattern;
        server.pause();
        await client.saturate(pattern);
        await turns(20);
        assert.equal(server.receivedBytes, 0);
        server.resume();
        await client.whenRoom();
        await client.send(pattern, MIB);
        await server.whenReceived(client.sentBytes);
      },
    },
    {
      name: `${name}: after the peer's close_notify we still send 2 MiB, and after ours we still receive`,
      async run(lab) {
        const { client, server } = await open(lab);
        if (open === nested && !lab.runtime.capabilities.tlsInTlsHalfOpen) {
          await closesWithPeer(lab, { client, server });
          return;
        }
        const pattern = new Pattern(84);
        client.expects = pattern;
        client.say("request");
        client.finish();
        await server.whenEnded();
        assert.equal(server.text, "request");
        await server.send(pattern, 2 * MIB);
        server.finish();
        await client.whenEnded();
        assert.equal(client.receivedBytes, 2 * MIB);
        assert.equal(client.socket.endedShort ?? false, false);
        assert.equal(server.socket.endedShort ?? false, false);
        await Promise.all([server.whenClosed("finished"), client.whenClosed("finished")]);
      },
    },
    {
      name: `${name}: what was taken before close reaches a slow reader, and close_notify behind it`,
      async run(lab) {
        const { client, server } = await open(lab);
        const pattern = new Pattern(85);
        server.expects = pattern;
        server.onData = () => {
          server.pause();
          turns(1).then(() => server.resume());
        };
        await client.send(pattern, 4 * MIB);
        client.close();
        await server.whenEnded();
        assert.equal(server.receivedBytes, 4 * MIB);
        assert.equal(server.socket.endedShort ?? false, false);
        server.finish();
        await client.whenClosed("finished");
        await server.whenClosed();
      },
    },
    {
      name: `${name}: pause holds back data and end`,
      async run(lab) {
        const { client, server } = await open(lab);
        server.pause();
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
      name: `${name}: abort`,
      async run(lab) {
        for (const side of ["client", "server"] as const) {
          const pair = await open(lab);
          await talks(pair);
          pair[side].abort();
          await pair[side].whenClosed("aborted");
          await seesAbort(lab, pair[side === "client" ? "server" : "client"]);
        }
      },
    },
    {
      name: `${name}: abort while bytes are stuck, after nothing, finish and close`,
      async run(lab) {
        for (const method of ["pause", "finish", "close"] as const) {
          const { client, server } = await open(lab);
          server.pause();
          await client.saturate(new Pattern(86));
          client[method]();
          await turns();
          client.abort();
          const { code } = await client.whenClosed();
          // On a busy machine the kernels may have found room for the rest, and the close is done.
          assert.ok(code === "aborted" || (method === "close" && code === "finished"), code);
        }
      },
    },
    {
      name:
        `${name}: chunks may be kept, and overwritten, where the platform says that they are the receiver's own`,
      run: async (lab) => await keepsChunks(lab, await open(lab)),
    },
  ];
}

export const secureScenarios: readonly Scenario[] = [
  {
    name: "a client secures after a plain exchange, its server as well, and what both know of the session",
    async run(lab) {
      const plain = await lab.pair();
      plain.client.say("CONNECT localhost:443 HTTP/1.1\r\n\r\n");
      await plain.server.whenReceived(34);
      plain.server.say("HTTP/1.1 200 OK\r\n\r\n");
      await plain.client.whenReceived(19);
      const { localPort, remotePort } = plain.client.socket;
      const calls = startBoth(lab, plain, { ...TRUSTING, alpn: ["http/1.1", "h2"] }, {
        ...LOCALHOST,
        alpn: ["h2", "http/1.1"],
      });
      const { client, server } = await bothOpen(calls);
      assert.equal(client.socket.localPort, localPort);
      assert.equal(client.socket.remotePort, remotePort);
      assert.equal(client.socket.remoteAddress, "127.0.0.1");
      assert.equal(server.socket.remotePort, localPort);
      for (const { socket } of [client, server]) {
        assert.equal(socket.tls?.alpn, "h2");
        assert.equal(socket.tls?.serverName, "localhost");
        assert.ok(["TLSv1.3", ""].includes(socket.tls?.version ?? "?"));
      }
      assert.equal(client.text + server.text, "");
      await talks({ client, server });
    },
  },
  {
    name: "the first to speak may do so inside secured",
    async run(lab) {
      const plain = await lab.pair();
      const client = lab.startSecure(plain.client, TRUSTING, {
        prepare: (end) => end.say("from the client"),
      });
      const server = lab.startSecure(plain.server, LOCALHOST, {
        prepare: (end) => end.say("from the server"),
      });
      await (await client.whenOpen()).whenReceived(15);
      await (await server.whenOpen()).whenReceived(15);
    },
  },
  {
    name: "a paused socket is secured, and the new one is not paused",
    async run(lab) {
      const plain = await lab.pair();
      plain.server.pause();
      plain.client.pause();
      const first = lab.startSecure(plain.client, TRUSTING);
      // What comes meanwhile waits.
      await turns(10);
      const second = lab.startSecure(plain.server, LOCALHOST);
      await talks(await bothOpen({ client: first, server: second }));
    },
  },
  {
    name: "what the socket has taken and not sent yet goes before TLS",
    async run(lab) {
      const plain = await lab.pair();
      const pattern = new Pattern(87);
      plain.server.pause();
      await plain.client.saturate(pattern);
      const { sentBytes } = plain.client;
      const first = lab.startSecure(plain.client, TRUSTING);
      const second = await new Promise<SecureCall>((resolve) => {
        plain.server.onData = (bytes) => {
          // The end of the pattern and the first flight may come in one piece.
          const before = plain.server.receivedBytes - bytes.length;
          const plainBytes = Math.min(bytes.length, sentBytes - before);
          assert.equal(pattern.mismatch(bytes.subarray(0, plainBytes), before), -1);
          if (plain.server.receivedBytes < sentBytes) return;
          const alreadyRead = bytes.slice(plainBytes);
          resolve(lab.startSecure(plain.server, LOCALHOST, { alreadyRead }));
        };
        plain.server.resume();
      });
      await talks(await bothOpen({ client: first, server: second }));
    },
  },
  {
    name: "a socket that is not open both ways is not secured, and dropped",
    async run(lab) {
      for (const how of ["finish", "close", "abort"] as const) {
        const { client, server } = await lab.pair();
        client[how]();
        const error = await lab.startSecure(client, TRUSTING).whenFailed();
        assert.equal(error.code, "connection_terminated", error.detail);
        await server.until("an end", () => server.endedSeen || server.closedWith !== null);
      }
      const { client, server } = await lab.pair();
      client.finish();
      await server.whenEnded();
      assert.equal((await lab.startSecure(server, LOCALHOST).whenFailed()).code, "connection_terminated");
    },
  },
  ...FAILURES.map((failure): Scenario => ({
    name: `a handshake that fails: ${failure.name}`,
    async run(lab) {
      const calls = startBoth(lab, await lab.pair(), { ...TRUSTING, ...failure.client }, {
        ...LOCALHOST,
        ...failure.server,
      });
      for (
        const [call, code] of [
          [calls.client, failure.clientCode],
          [calls.server, failure.serverCode],
        ] as const
      ) {
        await isRefused(call);
        if (code !== null) assert.equal(call.error?.code, code, call.error?.detail ?? "no error");
      }
    },
  })),
  {
    name: "verify false accepts any certificate for any name",
    async run(lab) {
      await talks(await securedPair(lab, { serverName: "other.example.test", verify: false, ca: null }));
    },
  },
  {
    name: "the server name chooses the certificate",
    async run(lab) {
      const tls = { ...LOCALHOST, names: [{ name: "*.example.test", ...wildcardCertificate }] };
      for (const serverName of ["localhost", "a.example.test", "B.Example.Test"]) {
        const pair = await securedPair(lab, { ...TRUSTING, serverName }, tls);
        assert.equal(pair.server.socket.tls?.serverName.toLowerCase(), serverName.toLowerCase());
        await talks(pair);
      }
      const deeper = startBoth(lab, await lab.pair(), { ...TRUSTING, serverName: "a.b.example.test" }, tls);
      assert.equal((await deeper.client.whenFailed()).code, "tls_certificate_error");
    },
  },
  {
    name: "ALPN: a client that offers none is accepted",
    async run(lab) {
      const { client, server } = await securedPair(lab, TRUSTING, { ...LOCALHOST, alpn: ["h2"] });
      assert.equal(client.socket.tls?.alpn, "");
      assert.equal(server.socket.tls?.alpn, "");
    },
  },
  {
    name: "client certificates are required, whichever name is asked for",
    async run(lab) {
      const names = [{ name: "*.example.test", ...wildcardCertificate }];
      for (const serverName of ["localhost", "a.example.test"]) {
        const server = { ...LOCALHOST, names, clientCa: testAuthority };
        const trusting = { ...TRUSTING, serverName };
        await talks(await securedPair(lab, { ...trusting, ...clientCertificate }, server));
        const calls = startBoth(lab, await lab.pair(), trusting, server);
        const error = await calls.server.whenFailed();
        assert.equal(error.code, "tls_certificate_error", error.detail);
        await isRefused(calls.client);
      }
    },
  },
  {
    name: "a handshake that is given up tells nothing, and drops the connection",
    async run(lab) {
      for (const after of [0, 1, 2, 3, 5, 10]) {
        const { client, server } = startBoth(lab, await lab.pair());
        await turns(after);
        client.cancel();
        // Over before it was given up, perhaps.
        client.endpoint?.abort();
        await isRefused(server);
        client.cancel();
      }
      const { client, server } = await lab.pair();
      lab.startSecure(server, LOCALHOST).cancel();
      await client.until("the drop", () => client.endedSeen || client.closedWith !== null);
    },
  },
  {
    name: "abort inside secured, when session tickets are on their way",
    async run(lab) {
      for (let i = 0; i < 6; i++) {
        const plain = await lab.pair();
        const client = lab.startSecure(plain.client, TRUSTING, { prepare: (end) => end.abort() });
        const server = lab.startSecure(plain.server, LOCALHOST, { prepare: (end) => end.abort() });
        await Promise.all([client.whenOver(), server.whenOver()]);
        await client.endpoint?.whenClosed("aborted");
        await server.endpoint?.whenClosed("aborted");
      }
    },
  },
  {
    name: "a handler that throws is reported, and costs its connection",
    async run(lab) {
      const plain = await lab.pair();
      const client = lab.startSecure(plain.client, TRUSTING, {
        prepare: () => {
          throw new Error("on purpose");
        },
      });
      const server = lab.startSecure(plain.server, LOCALHOST);
      await isRefused(server);
      await poll("the report", () => lab.handlerErrors.length > 0);
      assert.equal(client.endpoint, null);
      assert.match(String(lab.handlerErrors.splice(0)), /^Error: on purpose$/);
    },
  },
  {
    name: "TLS three deep",
    async run(lab) {
      const { client, server } = await nested(lab);
      await talks({ client, server });
      const third = await bothOpen(startBoth(lab, { client, server }));
      await flood(third, MIB, 90);
    },
  },
  ...everywhere("over plain TCP", (lab) => securedPair(lab)),
  ...everywhere("TLS in TLS", nested),
];
