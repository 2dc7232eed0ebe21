/** The part of the contract that is about our own process and its machine. Reached through contract.ts. */

import type { Address } from "./address.ts";
import type { CertificateReader } from "./certificates.ts";
import type { Digests } from "./digests.ts";
import type { FileSystem } from "./files.ts";
import type {
  ActivatedSocket,
  ChannelEvents,
  CommandEvents,
  CommandProcess,
  ExposedBytes,
  MessageChannel,
  SignalName,
  SocketOwner,
  SpawnOptions,
  WorkerProcess,
  WorkerProcessEvents,
} from "./process.ts";
import type { ScriptLoader } from "./scripts.ts";
import type { TextSink } from "./sinks.ts";
import type { Terminal, TerminalEvents } from "./terminal.ts";
import type { TokenSource } from "./tokens.ts";

/** Paths of the files in which Unix says how names are looked up. Each may be missing. */
export interface NameFiles {
  /** hosts(5) */
  readonly hosts: string;
  /** resolv.conf(5) */
  readonly servers: string;
  /** nsswitch.conf(5) */
  readonly order: string;
}

/** Everything of a process that is neither socket nor clock. */
export interface System extends FileSystem {
  readonly certificates: CertificateReader;
  readonly digests: Digests;
  readonly scripts: ScriptLoader;
  /** Null where no library makes them (Bun has it called, where MIT Kerberos is installed). Looked for at the first use. */
  readonly tokens: TokenSource | null;
  /** Arguments after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** "linux", "darwin", "win32", … */
  readonly platform: string;
  /** True when `fd` (0, 1, 2) is a terminal. */
  isTerminal(fd: number): boolean;
  /**
   * Takes the terminal over; null when standard input or output is none. To be closed before anything else is
   * printed.
   * @param leave written when it is given back, whatever ends the process (but SIGKILL)
   */
  openTerminal(leave: string, events: TerminalEvents): Terminal | null;
  /** @throws SystemError */
  readText(path: string): Promise<string>;
  /**
   * Replaces the file in one step (temporary file in the same folder, then rename).
   * @param secret only we can read it (mode 0600)
   * @throws SystemError
   */
  writeText(path: string, text: string, secret?: boolean): Promise<void>;
  /** Removes a file; a missing one is fine. @throws SystemError */
  remove(path: string): Promise<void>;
  /**
   * Writes to an open descriptor and closes it unless it is 0, 1 or 2.
   * @param impatient a reader that has stopped reading fails it after a second, where the platform can tell; otherwise
   *   it waits for as long as the descriptor makes it wait
   * @throws SystemError
   */
  writeDescriptor(fd: number, text: string, impatient?: boolean): void;
  /** Reads standard input to its end. */
  readStdin(): Promise<string>;
  /**
   * Opens `path`, or standard output / error, for appending.
   * @param shared other processes write there too: lines are not mixed up to `wholeLineBytes`. What is
   *   written must end with a line's end.
   * @throws SystemError
   */
  openSink(target: string | 1 | 2, maxBufferedBytes: number, shared?: boolean): Promise<TextSink>;
  /**
   * Waits, from now on, for processes whose own parents have ended and whose parent we are: process 1 of a container
   * fills the table of processes otherwise. Only with `Capabilities.reapsOrphans`.
   * @returns false when it cannot be done after all
   */
  reapOrphans(): boolean;
  /** Calls `handler` at each such signal. Signals the platform lacks are ignored. */
  onSignal(name: SignalName, handler: () => void): void;
  /** Files that say how names are looked up; null where the platform alone knows. */
  readonly nameFiles: NameFiles | null;
  /** The process that listens there; null when none does, or the platform does not tell (all but Linux). For messages: it may be over. */
  listenerAt(address: Address): Promise<SocketOwner | null>;
  /** Sends `text` to the datagram socket named by NOTIFY_SOCKET (sd_notify(3)); false when it could not. */
  notifyServiceManager(text: string): Promise<boolean>;
  /** CLOCK_MONOTONIC, which service managers compare with; null where the platform does not tell. */
  monotonicMicroseconds(): Promise<bigint | null>;
  /** Sockets that a service manager has bound for this process (sd_listen_fds(3)); ours from now on. To be called once. */
  activatedSockets(): readonly ActivatedSocket[];
  /** Bytes of resident memory, 0 where unknown. */
  residentBytes(): number;
  /** How many files, sockets included, this process may have open; Infinity where that is not known. */
  readonly descriptorLimit: number;
  /** IP literals of the network interfaces as they are now, without zones; empty where they are not told. */
  interfaceAddresses(): readonly string[];
  /** Whether a process does not run because somebody has stopped it (SIGSTOP, a debugger); false where that is not known. */
  isStopped(pid: number): boolean;
  /** Memory that the process that started us can read whatever we do; null where that cannot be (Node, systems without /proc). */
  exposeBytes(size: number): ExposedBytes | null;
  /**
   * What stands in memory that a process which we have started exposes.
   *
   * @param address as it has told
   * @returns null when the system does not let us, or the process is gone
   */
  readExposed(pid: number, address: number, size: number): Uint8Array | null;
  /** Processors that this process may use, >= 1. */
  readonly parallelism: number;
  /** The channel to the process that started us by `startWorker`; null when none did. To be called once. */
  connectParent(events: ChannelEvents): MessageChannel | null;
  /**
   * Starts this program once more, with the same environment, standard output and error, but no standard
   * input and no other descriptor of ours. Only with `Capabilities.workers`.
   * @param args shown by tools like ps; `connectParent` tells the new process what it is
   * @param descriptors of listening sockets, which the new process has as `FIRST_GIVEN_DESCRIPTOR` and up
   * @throws SystemError
   */
  startWorker(
    args: readonly string[],
    events: WorkerProcessEvents,
    descriptors?: readonly number[],
  ): WorkerProcess;
  /**
   * Starts a command. One that cannot be started is told by `exited`. Only with `Capabilities.commands`.
   * @throws SystemError ENOTSUP for an own group where there is none
   */
  spawn(options: SpawnOptions, events: CommandEvents): CommandProcess;
  /**
   * Starts a program that is to take our place, with our arguments, environment, standard output and error,
   * but no standard input. It need not be Sluice: then it never says a word. Only with `Capabilities.handover`.
   * @param binary its file; null = what our own file's name leads to now, which may be another version of us
   * @param descriptors of listening sockets, as for `startWorker`
   * @throws SystemError
   */
  startSuccessor(
    binary: string | null,
    events: WorkerProcessEvents,
    descriptors: readonly number[],
  ): WorkerProcess;
  /** The channel to the process that started us by `startSuccessor`; null when none did. To be called once. */
  connectPredecessor(events: ChannelEvents): MessageChannel | null;
  /**
   * Ends the process. A write that its reader does not take does not keep it: where the platform would wait for that and nothing
   * else ends it, it is killed (SIGKILL).
   */
  exit(code: number): never;
}
