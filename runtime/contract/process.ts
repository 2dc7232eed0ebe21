/** The part of the contract that is about other processes: ours, and commands. Reached through contract.ts. */

import type { Address } from "./address.ts";

export type SignalName = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2" | "SIGQUIT";

/** A process that has a listening socket, as far as we may see it. */
export interface SocketOwner {
  /** Null when it belongs to another user and we may not look into it. */
  readonly pid: number | null;
  /** Name of its program, "" when not known. */
  readonly program: string;
  /** Number of the user whose socket it is; null when not known. */
  readonly user: number | null;
}

/** Messages to another process of this program: whole, in order, each a value that JSON can hold. */
export interface MessageChannel {
  /** Never throws and never blocks. Nothing happens once the other side has gone. */
  send(message: unknown): void;
  /** Resolves when all that was sent is on its way, or never will be. */
  flush(): Promise<void>;
}

export interface ChannelEvents {
  message(message: unknown): void;
  /** The other side has gone. At most once, last. */
  closed(): void;
}

/** Memory of a process that others may read. */
export interface ExposedBytes {
  /** To be written by the process whose they are, and kept as long as it wants to be read. */
  readonly bytes: Uint8Array;
  readonly address: number;
}

/** Number of the first descriptor given to a process that is started with some; the others follow. */
export const FIRST_GIVEN_DESCRIPTOR = 4;

/** A socket that listens, bound by the process that started us. */
export interface ActivatedSocket {
  /** As it was named; "" = not at all. */
  readonly name: string;
  /** Null when it is no socket that listens, or the platform does not tell. */
  readonly address: Address | null;
  readonly descriptor: number;
}

/** A process that we started and can talk to. */
export interface WorkerProcess {
  readonly pid: number;
  readonly channel: MessageChannel;
  /** Ends it at once (SIGKILL). */
  kill(): void;
}

/** Never called inside `startWorker` or `startSuccessor`. */
export interface WorkerProcessEvents {
  message(message: unknown): void;
  /**
   * The process is gone, and the kernel has closed what it had open. Exactly once, last.
   * `code` is null when a signal (`signal`, else "") ended it, or `detail` says why it did not start.
   */
  exited(how: { readonly code: number | null; readonly signal: string; readonly detail: string }): void;
}

/**
 * Where an output of a command goes: one of our own descriptors, nowhere, or to `CommandEvents.output`.
 * What it is given for `events` is a socket pair on most platforms, so that it cannot open /dev/stdout.
 */
export type CommandOutput = 1 | 2 | "ignore" | "events";

export interface SpawnOptions {
  /** The program, looked up in PATH unless it holds a slash, and its arguments. No shell reads them. */
  readonly command: readonly [string, ...string[]];
  /** Variables on top of our environment; undefined takes one away. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Working directory; null = ours. */
  readonly folder: string | null;
  /** `pipe`: what `CommandProcess.write` is given. */
  readonly stdin: "inherit" | "ignore" | "pipe";
  readonly stdout: CommandOutput;
  readonly stderr: CommandOutput;
  /**
   * Make it the leader of a session and process group of its own: `signal` then reaches all it starts
   * as well, and the terminal's Ctrl-C does not. Only with `Capabilities.processGroups`.
   */
  readonly ownGroup: boolean;
  /**
   * When our process dies, by SIGKILL too, its group gets SIGTERM, and SIGKILL after this time in milliseconds
   * (rounded up to seconds). Null = it lives on. Only with `ownGroup`.
   */
  readonly endsWithUsMs: number | null;
}

/** How a command ended. */
export interface CommandExit {
  /** Null when a signal ended it, or when it did not start. */
  readonly code: number | null;
  /** Name of the signal that ended it, or "". */
  readonly signal: string;
  /** Why it did not start, a sentence without its subject; "" when it did. */
  readonly failure: string;
}

/** Never called inside `spawn`. */
export interface CommandEvents {
  /** Bytes of standard output (1) or error (2), may be kept: they do not change. Only for `events`. */
  output(fd: 1 | 2, bytes: Uint8Array): void;
  /** Nothing more comes from `fd`. Exactly once for each that is `events`, before or after `exited`. */
  outputEnded(fd: 1 | 2): void;
  /** The process is gone, or was never there. Exactly once. Others of its group may live on. */
  exited(how: CommandExit): void;
}

/** A command that `System.spawn` started. */
export interface CommandProcess {
  /** 0 when it did not start. */
  readonly pid: number;
  /**
   * Sends a signal: to the whole group when it has one of its own (even after `exited`, while others of it
   * are there), else to the process. `leaderOnly` spares the others. Windows knows one way: to end it.
   *
   * @returns false when no process of it is there any more
   */
  signal(name: SignalName | "SIGKILL", leaderOnly?: boolean): boolean;
  /** The process or another of its own group is there. */
  alive(): boolean;
  /** Writes to its standard input (`stdin: "pipe"`), without waiting. Nothing when it does not read any more. */
  write(text: string): void;
  /** Lets its output wait (in pipes; when they are full, it waits too) until `resumeOutput`. */
  pauseOutput(): void;
  resumeOutput(): void;
}
