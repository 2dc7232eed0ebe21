/** The part of the contract that is about what an adapter is: sockets, the clock and memory. Reached through contract.ts. */

import type { Capabilities } from "./capabilities.ts";
import type { Clock } from "./clock.ts";
import type { DatagramEvents, DatagramOptions, DatagramSocket } from "./datagrams.ts";
import type { Dial, DialEvents, DialOptions } from "./dial.ts";
import type { AcceptEvents, Listener, ListenOptions, ReserveOptions } from "./listen.ts";
import type { SecureEvents, SecureOptions, Securing } from "./secure.ts";

export interface Runtime {
  readonly name: "bun" | "deno" | "node" | "memory";
  /** The platform's version, like "1.4.5". */
  readonly version: string;
  readonly capabilities: Capabilities;
  readonly clock: Clock;
  /**
   * TCP and Unix sockets without TLS that are opened from now on, and timers, go over system calls of our own, faster
   * than what the platform offers. These are tried first. To be called before anything else is done with the runtime;
   * again, it changes nothing. Absent without `capabilities.epoll`.
   *
   * @returns null; or why that cannot be after all, and then nothing has changed
   */
  useEpoll?(): string | null;
  /** Rejects with a `SocketFailure` when the address cannot be bound or an option is not supported. */
  listen(options: ListenOptions, events: AcceptEvents): Promise<Listener>;
  /**
   * A listening socket that nothing is accepted from here: processes that we start get its descriptor, and
   * what waits to be accepted is not lost with them. Rejects like `listen`, and without `capabilities.handover`.
   * On Node it begins to queue connections only when the first such process listens on it.
   */
  reserve(options: ReserveOptions): Promise<Listener>;
  dial(options: DialOptions, events: DialEvents): Dial;
  /** Speaks TLS on an open connection from now on: as its client, or as its server. */
  secure(options: SecureOptions, events: SecureEvents): Securing;
  openDatagrams(options: DatagramOptions, events: DatagramEvents): DatagramSocket;
  /**
   * All addresses of a name in the order of the platform's resolver, IP literals as they are. It may keep a thread
   * that files need busy for a minute, so `src/resolve` asks for few names at a time, and only where it cannot
   * ask name servers itself. Rejects with a `SocketFailure` of code `dns_error` (there also `dns_timeout`).
   */
  resolve(host: string): Promise<readonly string[]>;
  /** Gives memory that is not in use back to the system, where the platform lets us; takes milliseconds. */
  releaseMemory(): void;
  /**
   * Unmaps the pages of our own executable file: only the start has used most of them. They stay in the system's
   * page cache, and what is used again comes back by itself, from the disk only if the cache has lost it. Takes
   * milliseconds and never fails: where it cannot be done nothing happens. Absent but for Bun on Linux.
   */
  releaseProgram?(): void;
  /**
   * Frees an array that is not used any more, with its whole buffer, where the platform can do that before its
   * collector does; otherwise nothing happens. What had come with `data` must be an own chunk, and may be given
   * back during that call already. A later use finds it empty or overwritten.
   */
  discard(this: void, bytes: Uint8Array): void;
}

/** Given to an adapter when it is built. */
export interface RuntimeOptions {
  /** An event handler threw. The socket concerned has been aborted. */
  readonly onHandlerError: (error: unknown) => void;
}
