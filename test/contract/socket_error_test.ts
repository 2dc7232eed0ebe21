/** The one mapping of platform errors, as a table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CloseCode, SocketErrorCode } from "../../runtime/contract/contract.ts";
import {
  ABORTED,
  closeReasonOf,
  errorDetail,
  FINISHED,
  socketErrorOf,
  type SocketStage,
} from "../../runtime/shared/socket_error.ts";

/** As Node and Bun make them. */
function coded(code: string, message = "the platform's words"): Error {
  return Object.assign(new Error(message), { code });
}

/** As Deno makes them: a class with a name, and sometimes a code. */
function named(name: string, message = "the platform's words"): Error {
  return Object.assign(new Error(message), { name });
}

const errors: readonly (readonly [SocketStage, unknown, SocketErrorCode])[] = [
  ["dial", coded("ECONNREFUSED"), "connection_refused"],
  ["dial", named("ConnectionRefused"), "connection_refused"],
  ["dial", coded("ENOENT"), "connection_refused"],
  ["dial", named("NotFound"), "connection_refused"],
  ["dial", coded("EAGAIN"), "connection_refused"],
  ["dial", coded("ETIMEDOUT"), "connection_timeout"],
  ["dial", named("TimedOut"), "connection_timeout"],
  ["dial", coded("EHOSTUNREACH"), "destination_ip_unroutable"],
  ["dial", coded("ENETUNREACH"), "destination_ip_unroutable"],
  ["dial", named("NetworkUnreachable"), "destination_ip_unroutable"],
  ["dial", coded("EAFNOSUPPORT"), "destination_ip_unroutable"],
  ["dial", coded("ENOTFOUND"), "dns_error"],
  ["dial", coded("EAI_AGAIN"), "dns_error"],
  ["dial", named("Error", "failed to lookup address information: Name or service not known"), "dns_error"],
  ["dial", coded("ECONNRESET"), "connection_terminated"],
  ["dial", coded("EADDRNOTAVAIL"), "resource_exhausted"],
  ["dial", coded("EMFILE"), "resource_exhausted"],
  ["dial", coded("EACCES"), "permission_denied"],
  ["dial", coded("ERR_SOCKET_BAD_PORT"), "platform_error"],
  ["dial", new RangeError("Invalid port"), "platform_error"],
  ["dial", "not even an error", "platform_error"],
  ["dial", null, "platform_error"],
  ["dial", coded("toString"), "platform_error"],
  ["bind", coded("EADDRINUSE"), "address_in_use"],
  ["bind", named("AddrInUse"), "address_in_use"],
  ["bind", coded("EADDRNOTAVAIL"), "address_not_available"],
  ["bind", named("AddrNotAvailable"), "address_not_available"],
  ["bind", coded("ENOENT"), "address_not_available"],
  ["bind", coded("EACCES"), "permission_denied"],
  ["bind", named("PermissionDenied"), "permission_denied"],
  ["bind", named("NotCapable"), "permission_denied"],
  ["bind", coded("ENFILE"), "resource_exhausted"],
  ["lookup", new Error("anything"), "dns_error"],
  ["handshake", coded("CERT_HAS_EXPIRED"), "tls_certificate_error"],
  ["handshake", coded("ERR_TLS_CERT_ALTNAME_INVALID"), "tls_certificate_error"],
  ["handshake", coded("DEPTH_ZERO_SELF_SIGNED_CERT"), "tls_certificate_error"],
  ["handshake", named("InvalidData", "invalid peer certificate: UnknownIssuer"), "tls_certificate_error"],
  ["handshake", named("InvalidData", "received corrupt message"), "tls_protocol_error"],
  ["handshake", coded("ERR_SSL_WRONG_VERSION_NUMBER"), "tls_protocol_error"],
  ["handshake", coded("EPROTO"), "tls_protocol_error"],
  ["handshake", new Error("who knows"), "tls_protocol_error"],
  ["handshake", coded("ECONNRESET"), "connection_terminated"],
  ["handshake", named("UnexpectedEof"), "connection_terminated"],
  ["handshake", coded("ERR_TLS_HANDSHAKE_TIMEOUT"), "connection_timeout"],
  ["handshake", new Error("TLS handshake timeout"), "connection_timeout"],
];

test("dial, bind, look-up and handshake errors", () => {
  for (const [stage, error, code] of errors) {
    assert.equal(socketErrorOf(error, stage).code, code, `${stage}: ${errorDetail(error)}`);
  }
});

test("every code can come up", () => {
  const all = {
    connection_refused: true,
    connection_timeout: true,
    destination_ip_unroutable: true,
    destination_ip_prohibited: true,
    dns_error: true,
    dns_timeout: true,
    tls_certificate_error: true,
    tls_protocol_error: true,
    connection_terminated: true,
    address_in_use: true,
    address_not_available: true,
    permission_denied: true,
    resource_exhausted: true,
    platform_error: true,
  } satisfies Record<SocketErrorCode, true>;
  // No platform tells these: our resolver does, and it judges addresses.
  const ours: readonly string[] = ["dns_timeout", "destination_ip_prohibited"];
  const platforms = Object.keys(all).filter((code) => !ours.includes(code));
  assert.deepEqual(new Set(errors.map(([, , code]) => code)), new Set(platforms));
});

test("why a connection closed", () => {
  const reasons: readonly (readonly [unknown, CloseCode])[] = [
    [null, "finished"],
    [undefined, "finished"],
    [coded("ECONNRESET"), "reset"],
    [coded("EPIPE"), "reset"],
    [coded("ETIMEDOUT"), "reset"],
    [named("ConnectionReset"), "reset"],
    [named("BrokenPipe"), "reset"],
    [named("ConnectionAborted"), "reset"],
    [coded("ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), "failed"],
    [new Error("who knows"), "failed"],
  ];
  for (const [error, code] of reasons) assert.equal(closeReasonOf(error).code, code, errorDetail(error));
  assert.equal(FINISHED.code, "finished");
  assert.equal(ABORTED.code, "aborted");
});

test("details have the platform's words, and its code once", () => {
  assert.equal(errorDetail(coded("ECONNREFUSED", "connect ECONNREFUSED ::1")), "connect ECONNREFUSED ::1");
  assert.equal(errorDetail(coded("EPROTO", "bad record")), "EPROTO: bad record");
  assert.equal(errorDetail(coded("EPIPE", "")), "EPIPE");
  assert.equal(errorDetail(new TypeError("")), "TypeError");
  assert.equal(errorDetail("text"), "text");
});
