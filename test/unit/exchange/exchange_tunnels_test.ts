/** Exchanges that become tunnels, over every wire. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BODY } from "../../../src/http/body_length.ts";
import { HIGH_WATER_BYTES } from "../../../src/http/water_marks.ts";
import { ExchangeLab, HOST, TUNNEL_IDLE_MS } from "../../support/streams/exchange_lab.ts";
import { valueOf } from "../../support/streams/pairs.ts";
import { inPhase } from "../../support/streams/phases.ts";
import { WIRES } from "../../support/streams/wires.ts";

const BLOCK = "x".repeat(8 * 1024);

for (const wire of WIRES) {
  const named = (name: string, body: () => void) => test(`${name}, ${wire.name}`, body);

  named("a switch is asked for, announced and made", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("GET", NO_BODY, [["Upgrade", "chat"], ["X-Key", "k"]]);
    const endpoint = lab.got();
    assert.equal(endpoint.request.upgrade, "chat");
    assert.equal(valueOf(endpoint.request.fields, "x-key"), "k");
    endpoint.switchTo("chat");
    assert.equal(client.answer.status, 101);
    assert.equal(lab.tunnels.size, 1);
    client.raw.say("ping");
    assert.equal(endpoint.raw.received, "ping");
    endpoint.raw.say("pong");
    assert.equal(client.raw.received, "pong");
    client.raw.finish();
    assert.equal(endpoint.raw.end, "ended");
    endpoint.raw.say("!");
    assert.equal(client.raw.received, "pong!", "the other way is still open");
    assert.deepEqual(lab.ended, []);
    endpoint.raw.finish();
    assert.equal(client.raw.end, "ended");
    assert.deepEqual(lab.outcome(), [101, ""]);
    const { requestBodyBytes, responseBodyBytes, upgraded } = lab.only;
    assert.deepEqual([requestBodyBytes, responseBodyBytes, upgraded], [4, 5, true]);
    lab.assertQuietAtLast();
  });

  named("what is not let through is not asked for", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("GET", NO_BODY, [["Upgrade", "other"]]);
    assert.equal(lab.got().request.upgrade, "");
    assert.equal(valueOf(lab.got().request.fields, "upgrade"), undefined);
    lab.got().switchTo("other");
    assert.deepEqual(lab.outcome(), [502, "http_upgrade_failed"]);
    assert.equal(client.answer.end, "complete");
    lab.assertQuietAtLast();
  });

  named("an endpoint may answer instead of switching", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("GET", NO_BODY, [["Upgrade", "chat"]]);
    lab.got().head(200, [], 2);
    lab.got().body("no");
    lab.got().end();
    assert.deepEqual([client.answer.body, client.answer.end], ["no", "complete"]);
    assert.deepEqual(lab.outcome(), [200, ""]);
    lab.assertQuietAtLast();
  });

  named("a tunnel holds its slot until both sides are gone", () => {
    const { lab, client, endpoint } = inPhase(wire, "tunnel", { maxInFlight: 1 });
    lab.ask();
    assert.equal(lab.wire.requests.length, 1);
    endpoint?.raw.finish();
    assert.equal(lab.wire.requests.length, 1);
    client.raw.finish();
    lab.advance(1000);
    lab.got(1).head(204, [], NO_BODY);
    lab.got(1).end();
    lab.assertQuietAtLast();
  });

  named("each side of a tunnel is no faster than the other takes it", () => {
    const { lab, client, endpoint } = inPhase(wire, "tunnel");
    assert.ok(endpoint !== undefined);
    for (const [from, to] of [[client.raw, endpoint.raw], [endpoint.raw, client.raw]] as const) {
      to.stopReading();
      for (let sent = 0; sent < 4 * HIGH_WATER_BYTES; sent += BLOCK.length) from.say(BLOCK);
      const taken = to.received.length;
      to.readOn();
      lab.wire.run();
      assert.equal(to.received.length, 4 * HIGH_WATER_BYTES);
      assert.ok(taken < 2 * HIGH_WATER_BYTES, `${taken} bytes were passed on ahead`);
    }
    client.raw.finish();
    endpoint.raw.finish();
    assert.deepEqual(lab.outcome(), [101, ""]);
    lab.assertQuietAtLast();
  });

  named("a tunnel through which nothing goes ends", () => {
    const { lab, client, endpoint } = inPhase(wire, "tunnel");
    lab.advance(TUNNEL_IDLE_MS - 1000);
    client.raw.say("still here");
    lab.advance(TUNNEL_IDLE_MS - 1000);
    assert.deepEqual(lab.ended, []);
    lab.advance(2000);
    assert.deepEqual(lab.outcome(), [101, "connection_read_timeout"]);
    assert.deepEqual([client.raw.end, endpoint?.raw.end], ["aborted", "aborted"]);
    lab.assertQuietAtLast();
  });

  named("a reset of one side of a tunnel is passed on to the other", () => {
    for (const side of ["client", "endpoint"] as const) {
      const { lab, client, endpoint } = inPhase(wire, "tunnel");
      assert.ok(endpoint !== undefined);
      (side === "client" ? client : endpoint).raw.reset();
      assert.equal((side === "client" ? endpoint : client).raw.end, "aborted");
      assert.deepEqual(lab.outcome(), [101, side === "client" ? "" : "connection_terminated"]);
      lab.assertQuietAtLast();
    }
  });

  named("a WebSocket is asked to end between two frames", () => {
    const lab = new ExchangeLab(wire);
    const client = lab.ask("GET", NO_BODY, [["Upgrade", "websocket"]]);
    const endpoint = lab.got();
    endpoint.switchTo("websocket");
    endpoint.raw.say("\x81\x05he");
    for (const tunnel of lab.tunnels) lab.wire.take(() => tunnel.sendClose());
    assert.equal(client.raw.received, "\x81\x05he", "a frame is under way");
    endpoint.raw.say("llo\x81\x01x");
    assert.ok(client.raw.received.startsWith("\x81\x05hello\x88"), "Close stands between two frames");
    assert.ok(!client.raw.received.endsWith("\x81\x01x"), "and nothing after it");
    client.raw.say("\x88\x82\x00\x00\x00\x00\x03\xe9");
    assert.equal(endpoint.raw.received, "\x88\x82\x00\x00\x00\x00\x03\xe9");
    client.raw.finish();
    endpoint.raw.finish();
    assert.deepEqual(lab.outcome(), [101, ""]);
    lab.assertQuietAtLast();
  });

  named("a tunnel leaves the other streams of its client's connection alone", () => {
    const lab = new ExchangeLab(wire);
    const connection = lab.connect();
    const tunnelled = connection.request("GET", "/", [HOST, ["Upgrade", "chat"]], NO_BODY);
    lab.got().switchTo("chat");
    const plain = connection.request("GET", "/", [HOST], NO_BODY);
    tunnelled.raw.reset();
    lab.wire.run();
    lab.got(1).head(204, [], NO_BODY);
    lab.got(1).end();
    assert.deepEqual([plain.answer.status, plain.answer.end], [204, "complete"]);
    assert.equal(connection.state, "open");
    lab.assertQuietAtLast();
  });
}
