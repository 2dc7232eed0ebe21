/** Answers that Sluice gives itself, and the field that says why. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { proxyStatus, sendFailure, sendText } from "../../../src/exchange/local_reply.ts";
import { type BodyLength, NO_BODY } from "../../../src/http/body_length.ts";
import type { DownstreamStream } from "../../../src/http/downstream_stream.ts";
import { NO_FIELDS } from "../../../src/http/field_section.ts";
import type { ForwardedFields } from "../../../src/http/forwarded_fields.ts";
import { fieldSection } from "../../../src/http/own_fields.ts";
import { fieldLines } from "../../../src/http1/encode.ts";
import { REASON_CODES, REASONS } from "../../../src/exchange/reason.ts";

test("Proxy-Status: a name that is a token stands bare, any other is quoted", () => {
  assert.equal(proxyStatus("sluice", "hold_timeout", ""), "sluice; error=hold_timeout");
  assert.equal(proxyStatus("a.b:80/c", "dns_error", ""), "a.b:80/c; error=dns_error");
  assert.equal(proxyStatus("1st", "dns_error", ""), '"1st"; error=dns_error');
  assert.equal(proxyStatus('a "b"', "dns_error", ""), '"a \\"b\\""; error=dns_error');
});

test("Proxy-Status: details are printable, escaped and short, whatever a peer put into them", () => {
  assert.equal(
    proxyStatus("s", "hold_timeout", 'say "hi" \\ \r\nSet-Cookie: a=\u00e9\u0000'),
    's; error=hold_timeout; details="say \\"hi\\" \\\\ ??Set-Cookie: a=??"',
  );
  const long = proxyStatus("s", "hold_timeout", '"'.repeat(1000));
  assert.equal(long, `s; error=hold_timeout; details="${'\\"'.repeat(200)}"`);
  for (let code = 0; code < 0x200; code++) {
    const value = proxyStatus("s", "hold_timeout", `a${String.fromCharCode(code)}b`);
    assert.match(value, /^s; error=hold_timeout; details="(?:[ !#-[\]-~]|\\["\\])*"$/);
  }
});

class Recorded {
  head = "";
  length: BodyLength = NO_BODY;
  body = "";
  ended = 0;
  closed = false;
  readonly client: DownstreamStream = {
    sendHead: (
      status: number,
      reason: string,
      fields: ForwardedFields,
      length: BodyLength,
      close: boolean,
    ) => {
      this.head = `${status} ${reason}\r\n${fieldLines(fields)}`;
      this.length = length;
      this.closed = close;
    },
    sendBody: (bytes: Uint8Array, from: number, to: number) => {
      this.body += new TextDecoder("latin1").decode(bytes.subarray(from, to));
    },
    sendEnd: () => this.ended++,
  } as unknown as DownstreamStream; // the rest is not used by local replies
}

function failure(reason: keyof typeof REASONS, bodiless = false): Recorded {
  const recorded = new Recorded();
  sendFailure(recorded.client, {
    reason,
    status: REASONS[reason].status,
    via: "sluice",
    detail: "e0: connection_refused",
    date: fieldSection(["Date", "Sun, 06 Nov 1994 08:49:37 GMT"]),
    bodiless,
    fields: NO_FIELDS,
    close: false,
  });
  return recorded;
}

test("a failure says why, once for machines and once for people", () => {
  const { head, body, length, ended } = failure("hold_timeout");
  assert.match(head, /^503 Service Unavailable\r\nDate: /);
  assert.match(head, /\r\nProxy-Status: sluice; error=hold_timeout; details="e0: connection_refused"\r\n/);
  assert.match(head, /\r\nRetry-After: 1\r\n/);
  assert.match(head, /\r\nCache-Control: no-store\r\n/);
  assert.equal(length, body.length);
  assert.match(body, /\nreason: hold_timeout\n$/);
  assert.equal(ended, 1);
});

test("every 503 invites to come again, nothing else does", () => {
  for (const code of REASON_CODES) {
    if (REASONS[code].status === 0) continue;
    assert.equal(failure(code).head.includes("Retry-After"), REASONS[code].status === 503, code);
  }
});

test("HEAD is told the length and gets no body; 204 and 304 are told nothing", () => {
  const head = failure("queue_full", true);
  assert.equal(head.body, "");
  assert.match(head.head, /\r\nContent-Length: \d+\r\n/);
  for (const status of [204, 304]) {
    const recorded = new Recorded();
    sendText(recorded.client, status, "X", NO_FIELDS, "body", false, false);
    assert.equal(recorded.body, "");
    assert.doesNotMatch(recorded.head, /Content-Length/);
  }
});
