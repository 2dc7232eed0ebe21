/** What is added to answers that go out through a forward proxy. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { beginAnswer } from "../../../src/exchange/client_answer.ts";
import type { ExchangeContext } from "../../../src/exchange/exchange_context.ts";
import { LastForwarded } from "../../../src/exchange/forward_request.ts";
import { interimFields } from "../../../src/exchange/forward_response.ts";
import type { DownstreamStream } from "../../../src/http/downstream_stream.ts";
import type { ForwardedFields } from "../../../src/http/forwarded_fields.ts";
import { fieldSection } from "../../../src/http/own_fields.ts";
import { fieldLines } from "../../../src/http1/encode.ts";
import { requestHead, responseHead } from "../http1/support.ts";

/** The field lines that the client of a proxy gets. */
function answered(outbound: boolean, status: string, ...fields: string[]): string {
  let lines = "";
  // The casts: the rest is not used by an answer.
  const client = {
    sendHead: (_status: number, _reason: string, sent: ForwardedFields) => lines = fieldLines(sent),
  } as unknown as DownstreamStream;
  const context = {
    date: () => fieldSection(["Date", "today"]),
    forward: { via: "us", dropUnderscored: false, outbound, last: new LastForwarded() },
  } as unknown as ExchangeContext;
  const head = responseHead(`HTTP/1.1 ${status}`, "Date: then", ...fields);
  beginAnswer(client, requestHead("GET / HTTP/1.1", "Host: a"), context, head, 0, null, null);
  return lines;
}

test("a proxy that keeps authenticated connections for their clients says so where one is asked for (RFC 4559 §6)", () => {
  const promise = "Proxy-Support: Session-Based-Authentication\r\nConnection: Proxy-Support\r\n";
  for (const challenge of ["NTLM", "Negotiate YII=", "Basic realm=a, Negotiate"]) {
    const lines = answered(true, "401 Unauthorized", `WWW-Authenticate: ${challenge}`);
    assert.equal(lines, `Date: then\r\nWWW-Authenticate: ${challenge}\r\nVia: 1.1 us\r\n${promise}`);
  }
  for (
    const line of [answered(true, "401 No", "WWW-Authenticate: Basic realm=a"), answered(true, "200 OK")]
  ) {
    assert.doesNotMatch(line, /Proxy-Support/);
    assert.match(line, /\r\nVia: 1\.1 us\r\n$/);
  }
  assert.doesNotMatch(
    answered(false, "401 No", "WWW-Authenticate: NTLM"),
    /Via|Proxy-Support/,
    "a gateway is none",
  );
});

test("Via names the version of each response, interim ones included (RFC 9110 §7.6.3)", () => {
  const settings = { via: "us", dropUnderscored: false, outbound: true, last: new LastForwarded() };
  const via = (line: string) => fieldLines(interimFields(responseHead(line, "Link: x"), settings));
  for (let round = 0; round < 2; round++) {
    assert.equal(via("HTTP/1.1 103 Hints"), "Link: x\r\nVia: 1.1 us\r\n");
    assert.equal(via("HTTP/1.0 103 Hints"), "Link: x\r\nVia: 1.0 us\r\n");
  }
  assert.equal(
    fieldLines(interimFields(responseHead("HTTP/1.1 103 Hints"), { ...settings, outbound: false })),
    "",
  );
});
