/**
 * The path of a listening Unix socket, kept apart from the socket. Platforms remove the name that they bound
 * when they close their copy, also when another process has one and serves on. So the socket is bound under
 * a name that no client knows, gets its own by link(2), which replaces nothing, and loses the first.
 *
 * A process that is killed leaves its path behind, and bind(2) fails on it for ever after. A socket that refuses
 * connections has no process behind it and is replaced. Whatever else is there (a socket that is answered, or not to be
 * opened by us; a file; a symbolic link) stays.
 */
import * as fs from "node:fs";
import { Buffer } from "node:buffer";
import * as path from "node:path";
import { clearTimeout, setTimeout } from "node:timers";
import { SocketFailure, type UnixAccess } from "../contract/contract.ts";
import { setAccess } from "./file_system.ts";
import { netModule, randomHex } from "./lazy_module.ts";

/** What fits in sockaddr_un everywhere, its NUL left out: 104 bytes on macOS, 108 on Linux. */
const MAX_PATH_BYTES = 103;
/** A socket that does not refuse a connection within this time is not dead. */
const PROBE_TIMEOUT_MS = 2_000;
/** A socket is bound before it listens: one that refuses may be about to. It is asked again after this pause. */
const PROBE_AGAIN_MS = 30;

/** A socket that was bound, and how its path is removed. */
export interface UnixBound<T> {
  readonly bound: T;
  /** False when the platform itself knows the path, and removes it when it closes the socket. */
  readonly apart: boolean;
  readonly path: OwnPath;
}

/**
 * Binds a socket to a path.
 *
 * @param bind binds it under the name that it is given, and listens as far as the platform does both at once
 * @param undo closes it again
 * @throws SocketFailure `address_in_use` when there is something that must stay
 */
export async function bindUnixPath<T>(
  target: string,
  access: UnixAccess | undefined,
  bind: (name: string) => T | Promise<T>,
  undo: (bound: T) => void,
): Promise<UnixBound<T>> {
  const aside = asideName(target);
  if (aside === null) {
    await removeDead(target);
    const bound = await bind(target);
    try {
      grantAccess(target, access);
      return { bound, apart: false, path: new OwnPath(target) };
    } catch (error) {
      undo(bound);
      throw error;
    }
  }
  const bound = await bind(aside);
  try {
    grantAccess(aside, access);
    if (!publish(aside, target)) {
      await removeDead(target);
      if (!publish(aside, target)) throw new SocketFailure("address_in_use", `${target} exists`);
    }
    removePath(aside);
    return { bound, apart: true, path: new OwnPath(target) };
  } catch (error) {
    removePath(aside);
    undo(bound);
    throw error;
  }
}

/** The path of a socket of ours, as it is now. Another program may put something else there later. */
export class OwnPath {
  readonly #path: string;
  readonly #identity: string | null;

  constructor(target: string) {
    this.#path = target;
    this.#identity = identityOf(target);
  }

  /** Removes it, unless something else is there. */
  remove(): void {
    if (this.#identity !== null && identityOf(this.#path) === this.#identity) removePath(this.#path);
  }
}

/** @throws SocketFailure */
function grantAccess(target: string, access: UnixAccess | undefined): void {
  if (access === undefined) return;
  try {
    setAccess(target, access);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SocketFailure(code === "EPERM" ? "permission_denied" : "platform_error", message);
  }
}

/** A new name in the folder of `target` to bind to; null when it would be too long. */
function asideName(target: string): string | null {
  const aside = path.join(path.dirname(target), `.${randomHex(3)}`);
  return Buffer.byteLength(aside) > MAX_PATH_BYTES ? null : aside;
}

/** @returns false when there is something already */
function publish(aside: string, target: string): boolean {
  try {
    fs.linkSync(aside, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" || identityOf(target) !== null) return false;
    // A file system without links: rename(2) would replace what is there.
    fs.renameSync(aside, target);
  }
  return true;
}

/**
 * Removes a socket on which no process listens any more. It is moved to another name first and looked at there: should
 * it have been replaced meanwhile, the socket that is alive gets its name back.
 */
async function removeDead(target: string): Promise<void> {
  const dead = identityOf(target);
  if (dead === null || !isSocket(target) || !await refuses(target)) return;
  await new Promise((resolve) => setTimeout(resolve, PROBE_AGAIN_MS));
  if (!await refuses(target) || identityOf(target) !== dead) return;
  const moved = path.join(path.dirname(target), `.${randomHex(3)}`);
  try {
    fs.renameSync(target, moved);
    if (identityOf(moved) !== dead) fs.linkSync(moved, target);
  } catch {
    // It was removed, or there is a new one already; or we lack permission: then it is still in the way, which tells.
  }
  removePath(moved);
}

/** No process listens on the socket at `target`. A connection that it accepts is closed at once. */
function refuses(target: string): Promise<boolean> {
  return new Promise((resolve) => {
    let socket: ReturnType<ReturnType<typeof netModule>["connect"]>;
    const done = (refused: boolean) => {
      clearTimeout(timer);
      resolve(refused);
      socket?.destroy();
    };
    const timer = setTimeout(() => done(false), PROBE_TIMEOUT_MS);
    try {
      socket = netModule().connect({ path: target });
      socket.once("connect", () => done(false));
      socket.on("error", (error: NodeJS.ErrnoException) => done(error.code === "ECONNREFUSED"));
    } catch {
      done(false);
    }
  });
}

/** Null when there is nothing. Inode numbers are given out again, so the time of birth belongs to it. */
function identityOf(target: string): string | null {
  try {
    const { dev, ino, birthtimeNs } = fs.lstatSync(target, { bigint: true });
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return null;
  }
}

/** A plain file refuses connections as well. */
function isSocket(target: string): boolean {
  try {
    return fs.lstatSync(target).isSocket();
  } catch {
    return false;
  }
}

function removePath(target: string): void {
  try {
    fs.unlinkSync(target);
  } catch {
    // It was removed already.
  }
}
