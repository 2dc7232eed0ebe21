/** Requests for whole URLs, as the origin and the client see them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../support/free_port.ts";
import { anonymous, withForward } from "./forward_lab.ts";
import { message, undated } from "./lab.ts";

/** A request for a path of the origin. */
function get(there: string, path: string, ...fields: readonly string[]): string {
  return message([`GET http://${there}${path} HTTP/1.1`, `Host: ${there}`, ...fields]);
}

const EMPTY = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

test("an origin is sent the path, a Host made anew, and nothing of the hop or of us but Via", () =>
  withForward({}, async ({ begin, there, proxy }) => {
    const { client, peer } = await begin(message([
      `GET http://${there}/a%2fb//../c?q=%20&r=a;b HTTP/1.1`,
      "Host: elsewhere.test",
      "X-Thing: one",
      "Proxy-Connection: keep-alive",
      "Connection: keep-alive, X-Drop, TE",
      "X-Drop: 1",
      "Keep-Alive: timeout=5",
      "TE: trailers",
      "Proxy-Authorization: Basic YTpi",
      "Authorization: Basic b3JpZ2lu",
      "Forwarded: for=6.6.6.6",
      "Max-Forwards: 7",
      "Via: 1.0 before",
    ]));
    assert.equal(
      anonymous(await peer.readUntil("\r\n\r\n")),
      message([
        "GET /a%2fb//../c?q=%20&r=a;b HTTP/1.1",
        `Host: ${there}`,
        "X-Thing: one",
        "Authorization: Basic b3JpZ2lu",
        "Forwarded: for=6.6.6.6",
        "Max-Forwards: 7",
        "Via: 1.0 before",
        "Via: 1.1 sluice-*",
        "TE: trailers",
        "Connection: TE",
      ]),
    );
    await peer.send(message([
      "HTTP/1.1 200 Fine",
      "Connection: X-Hop",
      "X-Hop: 1",
      "Proxy-Connection: close",
      'Proxy-Authenticate: Basic realm="origin"',
      'Proxy-Authentication-Info: nextnonce="x"',
      "WWW-Authenticate: A",
      "WWW-Authenticate: B",
      'Authentication-Info: nextnonce="y"',
      "Content-Length: 5",
    ], "hello"));
    assert.equal((await client.readResponse()).text, "hello");
    assert.equal(
      anonymous(undated(client.transcript)),
      message([
        "HTTP/1.1 200 Fine",
        "WWW-Authenticate: A",
        "WWW-Authenticate: B",
        'Authentication-Info: nextnonce="y"',
        "Content-Length: 5",
        "Date: *",
        "Via: 1.1 sluice-*",
      ], "hello"),
    );
    const { reason, target, endpoint } = await proxy.endedAt(0);
    assert.equal(reason, "");
    assert.equal(target, `http://${there}/a%2fb//../c?q=%20&r=a;b`);
    assert.ok(endpoint.startsWith(there));
  }));

const TARGETS: readonly (readonly [method: string, rest: string, sent: string])[] = [
  ["GET", "", "/"],
  ["GET", "?a=/b", "/?a=/b"],
  ["OPTIONS", "", "*"],
  ["OPTIONS", "/", "/"],
  ["POST", "/x?", "/x?"],
];

for (const [method, rest, sent] of TARGETS) {
  test(`${method} http://host${rest} asks the origin for ${sent}`, () =>
    withForward({}, async ({ begin, there }) => {
      const body = method === "POST" ? ["Content-Length: 0"] : [];
      const { client, peer } = await begin(
        message([`${method} http://${there}${rest} HTTP/1.1`, `Host: ${there}`, ...body]),
      );
      const request = await peer.readRequest();
      assert.equal(`${request.method} ${request.target}`, `${method} ${sent}`);
      assert.equal(request.field("Host"), there);
      await peer.send(EMPTY);
      assert.equal((await client.readResponse()).status, 200);
    }));
}

test("Host has the case, the final dot and the port of the URL; an empty port is none", () =>
  withForward({ hosts: "127.0.0.1 app.test\n" }, async ({ begin, origin }) => {
    const { port } = origin;
    const { client, peer } = await begin(
      message([`GET http://App.Test.:${port}/ HTTP/1.1`, "Host: x"]),
    );
    assert.equal((await peer.readRequest()).field("Host"), `App.Test.:${port}`);
    await peer.send(EMPTY);
    await client.readResponse();
    // One destination, one pool: the connection is the same.
    await client.send(message([`GET http://app.test:${port}/ HTTP/1.1`, "Host: x"]));
    assert.equal((await peer.readRequest()).field("Host"), `app.test:${port}`);
    await peer.send(EMPTY);
    await client.readResponse();
  }));

test("connections to origins are shared by clients, those to different ones are not", () =>
  withForward({ hosts: "127.0.0.1 one.test\n127.0.0.1 two.test\n" }, async ({ connect, origin, proxy }) => {
    origin.auto((request) => request.field("Host") ?? "");
    const hosts: string[] = [];
    for (const name of ["one.test", "two.test", "one.test", "ONE.test."]) {
      const client = await connect();
      hosts.push((await client.ask(get(`${name}:${origin.port}`, "/"))).text);
      client.destroy();
    }
    assert.deepEqual(
      hosts,
      ["one.test", "two.test", "one.test", "ONE.test."].map((at) => `${at}:${origin.port}`),
    );
    assert.equal(origin.connections, 2);
    assert.deepEqual([0, 1, 2, 3].map((at) => proxy.ended[at]?.reused), [false, false, true, true]);
  }));

/** What is asked for, and what the answer has to be. */
const REFUSED: readonly (readonly [what: string, head: readonly string[], status: number])[] = [
  ["no Host", ["GET http://THERE/ HTTP/1.1"], 400],
  ["two Host lines", ["GET http://THERE/ HTTP/1.1", "Host: THERE", "Host: THERE"], 400],
  ["two different Host lines", ["GET http://THERE/ HTTP/1.1", "Host: THERE", "Host: a"], 400],
  ["an https URL", ["GET https://THERE/ HTTP/1.1", "Host: THERE"], 501],
  ["a ws URL", ["GET ws://THERE/ HTTP/1.1", "Host: THERE"], 501],
  ["an ftp URL", ["GET ftp://THERE/ HTTP/1.1", "Host: THERE"], 501],
  ["an unknown scheme", ["GET localhost:3000 HTTP/1.1", "Host: THERE"], 400],
  ["one slash", ["GET http:/THERE HTTP/1.1", "Host: THERE"], 400],
  ["user information", ["GET http://user:s3cr3t@THERE/ HTTP/1.1", "Host: THERE"], 400],
  ["a fragment", ["GET http://THERE/#a HTTP/1.1", "Host: THERE"], 400],
  ["a path", ["GET / HTTP/1.1", "Host: THERE"], 400],
  ["two slashes", ["GET //THERE/ HTTP/1.1", "Host: THERE"], 400],
  ["* with GET", ["GET * HTTP/1.1", "Host: THERE"], 400],
  ["a number as the host", ["GET http://2130706433/ HTTP/1.1", "Host: a"], 400],
  ["an octal address", ["GET http://0177.0.0.1/ HTTP/1.1", "Host: a"], 400],
  ["a hexadecimal address", ["GET http://0x7f.1/ HTTP/1.1", "Host: a"], 400],
  ["a short address", ["GET http://127.1/ HTTP/1.1", "Host: a"], 400],
  ["a zone", ["GET http://[fe80::1%25lo]/ HTTP/1.1", "Host: a"], 400],
  ["percent-encoding in the host", ["GET http://%31.test/ HTTP/1.1", "Host: a"], 400],
  ["port 0", ["GET http://127.0.0.1:0/ HTTP/1.1", "Host: a"], 400],
  ["a port with a sign", ["GET http://127.0.0.1:+80/ HTTP/1.1", "Host: a"], 400],
  ["port 65536", ["GET http://127.0.0.1:65536/ HTTP/1.1", "Host: a"], 400],
  ["a port of mail", ["GET http://127.0.0.1:25/ HTTP/1.1", "Host: a"], 403],
  ["an address of metadata", ["GET http://169.254.169.254/ HTTP/1.1", "Host: a"], 403],
  ["the same as IPv6", ["GET http://[::ffff:169.254.169.254]/ HTTP/1.1", "Host: a"], 403],
  ["the same through NAT64", ["GET http://[64:ff9b::a9fe:a9fe]/ HTTP/1.1", "Host: a"], 403],
  ["a multicast address", ["GET http://224.0.0.1/ HTTP/1.1", "Host: a"], 403],
  ["ourselves", ["GET http://127.0.0.1:3128/ HTTP/1.1", "Host: a"], 508],
  ["ourselves as 0.0.0.0", ["GET http://0.0.0.0:3128/ HTTP/1.1", "Host: a"], 508],
];

for (const [what, head, status] of REFUSED) {
  test(`${what}: ${status}, and nothing is dialled`, () =>
    withForward({}, async ({ connect, there, origin, proxy }) => {
      const client = await connect();
      await client.send(message(head.map((line) => line.replaceAll("THERE", there))));
      const answer = await client.readResponse();
      assert.equal(answer.status, status);
      assert.match(answer.field("Proxy-Status") ?? "", /^sluice[-0-9a-f]*; error=/);
      assert.doesNotMatch(client.transcript, /s3cr3t/);
      assert.ok(answer.reason.length <= 80 && /^[\x20-\x7e]+$/.test(answer.reason), answer.reason);
      assert.equal(origin.connections, 0);
      const ended = await proxy.endedAt(0);
      assert.equal(ended.status, status);
      assert.doesNotMatch(ended.detail, /s3cr3t/);
      await proxy.until("one report", () => proxy.ended.length === 1);
    }));
}

test("HTTP/1.0 without Host, and a client that ends after its request", () =>
  withForward({ settings: "client_half_close: finish" }, async ({ begin, there }) => {
    const { client, peer } = await begin(`GET http://${there}/old HTTP/1.0\r\n\r\n`);
    await client.halfClose();
    const request = await peer.readRequest();
    assert.equal(request.field("Host"), there);
    assert.match(request.field("Via") ?? "", /^1\.0 sluice-/);
    await peer.send(message(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "3\r\nabc\r\n0\r\n\r\n"));
    await client.readToEnd();
    const [head = "", body] = client.transcript.split("\r\n\r\n");
    assert.equal(body, "abc");
    assert.doesNotMatch(head, /chunked/);
    assert.match(head, /\r\nVia: 1\.1 sluice-[0-9a-f]{8}\r\n/);
  }));

test("a body with a length, one in chunks, and 100 Continue of the origin only", () =>
  withForward({}, async ({ begin, there, connect, origin }) => {
    const { client, peer } = await begin(message([
      `POST http://${there}/up HTTP/1.1`,
      `Host: ${there}`,
      "Expect: 100-continue",
      "Content-Length: 4",
    ]));
    const head = await peer.readUntil("\r\n\r\n");
    assert.match(head, /\r\nExpect: 100-continue\r\n/);
    assert.equal(client.inbox.totalBytes, 0, "no 100 of our own");
    await peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    await client.readUntil("\r\n\r\n");
    await client.send("body");
    await peer.readUntil("body");
    await peer.send(EMPTY);
    assert.equal((await client.readResponse({ method: "POST" })).status, 200);
    origin.auto((request) => request.text);
    const other = await connect();
    await client.send(get(there, "/"));
    await peer.readRequest();
    const chunked = message([
      `PUT http://${there}/ HTTP/1.1`,
      `Host: ${there}`,
      "Transfer-Encoding: chunked",
    ]);
    await other.dribble(`${chunked}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`, 3);
    assert.equal((await other.readResponse()).text, "abcde");
    await peer.send(EMPTY);
    await client.readResponse();
  }));

test("an upgrade is asked for by a URL", () =>
  withForward({}, async ({ begin, there, proxy }) => {
    const { client, peer } = await begin(get(
      there,
      "/chat",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ));
    const request = await peer.readRequest();
    assert.equal(request.field("Upgrade"), "websocket");
    assert.equal(request.target, "/chat");
    await peer.send(message([
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ]));
    await client.readUntil("\r\n\r\n");
    await client.send("up");
    await peer.readUntil("up");
    await peer.send("down");
    await client.readUntil("down");
    await peer.halfClose();
    await client.halfClose();
    const { status, upgraded } = await proxy.endedAt(0);
    assert.deepEqual([status, upgraded], [101, true]);
  }));

test("OPTIONS * is about the proxy", () =>
  withForward({}, async ({ connect, origin, there }) => {
    const client = await connect();
    const answer = await client.ask(message(["OPTIONS * HTTP/1.1", `Host: ${there}`]));
    assert.equal(answer.status, 200);
    assert.match(answer.field("Allow") ?? "", /CONNECT/);
    assert.equal(origin.connections, 0);
  }));

test("Max-Forwards 0: TRACE shows the request without what is secret, OPTIONS what is allowed", () =>
  withForward({}, async ({ connect, origin, there }) => {
    const client = await connect();
    const secrets = [
      "Cookie: id=s3cr3t",
      "AUTHORIZATION: Bearer s3cr3t",
      "Proxy-Authorization: Basic s3cr3t",
    ];
    const trace = await client.ask(
      message([
        `TRACE http://${there}/x HTTP/1.1`,
        `Host: ${there}`,
        "Max-Forwards: 0",
        ...secrets,
        "X-Seen: yes",
      ]),
    );
    assert.equal(trace.status, 200);
    assert.equal(trace.field("Content-Type"), "message/http");
    assert.equal(
      trace.text,
      message([`TRACE http://${there}/x HTTP/1.1`, `Host: ${there}`, "Max-Forwards: 0", "X-Seen: yes"]),
    );
    const options = await client.ask(
      message([`OPTIONS http://${there}/x HTTP/1.1`, `Host: ${there}`, "Max-Forwards: 0"]),
    );
    assert.equal(options.status, 200);
    assert.match(options.field("Allow") ?? "", /GET/);
    assert.equal(origin.connections, 0);
  }));

for (const method of ["TRACE", "OPTIONS"]) {
  test(`Max-Forwards of ${method} is counted down`, () =>
    withForward({}, async ({ begin, there }) => {
      const { client, peer } = await begin(
        message([`${method} http://${there}/ HTTP/1.1`, `Host: ${there}`, "Max-Forwards: 3"]),
      );
      assert.equal((await peer.readRequest()).field("Max-Forwards"), "2");
      await peer.send(EMPTY);
      await client.readResponse();
    }));
}

test("a 407 of an origin is its mistake", () =>
  withForward({}, async ({ begin, there, proxy }) => {
    const { client, peer } = await begin(get(there, "/"));
    await peer.readRequest();
    await peer.send(message([
      "HTTP/1.1 407 Proxy Authentication Required",
      'Proxy-Authenticate: Basic realm="phish"',
      "Content-Length: 2",
    ], "no"));
    const answer = await client.readResponse();
    assert.equal(answer.status, 502);
    assert.doesNotMatch(client.transcript, /phish/);
    assert.equal((await proxy.endedAt(0)).reason, "http_protocol_error");
  }));

test("a request that has passed here is a loop, one that has passed another Sluice is none", () =>
  withForward({}, async ({ begin, there, connect, origin }) => {
    const { client, peer } = await begin(get(there, "/", "Via: 1.1 sluice, 1.1 sluice-00000000"));
    await peer.readRequest();
    await peer.send(EMPTY);
    const own = /1\.1 (sluice-[0-9a-f]{8})/.exec((await client.readResponse()).field("Via") ?? "")?.[1];
    assert.ok(own !== undefined);
    for (const value of [`1.1 ${own}`, `1.0 a, 1.1\t${own} (comment), 1.1 b`]) {
      const again = await connect();
      assert.equal((await again.ask(get(there, "/", `Via: ${value}`))).status, 508);
    }
    assert.equal(origin.connections, 1);
  }));

test("our own listener under a name is a loop as well", async () => {
  const port = await freePort();
  await withForward(
    { hosts: "127.0.0.1 me.test\n", forward: "", settings: `admin: 127.0.0.1:${port}` },
    async ({ connect, proxy }) => {
      for (const at of [3128, port]) {
        const client = await connect();
        const answer = await client.ask(get(`me.test:${at}`, "/"));
        assert.ok([403, 508].includes(answer.status), String(answer.status));
      }
      assert.equal(proxy.ended.length, 2);
    },
  );
});

test("an origin that refuses, one that resets, one that dribbles nonsense, one that stalls", () =>
  withForward({ settings: "hold: 0s\nfirst_byte_timeout: 100ms" }, async ({ begin, there, connect }) => {
    const nobody = await freePort();
    const refused = await (await connect()).ask(get(`127.0.0.1:${nobody}`, "/"));
    assert.deepEqual([refused.status, refused.reason], [502, "Bad Gateway (sluice: connection refused)"]);
    const reset = await begin(
      message([`POST http://${there}/ HTTP/1.1`, `Host: ${there}`, "Content-Length: 0"]),
    );
    await reset.peer.readRequest();
    reset.peer.reset();
    assert.equal((await reset.client.readResponse({ method: "POST" })).status, 502);
    const nonsense = await begin(get(there, "/"));
    await nonsense.peer.readRequest();
    await nonsense.peer.dribble("SSH-2.0-OpenSSH\r\n\r\n", 2).catch(() => {});
    assert.equal((await nonsense.client.readResponse()).status, 502);
    const stalls = await begin(get(there, "/"));
    await stalls.peer.readRequest();
    assert.equal((await stalls.client.readResponse()).status, 504);
  }));
