/**
 * A gateway in front of a wire that is not HTTP/1, with many requests at a time on one connection: routes, answers of its
 * own, refusals and ends are the same.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BodyLength, NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { HOST } from "../../support/streams/exchange_lab.ts";
import { type Pair, valueOf } from "../../support/streams/pairs.ts";
import type { EndpointEnd } from "../../support/streams/wire.ts";
import type { ToyClient } from "../../support/toy_wire/toy_client.ts";
import { ToyGateway } from "../../support/toy_wire/toy_gateway.ts";

const STREAMS = 20;

/** Answers with the path. */
function answer(endpoint: EndpointEnd): void {
  const { target } = endpoint.request;
  endpoint.head(200, [], target.length);
  endpoint.body(target);
  endpoint.end();
}

function askMany(client: ToyClient) {
  return Array.from({ length: STREAMS }, (_, index) => client.request("GET", `/${index}`, [HOST], NO_BODY));
}

const opened = async (options: Parameters<typeof ToyGateway.open>[0] = {}) => {
  const all = await ToyGateway.open(options);
  return { all, lab: all.lab, own: all.own, connect: () => all.connect() };
};

test("requests go where their routes lead", async () => {
  const { connect, lab, own, all } = await opened();
  const client = connect();
  const one = client.request("GET", "/a", [HOST], NO_BODY);
  const fixed = client.request("GET", "/fixed/b", [["Host", "b.test"]], NO_BODY);
  const head = client.request("HEAD", "/fixed", [["Host", "b.test"]], NO_BODY);
  const lost = client.request("GET", "/c", [["Host", "b.test"]], NO_BODY);
  answer(lab.got());
  assert.deepEqual([one.answer.status, one.answer.body, one.answer.end], [200, "/a", "complete"]);
  assert.deepEqual([fixed.answer.status, fixed.answer.body, fixed.answer.end], [200, "fixed", "complete"]);
  assert.deepEqual([head.answer.body, valueOf(head.answer.fields, "content-length")], ["", "5"]);
  assert.equal(lost.answer.status, 404);
  assert.match(valueOf(lost.answer.fields, "proxy-status") ?? "", /^sluice; error=no_route$/);
  assert.deepEqual(own, [[200, ""], [200, ""], [404, "no_route"]]);
  assert.equal(client.state, "open");
  all.assertQuiet();
});

for (
  const [name, method, target, fields, length, status, reason] of [
    ["TRACE", "TRACE", "/", [], NO_BODY, 405, "method_not_allowed"],
    ["another host in the target", "GET", "http://b.test/", [], NO_BODY, 400, "http_request_error"],
    ["an underscore", "GET", "/", [["X_Y", "1"]], NO_BODY, 400, "http_request_error"],
    ["a path of two readings", "GET", "/fixed%2Fa", [], NO_BODY, 400, "http_request_error"],
    ["too large a body", "POST", "/", [], 2000, 413, "request_too_large"],
    [
      "a loop",
      "GET",
      "/",
      Array.from({ length: 8 }, () => ["Via", "2 sluice"]),
      NO_BODY,
      508,
      "proxy_loop_detected",
    ],
    ["the end of its hops", "OPTIONS", "/", [["Max-Forwards", "0"]], NO_BODY, 204, ""],
  ] as readonly (readonly [string, string, string, Pair[], BodyLength, number, string])[]
) {
  test(`answered here: ${name}`, async () => {
    const { connect, own, lab, all } = await opened({ maxBodyBytes: 1000 });
    const client = connect();
    const { answer } = client.request(method, target, [HOST, ...fields], length);
    assert.deepEqual([answer.status, answer.end], [status, "complete"]);
    assert.deepEqual(own, [[status, reason]]);
    assert.equal(lab.wire.requests.length, 0);
    all.assertQuiet();
  });
}

test("a refusal that ends the connection lets the other streams have their answers", async () => {
  const { connect, lab, all } = await opened();
  const client = connect();
  const clients = askMany(client);
  lab.advance(5000);
  const refused = client.request("GET", "/", [HOST, ["X_Y", "1"]], NO_BODY);
  assert.equal(refused.answer.status, 400);
  assert.equal(client.state, "last");
  for (let index = 0; index < STREAMS; index++) answer(lab.got(index));
  for (const [index, each] of clients.entries()) assert.equal(each.answer.body, `/${index}`);
  assert.equal(client.state, "closed");
  assert.equal(all.gateway.connections, 0);
  all.assertQuiet();
});

test("what is no request is refused, and nothing further is taken", async () => {
  const { connect, own, all } = await opened();
  const client = connect();
  const bad = client.badRequest();
  assert.deepEqual([bad.answer.status, bad.answer.end], [400, "complete"]);
  assert.deepEqual(own, [[400, "http_request_error"]]);
  assert.equal(client.state, "closed");
  all.assertQuiet();
});

test("too many connections are told so", async () => {
  const { connect, own, all } = await opened({ maxConnections: 1, maxRefused: 1 });
  const first = connect();
  const second = connect();
  assert.deepEqual(own, [[503, "too_many_connections"]]);
  assert.deepEqual([second.unasked?.status, second.unasked?.end], [503, "complete"]);
  all.runtime.network.run();
  assert.equal(second.state, "closed");
  assert.equal(first.state, "open");
  assert.equal(first.request("GET", "/fixed", [HOST], NO_BODY).answer.body, "fixed");
  all.assertQuiet();
});

test("who is trusted is believed", async () => {
  for (const trusted of [true, false]) {
    const { connect, lab } = await opened({ trusted: trusted ? ["127.0.0.1/32"] : [] });
    connect().request("GET", "/", [HOST, ["X-Forwarded-For", "198.51.100.7"]], NO_BODY);
    const passed = valueOf(lab.got().request.fields, "x-forwarded-for");
    assert.equal(passed, trusted ? "198.51.100.7, 127.0.0.1" : "127.0.0.1");
  }
});

test(
  "a drain lets all requests have their answers, then ends connections and tells that it is over",
  async () => {
    const { connect, lab, all } = await opened();
    const client = connect();
    const clients = askMany(client);
    const idle = connect();
    await all.pass(3000);
    let over = false;
    const drained = all.gateway.drain(60_000).then(() => over = true);
    await all.pass(2000);
    assert.equal(client.state, "last");
    assert.equal(idle.state, "closed");
    for (let index = 0; index < STREAMS; index++) answer(lab.got(index));
    assert.equal(over, false);
    await all.pass(2000);
    await drained;
    for (const [index, each] of clients.entries()) assert.equal(each.answer.body, `/${index}`);
    assert.equal(client.state, "closed");
    assert.equal(all.gateway.dropped, 0);
    all.assertQuiet();
  },
);

test("what is left when the time of a drain is up counts request by request", async () => {
  const { connect, lab, all } = await opened({ maxInFlight: 3 });
  const client = connect();
  const clients = askMany(client);
  await all.pass(1000);
  const drained = all.gateway.drain(2000);
  await all.pass(5000);
  await drained;
  assert.equal(client.state, "closed");
  assert.equal(lab.ended.length, STREAMS);
  const waited = clients.filter(({ answer }) => answer.status === 503);
  assert.equal(waited.length, STREAMS - 3, "those that waited are answered");
  assert.equal(all.gateway.dropped, STREAMS);
  all.assertQuiet();
});

test("everything can be ended at once", async () => {
  const { connect, lab, all } = await opened();
  const client = connect();
  askMany(client);
  await all.pass(3000);
  answer(lab.got());
  const ended = all.gateway.abortAll();
  await all.pass(100);
  await ended;
  assert.equal(all.gateway.dropped, STREAMS - 1);
  assert.equal(lab.ended.filter(({ reason }) => reason === "shutting_down").length, STREAMS - 1);
  all.assertQuiet();
});

test("what goes through an endpoint that is drained goes elsewhere when its time is up", async () => {
  const { connect, lab, all } = await opened({ endpoints: 2 });
  const { upstream } = lab;
  const [first, second] = upstream.endpoints;
  assert.ok(first !== undefined && second !== undefined);
  upstream.withdraw(second);
  const client = connect();
  const clients = Array.from({ length: 3 }, (_, i) => client.request("GET", `/${i}`, [HOST], NO_BODY));
  const body = client.request("POST", "/post", [HOST], UNKNOWN_LENGTH);
  const tunnel = client.request("GET", "/tunnel", [HOST, ["Upgrade", "chat"]], NO_BODY);
  await all.pass(3000);
  lab.wire.requests.find(({ request }) => request.target === "/tunnel")?.switchTo("chat");
  assert.deepEqual([all.gateway.tunnels, upstream.inFlight], [1, 5]);
  upstream.restore(second);
  upstream.withdraw(first);
  all.gateway.drainEndpoints([first], 1000);
  await all.pass(3000);
  assert.equal(first.busy, 0);
  assert.equal(tunnel.raw.end, "aborted");
  assert.equal(body.answer.status, 502, "a POST may not be sent again");
  for (const again of lab.wire.requests.slice(5)) answer(again);
  for (const [index, each] of clients.entries()) assert.equal(each.answer.body, `/${index}`);
  assert.equal(client.state, "open");
  all.assertQuiet();
});

test("a WebSocket is asked to end while others on its connection are answered", async () => {
  const { connect, lab, all } = await opened();
  const client = connect();
  const socket = client.request("GET", "/ws", [HOST, ["Upgrade", "websocket"]], NO_BODY);
  lab.got().switchTo("websocket");
  const plain = client.request("GET", "/plain", [HOST], NO_BODY);
  await all.pass(1000);
  const drained = all.gateway.drain(10_000);
  await all.pass(10_000);
  assert.ok(socket.raw.received.startsWith("\x88\x02\x03\xe9"), "Close, 1001");
  answer(lab.got(1));
  assert.equal(plain.answer.body, "/plain");
  await all.pass(2000);
  await drained;
  assert.equal(client.state, "closed");
  assert.equal(all.gateway.dropped, 0, "a tunnel is no request");
  all.assertQuiet();
});
