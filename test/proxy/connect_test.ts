/** CONNECT: what the client is told byte for byte, and what the tunnel does with bytes, ends and silence. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../support/free_port.ts";
import { RawClient } from "../support/raw_client.ts";
import { turn } from "../support/watchdog.ts";
import { arrivesWhole, waitsForReader } from "./bulk.ts";
import { anonymous, connectTo, transcriptOf, withForward } from "./forward_lab.ts";
import { message, patterned } from "./lab.ts";

test("a tunnel is announced in so many words", () =>
  withForward({}, async ({ begin, there, proxy }) => {
    const { client, peer } = await begin(connectTo(there, "Proxy-Connection: keep-alive"));
    assert.equal(
      anonymous(await client.readUntil("\r\n\r\n")),
      message(["HTTP/1.1 200 Connection established", "Via: 1.1 sluice-*"]),
    );
    assert.equal(proxy.gateway.tunnels, 1);
    assert.equal(peer.inbox.totalBytes, 0, "nothing of the request goes there");
    await client.send("up");
    await peer.readUntil("up");
    await peer.send("down!");
    await client.readUntil("down!");
    await client.halfClose();
    await peer.readToEnd();
    await peer.halfClose();
    await client.readToEnd();
    const ended = await proxy.endedAt(0);
    assert.deepEqual(
      [
        ended.method,
        ended.target,
        ended.status,
        ended.reason,
        ended.requestBodyBytes,
        ended.responseBodyBytes,
      ],
      ["CONNECT", there, 200, "", 2, 5],
    );
    assert.equal(ended.endpoint, `${there} (127.0.0.1)`);
  }));

test("HTTP/1.0 without Host gets a tunnel too", () =>
  withForward({}, async ({ begin, there }) => {
    const { client } = await begin(`CONNECT ${there} HTTP/1.0\r\n\r\n`);
    assert.match(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 Connection established\r\n/);
  }));

test("bytes that come with the request are the first of the tunnel, whatever they look like", () =>
  withForward({}, async ({ begin, there, proxy }) => {
    const early = `GET http://${there}/early HTTP/1.1\r\nHost: ${there}\r\n\r\n`;
    const { client, peer } = await begin(connectTo(there) + early);
    await client.readUntil("\r\n\r\n");
    await client.send("later");
    assert.equal(await peer.readUntil("later"), `${early}later`);
    assert.equal(proxy.ended.length, 0);
  }));

test("many early bytes, dribbled and while the destination is dialled, arrive in order", () =>
  withForward({}, async ({ connect, there, origin }) => {
    const body = patterned(300_000);
    const client = await connect();
    await client.dribble(connectTo(there), 7);
    const sent = client.send(body);
    const peer = await origin.accept();
    await arrivesWhole(peer, body);
    await sent;
  }));

/** CONNECT requests that fail, and how. `NOBODY` is a port that nobody listens on. */
const FAILURES: readonly (readonly [what: string, request: string, status: number, error: string])[] = [
  ["no port", connectTo("127.0.0.1"), 400, "http_request_error"],
  ["an empty port", connectTo("127.0.0.1:"), 400, "http_request_error"],
  ["port 0", connectTo("127.0.0.1:0"), 400, "http_request_error"],
  ["a port with a sign", connectTo("127.0.0.1:+443"), 400, "http_request_error"],
  ["a URL", message(["CONNECT http://THERE/ HTTP/1.1", "Host: THERE"]), 400, "http_request_error"],
  ["user information", connectTo("user:s3cr3t@THERE"), 400, "http_request_error"],
  ["a number as the host", connectTo("2130706433:443"), 400, "http_request_error"],
  ["no Host", "CONNECT THERE HTTP/1.1\r\n\r\n", 400, "http_request_error"],
  ["two Host lines", connectTo("THERE", "Host: THERE"), 400, "http_request_error"],
  ["a body with a length", connectTo("THERE", "Content-Length: 5"), 400, "http_request_error"],
  ["a body of no length", connectTo("THERE", "Content-Length: 0"), 400, "http_request_error"],
  ["a body in chunks", connectTo("THERE", "Transfer-Encoding: chunked"), 400, "http_request_error"],
  ["a port of mail", connectTo("127.0.0.1:25"), 403, "http_request_denied"],
  ["a denied host", connectTo("no.test:443"), 403, "http_request_denied"],
  ["an address of metadata", connectTo("169.254.169.254:80"), 403, "destination_ip_prohibited"],
  ["a name with such an address", connectTo("meta.test:80"), 403, "destination_ip_prohibited"],
  ["a name with two of them", connectTo("metas.test:80"), 403, "destination_ip_prohibited"],
  ["ourselves", connectTo("127.0.0.1:3128"), 508, "proxy_loop_detected"],
  ["nobody listens", connectTo("127.0.0.1:NOBODY"), 502, "connection_refused"],
  ["a name whose addresses all refuse", connectTo("app.test:NOBODY"), 502, "connection_refused"],
];

for (const [what, request, status, error] of FAILURES) {
  test(`${what}: ${status} ${error}, the end, and nothing that was sent early is done`, async () => {
    const hosts = "127.0.0.1 app.test\n169.254.169.254 meta.test\n" +
      "169.254.169.254 metas.test\n169.254.170.2 metas.test\n";
    await withForward({ hosts, forward: "deny: [no.test]" }, async ({ connect, there, origin, proxy }) => {
      const nobody = String(await freePort());
      const fill = (text: string) => text.replaceAll("THERE", there).replaceAll("NOBODY", nobody);
      const early = fill(message(["GET http://THERE/early HTTP/1.1", "Host: THERE"]));
      const client = await connect();
      await client.send(fill(request) + early);
      const transcript = await transcriptOf(client);
      const [head = "", body = ""] = transcript.split("\r\n\r\n");
      const [line = ""] = head.split("\r\n");
      assert.match(line, new RegExp(`^HTTP/1\\.1 ${status} [\\x20-\\x7e]{1,80}$`));
      assert.match(line, /\(sluice: .+\)$/);
      assert.match(head, new RegExp(`\\r\\nProxy-Status: sluice-[0-9a-f]{8}; error=${error}`));
      assert.match(head, /\r\nConnection: close(\r\n|$)/);
      assert.match(body, /^[\x20-\x7e]+\n$/, "one line of text, and nothing after it");
      assert.doesNotMatch(transcript, /s3cr3t/);
      assert.equal(origin.connections, 0);
      assert.equal((await proxy.endedAt(0)).status, status);
      client.destroy();
      await proxy.until("the connection to end", () => proxy.gateway.connections === 0);
      assert.equal(proxy.ended.length, 1);
    });
  });
}

test("a host that is not in the list of names is not looked up", () =>
  withForward({ forward: "allow: [app.test]" }, async ({ connect }) => {
    const client = await connect();
    await client.send(connectTo("other.test:443"));
    const [line] = (await transcriptOf(client)).split("\r\n");
    assert.equal(line, "HTTP/1.1 403 Forbidden (sluice: this host is not in the list of allowed ones)");
  }));

test("the reason phrase says why", () =>
  withForward(
    { forward: 'deny: ["*.ads.test", 127.0.0.9]\nallow: [127.0.0.1, 127.0.0.9]' },
    async ({ connect }) => {
      const said = async (target: string): Promise<string> => {
        const client = await connect();
        await client.send(connectTo(target));
        return (await transcriptOf(client)).split("\r\n")[0]?.slice("HTTP/1.1 ".length) ?? "";
      };
      const nobody = await freePort();
      assert.equal(await said("127.0.0.1:22"), "403 Forbidden (sluice: port 22 not allowed)");
      assert.equal(await said("x.ads.test:443"), "403 Forbidden (sluice: this host is denied)");
      assert.equal(await said("127.0.0.9:443"), "403 Forbidden (sluice: this address is denied)");
      assert.equal(await said(`127.0.0.1:${nobody}`), "502 Bad Gateway (sluice: connection refused)");
      assert.equal(await said("127.0.0.1:3128"), "508 Loop Detected (sluice: this is the proxy itself)");
      assert.equal(await said("127.0.0.1"), "400 Bad Request (sluice: CONNECT needs a port)");
    },
  ));

test("a name that nobody has", () =>
  withForward({ settings: "connect_timeout: 300ms" }, async ({ connect }) => {
    const client = await connect();
    await client.send(connectTo("nobody.invalid:443"));
    const transcript = await transcriptOf(client);
    assert.match(transcript, /^HTTP\/1\.1 50[24] /);
    assert.match(transcript, /error=dns_(error|timeout)/);
  }));

test("of a name's addresses only the allowed one is dialled", () =>
  withForward(
    { hosts: "169.254.169.254 app.test\n127.0.0.1 app.test\n224.0.0.1 app.test\n" },
    async ({ begin, origin, proxy }) => {
      const target = `app.test:${origin.port}`;
      const { client, peer } = await begin(connectTo(target));
      await client.readUntil("200 Connection established");
      await peer.send("here");
      await client.readUntil("here");
      await peer.halfClose();
      await client.halfClose();
      assert.equal((await proxy.endedAt(0)).endpoint, `${target} (127.0.0.1)`);
    },
  ));

test("a name without any allowed address is not dialled, in a URL neither", () =>
  withForward(
    { hosts: "127.0.0.1 app.test\n", forward: "deny: [loopback]" },
    async ({ connect, origin }) => {
      for (
        const request of [
          connectTo(`app.test:${origin.port}`),
          message([
            `GET http://app.test:${origin.port}/ HTTP/1.1`,
            "Host: x",
            "Connection: close",
          ]),
        ]
      ) {
        const client = await connect();
        await client.send(request);
        const transcript = await transcriptOf(client);
        assert.match(
          transcript,
          /^HTTP\/1\.1 403 Forbidden \(sluice: loopback addresses are not allowed\)\r\n/,
        );
        assert.match(transcript, /error=destination_ip_prohibited/);
      }
      assert.equal(origin.connections, 0);
    },
  ));

test("ports of tunnels can be listed; URLs are not tunnels", () =>
  withForward({ forward: 'ports: ["443", "8000-8001"]' }, async ({ connect, there, origin }) => {
    const client = await connect();
    await client.send(connectTo(there));
    assert.match(await transcriptOf(client), /^HTTP\/1\.1 403 /);
    assert.equal(origin.connections, 0);
    origin.auto(() => "here");
    const other = await connect();
    assert.equal((await other.ask(message([`GET http://${there}/ HTTP/1.1`, "Host: x"]))).text, "here");
  }));

test("a client that has ended still gets the late answer", () =>
  withForward({}, async ({ tunnel, proxy }) => {
    const { client, peer } = await tunnel();
    await client.send("last words");
    await client.halfClose();
    assert.equal(await peer.readToEnd(), "last words");
    await peer.dribble("late answer", 3);
    await peer.halfClose();
    await client.readUntil("late answer");
    assert.equal(await client.untilClosed(), "ended");
    const { reason, detail } = await proxy.endedAt(0);
    assert.equal(reason + detail, "");
  }));

test("a destination that has ended still hears the client", () =>
  withForward({}, async ({ tunnel, proxy }) => {
    const { client, peer } = await tunnel();
    await peer.send("last words");
    await peer.halfClose();
    assert.equal(await client.readToEnd(), "last words");
    await client.send("goodbye");
    await peer.readUntil("goodbye");
    await client.halfClose();
    assert.equal(await peer.untilClosed(), "ended");
    const { reason, detail } = await proxy.endedAt(0);
    assert.equal(reason + detail, "");
  }));

test("a client that has sent all it has to say with its CONNECT, and ended: the destination hears it and answers", () =>
  withForward({}, async ({ connect, there, origin, proxy }) => {
    const client = await connect();
    await client.send(`${connectTo(there)}early`);
    await client.halfClose();
    const peer = await origin.accept();
    assert.equal(await peer.readToEnd(), "early");
    await peer.send("late answer");
    await peer.halfClose();
    await client.readUntil("late answer");
    assert.equal((await proxy.endedAt(0)).reason, "");
  }));

test("a destination that speaks and ends before the client has read its answer", () =>
  withForward({}, async ({ connect, there, origin, proxy }) => {
    const client = await connect({ paused: true });
    await client.send(connectTo(there));
    const peer = await origin.accept();
    await peer.send("220 hello\r\n");
    await peer.halfClose();
    await client.halfClose();
    client.resume();
    await client.readToEnd();
    assert.match(client.transcript, /\r\n\r\n220 hello\r\n$/);
    assert.equal((await proxy.endedAt(0)).reason, "");
  }));

for (const side of ["client", "destination"] as const) {
  test(`a reset of the ${side} ends the other side`, () =>
    withForward({}, async ({ tunnel, proxy }) => {
      const { client, peer } = await tunnel();
      const [first, other] = side === "client" ? [client, peer] : [peer, client];
      first.reset();
      const end = await other.readToClose();
      assert.equal(end, proxy.runtime.capabilities.abortSendsReset ? "reset" : "ended");
      const { reason, detail, status } = await proxy.endedAt(0);
      assert.equal(
        `${status} ${reason} ${detail}`,
        side === "client" ? "200  client_reset" : "200 connection_terminated upstream_reset",
      );
    }));
}

test("a silent tunnel is ended, one with traffic one way only is not", () =>
  withForward({ settings: "tunnel_idle_timeout: 200ms" }, async ({ tunnel, proxy }) => {
    const { client, peer } = await tunnel();
    for (let at = 0; at < 6; at++) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      await peer.send("tick");
      await client.readUntil("tick");
    }
    assert.equal(proxy.ended.length, 0);
    await peer.readToClose();
    await client.readToClose();
    const { reason, detail } = await proxy.endedAt(0);
    assert.equal(`${reason} ${detail}`, "connection_read_timeout idle");
  }));

for (const way of ["up", "down"] as const) {
  test(`bulk data ${way} a tunnel waits for its reader and arrives whole`, () =>
    withForward({}, async ({ tunnel }) => {
      const { client, peer } = await tunnel();
      await (way === "up" ? waitsForReader(client, peer) : waitsForReader(peer, client));
    }));
}

test("a request on the same connection before CONNECT, and no request after it", () =>
  withForward({}, async ({ begin, there, origin, proxy }) => {
    const { client, peer } = await begin(
      message([`GET http://${there}/one HTTP/1.1`, `Host: ${there}`]) + connectTo(there) + "rest",
    );
    await peer.readRequest();
    await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
    assert.equal((await client.readResponse()).text, "one");
    const other = await origin.accept();
    await other.readUntil("rest");
    await client.readUntil("200 Connection established");
    await client.halfClose();
    await other.halfClose();
    await proxy.endedAt(1);
    assert.deepEqual(proxy.ended.map(({ method }) => method), ["GET", "CONNECT"]);
  }));

test("a client that leaves while the destination is dialled", () =>
  withForward({ settings: "connect_timeout: 5s" }, async ({ connect, proxy }) => {
    // The name server never answers, so the dial is under way for as long as it is let.
    const client = await connect();
    await client.send(connectTo("nobody.invalid:443"));
    await proxy.until("the client to be seen", () => proxy.gateway.connections === 1);
    for (let i = 0; i < 5; i++) await turn();
    client.reset();
    const { status, reason } = await proxy.endedAt(0);
    assert.ok(status === 0 && reason === "client_gone" || status >= 502, `${status} ${reason}`);
    await proxy.until("the end", () => proxy.gateway.connections === 0);
  }));

test("more tunnels than allowed: 503, and again when one has ended", () =>
  withForward({ forward: "max_tunnels: 2" }, async ({ connect, there, tunnel, origin, proxy }) => {
    const first = await tunnel();
    await tunnel();
    const third = await connect();
    await third.send(connectTo(there));
    const transcript = await transcriptOf(third);
    assert.match(transcript, /^HTTP\/1\.1 503 Service Unavailable \(sluice: too many tunnels\)\r\n/);
    assert.match(transcript, /\r\nRetry-After: \d+\r\n/);
    assert.match(transcript, /error=too_many_tunnels/);
    assert.equal(origin.connections, 2);
    assert.equal((await proxy.endedAt(0)).reason, "too_many_tunnels");
    await first.client.halfClose();
    await first.peer.readToEnd();
    await first.peer.halfClose();
    await proxy.until("a tunnel to end", () => proxy.gateway.tunnels === 1);
    await tunnel();
  }));

test("tunnels that are being opened count, upgrades do not", () =>
  withForward({ forward: "max_tunnels: 3" }, async ({ proxy, there, origin }) => {
    const clients = await Promise.all(Array.from({ length: 12 }, () => RawClient.connect(proxy.port)));
    await Promise.all(clients.map((client) => client.send(connectTo(there))));
    const answers = await Promise.all(clients.map((client) => client.readUntil("\r\n\r\n")));
    const open = answers.filter((answer) => answer.startsWith("HTTP/1.1 200 "));
    assert.equal(open.length, 3);
    assert.ok(origin.connections <= 3, `${origin.connections} connections were opened`);
    for (const client of clients) client.destroy();
  }));

test("while the proxy stops, tunnels go on until time is up, and a new one is not opened", async () => {
  await withForward({}, async ({ tunnel, proxy, connect }) => {
    const { client, peer } = await tunnel();
    const late = await connect();
    const stopped = proxy.gateway.drain(400);
    await client.send("still");
    await peer.readUntil("still");
    await peer.send("there");
    await client.readUntil("there");
    await late.readToClose();
    await peer.readToClose();
    await client.readToClose();
    await stopped;
    const ended = await proxy.endedAt(0);
    assert.deepEqual([ended.status, ended.reason], [200, "shutting_down"]);
  });
});

test("a tunnel that ends by itself is not waited for any longer", async () => {
  await withForward({}, async ({ tunnel, proxy }) => {
    const { client, peer } = await tunnel();
    const stopped = proxy.gateway.drain(60_000);
    await client.send("bye");
    await client.halfClose();
    assert.equal(await peer.readToEnd(), "bye");
    await peer.halfClose();
    await stopped;
    assert.equal((await proxy.endedAt(0)).reason, "");
  });
});
