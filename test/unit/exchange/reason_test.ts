import assert from "node:assert/strict";
import { test } from "node:test";
import { newExchangeRecord } from "../../../src/exchange/exchange_record.ts";
import { proxyStatus } from "../../../src/exchange/local_reply.ts";
import { reason, REASON_CODES } from "../../../src/exchange/reason.ts";

/** RFC 9209 §2.3, all of it. */
const REGISTERED = new Set([
  "dns_timeout",
  "dns_error",
  "destination_not_found",
  "destination_unavailable",
  "destination_ip_prohibited",
  "destination_ip_unroutable",
  "connection_refused",
  "connection_terminated",
  "connection_timeout",
  "connection_read_timeout",
  "connection_write_timeout",
  "connection_limit_reached",
  "tls_protocol_error",
  "tls_certificate_error",
  "tls_alert_received",
  "http_request_error",
  "http_request_denied",
  "http_response_incomplete",
  "http_response_header_section_size",
  "http_response_header_size",
  "http_response_body_size",
  "http_response_trailer_section_size",
  "http_response_trailer_size",
  "http_response_transfer_coding",
  "http_response_content_coding",
  "http_response_timeout",
  "http_upgrade_failed",
  "http_protocol_error",
  "proxy_internal_response",
  "proxy_internal_error",
  "proxy_configuration_error",
  "proxy_loop_detected",
]);

test("every reason has a status, a sentence, and says whose it is", () => {
  for (const code of REASON_CODES) {
    const { status, side, registered, sentence, retryAfter, level } = reason(code);
    assert.match(code, /^[a-z]+(?:_[a-z]+)*$/);
    assert.equal(registered, REGISTERED.has(code), code);
    assert.match(sentence, /^[A-Z][\x20-\x7e]*\.$/, code);
    assert.equal(retryAfter, status === 503, code);
    if (status === 0) assert.equal(side, "downstream", code);
    else if (side === "downstream") {
      assert.ok((status >= 400 && status < 500) || [501, 505, 508].includes(status), code);
    } else assert.ok(status >= 500 && status < 600, code);
    assert.ok(side !== "downstream" || level !== "error", "a peer's mistake is not our error");
  }
});

test("statuses that clients and scripts rely on", () => {
  const expected = {
    http_request_error: 400,
    http_request_denied: 403,
    no_route: 404,
    method_not_allowed: 405,
    client_timeout: 408,
    request_too_large: 413,
    target_too_long: 414,
    head_too_large: 431,
    unsupported_transfer_coding: 501,
    unsupported_version: 505,
    proxy_loop_detected: 508,
    connection_refused: 502,
    body_not_replayable: 502,
    not_idempotent: 502,
    hold_timeout: 503,
    queue_full: 503,
    queue_timeout: 503,
    http_response_timeout: 504,
    client_gone: 0,
  } as const;
  for (const code of Object.keys(expected) as (keyof typeof expected)[]) {
    assert.equal(reason(code).status, expected[code], code);
  }
});

test("Proxy-Status", () => {
  assert.equal(proxyStatus("sluice", "hold_timeout", ""), "sluice; error=hold_timeout");
  assert.equal(
    proxyStatus("sluice", "connection_refused", 'said "no" \\ 100%'),
    'sluice; error=connection_refused; details="said \\"no\\" \\\\ 100%"',
  );
  assert.equal(
    proxyStatus("sluice", "queue_full", "a\r\nSet-Cookie: x\u0000é\u{1f600}"),
    'sluice; error=queue_full; details="a??Set-Cookie: x????"',
  );
  assert.equal(proxyStatus("1edge", "queue_full", ""), '"1edge"; error=queue_full');
  const long = proxyStatus("sluice", "queue_full", '"'.repeat(10_000));
  assert.ok(long.length < 500);
});

test("records have one shape", () => {
  assert.deepEqual(newExchangeRecord(), newExchangeRecord());
  assert.equal(newExchangeRecord().reason, "");
});
