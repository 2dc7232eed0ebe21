/**
 * Certificates for TLS in memory, and who accepts them. A certificate is valid when one of its names fits the server name,
 * whoever signed it; any is good for a client.
 */
import { X509Certificate } from "node:crypto";
import type { ClientTls, ServerTls, SocketError, TlsSession } from "../../runtime/contract/contract.ts";
import { isIpLiteral } from "./memory_network.ts";

/** What a server settles in a handshake: a session and its certificate, or why not. */
export type ServerAnswer =
  | { readonly session: TlsSession; readonly cert: string }
  | { readonly error: SocketError };

const certificateMark = "memory certificate for ";

/** A "certificate" for these names (exact or `*.example.com`); use it as both cert and key. */
export function memoryCertificate(...names: string[]): string {
  return certificateMark + names.join(" ");
}

/** What a server makes of a hello. */
export function serverAnswer(hello: ClientTls, tls: ServerTls): ServerAnswer {
  const offered = hello.alpn ?? [];
  const known = tls.alpn ?? [];
  const alpn = known.find((protocol) => offered.includes(protocol)) ?? "";
  if (alpn === "" && offered.length > 0 && known.length > 0) {
    return { error: { code: "tls_protocol_error", detail: "no application protocol in common" } };
  }
  if (tls.clientCa !== undefined && hello.cert === undefined) {
    return { error: { code: "tls_certificate_error", detail: "the client has no certificate" } };
  }
  const serverName = isIpLiteral(hello.serverName) ? "" : hello.serverName;
  const chosen = tls.names?.find((entry) => nameFits(entry.name, serverName));
  return { session: { alpn, serverName, version: "TLSv1.3" }, cert: (chosen ?? tls).cert };
}

/** What a client makes of the answer; null = it is content. */
export function judgeServer(cert: string, tls: ClientTls): SocketError | null {
  if (!tls.verify) return null;
  if (tls.ca === null) return { code: "tls_certificate_error", detail: "unknown authority" };
  if (certificateNames(cert).some((name) => nameFits(name, tls.serverName))) return null;
  return { code: "tls_certificate_error", detail: `the certificate is not for ${tls.serverName}` };
}

function certificateNames(cert: string): string[] {
  if (cert.startsWith(certificateMark)) return cert.slice(certificateMark.length).split(" ");
  const names = new X509Certificate(cert).subjectAltName ?? "";
  return names.split(", ").map((entry) => entry.replace(/^(DNS|IP Address):/, ""));
}

function nameFits(pattern: string, name: string): boolean {
  const wanted = name.toLowerCase();
  if (!pattern.startsWith("*.")) return pattern.toLowerCase() === wanted;
  const dot = wanted.indexOf(".");
  return dot > 0 && wanted.slice(dot + 1) === pattern.slice(2).toLowerCase();
}
