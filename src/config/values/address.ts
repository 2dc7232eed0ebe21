/**
 * Addresses as people write them: `3000`, `:3000`, `host:port`, `[::1]:80`, `http://host[:port]`,
 * `https://host[:port]`, `unix:/path`.
 */

import type { Address } from "../../../runtime/contract/contract.ts";
import type { ListenConfig } from "./config.ts";
import { canonicalIp, parseIpv6 } from "../../bytes/ip_address.ts";
import { shown } from "./shown.ts";
import { fault, mustBe, type Parsed, success, type ValueType } from "./value_type.ts";

/** An endpoint's address with everything that follows from how it was written. */
export interface EndpointAddress {
  readonly address: Address;
  readonly scheme: "http" | "https";
  /** Canonical text: `127.0.0.1:3000`, `https://host:443`, `unix:/path`. */
  readonly name: string;
}

/** Longest path of a Unix socket: `sun_path` has 108 bytes on Linux (104 on macOS) with its final NUL. */
export const MAX_UNIX_PATH_BYTES = 103;

const ACCEPTS = "an address like 3000, host:3000, http://host, https://host or unix:/path";
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/;

/** The endpoint whose port is chosen at the start, for a command that is told of it. */
export const AUTO = "auto";
const AUTO_ADDRESS: EndpointAddress = {
  address: { kind: "tcp", host: "127.0.0.1", port: 0 },
  scheme: "http",
  name: AUTO,
};

/** True for a DNS name in lower case or an IP literal (IPv6 in brackets). */
export function isHost(text: string): boolean {
  if (text.startsWith("[")) return text.endsWith("]") && parseIpv6(text.slice(1, -1)) !== null;
  return canonicalIp(text) !== null || (HOST_NAME.test(text) && !/^[0-9.]+$/.test(text));
}

/** Where to dial: `3000` and `:3000` mean this machine, `http://` and `https://` have default ports. */
export function endpointAddress(): ValueType<EndpointAddress> {
  return {
    name: "address",
    accepts: ACCEPTS,
    many: false,
    parse(raw) {
      if (raw === AUTO) return success(AUTO_ADDRESS);
      const parts = split(raw);
      if (!parts.ok) return parts;
      const { scheme, host, port, unixPath } = parts.value;
      if (unixPath !== null) {
        const address: Address = { kind: "unix", path: unixPath };
        return success({ address, scheme: "http" as const, name: `unix:${unixPath}` });
      }
      if (host === "*") return fault("must name a host: * is only for listening", "127.0.0.1");
      if (port === 0) return fault("must have a port of 1 to 65535, got 0");
      const dialled = host === "" ? "127.0.0.1" : host;
      const known = port ?? defaultPort(scheme);
      if (known === null) return fault(`has no port: ${shown(raw)}`, `${bracketed(dialled)}:80`);
      const address: Address = { kind: "tcp", host: dialled, port: known };
      const prefix = scheme === "https" ? "https://" : "";
      return success({
        address,
        scheme: scheme === "https" ? "https" as const : "http" as const,
        name: `${prefix}${bracketed(dialled)}:${known}`,
      });
    },
    print: (value) => value.name,
  };
}

/**
 * Where to listen: `*:8080` means all IPv4 interfaces, port 0 any free port, `https://` a TLS listener.
 *
 * @param alone the host where only a port is given
 * @param example a port for messages
 */
export function listenAddress(alone = "0.0.0.0", example = "8080"): ValueType<ListenConfig> {
  return {
    name: "address",
    accepts: `an address like ${example}, :${example}, 127.0.0.1:${example}, https://:8443 or unix:/path`,
    many: false,
    parse(raw) {
      const parts = split(raw);
      if (!parts.ok) return parts;
      const { scheme, host, port, unixPath } = parts.value;
      if (unixPath !== null) {
        return success({ address: { kind: "unix", path: unixPath }, tls: false, forward: false });
      }
      const bound = host === "" ? alone : host === "*" ? "0.0.0.0" : host;
      const known = port ?? defaultPort(scheme);
      if (known === null) return fault(`has no port: ${shown(raw)}`, `${bracketed(host)}:${example}`);
      const address: Address = { kind: "tcp", host: bound, port: known };
      return success({ address, tls: scheme === "https", forward: false });
    },
    print: printListen,
  };
}

/** Where those who run Sluice connect: a port alone means this machine only, port 0 any free port. */
export function adminListener(): ValueType<Address> {
  return {
    name: "address",
    accepts: "an address like 9180, 127.0.0.1:9180, 0.0.0.0:9180 or unix:/path",
    many: false,
    parse(raw) {
      const parts = split(raw);
      if (!parts.ok) return parts;
      const { scheme, host, port, unixPath } = parts.value;
      if (unixPath !== null) return success({ kind: "unix", path: unixPath });
      if (scheme !== null) return fault(`must not have a scheme, got ${shown(raw)}`, bracketed(host));
      if (port === null) return fault(`has no port: ${shown(raw)}`, `${bracketed(host)}:9180`);
      const bound = host === "" ? "127.0.0.1" : host === "*" ? "0.0.0.0" : host;
      return success({ kind: "tcp", host: bound, port });
    },
    print: printAddress,
  };
}

/** `forward://` in front of one of the forward proxy; else text that `listenAddress` reads back. */
export function printListen({ address, tls, forward }: ListenConfig): string {
  const scheme = forward ? tls ? "forward+https://" : "forward://" : tls ? "https://" : "";
  return scheme + printAddress(address);
}

/** The same for listeners that are bound. @param addresses where they are, in their order */
export function printBound(
  listen: readonly ListenConfig[],
  addresses: readonly Address[],
): readonly string[] {
  return addresses.map((address, at) => {
    const { tls = false, forward = false } = listen[at] ?? {};
    return printListen({ address, tls, forward });
  });
}

/** `host:port` with IPv6 in brackets, or `unix:/path`. */
export function printAddress(address: Address): string {
  return address.kind === "unix" ? `unix:${address.path}` : `${bracketed(address.host)}:${address.port}`;
}

/** An address that a client can use for a listener on all interfaces. */
export function reachable(address: Address): Address {
  if (address.kind === "unix") return address;
  if (address.host === "0.0.0.0") return { ...address, host: "127.0.0.1" };
  return address.host === "::" ? { ...address, host: "::1" } : address;
}

interface AddressParts {
  readonly scheme: "http" | "https" | null;
  /** "" when only a port was given; IPv6 without brackets. */
  readonly host: string;
  readonly port: number | null;
  readonly unixPath: string | null;
}

function split(raw: unknown): Parsed<AddressParts> {
  if (typeof raw !== "string" || raw === "") return mustBe(ACCEPTS, raw);
  if (raw.startsWith("unix:")) return splitUnix(raw.slice(5));
  const schemeMatch = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/s.exec(raw);
  if (schemeMatch === null) return splitHostPort(raw, null, raw);
  const [, schemeText = "", rest = ""] = schemeMatch;
  const scheme = schemeText.toLowerCase();
  if (scheme !== "http" && scheme !== "https") {
    const meant = scheme === "ws" ? `http://${rest}` : scheme === "wss" ? `https://${rest}` : null;
    return fault(`has an unknown scheme: must be http:// or https://, got ${shown(raw)}`, meant);
  }
  const end = rest.search(/[/?#]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  // Also behind a slash, which may be part of a password.
  if (rest.includes("@")) {
    return fault(`must not hold a user name or password, got ${shown(raw)}`);
  }
  if (end >= 0) return fault(`must not have a path, got ${shown(raw)}`, `${scheme}://${authority}`);
  if (/^\d+$/.test(authority)) {
    return fault(`has no host, got ${shown(raw)}`, `${scheme}://127.0.0.1:${authority}`);
  }
  return splitHostPort(authority, scheme, raw);
}

function splitUnix(path: string): Parsed<AddressParts> {
  // deno-lint-ignore no-control-regex -- control bytes are what must not be in a path we print
  if (path === "" || /[\x00-\x1f\x7f]/.test(path)) {
    return fault("must have a path after unix:, without control characters", "unix:/run/app.sock");
  }
  if (path.startsWith("//")) {
    return fault(
      `must have one slash after unix:, got ${shown(`unix:${path}`)}`,
      `unix:${path.replace(/^\/+/, "/")}`,
    );
  }
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_UNIX_PATH_BYTES) {
    return fault(`must have a path of at most ${MAX_UNIX_PATH_BYTES} bytes, got ${bytes}`);
  }
  return success({ scheme: null, host: "", port: null, unixPath: path });
}

function splitHostPort(
  text: string,
  scheme: AddressParts["scheme"],
  raw: string,
): Parsed<AddressParts> {
  if (/^\d+$/.test(text)) return withPort("", text, scheme);
  if (text.startsWith("[")) {
    const close = text.indexOf("]");
    const literal = text.slice(1, close);
    const host = parseIpv6(literal) === null ? null : canonicalIp(literal);
    const after = text.slice(close + 1);
    if (close < 0 || host === null || (after !== "" && !after.startsWith(":"))) {
      return fault(`must have an IPv6 address in brackets, got ${shown(raw)}`, "[::1]:3000");
    }
    return after === ""
      ? success({ scheme, host, port: null, unixPath: null })
      : withPort(host, after.slice(1), scheme);
  }
  if (parseIpv6(text) !== null) {
    return fault(`needs brackets around an IPv6 address, got ${shown(raw)}`, `[${text}]:80`);
  }
  const colon = text.lastIndexOf(":");
  const host = (colon < 0 ? text : text.slice(0, colon)).toLowerCase();
  if (host !== "" && host !== "*" && !isHost(host)) return mustBe(ACCEPTS, raw);
  if (colon < 0) {
    return host === "" ? mustBe(ACCEPTS, raw) : success({ scheme, host, port: null, unixPath: null });
  }
  return withPort(host, text.slice(colon + 1), scheme);
}

function withPort(host: string, text: string, scheme: AddressParts["scheme"]): Parsed<AddressParts> {
  const port = /^(0|[1-9]\d{0,4})$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_535) return fault(`must have a port of 0 to 65535, got ${shown(text)}`);
  return success({ scheme, host, port, unixPath: null });
}

function defaultPort(scheme: AddressParts["scheme"]): number | null {
  return scheme === "https" ? 443 : scheme === "http" ? 80 : null;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/**
 * A name for each entry: what is written the same is the same listener, also after a change, and whether or not it is one of
 * the forward proxy. Port 0 may be there several times.
 */
export function listenKeys(listen: readonly ListenConfig[]): readonly string[] {
  const seen = new Map<string, number>();
  return listen.map((entry) => {
    const text = printListen({ ...entry, forward: false });
    const times = seen.get(text) ?? 0;
    seen.set(text, times + 1);
    return times === 0 ? text : `${text} (${times + 1})`;
  });
}
