/** The client's side of SOCKS5 (RFC 1928), with users and passwords (RFC 1929), as bytes in and bytes out. */

import type { SocketError, SocketErrorCode } from "../../runtime/contract/contract.ts";
import { ipBytes } from "../bytes/ip_address.ts";
import type { ProxyAnswer } from "./dial_fault.ts";
import type { Handshake } from "./handshake_step.ts";

const VERSION = 5;
const LOGIN_VERSION = 1;
const NO_LOGIN = 0;
const USER_AND_PASSWORD = 2;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;
/** A reply with the longest name. */
const MOST_BYTES = 4 + 1 + 255 + 2;

/** RFC 1928 §6, in the order of their numbers from 1 on. */
const REPLIES: readonly (readonly [SocketErrorCode, string])[] = [
  ["connection_terminated", "general failure"],
  ["destination_ip_prohibited", "not allowed by the rules of the SOCKS proxy"],
  ["destination_ip_unroutable", "network unreachable"],
  ["dns_error", "host unreachable"],
  ["connection_refused", "connection refused"],
  ["connection_timeout", "TTL expired"],
  ["connection_terminated", "command not supported"],
  ["connection_terminated", "address type not supported"],
];

export interface SocksRequest {
  /** A name of ASCII, at most 255 characters, or an IP literal without brackets. */
  readonly host: string;
  readonly port: number;
  /** In UTF-8 1 to 255 bytes each. */
  readonly login: { readonly user: string; readonly password: string } | null;
}

/**
 * One handshake. Send what `begin` gives; then give `feed` what arrives, and send what it gives, until `over` is true.
 */
export class Socks5Handshake implements Handshake {
  readonly #request: SocksRequest;
  #phase: "method" | "login" | "reply" | "connected" | "failed" = "method";
  /** Bytes that have come and are not used. */
  #bytes: Uint8Array = new Uint8Array();
  /** Why there is no connection; null while there may be one. */
  error: SocketError | null = null;

  constructor(request: SocksRequest) {
    this.#request = request;
  }

  /** Connected, or failed. */
  get over(): boolean {
    return this.#phase === "connected" || this.#phase === "failed";
  }

  /** Bytes of the destination that came with the last reply. */
  get rest(): Uint8Array {
    return this.#bytes;
  }

  /** The first message. Without a login none is offered: some proxies choose it all the same. */
  begin(): Uint8Array {
    return this.#request.login === null
      ? Uint8Array.of(VERSION, 1, NO_LOGIN)
      : Uint8Array.of(VERSION, 2, NO_LOGIN, USER_AND_PASSWORD);
  }

  /** @param bytes lent for the call. @returns what is to be sent now; may be empty */
  feed(bytes: Uint8Array): Uint8Array {
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    this.#bytes = joined;
    const out: number[] = [];
    // What comes unasked is refused, so that two messages are never read at once but here.
    for (let going = true; going && !this.over;) going = this.#step(out);
    return Uint8Array.from(out);
  }

  /** @returns whether a whole message was read */
  #step(out: number[]): boolean {
    const bytes = this.#bytes;
    if (this.#phase === "reply") return this.#readReply(bytes);
    if (bytes.length < 2) return false;
    const [version, value = -1] = bytes;
    this.#bytes = bytes.slice(2);
    if (this.#phase === "login") {
      if (version !== LOGIN_VERSION || value !== 0) this.#refuse("it rejected our credentials");
      else this.#ask(out);
      return true;
    }
    const { login } = this.#request;
    if (version !== VERSION) this.#refuse("it does not speak SOCKS5");
    else if (value === NO_LOGIN) this.#ask(out);
    else if (value === USER_AND_PASSWORD && login !== null) {
      this.#phase = "login";
      const [user, password] = [login.user, login.password].map((text) => new TextEncoder().encode(text));
      out.push(LOGIN_VERSION, user?.length ?? 0, ...user ?? [], password?.length ?? 0, ...password ?? []);
    } else this.#refuse("it wants credentials that we do not have");
    return true;
  }

  #ask(out: number[]): void {
    const { host, port } = this.#request;
    this.#phase = "reply";
    const address = ipBytes(host);
    out.push(VERSION, CONNECT, 0);
    if (address !== null) out.push(address.length === 4 ? IPV4 : IPV6, ...address);
    else {
      const name = new TextEncoder().encode(host);
      out.push(NAME, name.length, ...name);
    }
    out.push(port >> 8, port & 0xff);
  }

  #readReply(bytes: Uint8Array): boolean {
    const [version, reply, , type, first] = bytes;
    if (version !== undefined && version !== VERSION) {
      this.#refuse("its reply is not SOCKS5");
      return false;
    }
    // An error counts as soon as it is known: some proxies send no more of it.
    if (reply !== undefined && reply !== 0) {
      const [code, words] = REPLIES[reply - 1] ?? ["connection_terminated", `failure ${reply}`];
      this.#answered(code, `SOCKS proxy: ${words}`);
      return false;
    }
    if (type === undefined || first === undefined) return false;
    const length = type === IPV4 ? 4 : type === IPV6 ? 16 : type === NAME ? 1 + first : -1;
    if (length < 0 || length > MOST_BYTES) {
      this.#refuse("its reply is not SOCKS5");
      return false;
    }
    const end = 4 + length + 2;
    if (bytes.length < end) return false;
    this.#bytes = bytes.slice(end);
    this.#phase = "connected";
    return false;
  }

  /** Waiting would not mend it. */
  #refuse(words: string): void {
    this.#answered("permission_denied", `SOCKS proxy: ${words}`);
  }

  #answered(code: SocketErrorCode, detail: string): void {
    const error: ProxyAnswer = { code, detail, answered: true };
    this.#phase = "failed";
    this.error = error;
  }
}
