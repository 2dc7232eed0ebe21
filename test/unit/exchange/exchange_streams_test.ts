/** Many exchanges at a time on one connection of a client: none of them is another one's business. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { HIGH_WATER_BYTES } from "../../../src/http/water_marks.ts";
import { ExchangeLab, type ExchangeLabOptions, HOST } from "../../support/streams/exchange_lab.ts";
import type { ClientConnection, ClientEnd, EndpointEnd, Wire } from "../../support/streams/wire.ts";
import { WIRES } from "../../support/streams/wires.ts";

const STREAMS = 20;
const BLOCK = "x".repeat(16 * 1024);

interface Crowd {
  readonly lab: ExchangeLab;
  readonly connection: ClientConnection;
  readonly clients: readonly ClientEnd[];
  /** Of the request of that number. */
  endpoint(index: number): EndpointEnd;
  /** Answers all that have not been answered, with their numbers. */
  answerAll(but?: readonly number[]): void;
}

/** All have reached an endpoint. */
function crowd(wire: Wire, method = "GET", options: ExchangeLabOptions = {}): Crowd {
  const lab = new ExchangeLab(wire, options);
  const connection = lab.connect();
  const length = method === "GET" ? NO_BODY : UNKNOWN_LENGTH;
  const clients = Array.from(
    { length: STREAMS },
    (_, index) => connection.request(method, `/${index}`, [HOST], length),
  );
  // An endpoint of which nothing is known gets one connection after the other.
  lab.advance(5000);
  assert.equal(lab.wire.requests.length, STREAMS);
  const endpoint = (index: number): EndpointEnd => {
    const found = lab.wire.requests.find(({ request }) => request.target === `/${index}`);
    assert.ok(found !== undefined);
    return found;
  };
  const answerAll = (but: readonly number[] = []): void => {
    for (let index = 0; index < STREAMS; index++) {
      if (but.includes(index)) continue;
      endpoint(index).head(200, [], String(index).length);
      endpoint(index).body(String(index));
      endpoint(index).end();
    }
  };
  return { lab, connection, clients, endpoint, answerAll };
}

function assertAnswered(clients: readonly ClientEnd[], but: readonly number[] = []): void {
  for (const [index, { answer }] of clients.entries()) {
    if (but.includes(index)) continue;
    assert.deepEqual([answer.status, answer.body, answer.end], [200, String(index), "complete"]);
  }
}

for (const wire of WIRES) {
  const named = (name: string, body: () => void) => test(`${name}, ${wire.name}`, body);

  named("each gets its own answer, in whatever order they come", () => {
    const { lab, connection, clients, endpoint, answerAll } = crowd(wire);
    endpoint(7).head(200, [], 1);
    endpoint(3).head(200, [], 1);
    endpoint(7).body("7");
    endpoint(3).body("3");
    endpoint(3).end();
    endpoint(7).end();
    answerAll([3, 7]);
    assertAnswered(clients);
    assert.equal(connection.state, "open");
    assert.equal(connection.peer.owedAnswers, 0);
    assert.equal(lab.ended.length, STREAMS);
    lab.assertQuietAtLast();
  });

  named("their bodies are not mixed up", () => {
    const { lab, clients, endpoint, answerAll } = crowd(wire, "PUT");
    for (let round = 0; round < 3; round++) {
      for (const [index, client] of clients.entries()) client.body(`${index}.`);
    }
    for (const client of clients) client.end();
    for (const index of clients.keys()) {
      assert.equal(endpoint(index).request.body, `${index}.`.repeat(3));
    }
    answerAll();
    assertAnswered(clients);
    lab.assertQuietAtLast();
  });

  named("the reset of one does not disturb the others", () => {
    const { lab, clients, endpoint, answerAll } = crowd(wire, "GET", { retry: { on: [] } });
    clients[2]?.reset();
    endpoint(5).reset();
    endpoint(9).head(200, [], 10);
    endpoint(9).reset();
    answerAll([2, 5, 9]);
    assertAnswered(clients, [2, 5, 9]);
    assert.deepEqual(
      [2, 5, 9].map((index) => clients[index]?.answer).map((answer) => [answer?.status, answer?.end]),
      [[0, "aborted"], [502, "complete"], [200, "cut"]],
    );
    lab.assertQuietAtLast();
  });

  named("the timeouts of one do not disturb the others", () => {
    const { lab, clients, endpoint, answerAll } = crowd(wire, "PUT", { retry: { on: [] } });
    for (const [index, client] of clients.entries()) if (index !== 4) client.end();
    clients[4]?.timeOut("read");
    clients[6]?.timeOut("write");
    endpoint(8).timeOut("head");
    answerAll([4, 6, 8]);
    assertAnswered(clients, [4, 6, 8]);
    assert.deepEqual([4, 6, 8].map((index) => clients[index]?.answer.status), [408, 0, 504]);
    assert.equal(clients[6]?.answer.end, "aborted");
    lab.assertQuietAtLast();
  });

  named("one that is not read does not block the others", () => {
    const { lab, clients, endpoint, answerAll } = crowd(wire);
    const slow = clients[0];
    slow?.stopReading();
    endpoint(0).head(200, [], UNKNOWN_LENGTH);
    let sent = 0;
    for (; sent < 8 * HIGH_WATER_BYTES && !endpoint(0).held; sent += BLOCK.length) endpoint(0).body(BLOCK);
    assert.equal(endpoint(0).held, true);
    answerAll([0]);
    assertAnswered(clients, [0]);
    slow?.readOn();
    assert.equal(endpoint(0).held, false);
    endpoint(0).end();
    assert.deepEqual([slow?.answer.body.length, slow?.answer.end], [sent, "complete"]);
    lab.assertQuietAtLast();
  });

  named("one whose endpoint does not read does not block the others", () => {
    const { lab, clients, endpoint, answerAll } = crowd(wire, "PUT");
    endpoint(0).stopReading();
    let sent = 0;
    for (; sent < 8 * HIGH_WATER_BYTES && clients[0]?.held === false; sent += BLOCK.length) {
      clients[0]?.body(BLOCK);
    }
    assert.equal(clients[0]?.held, true);
    for (const client of clients.slice(1)) {
      client.body("all of it");
      client.end();
    }
    answerAll([0]);
    assertAnswered(clients, [0]);
    endpoint(0).readOn();
    clients[0]?.end();
    assert.equal(endpoint(0).request.body.length, sent);
    answerAll(Array.from({ length: STREAMS - 1 }, (_, index) => index + 1));
    assertAnswered(clients);
    lab.assertQuietAtLast();
  });

  named("some wait while others are served", () => {
    const lab = new ExchangeLab(wire, { maxInFlight: 2 });
    const connection = lab.connect();
    const clients = Array.from(
      { length: STREAMS },
      (_, index) => connection.request("GET", `/${index}`, [HOST], NO_BODY),
    );
    lab.advance(1000);
    assert.deepEqual([lab.upstream.inFlight, lab.upstream.waiting], [2, STREAMS - 2]);
    assert.equal(connection.peer.owedAnswers, STREAMS);
    for (let index = 0; index < STREAMS; index++) {
      const endpoint = lab.got(index);
      const { target } = endpoint.request;
      endpoint.head(200, [], target.length - 1);
      endpoint.body(target.slice(1));
      endpoint.end();
      lab.wire.run();
    }
    assertAnswered(clients);
    assert.ok(lab.wire.fates().length <= 2);
    lab.assertQuietAtLast();
  });

  named("a drain lets all have their answers, then the connection ends", () => {
    const { lab, connection, clients, answerAll } = crowd(wire);
    lab.wire.take(() => connection.peer.drain(lab.wire.turn.now, 1000));
    assert.equal(connection.state, "last");
    answerAll([19]);
    lab.advance(2000);
    assert.equal(connection.state, "last");
    answerAll(Array.from({ length: 19 }, (_, index) => index));
    lab.advance(2000);
    assertAnswered(clients);
    assert.equal(connection.state, "closed");
    lab.assertQuietAtLast();
  });

  named("an idle connection that is drained ends after the gap", () => {
    const lab = new ExchangeLab(wire);
    const connection = lab.connect();
    lab.wire.take(() => connection.peer.drain(lab.wire.turn.now, 1000));
    lab.advance(900);
    assert.notEqual(connection.state, "closed");
    lab.advance(200);
    assert.equal(connection.state, "closed");
  });

  named("an abort of the connection ends all, and each tells so once", () => {
    for (const whose of ["ours", "the client's"] as const) {
      const { lab, connection, clients, endpoint } = crowd(wire);
      endpoint(3).head(200, [], 10);
      endpoint(4).head(200, [], 1);
      endpoint(4).body("4");
      endpoint(4).end();
      assert.equal(connection.peer.owedAnswers, STREAMS - 1);
      if (whose === "ours") lab.wire.take(() => connection.peer.abort());
      else connection.reset();
      assert.equal(connection.state, "closed");
      assert.equal(lab.ended.length, STREAMS);
      const cut = lab.ended.filter(({ reason }) =>
        reason === (whose === "ours" ? "shutting_down" : "client_gone")
      );
      assert.equal(cut.length, STREAMS - 1);
      assert.deepEqual(cut.filter(({ status }) => status !== 0).map(({ target }) => target), ["/3"]);
      if (whose === "ours") assert.equal(clients[0]?.answer.end, "aborted");
      lab.assertQuiet();
      lab.assertQuietAtLast();
    }
  });

  named("an endpoint whose time is up gives up all that goes through it", () => {
    const { lab, connection, clients, endpoint } = crowd(wire);
    endpoint(0).head(200, [], 10);
    lab.withdraw(connection);
    assert.equal(clients[0]?.answer.end, "cut");
    assert.equal(lab.ended.length, 1);
    // A few at a time: no more than may be sent again at once.
    for (let index = STREAMS; index < 2 * STREAMS - 1; index++) {
      lab.advance(1000);
      const again = lab.got(index);
      const { target } = again.request;
      again.head(200, [], target.length - 1);
      again.body(target.slice(1));
      again.end();
    }
    assertAnswered(clients, [0]);
    lab.assertQuietAtLast();
  });

  named("answers that end the connection let the others have theirs", () => {
    const { lab, connection, clients, answerAll } = crowd(wire);
    lab.wire.take(() => connection.peer.endAfterAnswer());
    assert.equal(connection.state, "last");
    answerAll();
    assertAnswered(clients);
    assert.equal(connection.state, "closed");
    lab.assertQuietAtLast();
  });

  if (!wire.sharesConnections) continue;

  named("all of them go on one connection to their endpoint, and further ones do", () => {
    const { lab, clients, answerAll } = crowd(wire);
    assert.deepEqual(lab.wire.fates(), ["open"]);
    answerAll();
    assertAnswered(clients);
    const other = lab.ask();
    lab.wire.run();
    lab.got(STREAMS).head(204, [], NO_BODY);
    lab.got(STREAMS).end();
    assert.deepEqual([other.answer.status, lab.got(STREAMS).connection], [204, 0]);
    assert.deepEqual(lab.wire.fates(), ["open"]);
    lab.assertQuietAtLast();
  });

  named("an end of that connection is the end of none of them", () => {
    const { lab, clients, endpoint } = crowd(wire);
    endpoint(0).head(200, [], 10);
    lab.wire.lose(0);
    assert.equal(clients[0]?.answer.end, "cut");
    for (let index = STREAMS; index < 2 * STREAMS - 1; index++) {
      lab.advance(1000);
      const again = lab.got(index);
      const { target } = again.request;
      again.head(200, [], target.length - 1);
      again.body(target.slice(1));
      again.end();
    }
    assertAnswered(clients, [0]);
    assert.deepEqual(lab.wire.fates().slice(0, 1), ["closed"]);
    assert.equal(new Set(lab.wire.requests.slice(STREAMS).map(({ connection }) => connection)).size, 1);
    lab.assertQuietAtLast();
  });
}
