/** Deadlines of both sides as a wire keeps them: on the clock, where streams in memory are simply told of their end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { HIGH_WATER_BYTES } from "../../../src/http/water_marks.ts";
import { BODY_IDLE_MS, ExchangeLab, FIRST_BYTE_MS } from "../../support/streams/exchange_lab.ts";
import type { EndpointEnd } from "../../support/streams/wire.ts";
import { WIRES } from "../../support/streams/wires.ts";
import { TOY } from "../../support/toy_wire/toy_wire.ts";

const BLOCK = "x".repeat(16 * 1024);
/** A deadline is not early, and little late. */
const LATE_MS = 100;

function fill(endpoint: EndpointEnd): void {
  for (let sent = 0; sent < 8 * HIGH_WATER_BYTES && !endpoint.held; sent += BLOCK.length) {
    endpoint.body(BLOCK);
  }
  assert.equal(endpoint.held, true);
}

test("a client that pauses within its request", () => {
  const lab = new ExchangeLab(TOY);
  const client = lab.ask("POST", UNKNOWN_LENGTH);
  client.body("1");
  lab.advance(BODY_IDLE_MS - LATE_MS);
  client.body("2");
  lab.advance(BODY_IDLE_MS - LATE_MS);
  assert.deepEqual(lab.ended, []);
  lab.advance(2 * LATE_MS);
  assert.deepEqual(lab.outcome(), [408, "client_timeout"]);
  lab.assertQuietAtLast();
});

test("a client that waits for a 100 is not late", () => {
  const lab = new ExchangeLab(TOY);
  const client = lab.ask("POST", 5, [["Expect", "100-continue"]]);
  lab.advance(FIRST_BYTE_MS - LATE_MS);
  lab.got().interim(100);
  lab.advance(BODY_IDLE_MS - LATE_MS);
  assert.deepEqual(lab.ended, []);
  client.body("12345");
  client.end();
  lab.got().head(204, [], NO_BODY);
  lab.got().end();
  assert.deepEqual(lab.outcome(), [204, ""]);
  lab.assertQuietAtLast();
});

test("a client that does not read ends, and meanwhile the endpoint, which is held, is not late", () => {
  const lab = new ExchangeLab(TOY);
  const client = lab.ask();
  client.stopReading();
  lab.got().head(200, [], UNKNOWN_LENGTH);
  fill(lab.got());
  lab.advance(BODY_IDLE_MS - LATE_MS);
  assert.deepEqual(lab.ended, []);
  lab.advance(2 * LATE_MS);
  assert.deepEqual(lab.outcome(), [200, "client_write_timeout"]);
  assert.equal(client.answer.end, "aborted");
  lab.assertQuietAtLast();
});

test("what is left of an answer when its exchange has ended goes to the client, or ends", () => {
  for (const reads of [true, false]) {
    const lab = new ExchangeLab(TOY);
    const client = lab.ask();
    client.stopReading();
    lab.got().head(200, [], 4 * BLOCK.length);
    for (let count = 0; count < 4; count++) lab.got().body(BLOCK);
    lab.got().end();
    assert.deepEqual(lab.outcome(), [200, ""]);
    lab.advance(BODY_IDLE_MS - LATE_MS);
    if (reads) client.readOn();
    else lab.advance(2 * LATE_MS);
    assert.equal(client.answer.end, reads ? "complete" : "aborted");
    if (reads) assert.equal(client.answer.body.length, 4 * BLOCK.length);
    lab.assertQuietAtLast();
  }
});

test("an endpoint that does not begin to answer", () => {
  const lab = new ExchangeLab(TOY, { retry: { on: [] } });
  lab.ask();
  lab.advance(FIRST_BYTE_MS - LATE_MS);
  lab.got().interim(103);
  lab.advance(FIRST_BYTE_MS - LATE_MS);
  assert.deepEqual(lab.ended, []);
  lab.advance(2 * LATE_MS);
  assert.deepEqual(lab.outcome(), [504, "http_response_timeout"]);
  lab.assertQuietAtLast();
});

test("an endpoint that pauses within its answer", () => {
  const lab = new ExchangeLab(TOY);
  const client = lab.ask();
  lab.got().head(200, [], 10);
  lab.got().body("12345");
  lab.advance(BODY_IDLE_MS + LATE_MS);
  assert.deepEqual(lab.outcome(), [200, "connection_read_timeout"]);
  assert.equal(client.answer.end, "cut");
  lab.assertQuietAtLast();
});

test("an endpoint that does not read, while its client is held and so is not late", () => {
  const lab = new ExchangeLab(TOY, { retry: { on: [] } });
  const client = lab.ask("POST", UNKNOWN_LENGTH);
  lab.got().stopReading();
  while (!client.held) client.body(BLOCK);
  lab.advance(BODY_IDLE_MS + LATE_MS);
  assert.deepEqual(lab.outcome(), [504, "connection_write_timeout"]);
  lab.assertQuietAtLast();
});

for (const wire of WIRES) {
  test(`a wire can ask how fast a client has to be, ${wire.name}`, () => {
    const lab = new ExchangeLab(wire, { exchange: { bodyRate: 1234 } });
    const connection = lab.connect();
    connection.request("GET", "/", [["Host", "a.test"]], NO_BODY);
    const rates: (number | undefined)[] = [];
    connection.peer.forEachStream(({ events }) => rates.push(events?.leastRate));
    assert.deepEqual(rates, [1234]);
  });
}
