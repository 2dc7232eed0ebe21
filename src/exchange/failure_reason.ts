/** From what went wrong in the layers below to the one reason that the client and the log are told. */

import type { CloseReason, SocketErrorCode } from "../../runtime/contract/contract.ts";
import type { Fault } from "../http/fault.ts";
import type { WaitFailure } from "../upstream/wait_failure.ts";
import type { ReasonCode } from "./reason.ts";
import type { RetryRefusal } from "./retry.ts";
import type { TunnelEnd } from "./tunnel.ts";

/** What a wait without a connection means for the request. */
export function waitReason(failure: WaitFailure): ReasonCode {
  switch (failure) {
    case "hold_timeout":
    case "queue_timeout":
    case "queue_full":
    case "shutting_down":
      return failure;
    default:
      return dialReason(failure);
  }
}

/**
 * What an answer says of a wait without a connection, beside its reason. The detail of a dial is the platform's: it
 * differs from one to another, may name what is behind us, and is for logs. Why a dial is prohibited is ours to say.
 */
export function waitWords(failure: WaitFailure, detail: string): string {
  switch (failure) {
    case "destination_ip_prohibited":
    case "hold_timeout":
    case "queue_timeout":
    case "queue_full":
    case "shutting_down":
      return detail;
    default:
      return dialReason(failure) === failure ? "" : failure;
  }
}

/** What an answer says of an endpoint's connection that has ended; the detail of a failure is the platform's. */
export function closeWords({ code, detail }: CloseReason): string {
  switch (code) {
    case "finished":
    case "aborted":
      return detail;
    case "reset":
      return "the endpoint reset the connection";
    case "failed":
      return "the connection to the endpoint failed";
    default:
      return code satisfies never;
  }
}

/** What a failed dial means for a request that does not wait. */
export function dialReason(code: SocketErrorCode): ReasonCode {
  switch (code) {
    case "connection_refused":
    case "connection_timeout":
    case "connection_terminated":
    case "destination_ip_unroutable":
    case "destination_ip_prohibited":
    case "dns_error":
    case "dns_timeout":
    case "tls_certificate_error":
    case "tls_protocol_error":
    case "resource_exhausted":
      return code;
    case "address_in_use":
    case "address_not_available":
    case "permission_denied":
    case "platform_error":
      return "destination_unavailable";
    default:
      return code satisfies never;
  }
}

/** The reason for refusing a request with this fault. */
export function faultReason(fault: Fault): ReasonCode {
  switch (fault.code) {
    case "bad_request":
    case "bad_response":
    case "bad_host":
    case "bad_framing":
    case "bad_chunk":
    case "incomplete_message":
    case "method_too_long":
      return "http_request_error";
    case "chunk_extension_too_large":
    case "body_too_large":
      return "request_too_large";
    case "target_too_long":
      return "target_too_long";
    case "head_too_large":
    case "too_many_fields":
    case "trailers_too_large":
      return "head_too_large";
    case "unsupported_version":
      return "unsupported_version";
    case "unsupported_transfer_coding":
      return "unsupported_transfer_coding";
    case "expectation_failed":
      return "expectation_failed";
    case "request_timeout":
      return "client_timeout";
    default:
      return fault.code satisfies never;
  }
}

/** What a fault in a response is called (RFC 9209 §2.3). */
export function responseReason(fault: Fault): ReasonCode {
  switch (fault.code) {
    case "incomplete_message":
      return "http_response_incomplete";
    case "head_too_large":
    case "too_many_fields":
      return "http_response_header_section_size";
    case "trailers_too_large":
      return "http_response_trailer_section_size";
    case "unsupported_transfer_coding":
    case "bad_chunk":
      return "http_response_transfer_coding";
    default:
      return "http_protocol_error";
  }
}

/** What the end of a tunnel means; "" when all is well. */
export function tunnelReason(how: TunnelEnd): ReasonCode | "" {
  switch (how) {
    case "idle":
      return "connection_read_timeout";
    case "upstream_reset":
      return "connection_terminated";
    case "aborted":
      return "shutting_down";
    case "client_reset":
    case "finished":
      return "";
    default:
      return how satisfies never;
  }
}

export function tunnelDetail(how: TunnelEnd): string {
  return how === "finished" ? "" : how;
}

/** The reason of a request that is not sent again: why not, where that says more than the failure itself. */
export function refusalReason(refusal: RetryRefusal, failure: ReasonCode): ReasonCode {
  return refusal === "not_idempotent" || refusal === "body_not_replayable" ? refusal : failure;
}

/** The detail with what is behind it; either may be "". */
export function because(behind: string, detail: string): string {
  return behind === "" || detail === "" ? behind + detail : behind + ": " + detail;
}
