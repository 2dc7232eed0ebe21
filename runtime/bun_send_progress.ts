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
/** And bytes that the peer has acknowledged (u64, since Linux 4.1). */
const BYTES_ACKED_AT = 120;
const INFO_BYTES = 128;

let loaded: Asking | null | undefined;
const info = new Uint8Array(new ArrayBuffer(INFO_BYTES));
const view = new DataView(info.buffer);
const infoLength = new Uint32Array(new ArrayBuffer(4));

/**
 * @param fd of an open socket, negative when it is not open any more
 * @returns milliseconds since the kernel last sent bytes for the first time; Infinity where that is not known, or when the
 *   peer does not even acknowledge
 */
export function sentAgoMs(fd: number): number {
  if (ask(fd) < LAST_DATA_SENT_AT + 4 || info[RETRANSMITS_AT] !== 0) return Infinity;
  return view.getUint32(LAST_DATA_SENT_AT, true);
}

/**
 * @param fd of an open socket, negative when it is not open any more
 * @returns bytes that the peer has acknowledged; -1 where that is not known
 */
export function ackedBytes(fd: number): number {
  return ask(fd) < BYTES_ACKED_AT + 8 ? -1 : Number(view.getBigUint64(BYTES_ACKED_AT, true));
}

/** Asks for `info`. @returns how many bytes of it are known */
function ask(fd: number): number {
  if (loaded === undefined) loaded = load();
  if (loaded === null || fd < 0) return 0;
  infoLength[0] = INFO_BYTES;
  if (loaded.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, infoLength) < 0) return 0;
  return infoLength[0] ?? 0;
}

function load(): Asking | null {
  if (process.platform !== "linux") return null;
  return openLibc<Asking>({
    getsockopt: { args: ["i32", "i32", "i32", "buffer", "buffer"], returns: "i32" },
  });
}
