/** `struct sockaddr` of TCP and Unix sockets, as bytes, and the addresses in it as text. */
import { AF_INET, AF_INET6, AF_UNIX } from "./numbers.ts";
import type { Libc } from "./libc.ts";
import { type KeptBytes, type KernelMemory, viewOf } from "../kernel_memory.ts";

/** `struct sockaddr_un`: family and `sun_path`. The longest that there is here. */
const SOCKADDR_BYTES = 2 + 108;
const INET_BYTES = 16;
const INET6_BYTES = 28;
/** An IPv6 address with an IPv4 tail has 45 characters; NUL follows. */
const TEXT_BYTES = 64;

/** An IP address and a port; "" and 0 of a Unix socket, and where there is none. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

export const NOWHERE: Peer = { address: "", port: 0 };

/** One `struct sockaddr`, for calls that take one or fill one. */
export class SocketAddress {
  readonly #libc: Libc;
  readonly #kept: KeptBytes;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #text: KeptBytes;
  /** `socklen_t`, as what the kernel may fill and has filled. */
  readonly #length: KeptBytes;
  readonly #lengthView: DataView;
  readonly #encoder = new TextEncoder();
  #used = 0;

  constructor(libc: Libc, memory: KernelMemory) {
    this.#libc = libc;
    this.#kept = memory.keep(SOCKADDR_BYTES);
    this.#bytes = this.#kept.bytes;
    this.#view = viewOf(this.#bytes);
    this.#text = memory.keep(TEXT_BYTES);
    this.#length = memory.keep(8);
    this.#lengthView = viewOf(this.#length.bytes);
  }

  /** AF_INET, AF_INET6 or AF_UNIX. */
  get family(): number {
    return this.#view.getUint16(0, true);
  }

  /** Bytes that were set. */
  get used(): number {
    return this.#used;
  }

  /** Address of what was set. */
  get at(): number {
    return this.#kept.at(0, this.#used);
  }

  /** @returns false when `host` is not an IP address in numbers */
  setTcp(host: string, port: number): boolean {
    const six = host.includes(":");
    this.#bytes.fill(0);
    this.#view.setUint16(0, six ? AF_INET6 : AF_INET, true);
    this.#view.setUint16(2, port, false);
    this.#used = six ? INET6_BYTES : INET_BYTES;
    const text = this.#text.bytes.fill(0);
    // The last byte stays NUL.
    const { read } = this.#encoder.encodeInto(host, text.subarray(0, TEXT_BYTES - 1));
    if (read < host.length || host.includes("\0")) return false;
    const [from, length] = six ? [8, 16] : [4, 4];
    return this.#libc.inet_pton(this.family, this.#text.at(0, TEXT_BYTES), this.#kept.at(from, length)) === 1;
  }

  /** @param path "" = a name of the kernel's choice, which no file has. @returns false when it is too long */
  setUnix(path: string): boolean {
    this.#bytes.fill(0);
    this.#view.setUint16(0, AF_UNIX, true);
    this.#used = 2;
    if (path === "") return true;
    // The last byte stays NUL.
    const { read, written } = this.#encoder.encodeInto(path, this.#bytes.subarray(2, SOCKADDR_BYTES - 1));
    this.#used = 2 + written + 1;
    return read === path.length && !path.includes("\0");
  }

  /** Address of all of it, for the kernel to fill, and of its length beside. */
  room(): number {
    this.#lengthView.setUint32(0, SOCKADDR_BYTES, true);
    return this.#kept.at(0, SOCKADDR_BYTES);
  }

  get lengthAt(): number {
    return this.#length.at(0, 4);
  }

  /** Takes what the kernel has filled in for what is set. */
  take(): void {
    this.#used = Math.min(this.#lengthView.getUint32(0, true), SOCKADDR_BYTES);
  }

  /** What the kernel has filled in. */
  read(): Peer {
    const { family } = this;
    if (family !== AF_INET && family !== AF_INET6) return NOWHERE;
    const bytes = this.#bytes;
    const port = (bytes[2] as number) << 8 | (bytes[3] as number);
    if (family === AF_INET) return { address: dotted(bytes, 4), port };
    return { address: ipv6Text(bytes.subarray(8, 24)), port };
  }
}

/** Connections come several at a time from one client: they share the text that was made last. */
let lastAddress = 0;
let lastText = "0.0.0.0";

function dotted(bytes: Uint8Array, at: number): string {
  const a = bytes[at] as number;
  const b = bytes[at + 1] as number;
  const c = bytes[at + 2] as number;
  const d = bytes[at + 3] as number;
  const address = a << 24 | b << 16 | c << 8 | d;
  if (address !== lastAddress) {
    lastText = `${a}.${b}.${c}.${d}`;
    lastAddress = address;
  }
  return lastText;
}

/**
 * IPv6 in the form of RFC 5952 §4: no leading zeros, lower case, the longest run of zeros as `::`. An IPv4 peer of a
 * dual-stack listener (::ffff:192.0.2.1) as IPv4.
 *
 * @param bytes 16 of them
 */
export function ipv6Text(bytes: Uint8Array): string {
  if (bytes.subarray(0, 12).every((byte, at) => byte === (at < 10 ? 0 : 0xff))) return dotted(bytes, 12);
  const words = Array.from(
    { length: 8 },
    (_, at) => (bytes[2 * at] as number) << 8 | (bytes[2 * at + 1] as number),
  );
  let [best, bestLength] = [-1, 1];
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && words[end] === 0) end++;
    if (end - at > bestLength) [best, bestLength] = [at, end - at];
  }
  const hex = (part: number[]): string => part.map((word) => word.toString(16)).join(":");
  return best < 0 ? hex(words) : `${hex(words.slice(0, best))}::${hex(words.slice(best + bestLength))}`;
}
