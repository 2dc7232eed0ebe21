/**
 * Every failure of either side in every phase of an exchange, over every wire: the client sees one end, one reason is
 * told, and nothing stays behind.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { ExchangeLab, HOST } from "../../support/streams/exchange_lab.ts";
import { inPhase, type OpenPhase, PHASES, type Scene } from "../../support/streams/phases.ts";
import { WIRES } from "../../support/streams/wires.ts";

/** Status and reason that are told, and how the client's stream ends. "" = nothing happens. */
type Outcome = "" | `${number} ${string} ${string}`;

type Outcomes = Partial<Record<OpenPhase, Outcome>>;

function everywhere(outcome: Outcome, others: Outcomes = {}): Outcomes {
  return { ...Object.fromEntries(PHASES.map((phase) => [phase, outcome])), ...others };
}

/** In those phases only in which an endpoint has the request and the stream is no tunnel. */
function atEndpoint(sending: Outcome, collecting: Outcome, relaying: Outcome): Outcomes {
  return { sending, collecting, relaying };
}

const FAILURES: readonly [name: string, happens: (scene: Scene) => void, outcomes: Outcomes][] = [
  [
    "the request goes wrong",
    ({ client }) => client.garble(),
    {
      reading: "400 http_request_error complete",
      waiting: "400 http_request_error complete",
      ...atEndpoint(
        "400 http_request_error complete",
        "400 http_request_error complete",
        "200 http_request_error cut",
      ),
    },
  ],
  [
    "the client resets its stream",
    ({ client }) => client.reset(),
    everywhere("0 client_gone aborted", {
      relaying: "200 client_gone aborted",
      tunnel: "101  ",
    }),
  ],
  [
    "the client resets its connection",
    ({ connection }) => connection.reset(),
    everywhere("0 client_gone aborted", {
      relaying: "200 client_gone aborted",
      tunnel: "101  ",
    }),
  ],
  [
    "the client pauses within the body",
    ({ client }) => client.timeOut("read"),
    everywhere("408 client_timeout complete", { relaying: "200 client_timeout cut", tunnel: "" }),
  ],
  [
    "the client stops reading",
    ({ client }) => client.timeOut("write"),
    everywhere("0 client_write_timeout aborted", {
      relaying: "200 client_write_timeout aborted",
      tunnel: "",
    }),
  ],
  [
    "the client ends its sending side within the request",
    ({ connection }) => connection.finish(),
    everywhere("400 client_gone complete", { relaying: "200 client_gone cut", tunnel: "" }),
  ],
  [
    "the client ends its sending side after the request, which means that it has left",
    ({ client, connection }) => {
      client.end();
      connection.finish();
    },
    {
      waiting: "0 client_gone unanswered",
      ...atEndpoint("0 client_gone unanswered", "0 client_gone unanswered", ""),
    },
  ],
  [
    "the response goes wrong",
    ({ endpoint }) => endpoint?.garble(),
    atEndpoint(
      "502 http_protocol_error complete",
      "502 http_protocol_error complete",
      "200 http_protocol_error cut",
    ),
  ],
  [
    "the endpoint resets",
    ({ endpoint }) => endpoint?.reset(),
    {
      ...atEndpoint(
        "502 connection_terminated complete",
        "502 http_response_incomplete complete",
        "200 http_response_incomplete cut",
      ),
      tunnel: "101 connection_terminated ",
    },
  ],
  [
    "the endpoint resets after an interim response",
    ({ endpoint }) => {
      endpoint?.interim(103);
      endpoint?.reset();
    },
    { sending: "502 connection_terminated complete" },
  ],
  [
    "no first byte comes",
    ({ endpoint }) => endpoint?.timeOut("head"),
    { sending: "504 http_response_timeout complete" },
  ],
  [
    "the endpoint pauses within the body",
    ({ endpoint }) => endpoint?.timeOut("read"),
    {
      collecting: "504 connection_read_timeout complete",
      relaying: "200 connection_read_timeout cut",
    },
  ],
  [
    "the endpoint stops reading",
    ({ endpoint }) => endpoint?.timeOut("write"),
    atEndpoint(
      "504 connection_write_timeout complete",
      "504 connection_write_timeout complete",
      "200 connection_write_timeout cut",
    ),
  ],
  [
    "protocols are switched as nobody has asked",
    ({ endpoint }) => endpoint?.switchTo(""),
    { sending: "502 http_upgrade_failed complete" },
  ],
  [
    "the endpoint's time is up",
    ({ lab, connection }) => lab.withdraw(connection),
    {
      ...atEndpoint(
        "502 connection_terminated complete",
        "502 http_response_incomplete complete",
        "200 http_response_incomplete cut",
      ),
      // Nothing of it is the endpoint's yet.
      reading: "",
      waiting: "",
      // Tunnels are ended by whoever keeps a list of them.
      tunnel: "",
    },
  ],
];

for (const wire of WIRES) {
  for (const [name, happens, outcomes] of FAILURES) {
    for (const phase of PHASES) {
      const outcome = outcomes[phase];
      if (outcome === undefined) continue;
      test(`${phase}: ${name}, ${wire.name}`, () => {
        const scene = inPhase(wire, phase);
        happens(scene);
        const { lab, client, endpoint } = scene;
        if (outcome === "") {
          assert.equal(lab.phase(), phase);
          assert.deepEqual(lab.ended, []);
          return;
        }
        const { status, reason } = lab.only;
        const end = phase === "tunnel" ? "" : client.answer.end;
        assert.equal(`${status} ${reason} ${end}`, outcome);
        lab.assertQuiet();
        // A stream that fails ends no connection that could carry others.
        const left = wire.sharesConnections ? "open" : "closed";
        assert.deepEqual(lab.wire.fates(), endpoint === undefined ? [] : [left]);
        lab.upstream.resume();
        lab.assertQuietAtLast();
      });
    }
  }

  test(`a client that has ended its sending side and still reads gets its answer, ${wire.name}`, () => {
    for (const phase of ["sending", "collecting", "relaying"] as const) {
      const { lab, client, connection, endpoint } = inPhase(wire, phase, { servesHalfClosed: true });
      client.end();
      connection.finish();
      if (phase === "sending") endpoint?.head(200, [], 10);
      if (phase !== "collecting") {
        endpoint?.body(phase === "sending" ? "1234567890" : "67890");
        endpoint?.end();
        assert.deepEqual([client.answer.body, client.answer.end], ["1234567890", "complete"]);
        assert.deepEqual(lab.outcome(), [200, ""]);
      } else {
        assert.deepEqual(lab.ended, []);
        endpoint?.reset();
      }
      lab.assertQuietAtLast();
    }
  });

  test(`a client that has left is not kept in the waiting room, ${wire.name}`, () => {
    const { lab, client, connection } = inPhase(wire, "waiting", { servesHalfClosed: true });
    client.end();
    connection.finish();
    assert.deepEqual(lab.outcome(), [0, "client_gone"]);
    assert.equal(lab.only.detail, "it closed its sending side while it waited");
    lab.upstream.resume();
    lab.assertQuietAtLast();
  });

  test(`a client that has left does not get a response without an end, ${wire.name}`, () => {
    const { lab, client, connection, endpoint } = inPhase(wire, "sending");
    endpoint?.head(200, [], UNKNOWN_LENGTH);
    endpoint?.body("12345");
    client.end();
    connection.finish();
    assert.deepEqual(lab.outcome(), [200, "client_gone"]);
    assert.equal(client.answer.end, "cut");
    lab.assertQuietAtLast();
  });

  test(`a client that was slower than it has to be is told about in the log, ${wire.name}`, () => {
    const { lab, client } = inPhase(wire, "sending");
    client.timeOut("read", true);
    assert.deepEqual(lab.outcome(), [408, "client_timeout"]);
    assert.equal(lab.only.detail, "slower than body_rate");
    lab.assertQuietAtLast();
  });

  for (
    const [failure, status, reason] of [
      ["connection_refused", 502, "connection_refused"],
      ["connection_timeout", 504, "connection_timeout"],
      ["connection_terminated", 502, "connection_terminated"],
      ["destination_ip_unroutable", 502, "destination_ip_unroutable"],
      ["dns_error", 502, "dns_error"],
      ["dns_timeout", 504, "dns_timeout"],
      ["tls_certificate_error", 502, "tls_certificate_error"],
      ["tls_protocol_error", 502, "tls_protocol_error"],
      ["resource_exhausted", 503, "resource_exhausted"],
      ["address_in_use", 503, "destination_unavailable"],
      ["address_not_available", 503, "destination_unavailable"],
      ["permission_denied", 503, "destination_unavailable"],
      ["platform_error", 503, "destination_unavailable"],
    ] as const
  ) {
    test(`waiting: a dial ends in ${failure}, ${wire.name}`, () => {
      const lab = new ExchangeLab(wire, { upstream: { holdMs: 0 } });
      lab.wire.dials(failure);
      const client = lab.ask("POST", UNKNOWN_LENGTH);
      lab.wire.run();
      assert.deepEqual(lab.outcome(), [status, reason]);
      assert.equal(client.answer.end, "complete");
      lab.assertQuietAtLast();
    });
  }

  test(`waiting: no endpoint comes back in time, ${wire.name}`, () => {
    const lab = new ExchangeLab(wire, { upstream: { holdMs: 3000 } });
    lab.wire.dials("connection_refused");
    const client = lab.ask();
    lab.advance(2900);
    assert.equal(lab.phase(), "waiting");
    lab.advance(200);
    assert.deepEqual(lab.outcome(), [503, "hold_timeout"]);
    assert.equal(client.answer.end, "complete");
    lab.assertQuietAtLast();
  });

  test(`waiting: an endpoint comes back in time, ${wire.name}`, () => {
    const lab = new ExchangeLab(wire, { upstream: { holdMs: 10_000 } });
    lab.wire.dials("connection_refused");
    const client = lab.ask("POST", 5);
    client.body("12345");
    client.end();
    lab.advance(2000);
    lab.wire.dials(null);
    lab.advance(2000);
    assert.equal(lab.got().request.body, "12345");
    lab.got().head(200, [], 0);
    lab.got().end();
    assert.deepEqual(lab.outcome(), [200, ""]);
    lab.assertQuietAtLast();
  });

  test(`waiting: the queue is full, too long, or not allowed, ${wire.name}`, () => {
    for (
      const [queueSize, queueTimeoutMs, reason] of [
        [0, 1000, "queue_full"],
        [10, 0, "queue_timeout"],
        [10, 1000, "queue_timeout"],
      ] as const
    ) {
      const lab = new ExchangeLab(wire, { maxInFlight: 1, upstream: { queueSize, queueTimeoutMs } });
      const first = lab.ask();
      const second = lab.ask();
      lab.advance(1100);
      assert.deepEqual(lab.outcome(), [503, reason]);
      assert.equal(second.answer.end, "complete");
      lab.got().head(200, [], 0);
      lab.got().end();
      assert.equal(first.answer.end, "complete");
      lab.assertQuietAtLast();
    }
  });

  test(`waiting: the proxy stops, ${wire.name}`, () => {
    const { lab, client } = inPhase(wire, "waiting");
    lab.wire.take(() => lab.upstream.stop());
    assert.deepEqual(lab.outcome(), [503, "shutting_down"]);
    assert.equal(client.answer.end, "complete");
    const later = lab.ask();
    assert.equal(later.answer.status, 503);
    lab.assertQuietAtLast();
  });

  test(`the proxy ends a connection whose time is up, in every phase, ${wire.name}`, () => {
    for (const phase of PHASES) {
      const { lab, connection, client } = inPhase(wire, phase);
      if (phase === "tunnel") { for (const tunnel of lab.tunnels) tunnel.abort(); }
      connection.peer.abort();
      lab.wire.run();
      assert.equal(lab.only.reason, "shutting_down");
      if (phase !== "tunnel") assert.equal(client.answer.end, "aborted");
      assert.equal(connection.state, "closed");
      lab.upstream.resume();
      lab.assertQuietAtLast();
    }
  });

  test(`a body that is too large is refused wherever it is noticed, ${wire.name}`, () => {
    for (const phase of ["reading", "waiting", "sending", "collecting"] as const) {
      const { lab, client } = inPhase(wire, phase, { maxBodyBytes: 8 });
      client.body("6789");
      assert.deepEqual(lab.outcome(), [413, "request_too_large"]);
      assert.equal(client.answer.end, "complete");
      lab.upstream.resume();
      lab.assertQuietAtLast();
    }
    const { lab, client } = inPhase(wire, "relaying", { maxBodyBytes: 8 });
    client.body("6789");
    assert.deepEqual(lab.outcome(), [200, "request_too_large"]);
    assert.equal(client.answer.end, "cut");
    lab.assertQuietAtLast();
  });

  test(`an end of the endpoint leaves others on the client's connection alone, ${wire.name}`, () => {
    const lab = new ExchangeLab(wire, { retry: { on: [] } });
    const connection = lab.connect();
    const one = connection.request("GET", "/one", [HOST], 0);
    const other = connection.request("GET", "/other", [HOST], 0);
    lab.wire.advance(500);
    const [first, second] = [lab.got(0), lab.got(1)];
    first.head(200, [], 10);
    first.reset();
    assert.equal(one.answer.end, "cut");
    second.head(200, [], 2);
    second.body("ok");
    second.end();
    assert.deepEqual([other.answer.body, other.answer.end], ["ok", "complete"]);
    assert.equal(connection.state, "open");
    lab.assertQuietAtLast();
  });
}
