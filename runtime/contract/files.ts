/** The part of the contract that is about folders and what lies in them. Reached through contract.ts. */

/** Who may use a path. Null = as it is, or as the platform makes it. */
export interface UnixAccess {
  /** Permission bits, 0 to 0o777. Write permission on a socket allows to connect to it. */
  readonly mode: number | null;
  /** Number of a user, of a group. */
  readonly owner: number | null;
  readonly group: number | null;
}

/** What lies at a path. */
export interface FileStatus {
  readonly kind: "file" | "folder" | "socket" | "other";
  /** Another one that takes its path has another. */
  readonly identity: string;
  /** Number of the user it belongs to; -1 where there are none. */
  readonly owner: number;
  /** Who may do what with it: the nine permission bits. */
  readonly mode: number;
}

/** Every failure is a `SystemError`. */
export interface FileSystem {
  /** Number of the user we run as; -1 where there are none. */
  readonly userId: number;
  /** What lies at `path`, without following a symbolic link; null = nothing. */
  statusOf(path: string): Promise<FileStatus | null>;
  /** Names of what is in a folder, in no order. */
  listFolder(path: string): Promise<readonly string[]>;
  /** Makes a folder that only we can enter (mode 0700). "EEXIST" when something is there. */
  makeFolder(path: string): Promise<void>;
  /** Removes an empty folder. */
  removeFolder(path: string): Promise<void>;
  /** Says who may use a file or socket. */
  allow(path: string, access: UnixAccess): Promise<void>;
  /** Makes a file or socket look as if it had just been written. */
  renewTimes(path: string): Promise<void>;
  /** Gives a file or socket another path, in one step; what was there is gone. */
  rename(from: string, to: string): Promise<void>;
}
