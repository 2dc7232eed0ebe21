/** Which requests may ask for another protocol, and which answers switch to it (RFC 9110 §7.8, RFC 6455 §4). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { message, withLab } from "./lab.ts";

const H = "Host: a";
/** The example of RFC 6455 §1.3. */
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const ASK = ["GET /chat HTTP/1.1", H, "Connection: keep-alive, Upgrade", "Upgrade: WebSocket", KEY];
const SWITCH = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", ACCEPT];

interface Plain {
  readonly name: string;
  readonly request: string;
  readonly settings?: string;
}

test("a request that may not switch goes on as an ordinary one, without Upgrade", () =>
  withLab("", async ({ origin, connect }) => {
    origin.auto((request) => [...request.all("Upgrade"), ...request.all("Connection"), "plain"].join());
    const without = (line: string): string[] => ASK.filter((each) => each !== line);
    const plain: readonly Plain[] = [
      { name: "HTTP/1.0", request: message(["GET / HTTP/1.0", ...ASK.slice(1)]) },
      { name: "not in Connection", request: message(without("Connection: keep-alive, Upgrade")) },
      { name: "with a body", request: message([...ASK, "Content-Length: 1"], "a") },
      { name: "with an empty body", request: message([...ASK, "Content-Length: 0"]) },
      { name: "POST", request: message(["POST / HTTP/1.1", ...ASK.slice(1)]) },
      { name: "no key", request: message(without(KEY)) },
      { name: "a key that is none", request: message([...without(KEY), "Sec-WebSocket-Key: abc"]) },
      { name: "two keys", request: message([...ASK, KEY]) },
      {
        name: "h2c",
        request: message([
          "GET / HTTP/1.1",
          H,
          "Connection: Upgrade, HTTP2-Settings",
          "Upgrade: h2c",
          "HTTP2-Settings: AAMAAABkAAQAAP__",
        ]),
      },
      { name: "unknown", request: message(["GET / HTTP/1.1", H, "Connection: upgrade", "Upgrade: x/1"]) },
      {
        name: "malformed",
        request: message(["GET / HTTP/1.1", H, "Connection: upgrade", "Upgrade: web socket"]),
      },
    ];
    for (const { name, request } of plain) {
      const client = await connect();
      const answer = await client.ask(request);
      assert.equal(answer.status, 200, name);
      assert.equal(answer.text, "plain", name);
    }
    for (const peer of origin.peers) assert.doesNotMatch(peer.transcript, /HTTP2-Settings|h2c/i);
  }));

test("upgrades: [] lets none through", () =>
  withLab("upgrades: []", async ({ origin, connect }) => {
    origin.auto((request) => request.all("Upgrade").join() + "plain");
    assert.equal((await (await connect()).ask(message(ASK))).text, "plain");
  }));

test("only the protocols on the list are asked for, in our own fields", () =>
  withLab("upgrades: [websocket, my-protocol/2]", async ({ begin }) => {
    const { peer } = await begin(
      message([
        "GET / HTTP/1.1",
        H,
        "Connection: Upgrade",
        "Upgrade: h2c, My-Protocol/2",
        "Upgrade: TLS/1.0",
      ]),
    );
    const request = await peer.readRequest();
    assert.equal(request.field("Upgrade"), "my-protocol/2");
    assert.equal(request.field("Connection"), "Upgrade");
  }));

test("the switch: after the 101 both sides are a tunnel, and the connection is nobody else's", () =>
  withLab("", async ({ begin, proxy, origin }) => {
    const { client, peer } = await begin(message(ASK));
    const request = await peer.readRequest();
    assert.deepEqual(request.fields.slice(0, 2), [["Host", "a"], ["Sec-WebSocket-Key", KEY.slice(19)]]);
    assert.equal(request.field("Upgrade"), "websocket");
    assert.equal(request.field("Connection"), "Upgrade");
    await peer.send(message([...SWITCH, "Sec-WebSocket-Protocol: chat", "Content-Length: 0"]));
    assert.equal(
      await client.readUntil("\r\n\r\n"),
      message([
        "HTTP/1.1 101 Switching Protocols",
        ACCEPT,
        "Sec-WebSocket-Protocol: chat",
        "Connection: Upgrade",
        "Upgrade: websocket",
      ]),
    );
    await client.send("GET / HTTP/1.1\r\n\r\n");
    assert.equal(await peer.readUntil("\r\n\r\n"), "GET / HTTP/1.1\r\n\r\n", "raw bytes now");
    await peer.send("\x81\x02hi");
    await client.readUntil("\x81\x02hi");
    assert.equal(proxy.ended.length, 0);
    await client.halfClose();
    assert.equal(await peer.readToEnd(), "");
    await peer.halfClose();
    assert.equal(await client.readToEnd(), "");
    const ended = await proxy.endedAt(0);
    assert.equal(ended.status, 101);
    assert.equal(ended.upgraded, true);
    assert.equal(ended.requestBodyBytes, 18);
    assert.equal(ended.responseBodyBytes, 4);
    assert.equal(origin.connections, 1);
    assert.equal(proxy.upstream().inFlight, 0);
  }));

const BAD_SWITCHES:
  readonly (readonly [name: string, request: readonly string[], response: readonly string[]])[] = [
    ["nobody asked", ["GET / HTTP/1.1", H], SWITCH],
    ["another protocol", ASK, ["HTTP/1.1 101 SP", "Upgrade: h2c", "Connection: Upgrade", ACCEPT]],
    ["two protocols", ASK, ["HTTP/1.1 101 SP", "Upgrade: websocket, h2c", "Connection: Upgrade", ACCEPT]],
    ["no Upgrade field", ASK, ["HTTP/1.1 101 SP", "Connection: Upgrade", ACCEPT]],
    ["no Sec-WebSocket-Accept", ASK, SWITCH.slice(0, 3)],
    ["a wrong Sec-WebSocket-Accept", ASK, [
      ...SWITCH.slice(0, 3),
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=",
    ]],
    ["two Sec-WebSocket-Accept", ASK, [...SWITCH, ACCEPT]],
  ];

test("a switch that does not fit the request is a 502, and no tunnel", () =>
  withLab("", async ({ begin, proxy }) => {
    for (const [index, [name, request, response]] of BAD_SWITCHES.entries()) {
      const { client, peer } = await begin(message(request));
      await peer.readRequest();
      await peer.send(message(response, "inside"));
      const answer = await client.readResponse();
      assert.equal(answer.status, 502, name);
      assert.match(answer.field("Proxy-Status") ?? "", /^sluice; error=http_upgrade_failed; /, name);
      assert.deepEqual(answer.all("Upgrade"), [], name);
      await peer.readToClose();
      assert.equal((await proxy.endedAt(index)).reason, "http_upgrade_failed", name);
      assert.doesNotMatch(client.transcript, /inside/, name);
    }
  }));

test("bytes the client sends early stay here until the 101", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(message(ASK, "early"));
    await peer.readRequest();
    await client.send(" bird");
    await peer.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    await client.readUntil("\r\n\r\n");
    assert.equal(peer.inbox.unread.length, 0);
    await peer.send(message(SWITCH, "late"));
    await client.readUntil("late");
    assert.equal(await peer.readUntil("bird"), "early bird");
  }));

test("an ordinary answer to a request for a switch keeps the connection", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(message(ASK));
    await peer.readRequest();
    await peer.respond({ status: 401, body: "who?" });
    const answer = await client.readResponse();
    assert.equal(answer.status, 401);
    assert.deepEqual(answer.all("Connection"), []);
    await client.send(message(["GET /next HTTP/1.1", H]));
    assert.equal((await peer.readRequest()).target, "/next");
  }));

for (
  const [what, response, status] of [
    ["an ordinary answer", message(["HTTP/1.1 200 OK", "Content-Length: 2"], "no"), 200],
    ["a refused switch", message(SWITCH.slice(0, 3)), 502],
  ] as const
) {
  test(`early bytes of a client that gets ${what} are never read as a request`, () =>
    withLab("", async ({ begin, origin, proxy }) => {
      const { client, peer } = await begin(message(ASK, message(["GET /smuggled HTTP/1.1", H])));
      await peer.readRequest();
      await peer.send(response);
      const answer = await client.readResponse();
      assert.equal(answer.status, status);
      assert.equal(answer.field("Connection"), "close");
      assert.equal(await client.readToEnd(), "");
      assert.equal(proxy.ended.length, 1);
      assert.equal(origin.connections, 1);
    }));
}
