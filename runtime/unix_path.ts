/**
 * The path of a listening Unix socket, kept apart from the socket. Platforms remove the name that they bound
 * when they close their copy, also when another process has one and serves on. So the socket is bound under
 * a name that nobody knows, gets its own by link(2), which replaces nothing, and loses the first.
 */
import * as fs from "node:fs";
import { Buffer } from "node:buffer";
import * as path from "node:path";
import { SocketFailure } from "./contract.ts";
import { randomHex } from "./lazy_module.ts";

/** What fits in sockaddr_un everywhere, its NUL left out: 104 bytes on macOS, 108 on Linux. */
const MAX_PATH_BYTES = 103;

/** A new name in the folder of `target` to bind to; null when it would be too long. */
export function asideName(target: string): string | null {
  const aside = path.join(path.dirname(target), `.${randomHex(3)}`);
  return Buffer.byteLength(aside) > MAX_PATH_BYTES ? null : aside;
}

/**
 * Gives the socket that is bound to `aside` its name, and removes that one.
 *
 * @throws SocketFailure when there is something already
 */
export function publish(aside: string, target: string): void {
  try {
    fs.linkSync(aside, target);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw new SocketFailure("address_in_use", message);
    // A file system without links: rename(2) would replace what is there.
    if (fs.existsSync(target)) throw new SocketFailure("address_in_use", `${target} exists`);
    fs.renameSync(aside, target);
    return;
  } finally {
    removePath(aside);
  }
}

export function removePath(target: string): void {
  try {
    fs.unlinkSync(target);
  } catch {
    // Somebody removed it already.
  }
}
