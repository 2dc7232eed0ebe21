/** What is sent again, and where, over every wire: after resets, time-outs and statuses. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { ExchangeLab, type ExchangeLabOptions, HOST } from "../../support/streams/exchange_lab.ts";
import type { Pair } from "../../support/streams/pairs.ts";
import { WIRES } from "../../support/streams/wires.ts";
import type { EndpointEnd } from "../../support/streams/wire.ts";

const STATUSES: ExchangeLabOptions = { retry: { on: [502, 503, 504] } };
/** More than is kept of an answer that may be retried. */
const BLOCK = "x".repeat(16 * 1024);

function answer(endpoint: EndpointEnd, status = 200, body = "ok"): void {
  endpoint.head(status, [["X-Status", String(status)]], body.length);
  endpoint.body(body);
  endpoint.end();
}

for (const wire of WIRES) {
  const named = (name: string, body: () => void) => test(`${name}, ${wire.name}`, body);

  /** A connection that has served and rests in the pool. */
  const warmed = (options: ExchangeLabOptions = {}): ExchangeLab => {
    const lab = new ExchangeLab(wire, options);
    lab.ask();
    answer(lab.got());
    lab.assertQuiet();
    lab.ended.splice(0);
    lab.exchanges.splice(0);
    return lab;
  };

  named("a request on a pooled connection that ends goes on a new one", () => {
    const lab = warmed();
    const client = lab.ask();
    assert.equal(lab.got(1).connection, 0);
    lab.got(1).reset();
    lab.wire.run();
    assert.equal(lab.got(2).connection, 1);
    answer(lab.got(2));
    assert.equal(client.answer.end, "complete");
    assert.deepEqual([lab.only.status, lab.only.attempts], [200, 2]);
    lab.assertQuiet();
    assert.deepEqual(lab.wire.fates(), ["closed", "open"]);
    lab.assertQuietAtLast();
  });

  named("a POST that was seen is not sent again", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("POST", 0);
    lab.got().reset();
    assert.deepEqual(lab.outcome(), [502, "not_idempotent"]);
    assert.equal(client.answer.end, "complete");
    lab.assertQuietAtLast();
  });

  named("a POST with a key of its own is sent again", () => {
    const lab = new ExchangeLab(wire);
    lab.ask("POST", 0, [["Idempotency-Key", '"1"']]);
    lab.got().reset();
    lab.advance(1000);
    answer(lab.got(1));
    assert.deepEqual([lab.only.status, lab.only.attempts], [200, 2]);
    lab.assertQuietAtLast();
  });

  named("a request that nobody answers is sent three times", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask();
    for (let index = 0; index < 3; index++) {
      lab.got(index).timeOut("head");
      // A connection may have to stand open for a while before it gets the request.
      lab.advance(5000);
    }
    assert.deepEqual(lab.outcome(), [504, "http_response_timeout"]);
    assert.equal(lab.only.detail, "sent 3 times without an answer");
    assert.equal(client.answer.end, "complete");
    lab.assertQuietAtLast();
  });

  named("a request goes to another endpoint", () => {
    const lab = new ExchangeLab(wire, { endpoints: 2, upstream: { holdMs: 0 } });
    const client = lab.ask();
    lab.got(0).reset();
    lab.advance(500);
    answer(lab.got(1));
    assert.equal(client.answer.status, 200);
    lab.assertQuietAtLast();
  });

  named("a status on the list is asked for again, and the answer that is none passes", () => {
    const lab = new ExchangeLab(wire, STATUSES);
    const client = lab.ask();
    answer(lab.got(0), 503, "busy");
    assert.equal(lab.phase(), "waiting");
    assert.equal(client.answer.status, 0);
    assert.equal(lab.upstream.inFlight, 0);
    lab.advance(100);
    assert.equal(lab.got(1).connection, 0, "on the same connection, which is fit for it");
    answer(lab.got(1), 200, "well");
    assert.deepEqual([client.answer.status, client.answer.body], [200, "well"]);
    assert.deepEqual([lab.only.status, lab.only.reason, lab.only.attempts], [200, "", 2]);
    lab.assertQuietAtLast();
  });

  named("the last of three such answers is passed on", () => {
    const lab = new ExchangeLab(wire, STATUSES);
    const client = lab.ask();
    for (let index = 0; index < 3; index++) {
      answer(lab.got(index), 503, `busy ${index}`);
      lab.advance(1000);
    }
    assert.deepEqual([client.answer.status, client.answer.body], [503, "busy 2"]);
    assert.deepEqual(client.answer.fields[0], ["X-Status", "503"]);
    assert.deepEqual([lab.only.status, lab.only.reason, lab.only.attempts], [503, "", 3]);
    lab.assertQuietAtLast();
  });

  named("an answer that was stored is better than a failure of ours", () => {
    for (const failure of ["reset", "garble", "late", "unreachable"] as const) {
      const lab = new ExchangeLab(wire, { retry: { on: [503], tries: 2 }, upstream: { holdMs: 2000 } });
      const client = lab.ask();
      answer(lab.got(0), 503, "busy");
      if (failure === "unreachable") {
        lab.wire.lose(0);
        lab.wire.dials("connection_refused");
        lab.advance(10_000);
      } else {
        lab.advance(100);
        if (failure === "reset") lab.got(1).reset();
        else if (failure === "garble") lab.got(1).garble();
        else lab.got(1).timeOut("head");
      }
      assert.deepEqual([client.answer.status, client.answer.body, client.answer.end], [
        503,
        "busy",
        "complete",
      ]);
      assert.deepEqual([lab.only.status, lab.only.reason], [503, ""], failure);
      lab.assertQuietAtLast();
    }
  });

  named("the stored answer is not for a client that is gone, or has gone wrong", () => {
    const lab = new ExchangeLab(wire, STATUSES);
    const client = lab.ask();
    answer(lab.got(0), 503, "busy");
    client.reset();
    assert.deepEqual(lab.outcome(), [0, "client_gone"]);
    lab.advance(1000);
    assert.equal(lab.wire.requests.length, 1, "it is not sent again");
    lab.assertQuietAtLast();
  });

  named("an answer that is too long to be stored is passed on", () => {
    const lab = new ExchangeLab(wire, STATUSES);
    const client = lab.ask();
    const endpoint = lab.got();
    endpoint.head(503, [], UNKNOWN_LENGTH);
    for (let blocks = 0; blocks < 4; blocks++) endpoint.body(BLOCK);
    assert.equal(client.answer.status, 0);
    endpoint.body("more");
    assert.equal(lab.phase(), "relaying");
    assert.equal(client.answer.status, 503);
    endpoint.body("and more");
    endpoint.end();
    assert.equal(client.answer.body.length, 4 * BLOCK.length + 12);
    assert.deepEqual([client.answer.end, lab.only.attempts], ["complete", 1]);
    lab.assertQuietAtLast();
    const other = new ExchangeLab(wire, STATUSES);
    const announced = other.ask();
    other.got().head(503, [], 100 * 1024);
    assert.equal(announced.answer.status, 503, "it says so itself");
  });

  named("a status is not asked for again on behalf of a method that does not allow it", () => {
    const lab = new ExchangeLab(wire, STATUSES);
    const client = lab.ask("POST", 0);
    answer(lab.got(), 503, "busy");
    assert.deepEqual([client.answer.body, lab.only.attempts], ["busy", 1]);
    lab.assertQuietAtLast();
  });

  named("an answer that breaks off while it is collected is a failure", () => {
    const lab = new ExchangeLab(wire, STATUSES);
    const client = lab.ask();
    lab.got().head(503, [], 10);
    lab.got().body("12345");
    lab.got().reset();
    assert.deepEqual(lab.outcome(), [502, "http_response_incomplete"]);
    assert.equal(client.answer.end, "complete");
    lab.assertQuietAtLast();
  });

  named("an interim response is an answer of a kind", () => {
    const lab = new ExchangeLab(wire, { retry: { unanswered: true, methods: [] } });
    const client = lab.ask("POST", 0);
    lab.got().interim(103);
    lab.got().reset();
    assert.deepEqual(lab.outcome(), [502, "not_idempotent"]);
    assert.deepEqual(client.answer.interims, [103]);
    lab.ask("POST", 0);
    lab.advance(1000);
    lab.got(1).reset();
    lab.advance(1000);
    answer(lab.got(2));
    assert.equal(lab.ended[1]?.status, 200);
    lab.assertQuietAtLast();
  });

  named("requests that are drained go elsewhere", () => {
    const lab = new ExchangeLab(wire, { endpoints: 2 });
    const connection = lab.connect();
    const client = connection.request("GET", "/", [HOST], NO_BODY);
    const endpoint = lab.upstream.endpoints.find(({ busy }) => busy > 0);
    assert.ok(endpoint !== undefined);
    lab.upstream.withdraw(endpoint);
    lab.withdraw(connection);
    lab.advance(100);
    answer(lab.got(1));
    assert.deepEqual([client.answer.status, lab.only.attempts], [200, 2]);
    lab.assertQuietAtLast();
  });

  named("with one slot requests are answered one after the other, whatever fails", () => {
    const lab = new ExchangeLab(wire, { maxInFlight: 1 });
    const targets = ["/a", "/b", "/c", "/d"];
    const clients = targets.map((target) => lab.ask("GET", NO_BODY, [], target));
    clients[1]?.reset();
    for (let index = 0; lab.ended.length < targets.length && index < 8; index++) {
      assert.equal(lab.upstream.inFlight, 1);
      if (index === 1) lab.got(index).reset();
      else answer(lab.got(index));
      lab.advance(1000);
    }
    assert.deepEqual(clients.map(({ answer }) => answer.status), [200, 0, 200, 200]);
    lab.assertQuietAtLast();
  });

  const LOGIN: Pair = ["Authorization", "Negotiate YII"];

  // On a connection that several clients share no request may authenticate the connection.
  if (wire.sharesConnections) continue;

  named("a connection on which a client has authenticated is pinned, and its end ends the client's", () => {
    const lab = new ExchangeLab(wire);
    const connection = lab.connect();
    const first = connection.request("GET", "/", [HOST, LOGIN], NO_BODY);
    answer(lab.got(0));
    assert.equal(first.answer.status, 200);
    assert.equal(lab.upstream.pinned, 1);
    lab.ask();
    assert.equal(lab.got(1).connection, 1, "it is nobody else's");
    answer(lab.got(1));
    const second = connection.request("GET", "/", [HOST], NO_BODY);
    assert.equal(lab.got(2).connection, 0);
    lab.got(2).reset();
    assert.equal(second.answer.end, "unanswered");
    assert.deepEqual(lab.ended.map(({ reason, pinned }) => [reason, pinned]), [
      ["", true],
      ["", false],
      ["connection_terminated", true],
    ]);
    assert.equal(lab.upstream.pinned, 0);
    assert.notEqual(connection.state, "open");
    lab.assertQuietAtLast();
  });

  named("a pin ends with its client's connection", () => {
    const lab = new ExchangeLab(wire);
    const connection = lab.connect();
    connection.request("GET", "/", [HOST, LOGIN], NO_BODY);
    answer(lab.got(0));
    connection.reset();
    assert.equal(lab.upstream.pinned, 0);
    lab.assertQuiet();
    assert.deepEqual(lab.wire.fates(), ["closed"]);
  });
}
