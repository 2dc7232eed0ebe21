/**
 * Why a request failed: a closed set of codes, stable, one per failed request. The code is what appears in
 * `Proxy-Status`, in the access log, as a metric label and in `sluice status`. Names are those of RFC 9209
 * §2.3 where it has one; the others are ours.
 */

/** Who caused a failure, seen from Sluice. */
export type ReasonSide = "downstream" | "upstream" | "internal";

/** Levels at which a failure is logged: a peer's mistake is not our error. */
export type ReasonLevel = "error" | "warn" | "info" | "debug";

export interface Reason {
  /** Status of the answer given when no response head has gone downstream; 0 = the client is gone. */
  readonly status: number;
  readonly side: ReasonSide;
  readonly level: ReasonLevel;
  /** True for the error types registered by RFC 9209 §2.3. */
  readonly registered: boolean;
  /** The client may try again soon: the answer carries `Retry-After`. */
  readonly retryAfter: boolean;
  /** One sentence for the body of the answer and for the documentation; nothing secret, no detail. */
  readonly sentence: string;
}

function registered(status: number, side: ReasonSide, level: ReasonLevel, sentence: string): Reason {
  return { status, side, level, registered: true, retryAfter: status === 503, sentence };
}

function ours(status: number, side: ReasonSide, level: ReasonLevel, sentence: string): Reason {
  return { status, side, level, registered: false, retryAfter: status === 503, sentence };
}

/** The table. Statuses of registered names are those RFC 9209 recommends, unless a comment says why not. */
export const REASONS = {
  // Finding and reaching an endpoint.
  dns_timeout: registered(504, "upstream", "warn", "The endpoint's name was not resolved in time."),
  dns_error: registered(502, "upstream", "warn", "The endpoint's name could not be resolved."),
  destination_unavailable: registered(503, "upstream", "warn", "No endpoint is available."),
  destination_ip_unroutable: registered(502, "upstream", "warn", "There is no route to the endpoint."),
  connection_refused: registered(502, "upstream", "warn", "The endpoint refused the connection."),
  connection_terminated: registered(
    502,
    "upstream",
    "warn",
    "The endpoint closed the connection before answering.",
  ),
  connection_timeout: registered(
    504,
    "upstream",
    "warn",
    "The endpoint did not accept a connection in time.",
  ),
  connection_read_timeout: registered(504, "upstream", "warn", "The endpoint stopped sending."),
  connection_write_timeout: registered(504, "upstream", "warn", "The endpoint stopped reading."),
  tls_protocol_error: registered(502, "upstream", "warn", "The TLS handshake with the endpoint failed."),
  tls_certificate_error: registered(502, "upstream", "warn", "The endpoint's certificate is not acceptable."),

  // What the endpoint answered.
  http_response_timeout: registered(504, "upstream", "warn", "The endpoint did not begin to answer in time."),
  http_response_incomplete: registered(
    502,
    "upstream",
    "warn",
    "The endpoint's response ended before it was complete.",
  ),
  http_protocol_error: registered(502, "upstream", "warn", "The endpoint's response is not valid HTTP."),
  http_response_header_section_size: registered(
    502,
    "upstream",
    "warn",
    "The header section of the endpoint's response is too large.",
  ),
  http_response_trailer_section_size: registered(
    502,
    "upstream",
    "warn",
    "The trailer section of the endpoint's response is too large.",
  ),
  http_response_transfer_coding: registered(
    502,
    "upstream",
    "warn",
    "The transfer coding of the endpoint's response is not valid.",
  ),
  http_upgrade_failed: registered(502, "upstream", "warn", "The endpoint's protocol switch is not valid."),

  // Waiting and retrying.
  hold_timeout: ours(503, "upstream", "warn", "No endpoint came back while the request was held."),
  queue_full: ours(503, "upstream", "warn", "Too many requests are waiting for this upstream."),
  queue_timeout: ours(503, "upstream", "warn", "No endpoint had a free slot in time."),
  body_buffer_full: ours(503, "upstream", "warn", "The bodies of waiting requests fill their buffer."),
  body_not_replayable: ours(
    502,
    "upstream",
    "warn",
    "The connection failed after part of the request body was sent, so it cannot be sent again.",
  ),
  not_idempotent: ours(
    502,
    "upstream",
    "warn",
    "The connection failed after the request was sent, and its method does not allow sending it again.",
  ),
  retry_budget_exhausted: ours(502, "upstream", "warn", "Too many requests are being retried already."),

  // What the client sent or did.
  http_request_error: registered(400, "downstream", "debug", "The request is not valid HTTP."),
  http_request_denied: registered(403, "downstream", "info", "The request is not allowed."),
  // RFC 9209 recommends 502; a 5xx makes package managers try again what is not allowed.
  destination_ip_prohibited: registered(
    403,
    "downstream",
    "info",
    "The address of the destination is not allowed.",
  ),
  proxy_authentication_required: ours(
    407,
    "downstream",
    "debug",
    "The proxy wants to know who asks.",
  ),
  too_many_tunnels: ours(503, "internal", "warn", "Too many tunnels are open."),
  head_too_large: ours(431, "downstream", "debug", "The header section of the request is too large."),
  target_too_long: ours(414, "downstream", "debug", "The request target is too long."),
  request_too_large: ours(413, "downstream", "info", "The request body is too large."),
  unsupported_version: ours(505, "downstream", "debug", "The HTTP version of the request is not supported."),
  unsupported_transfer_coding: ours(
    501,
    "downstream",
    "debug",
    "The transfer coding of the request is not supported.",
  ),
  expectation_failed: ours(417, "downstream", "debug", "The expectation of the request is not supported."),
  method_not_allowed: ours(405, "downstream", "debug", "The method is not allowed here."),
  method_not_supported: ours(501, "downstream", "debug", "The method is not supported."),
  no_route: ours(404, "downstream", "debug", "No route matches the request."),
  client_timeout: ours(408, "downstream", "debug", "The request did not arrive in time."),
  client_write_timeout: ours(0, "downstream", "debug", "The client stopped reading the response."),
  client_gone: ours(0, "downstream", "debug", "The client closed the connection before it was answered."),
  // RFC 9209 recommends 502; 508 (RFC 5842 §7.2) tells an operator at a glance what is wrong.
  proxy_loop_detected: registered(508, "downstream", "warn", "The request has passed through here before."),

  // Scripts. Their faults are told with their place, and not as often as they happen, by who knows the script.
  script_error: ours(500, "internal", "debug", "A script failed."),
  script_timeout: ours(504, "internal", "debug", "A script took too long to decide."),
  script_stalled: ours(500, "internal", "debug", "A script did not come to an end."),

  // Ourselves.
  too_many_connections: ours(503, "internal", "warn", "Too many clients are connected."),
  resource_exhausted: ours(503, "internal", "error", "Sluice is out of descriptors, ports or memory."),
  shutting_down: ours(503, "internal", "info", "Sluice is stopping."),
  proxy_configuration_error: registered(
    500,
    "internal",
    "error",
    "The configuration does not allow an answer.",
  ),
  proxy_internal_error: registered(500, "internal", "error", "Sluice failed; this is a bug in Sluice."),
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof REASONS;

/** Every code, in the order of the table. */
export const REASON_CODES = Object.keys(REASONS) as readonly ReasonCode[];

/** What a code means. */
export function reason(code: ReasonCode): Reason {
  return REASONS[code];
}
