/**
 * Where control sockets are: in the user's runtime folder, named for the port that is served. The processes that open
 * one and the verbs that look for one ask here, so that they agree.
 */

import { type Address, type System, SystemError } from "../../runtime/contract/contract.ts";

const PREFIX = "sluice-";
const SUFFIX = ".sock";

/** The port in a default name, or what stands in its place. */
export function nameOf(path: string): string {
  const file = path.slice(path.lastIndexOf("/") + 1);
  return file.slice(PREFIX.length, -SUFFIX.length);
}

/**
 * The file name of a Sluice's control socket: its first port tells it from others. Listening on Unix sockets only, its
 * process id does.
 */
export function controlName(system: System, listeners: readonly Address[]): string {
  const tcp = listeners.find((address) => address.kind === "tcp");
  return `${PREFIX}${tcp?.kind === "tcp" ? tcp.port : `pid${system.pid}`}${SUFFIX}`;
}

/**
 * A folder that is ours alone, made if need be.
 *
 * @returns its path, or why there is none
 */
export async function ownFolder(
  system: System,
): Promise<{ readonly path: string } | { readonly why: string }> {
  let why = "";
  for (const { path, make } of folders(system, system.env["XDG_RUNTIME_DIR"])) {
    try {
      const fault = await folderFault(system, path, make);
      if (fault === null) return { path };
      why = `${path} ${fault}`;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      why = error.message;
    }
  }
  return { why };
}

/** Every control socket of a default name in every folder where ours may be. */
export async function foundSockets(system: System): Promise<readonly string[]> {
  const found: string[] = [];
  // Run by cron, say, we lack the variable that the user's session has.
  const runtimeFolder = system.env["XDG_RUNTIME_DIR"] ?? `/run/user/${system.userId}`;
  for (const { path } of folders(system, runtimeFolder)) {
    let names: readonly string[];
    try {
      if (await folderFault(system, path, false) !== null) continue;
      names = await system.listFolder(path);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      continue;
    }
    for (const name of names) {
      if (name.startsWith(PREFIX) && name.endsWith(SUFFIX)) found.push(`${path}/${name}`);
    }
  }
  return found.sort();
}

interface Folder {
  readonly path: string;
  /** It is made when it is not there; others belong to the system. */
  readonly make: boolean;
}

/** Best first. */
function folders(system: System, runtimeFolder: string | undefined): readonly Folder[] {
  const { env, userId } = system;
  const list: Folder[] = [];
  const add = (base: string | undefined, name: string, make: boolean): void => {
    if (base === undefined || !isAbsolute(base)) return;
    list.push({ path: base.replace(/[/\\]+$/, "") + name, make });
  };
  if (userId < 0) {
    add(env["LOCALAPPDATA"] ?? env["TEMP"], "/sluice", true);
    return list;
  }
  add(runtimeFolder, "", false);
  add(env["TMPDIR"] ?? "/tmp", `/sluice-${userId}`, true);
  return list;
}

function isAbsolute(path: string): boolean {
  return /^(?:\/|[A-Za-z]:[\\/])/.test(path);
}

/** Why a folder is not ours alone: in one that others can write to, they could put their socket in our place. */
async function folderFault(system: System, path: string, make: boolean): Promise<string | null> {
  let status = await system.statusOf(path);
  if (status === null && make) {
    await system.makeFolder(path).catch((error) => {
      // Another Sluice has just made it.
      if (!(error instanceof SystemError) || error.code !== "EEXIST") throw error;
    });
    status = await system.statusOf(path);
  }
  if (status === null) return "does not exist";
  if (status.kind !== "folder") return "is not a folder";
  if (status.owner !== system.userId) return "belongs to another user";
  return status.owner >= 0 && (status.mode & 0o022) !== 0 ? "can be written to by other users" : null;
}
