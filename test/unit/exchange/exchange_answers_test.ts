/** What an endpoint answers reaches the client, and the connection goes where it belongs, over every wire. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { HIGH_WATER_BYTES } from "../../../src/http/water_marks.ts";
import { ExchangeLab, HOST } from "../../support/streams/exchange_lab.ts";
import { type Pair, valueOf } from "../../support/streams/pairs.ts";
import { WIRES } from "../../support/streams/wires.ts";

/** More than a wire takes ahead. */
const LARGE = "x".repeat(4 * HIGH_WATER_BYTES);
const TE: Pair = ["TE", "trailers"];

for (const wire of WIRES) {
  const named = (name: string, body: () => void) => test(`${name}, ${wire.name}`, body);

  named("a request and its answer pass with all that is theirs", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("GET", NO_BODY, [["X-Ask", "1"], ["Connection", "x"]], "/a?b");
    const endpoint = lab.got();
    assert.equal(endpoint.request.method, "GET");
    assert.equal(endpoint.request.target, "/a?b");
    assert.equal(endpoint.request.authority, null);
    assert.deepEqual(endpoint.request.fields, [
      HOST,
      ["X-Ask", "1"],
      ["Via", "2 sluice"],
      ["X-Forwarded-For", "192.0.2.1"],
      ["X-Forwarded-Proto", "http"],
      ["X-Forwarded-Host", "a.test"],
      ["Forwarded", "for=192.0.2.1;host=a.test;proto=http"],
    ]);
    assert.equal(endpoint.request.length, NO_BODY);
    assert.equal(endpoint.request.end, "complete");
    endpoint.head(200, [["X-Answer", "2"], ["Keep-Alive", "timeout=5"]], 5);
    assert.equal(lab.phase(), "relaying");
    endpoint.body("he");
    endpoint.body("llo");
    endpoint.end();
    assert.deepEqual(client.answer, {
      interims: [],
      status: 200,
      fields: [["X-Answer", "2"], ["Date", "today"]],
      length: 5,
      body: "hello",
      trailers: null,
      end: "complete",
    });
    assert.deepEqual(lab.outcome(), [200, ""]);
    assert.equal(lab.only.responseBodyBytes, 5);
    lab.assertQuiet();
    assert.deepEqual(lab.wire.fates(), ["open"], "the connection is pooled");
    assert.equal(lab.upstream.endpoints[0]?.pool.size, 1);
    lab.assertQuietAtLast();
  });

  named("the next request goes on the pooled connection", () => {
    const lab = new ExchangeLab(wire);
    const connection = lab.connect();
    for (let count = 0; count < 3; count++) {
      const client = connection.request("GET", `/${count}`, [HOST], NO_BODY);
      const endpoint = lab.got(count);
      assert.equal(endpoint.connection, 0);
      endpoint.head(204, [], NO_BODY);
      endpoint.end();
      assert.deepEqual([client.answer.status, client.answer.end], [204, "complete"]);
    }
    assert.deepEqual(lab.ended.map(({ target }) => target), ["/0", "/1", "/2"]);
    lab.assertQuiet();
    lab.assertQuietAtLast();
  });

  named("a body of unknown length ends where its stream does", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("GET", NO_BODY, [TE]);
    const endpoint = lab.got();
    endpoint.head(200, [["Trailer", "X-Sum"]], UNKNOWN_LENGTH);
    assert.equal(valueOf(client.answer.fields, "trailer"), "X-Sum");
    endpoint.body("a");
    assert.equal(client.answer.end, "");
    endpoint.end([["X-Sum", "1"], ["Content-Length", "3"], ["Set-Cookie", "no"]]);
    assert.equal(client.answer.length, UNKNOWN_LENGTH);
    assert.deepEqual(client.answer.trailers, [["X-Sum", "1"]]);
    assert.equal(client.answer.end, "complete");
    lab.assertQuietAtLast();
  });

  named("trailers are for clients that accept them", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask();
    const endpoint = lab.got();
    endpoint.head(200, [["Trailer", "X-Sum"]], UNKNOWN_LENGTH);
    endpoint.end([["X-Sum", "1"]]);
    assert.equal(valueOf(client.answer.fields, "trailer"), undefined);
    assert.equal(client.answer.trailers, null);
    lab.assertQuietAtLast();
  });

  named("HEAD gets the length of a body that does not come", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("HEAD");
    const endpoint = lab.got();
    endpoint.head(200, [["Content-Length", "70"]], NO_BODY);
    endpoint.end();
    assert.equal(valueOf(client.answer.fields, "content-length"), "70");
    assert.deepEqual([client.answer.length, client.answer.body, client.answer.end], [
      NO_BODY,
      "",
      "complete",
    ]);
    lab.assertQuietAtLast();
  });

  named("a failure of a HEAD has no body either", () => {
    const lab = new ExchangeLab(wire, { upstream: { holdMs: 0 } });
    lab.wire.dials("connection_refused");
    const client = lab.ask("HEAD");
    lab.wire.run();
    assert.deepEqual(lab.outcome(), [502, "connection_refused"]);
    assert.deepEqual([client.answer.length, client.answer.body, client.answer.end], [
      NO_BODY,
      "",
      "complete",
    ]);
    assert.match(valueOf(client.answer.fields, "content-length") ?? "", /^\d\d+$/);
    lab.assertQuietAtLast();
  });

  named("a client that does not take its answer slows the endpoint down, and nothing is lost", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask();
    client.stopReading();
    const endpoint = lab.got();
    endpoint.head(200, [], LARGE.length);
    endpoint.body(LARGE.slice(0, 3 * HIGH_WATER_BYTES));
    assert.equal(endpoint.held, true);
    client.readOn();
    assert.equal(endpoint.held, false);
    endpoint.body(LARGE.slice(3 * HIGH_WATER_BYTES));
    endpoint.end();
    assert.equal(client.answer.body.length, LARGE.length);
    assert.equal(client.answer.end, "complete");
    lab.assertQuietAtLast();
  });

  named(
    "an answer to a request that is not complete ends it, and what could carry one request only is not used again",
    () => {
      const lab = new ExchangeLab(wire, { exchange: { requestBufferBytes: 0 } });
      const client = lab.ask("POST", 10);
      client.body("12345");
      const endpoint = lab.got();
      endpoint.head(403, [], 2);
      endpoint.body("no");
      endpoint.end();
      assert.deepEqual([client.answer.status, client.answer.body, client.answer.end], [
        403,
        "no",
        "complete",
      ]);
      assert.deepEqual(lab.outcome(), [403, ""]);
      lab.assertQuiet();
      assert.deepEqual(lab.wire.fates(), [wire.sharesConnections ? "open" : "closed"]);
      assert.equal(endpoint.request.end, "cut");
      lab.assertQuietAtLast();
    },
  );

  named("an early answer whose request still comes to its end goes on until both have", () => {
    const lab = new ExchangeLab(wire, { exchange: { requestBufferBytes: 0 } });
    const client = lab.ask("POST", 6);
    client.body("123");
    const endpoint = lab.got();
    endpoint.head(200, [], 2);
    endpoint.body("o");
    client.body("456");
    client.end();
    assert.equal(endpoint.request.body, "123456");
    endpoint.body("k");
    endpoint.end();
    assert.equal(client.answer.body, "ok");
    assert.deepEqual(lab.wire.fates(), ["open"]);
    lab.assertQuietAtLast();
  });

  named("a body that waits for its end is whole before the request goes on", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("POST", 10);
    client.body("12345");
    assert.equal(lab.phase(), "reading");
    assert.equal(lab.wire.requests.length, 0);
    client.body("67890");
    client.end();
    const endpoint = lab.got();
    assert.deepEqual([endpoint.request.body, endpoint.request.end], ["1234567890", "complete"]);
    endpoint.head(200, [], 0);
    endpoint.end();
    assert.equal(lab.only.requestBodyBytes, 10);
    lab.assertQuietAtLast();
  });
}
