/**
 * A client that authenticates on a connection and sends several requests at a time: those of its session go one after the
 * other, on that connection and no other.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BODY } from "../../../src/http/body_length.ts";
import { ExchangeLab, FIRST_BYTE_MS, HOST } from "../../support/streams/exchange_lab.ts";
import type { Pair } from "../../support/streams/pairs.ts";
import { WIRES } from "../../support/streams/wires.ts";
import type { ClientConnection, ClientEnd, EndpointEnd } from "../../support/streams/wire.ts";
import { TOY } from "../../support/toy_wire/toy_wire.ts";

const LOGIN: Pair = ["Authorization", "Negotiate YII"];

function answer(endpoint: EndpointEnd): void {
  endpoint.head(200, [], 2);
  endpoint.body("ok");
  endpoint.end();
}

function ask(connection: ClientConnection, target: string, ...fields: Pair[]): ClientEnd {
  return connection.request("GET", target, [HOST, ...fields], NO_BODY);
}

// On a connection that several clients share no request may authenticate the connection.
for (const wire of WIRES.filter(({ sharesConnections }) => !sharesConnections)) {
  const named = (name: string, body: () => void) => test(`${name}, ${wire.name}`, body);

  /** Two requests wait for the connection on which a third one is under way. */
  const scene = () => {
    const lab = new ExchangeLab(wire);
    const connection = lab.connect();
    ask(connection, "/login", LOGIN);
    answer(lab.got(0));
    const [first, second, third] = ["/1", "/2", "/3"].map((target) => ask(connection, target));
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    lab.advance(1000);
    assert.deepEqual(lab.wire.requests.map(({ request }) => request.target), ["/login", "/1"]);
    return { lab, connection, first, second, third };
  };

  named("requests of a session go one after the other", () => {
    const { lab, first, second, third } = scene();
    for (const [index, client] of [first, second, third].entries()) {
      assert.equal(lab.wire.requests.length, index + 2);
      assert.equal(lab.got(index + 1).connection, 0);
      answer(lab.got(index + 1));
      lab.wire.run();
      assert.equal(client.answer.end, "complete");
    }
    const [endpoint] = lab.upstream.endpoints;
    assert.deepEqual([endpoint?.pinned, endpoint?.pinnedIdle, lab.wire.fates()], [1, 1, ["open"]]);
    lab.assertQuiet();
    lab.assertQuietAtLast();
  });

  named("requests that come before the session's first is answered wait for it", () => {
    const lab = new ExchangeLab(wire);
    const connection = lab.connect();
    const login = ask(connection, "/login", LOGIN);
    const next = ask(connection, "/1");
    const stranger = lab.ask("GET", NO_BODY, [], "/stranger");
    lab.advance(1000);
    assert.deepEqual(
      lab.wire.requests.map(({ request, connection }) => [request.target, connection]),
      [["/login", 0], ["/stranger", 1]],
    );
    answer(lab.got(0));
    lab.wire.run();
    assert.deepEqual([lab.got(2).request.target, lab.got(2).connection], ["/1", 0]);
    answer(lab.got(1));
    answer(lab.got(2));
    for (const { answer } of [login, next, stranger]) assert.equal(answer.end, "complete");
    lab.assertQuiet();
    lab.assertQuietAtLast();
  });

  named("the end of the session ends those that wait without an answer, and is told to the client", () => {
    const { lab, connection, first, second, third } = scene();
    lab.got(1).reset();
    lab.advance(100);
    for (const { answer } of [first, second, third]) {
      assert.deepEqual([answer.status, answer.end], [0, "unanswered"]);
    }
    assert.notEqual(connection.state, "open");
    assert.equal(lab.wire.requests.length, 2, "nothing of it is sent elsewhere");
    lab.assertQuiet();
    assert.equal(lab.upstream.pinned, 0);
    lab.assertQuietAtLast();
  });

  named("one that waits may leave", () => {
    const { lab, first, second, third } = scene();
    second.reset();
    answer(lab.got(1));
    lab.wire.run();
    assert.equal(lab.got(2).request.target, "/3");
    answer(lab.got(2));
    for (const { answer } of [first, third]) assert.equal(answer.end, "complete");
    lab.assertQuiet();
    lab.assertQuietAtLast();
  });

  named("those that wait end with their client", () => {
    const { lab, connection } = scene();
    connection.reset();
    lab.assertQuiet();
    assert.equal(lab.upstream.pinned, 0);
    assert.deepEqual(lab.wire.fates(), ["closed"]);
    lab.assertQuietAtLast();
  });

  named("a session that becomes a tunnel is one for nobody else", () => {
    const lab = new ExchangeLab(wire);
    const connection = lab.connect();
    const tunnel = ask(connection, "/login", LOGIN, ["Upgrade", "chat"]);
    const waiting = ask(connection, "/1");
    lab.advance(1000);
    assert.equal(lab.wire.requests.length, 1);
    lab.got(0).switchTo("chat");
    lab.wire.run();
    assert.equal(waiting.answer.end, "unanswered");
    tunnel.raw.finish();
    lab.got(0).raw.finish();
    lab.assertQuiet();
    lab.assertQuietAtLast();
  });
}

test("a session ends on a connection that could carry more, and a request that waits for it changes nothing about the deadline of the one under way", () => {
  const lab = new ExchangeLab(TOY, { retry: { on: [] } });
  const connection = lab.connect();
  ask(connection, "/login", LOGIN);
  answer(lab.got(0));
  const [slow, next] = [ask(connection, "/1"), ask(connection, "/2")];
  lab.advance(FIRST_BYTE_MS + 100);
  assert.equal(slow.answer.status, 504);
  assert.equal(next.answer.end, "unanswered", "its session is over");
  lab.assertQuietAtLast();
});
