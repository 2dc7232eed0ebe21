/**
 * Whether a peer takes what the kernel holds for it. epoll(7) tells of room only when a third of the buffer is free, and the
 * kernel lets that grow to megabytes: a peer that reads 20 KiB a second makes room once a minute.
 */
import process from "node:process";
import { openLibc } from "../shared/libc.ts";
import { type KeptBytes, KernelMemory, viewOf } from "./kernel_memory.ts";

interface Asking {
  getsockopt(fd: number, level: number, name: number, value: number, length: number): number;
}

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** In `struct tcp_info` of Linux: how often the oldest byte was sent again (u8), and milliseconds since bytes were sent (u32). */
const RETRANSMITS_AT = 2;
const LAST_DATA_SENT_AT = 44;
/** And bytes that the peer has acknowledged (u64, since Linux 4.1). */
const BYTES_ACKED_AT = 120;
const INFO_BYTES = 128;

/** The call, `struct tcp_info` for it to fill, and its length. */
interface Asked {
  readonly libc: Asking;
  readonly info: KeptBytes;
  readonly view: DataView;
  readonly length: KeptBytes;
  readonly lengthView: DataView;
}

let loaded: Asked | null | undefined;

/**
 * @param fd of an open socket, negative when it is not open any more
 * @returns milliseconds since the kernel last sent bytes for the first time; Infinity where that is not known, or when the
 *   peer does not even acknowledge
 */
export function sentAgoMs(fd: number): number {
  const view = ask(fd, LAST_DATA_SENT_AT + 4);
  if (view === null || view.getUint8(RETRANSMITS_AT) !== 0) return Infinity;
  return view.getUint32(LAST_DATA_SENT_AT, true);
}

/**
 * @param fd of an open socket, negative when it is not open any more
 * @returns bytes that the peer has acknowledged; -1 where that is not known
 */
export function ackedBytes(fd: number): number {
  const view = ask(fd, BYTES_ACKED_AT + 8);
  return view === null ? -1 : Number(view.getBigUint64(BYTES_ACKED_AT, true));
}

/** `struct tcp_info`; null where less than `least` bytes of it are known. */
function ask(fd: number, least: number): DataView | null {
  if (loaded === undefined) loaded = load();
  if (loaded === null || fd < 0) return null;
  const { libc, info, view, length, lengthView } = loaded;
  lengthView.setUint32(0, INFO_BYTES, true);
  const infoAt = info.at(0, INFO_BYTES);
  if (libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, infoAt, length.at(0, 4)) < 0) return null;
  return lengthView.getUint32(0, true) < least ? null : view;
}

function load(): Asked | null {
  if (process.platform !== "linux") return null;
  const libc = openLibc<Asking>({
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  });
  if (libc === null) return null;
  const memory = new KernelMemory();
  const info = memory.keep(INFO_BYTES);
  const length = memory.keep(4);
  return { libc, info, view: viewOf(info.bytes), length, lengthView: viewOf(length.bytes) };
}
