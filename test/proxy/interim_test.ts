/** Interim (1xx) responses on their way to the client. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { message, undated, withLab } from "./lab.ts";

const GET = message(["GET / HTTP/1.1", "Host: a"]);
const FINAL = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok";

test("interim responses are relayed as they come, with their fields, and do not end the exchange", () =>
  withLab("", async ({ begin, proxy }) => {
    const { client, peer } = await begin(GET);
    await peer.readRequest();
    await peer.send(
      "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nLink: </b.js>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n",
    );
    const hints = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nLink: </b.js>\r\n\r\n";
    assert.equal(await client.readUntil("\r\n\r\n"), hints, "not kept back for the final one");
    const more =
      "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: \xe9\xff\r\n\r\nHTTP/1.1 199 \r\n\r\n";
    await peer.send(more + FINAL);
    assert.equal((await client.readResponse()).text, "ok");
    assert.equal(undated(client.transcript), undated(hints + more + FINAL));
    // The fields of an interim response are not those of the next one, and the connection goes on.
    await client.send(GET);
    await peer.readRequest();
    await peer.send(FINAL);
    const second = await client.readResponse();
    assert.deepEqual(second.interim, []);
    assert.deepEqual(second.all("Link"), []);
    assert.equal((await proxy.endedAt(1)).reused, true);
  }));

test("an interim response has no body, whatever its fields say", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(GET);
    await peer.readRequest();
    await peer.send(
      "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" +
        "HTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n" + FINAL,
    );
    const answer = await client.readResponse();
    assert.deepEqual(answer.interim.map(({ status, fields }) => [status, fields.length]), [[103, 0], [
      102,
      0,
    ]]);
    assert.equal(answer.text, "ok");
  }));

test("an HTTP/1.0 client gets none", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin("GET / HTTP/1.0\r\n\r\n");
    await peer.readRequest();
    await peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + FINAL);
    const answer = await client.readResponse();
    assert.deepEqual(answer.interim, []);
    assert.equal(answer.text, "ok");
  }));

test("a pipelined request's interim responses come after the response before", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(GET + GET);
    await peer.readRequest();
    await peer.send(FINAL);
    await peer.readRequest();
    await peer.send("HTTP/1.1 103 Early Hints\r\n\r\n" + FINAL);
    assert.deepEqual((await client.readResponse()).interim, []);
    assert.equal((await client.readResponse()).interim[0]?.status, 103);
  }));

test("an endpoint that sends too many gets its connection dropped, the client a 502", () =>
  withLab("", async ({ begin, proxy }) => {
    const { client, peer } = await begin(message(["POST / HTTP/1.1", "Host: a", "Content-Length: 0"]));
    await peer.readRequest();
    await peer.send("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(64));
    let interims = 0;
    const answer = client.readResponse({ onInterim: () => interims++ });
    await proxy.until("the 64 to arrive", () => interims === 64);
    await peer.send("HTTP/1.1 103 Early Hints\r\n\r\n" + FINAL);
    const final = await answer;
    assert.equal(final.status, 502);
    assert.equal(
      final.field("Proxy-Status"),
      'sluice; error=http_protocol_error; details="There are too many interim responses."',
    );
    await peer.readToClose();
    assert.equal((await proxy.endedAt(0)).reason, "http_protocol_error");
  }));

test("an endpoint that ends after an interim response has not answered", () =>
  withLab("", async ({ begin, proxy }) => {
    const { client, peer } = await begin(message(["POST / HTTP/1.1", "Host: a", "Content-Length: 0"]));
    await peer.readRequest();
    await peer.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    await client.readUntil("\r\n\r\n");
    await peer.halfClose();
    const answer = await client.readResponse();
    assert.equal(answer.status, 502);
    assert.equal((await proxy.endedAt(0)).reason, "not_idempotent");
  }));
