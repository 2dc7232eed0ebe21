/**
 * Whether a peer takes what the kernel holds for it. epoll(7) tells of room only when a third of the buffer is free, and the
 * kernel lets that grow to megabytes: a peer that reads 20 KiB a second makes room once a minute.
 */
import process from "node:process";
import { openLibc } from "./bun_libc.ts";

interface Asking {
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint32Array): number;
}

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** In `struct tcp_info` of Linux: how often the oldest byte was sent again (u8), and milliseconds since bytes were sent (u32). */
const RETRANSMITS_AT = 2;
const LAST_DATA_SENT_AT = 44;
const INFO_BYTES = 104;

let loaded: Asking | null | undefined;
const info = new Uint8Array(new ArrayBuffer(INFO_BYTES));
const infoLength = new Uint32Array(new ArrayBuffer(4));

/**
 * @param fd of an open socket, negative when it is not open any more
 * @returns milliseconds since the kernel last sent bytes for the first time; Infinity where that is not known, or when the
 *   peer does not even acknowledge
 */
export function sentAgoMs(fd: number): number {
  if (loaded === undefined) loaded = load();
  if (loaded === null || fd < 0) return Infinity;
  infoLength[0] = INFO_BYTES;
  if (loaded.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, infoLength) < 0) return Infinity;
  if ((infoLength[0] ?? 0) < LAST_DATA_SENT_AT + 4 || info[RETRANSMITS_AT] !== 0) return Infinity;
  return new DataView(info.buffer).getUint32(LAST_DATA_SENT_AT, true);
}

function load(): Asking | null {
  if (process.platform !== "linux") return null;
  return openLibc<Asking>({
    getsockopt: { args: ["i32", "i32", "i32", "buffer", "buffer"], returns: "i32" },
  });
}
