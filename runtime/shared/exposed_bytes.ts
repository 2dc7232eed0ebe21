/**
 * Memory that another process of ours reads while this one does not come to anything: /proc/PID/mem (proc_pid_mem(5)), which a
 * parent may read of its children where the system lets it. It may not where Yama's ptrace_scope is 2 or 3, and not of a program
 * whose file has capabilities.
 */
import { Buffer } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";
import process from "node:process";
import type { ExposedBytes } from "../contract/contract.ts";
import { addressOfKept } from "./libc.ts";

export function exposeBytes(size: number): ExposedBytes | null {
  if (process.platform !== "linux") return null;
  // An ArrayBuffer of its own and of fixed length: the bytes of such a one are never moved (runtime/bun/kernel_memory.ts).
  const bytes = new Uint8Array(new ArrayBuffer(size));
  const address = addressOfKept(bytes);
  return address === null ? null : { bytes, address };
}

export function readExposed(pid: number, address: number, size: number): Uint8Array | null {
  let descriptor: number;
  try {
    descriptor = openSync(`/proc/${pid}/mem`, "r");
  } catch {
    return null;
  }
  try {
    const bytes = Buffer.alloc(size);
    return readSync(descriptor, bytes, 0, size, address) === size ? bytes : null;
  } catch {
    return null;
  } finally {
    closeSync(descriptor);
  }
}
