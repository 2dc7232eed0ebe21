/** Request bodies on their way, over every wire: kept, slowed down, counted, sent again; and clients that wait for a 100. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { HIGH_WATER_BYTES } from "../../../src/http/water_marks.ts";
import { ExchangeLab, FIRST_BYTE_MS } from "../../support/streams/exchange_lab.ts";
import { type Pair, valueOf } from "../../support/streams/pairs.ts";
import { WIRES } from "../../support/streams/wires.ts";
import type { ClientEnd, EndpointEnd } from "../../support/streams/wire.ts";

const EXPECT: Pair = ["Expect", "100-continue"];
const BLOCK = "x".repeat(8 * 1024);

function answer(endpoint: EndpointEnd, status = 200): void {
  endpoint.head(status, [], 2);
  endpoint.body("ok");
  endpoint.end();
}

/** Sends blocks until the proxy wants no more, `most` of them. @returns the bytes sent */
function fill(client: ClientEnd, most = 100): number {
  let sent = 0;
  for (let count = 0; count < most && !client.held; count++) {
    client.body(BLOCK);
    sent += BLOCK.length;
  }
  return sent;
}

for (const wire of WIRES) {
  const named = (name: string, body: () => void) => test(`${name}, ${wire.name}`, body);

  named("a body of unknown length passes as it comes, with its trailers", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("POST", UNKNOWN_LENGTH, [["Trailer", "X-Sum"]]);
    client.body("one ");
    const endpoint = lab.got();
    assert.equal(endpoint.request.length, UNKNOWN_LENGTH);
    assert.equal(valueOf(endpoint.request.fields, "trailer"), "X-Sum");
    assert.equal(endpoint.request.body, "one ");
    client.body("two");
    assert.equal(endpoint.request.end, "");
    client.end([["X-Sum", "7"], ["Host", "elsewhere"], ["Content-Length", "1"]]);
    assert.deepEqual(endpoint.request.trailers, [["X-Sum", "7"]]);
    assert.equal(endpoint.request.body, "one two");
    answer(endpoint);
    assert.equal(lab.only.requestBodyBytes, 7);
    lab.assertQuietAtLast();
  });

  named("an endpoint that does not read slows the client down, and nothing is lost", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("POST", UNKNOWN_LENGTH);
    const endpoint = lab.got();
    endpoint.stopReading();
    const sent = fill(client);
    assert.equal(client.held, true);
    assert.ok(sent > HIGH_WATER_BYTES);
    endpoint.readOn();
    assert.equal(client.held, false);
    client.end();
    assert.equal(endpoint.request.body.length, sent);
    answer(endpoint);
    assert.equal(lab.only.requestBodyBytes, sent);
    lab.assertQuietAtLast();
  });

  named("a client is held while its request waits and the buffer is full, and goes on after that", () => {
    const lab = new ExchangeLab(wire, { exchange: { requestBufferBytes: 4 * BLOCK.length } });
    lab.upstream.pause();
    const client = lab.ask("POST", UNKNOWN_LENGTH);
    const sent = fill(client);
    assert.equal(client.held, true);
    const { bufferedBytes } = lab.upstream;
    assert.ok(bufferedBytes >= 4 * BLOCK.length && bufferedBytes <= sent, `${bufferedBytes} of ${sent}`);
    lab.upstream.resume();
    lab.wire.run();
    assert.equal(lab.got().request.body.length, sent);
    assert.equal(lab.upstream.bufferedBytes, 0);
    assert.equal(client.held, false);
    client.body("y");
    client.end();
    assert.equal(lab.got().request.body.length, sent + 1);
    answer(lab.got());
    lab.assertQuietAtLast();
  });

  named("bodies of waiting requests that fill the memory are refused if they are whole, else held", () => {
    const lab = new ExchangeLab(wire, { upstream: { queueBytes: 10 } });
    lab.upstream.pause();
    const whole = lab.ask("POST", 20);
    whole.body("12345678901234567890");
    whole.end();
    assert.deepEqual(lab.outcome(), [503, "body_buffer_full"]);
    assert.equal(whole.answer.end, "complete");
    const part = lab.ask("POST", UNKNOWN_LENGTH);
    part.body("1234567890a");
    fill(part);
    assert.equal(part.held, true);
    assert.equal(part.answer.status, 0);
    part.reset();
    lab.upstream.resume();
    lab.assertQuietAtLast();
  });

  named("a body that was read ahead of slots goes on when there is no room for more", () => {
    const lab = new ExchangeLab(wire, { maxInFlight: 1, upstream: { queueBytes: 16 } });
    const client = lab.ask("POST", 20);
    client.body("12345");
    assert.equal(lab.phase(), "reading");
    client.body("67890");
    assert.equal(lab.got().request.body, "1234567890");
    client.body("1234567890");
    client.end();
    assert.equal(lab.got().request.body.length, 20);
    answer(lab.got());
    lab.assertQuietAtLast();
  });

  named("a whole body is sent again", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("PUT", UNKNOWN_LENGTH);
    client.body("12345");
    client.body("67890");
    client.end([["X-Sum", "1"]]);
    lab.got().reset();
    lab.advance(1000);
    const again = lab.got(1);
    assert.deepEqual([again.request.body, again.request.end], ["1234567890", "complete"]);
    assert.deepEqual(again.request.trailers, [["X-Sum", "1"]]);
    answer(again);
    assert.deepEqual([lab.only.attempts, lab.only.status], [2, 200]);
    assert.equal(client.answer.body, "ok");
    lab.assertQuietAtLast();
  });

  named("the part of a body that has come is sent again, and the rest follows it", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("PUT", UNKNOWN_LENGTH);
    client.body("12345");
    lab.got().reset();
    lab.advance(1000);
    assert.equal(lab.got(1).request.body, "12345");
    client.body("67890");
    client.end();
    assert.equal(lab.got(1).request.body, "1234567890");
    answer(lab.got(1));
    assert.equal(lab.only.requestBodyBytes, 10);
    lab.assertQuietAtLast();
  });

  named("a body of which more has passed than is kept is not sent again", () => {
    const lab = new ExchangeLab(wire, { exchange: { requestBufferBytes: 8 } });
    const client = lab.ask("PUT", UNKNOWN_LENGTH);
    client.body("12345");
    client.body("67890");
    assert.equal(lab.upstream.copiedBytes, 0);
    lab.got().reset();
    assert.deepEqual(lab.outcome(), [502, "body_not_replayable"]);
    assert.equal(client.answer.end, "complete");
    lab.assertQuietAtLast();
  });

  named("copies of bodies count, and go when they have no room", () => {
    const lab = new ExchangeLab(wire, { upstream: { queueBytes: 8 } });
    const client = lab.ask("PUT", UNKNOWN_LENGTH);
    client.body("12345");
    assert.equal(lab.upstream.copiedBytes, 5);
    client.body("67890");
    assert.equal(lab.upstream.copiedBytes, 0);
    lab.got().reset();
    assert.deepEqual(lab.outcome(), [502, "body_not_replayable"]);
    lab.assertQuietAtLast();
  });

  named("a copy goes with the head of the answer", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("PUT", UNKNOWN_LENGTH);
    client.body("12345");
    assert.equal(lab.upstream.copiedBytes, 5);
    lab.got().head(200, [], 0);
    assert.equal(lab.upstream.copiedBytes, 0);
    client.end();
    lab.got().end();
    lab.assertQuietAtLast();
  });

  named("a client that waits for a 100 gets the endpoint's", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("POST", 5, [EXPECT]);
    const endpoint = lab.got();
    assert.equal(valueOf(endpoint.request.fields, "expect"), "100-continue");
    endpoint.interim(100);
    assert.deepEqual(client.answer.interims, [100]);
    client.body("12345");
    client.end();
    assert.equal(endpoint.request.body, "12345");
    answer(endpoint);
    assert.deepEqual(lab.outcome(), [200, ""]);
    lab.assertQuietAtLast();
  });

  named("a client that waits for a 100 may get another answer", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("POST", 5, [EXPECT]);
    answer(lab.got(), 401);
    assert.deepEqual([client.answer.status, client.answer.body, client.answer.end], [401, "ok", "complete"]);
    lab.assertQuiet();
    assert.deepEqual(lab.wire.fates(), [wire.sharesConnections ? "open" : "closed"]);
    lab.assertQuietAtLast();
  });

  named("an endpoint that says nothing to a client that waits for a 100 is late", () => {
    const lab = new ExchangeLab(wire, { retry: { on: [] } });
    const client = lab.ask("POST", 5, [EXPECT]);
    lab.advance(FIRST_BYTE_MS - 1000);
    assert.equal(client.answer.status, 0);
    lab.got().timeOut("head");
    assert.deepEqual(lab.outcome(), [504, "http_response_timeout"]);
    lab.assertQuietAtLast();
  });

  named("a client that does not wait is not told to go on", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("POST", UNKNOWN_LENGTH);
    lab.got().interim(100);
    assert.deepEqual(client.answer.interims, []);
    client.end();
    answer(lab.got());
    lab.assertQuietAtLast();
  });

  named("interim responses pass, each of them", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask();
    lab.got().interim(102);
    lab.got().interim(103, [["Link", "</a>"], ["Connection", "x"]]);
    assert.deepEqual(client.answer.interims, [102, 103]);
    answer(lab.got());
    assert.deepEqual(lab.outcome(), [200, ""]);
    lab.assertQuietAtLast();
  });
}
