/** Folders and what lies in them, over `node:fs`. */
import * as fs from "node:fs";
import process from "node:process";
import type { FileSystem, UnixAccess } from "../contract/contract.ts";
import { systemError } from "./system_error.ts";

/** Mode first: with a new owner we may not be allowed to set it any more. */
export function setAccess(path: string, { mode, owner, group }: UnixAccess): void {
  if (mode !== null) fs.chmodSync(path, mode);
  if (owner === null && group === null) return;
  const { uid, gid } = fs.lstatSync(path);
  fs.chownSync(path, owner ?? uid, group ?? gid);
}

export const fileSystem: Omit<FileSystem, "userId"> = {
  async statusOf(path) {
    let found: fs.BigIntStats;
    try {
      found = await fs.promises.lstat(path, { bigint: true });
    } catch (error) {
      const failure = systemError(error);
      if (failure.code === "ENOENT") return null;
      throw failure;
    }
    const kind = found.isSocket()
      ? "socket"
      : found.isDirectory()
      ? "folder"
      : found.isFile()
      ? "file"
      : "other";
    return {
      kind,
      identity: `${found.dev}:${found.ino}:${found.birthtimeNs}`,
      owner: process.platform === "win32" ? -1 : Number(found.uid),
      mode: Number(found.mode) & 0o777,
    };
  },

  async listFolder(path) {
    try {
      return await fs.promises.readdir(path);
    } catch (error) {
      throw systemError(error);
    }
  },

  async makeFolder(path) {
    try {
      await fs.promises.mkdir(path, { mode: 0o700 });
    } catch (error) {
      throw systemError(error);
    }
  },

  async removeFolder(path) {
    try {
      await fs.promises.rmdir(path);
    } catch (error) {
      throw systemError(error);
    }
  },

  async allow(path, access) {
    try {
      setAccess(path, access);
    } catch (error) {
      throw systemError(error);
    }
  },

  async renewTimes(path) {
    try {
      const now = new Date();
      await fs.promises.utimes(path, now, now);
    } catch (error) {
      throw systemError(error);
    }
  },

  async rename(from, to) {
    try {
      await fs.promises.rename(from, to);
    } catch (error) {
      throw systemError(error);
    }
  },
};
