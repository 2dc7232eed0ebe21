/**
 * Modules of the platform that most runs never need. Loading one at the start would cost resident memory for
 * good: `node:net` for one function 5 MiB, `node:crypto` 6, `node:child_process` with what it loads 3.
 */
import process from "node:process";
import type { SocketError } from "../contract/contract.ts";

/** The module, loaded at the first call. All three platforms have it. */
export function netModule(): typeof import("node:net") {
  return process.getBuiltinModule("node:net");
}

export function dgramModule(): typeof import("node:dgram") {
  return process.getBuiltinModule("node:dgram");
}

export function dnsModule(): typeof import("node:dns") {
  return process.getBuiltinModule("node:dns");
}

export function osModule(): typeof import("node:os") {
  return process.getBuiltinModule("node:os");
}

export function ttyModule(): typeof import("node:tty") {
  return process.getBuiltinModule("node:tty");
}

export function cryptoModule(): typeof import("node:crypto") {
  return process.getBuiltinModule("node:crypto");
}

export function streamModule(): typeof import("node:stream") {
  return process.getBuiltinModule("node:stream");
}

export function vmModule(): typeof import("node:vm") {
  return process.getBuiltinModule("node:vm");
}

export function moduleModule(): typeof import("node:module") {
  return process.getBuiltinModule("node:module");
}

export function tlsModule(): typeof import("node:tls") {
  return process.getBuiltinModule("node:tls");
}

export function childProcessModule(): typeof import("node:child_process") {
  return process.getBuiltinModule("node:child_process");
}

const DOTTED = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** Whether `host` is an IP address, without brackets, and not a name. */
export function isIpLiteral(host: string): boolean {
  // No name has a colon, so that the platform is asked for what may be IPv6 only.
  return host.includes(":") ? netModule().isIPv6(host) : DOTTED.test(host);
}

/** What a dial to something else comes to. */
export const NO_LITERAL: SocketError = { code: "dns_error", detail: "not an IP address" };

/** `bytes` random bytes in hexadecimal digits. */
export function randomHex(bytes: number): string {
  let text = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(bytes))) {
    text += byte.toString(16).padStart(2, "0");
  }
  return text;
}
