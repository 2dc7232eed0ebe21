/**
 * TCP_QUICKACK on Bun. Its TLS sends session tickets no earlier than the first answer, so nothing goes out behind the message of the client
 * that ends the handshake, and the kernel waits 40 ms for something to acknowledge it with. A client whose sockets
 * have Nagle's algorithm (wget and ab, for two) sends its request after the acknowledgement only. OpenSSL's tickets
 * leave at that moment, and acknowledge.
 */
import process from "node:process";
import { openLibc } from "../shared/libc.ts";
import { type KeptBytes, KernelMemory, viewOf } from "./kernel_memory.ts";

interface Setting {
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number;
}

const IPPROTO_TCP = 6;
const TCP_QUICKACK = 12;

/** The call, and the option's value: 1. */
interface Loaded {
  readonly libc: Setting;
  readonly on: KeptBytes;
}

let loaded: Loaded | null | undefined;

/**
 * Acknowledges now what has been received, and what comes until something is sent; where that cannot be done, as ever.
 *
 * @param fd of an open socket, negative when it is not open any more
 */
export function acknowledge(fd: number): void {
  if (loaded === undefined) loaded = load();
  if (loaded !== null && fd >= 0) {
    loaded.libc.setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, loaded.on.at(0, 4), 4);
  }
}

function load(): Loaded | null {
  if (process.platform !== "linux") return null;
  const libc = openLibc<Setting>({
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "i32"], returns: "i32" },
  });
  if (libc === null) return null;
  const on = new KernelMemory().keep(4);
  viewOf(on.bytes).setInt32(0, 1, true);
  return { libc, on };
}
