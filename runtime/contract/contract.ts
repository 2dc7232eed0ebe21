/**
 * The one socket interface that everything above is written against, and the few other things a
 * platform gives us. No code: three adapters implement it (`bun/`, `deno/`, `node/`), and the
 * suite in `test/contract` runs unchanged against each of them.
 *
 * Goals, in order: a caller can account for every byte; nothing is queued out of the caller's sight;
 * the fastest platform needs no glue on the byte path; misuse is harmless.
 */

import type { Capabilities } from "./capabilities.ts";
import type { CertificateReader } from "./certificates.ts";
import type { Clock } from "./clock.ts";
import type { DatagramEvents, DatagramOptions, DatagramSocket } from "./datagrams.ts";
import type { FileSystem, UnixAccess } from "./files.ts";
import type {
  ActivatedSocket,
  ChannelEvents,
  CommandEvents,
  CommandProcess,
  MessageChannel,
  SignalName,
  SocketOwner,
  SpawnOptions,
  WorkerProcess,
  WorkerProcessEvents,
} from "./process.ts";
import type { SecureEvents, SecureOptions, Securing } from "./secure.ts";
import type { Terminal, TerminalEvents } from "./terminal.ts";
import type { TextSink } from "./sinks.ts";
import type { ClientTls, ServerTls, TlsSession } from "./tls.ts";

export type { Capabilities } from "./capabilities.ts";
export type { Certificate, CertificateReader, PrivateKey } from "./certificates.ts";
export type { Clock, Timer } from "./clock.ts";
export type { DatagramEvents, DatagramOptions, DatagramSocket } from "./datagrams.ts";
export type { FileStatus, FileSystem, UnixAccess } from "./files.ts";
export * from "./process.ts";
export type { SecureEvents, SecureOptions, Securing } from "./secure.ts";
export type { Terminal, TerminalEvents } from "./terminal.ts";
export type { FlushPatience, TextSink } from "./sinks.ts";
export type { ClientTls, ServerTls, TlsSession } from "./tls.ts";

/**
 * Where a socket listens or dials. `host` is an IP literal without brackets. Above the adapters it may be a name as
 * well: `src/resolve` makes addresses of it.
 */
export type Address =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/**
 * Why a dial, a bind or a name look-up failed. Names follow RFC 9209 §2.3 where it has one.
 * - `connection_refused`: nobody listens there (includes a Unix socket path that does not exist)
 * - `connection_timeout`: the dial deadline passed
 * - `destination_ip_unroutable`: no route, host or network unreachable
 * - `dns_error`: the name did not resolve
 * - `dns_timeout`: no name server answered in time
 * - `tls_certificate_error`, `tls_protocol_error`: the TLS handshake failed
 * - `connection_terminated`: the peer closed or reset while the handshake was going on
 * - `address_in_use`, `address_not_available`, `permission_denied`: binding failed
 * - `resource_exhausted`: out of descriptors, ports or buffers
 * - `platform_error`: anything else; `detail` has the platform's words
 */
export type SocketErrorCode =
  | "connection_refused"
  | "connection_timeout"
  | "destination_ip_unroutable"
  | "dns_error"
  | "dns_timeout"
  | "tls_certificate_error"
  | "tls_protocol_error"
  | "connection_terminated"
  | "address_in_use"
  | "address_not_available"
  | "permission_denied"
  | "resource_exhausted"
  | "platform_error";

/** A failure as a record: compare `code`, never `detail`. */
export interface SocketError {
  readonly code: SocketErrorCode;
  /** The platform's words, for logs. */
  readonly detail: string;
}

/**
 * Why an open socket closed.
 * - `finished`: both sides ended in order (or we called `close`)
 * - `aborted`: we called `abort`
 * - `reset`: the peer (or the network) tore the connection down: ECONNRESET, EPIPE, ETIMEDOUT
 * - `failed`: the platform or TLS reported anything else
 */
export type CloseCode = "finished" | "aborted" | "reset" | "failed";

/** What `closed` tells: `code` is for decisions, `detail` for logs. */
export interface CloseReason {
  readonly code: CloseCode;
  readonly detail: string;
}

/**
 * Receives the events of one socket. No event fires inside a call of `Socket`, `Dial` or `Runtime`
 * methods; two events of one socket never overlap. An exception thrown by a handler is a bug of ours:
 * the adapter reports it through `RuntimeOptions.onHandlerError` and aborts that socket, nothing else.
 */
export interface SocketEvents {
  /**
   * Bytes have arrived. They are lent for the call: copy what must outlive it (they may be a Buffer, whose
   * `slice` is a view, not a copy). During the call the receiver may overwrite them. Never called with an
   * empty array, nor while paused, nor after `ended`.
   */
  data(bytes: Uint8Array): void;
  /** After a short `write`: there is room again. Never called unasked. */
  drained(): void;
  /** The peer has finished sending (FIN or TLS close_notify). At most once. Our side stays open. */
  ended(): void;
  /**
   * While paused: the peer has ended, behind bytes that may be unread. They, and then `ended` or `closed`, come after
   * `resume` as always. At most once a pause. With `capabilities.endWhilePaused` within a second, else seldom; never while
   * a FIN waits in the peer's kernel until ours has room for the bytes before it.
   *
   * @param reset the peer is gone in both directions as far as is known, not just at its end of sending
   */
  endAhead?(reset: boolean): void;
  /** The socket is gone. Exactly once, always last. */
  closed(reason: CloseReason): void;
}

/**
 * An open, half-open capable stream socket with Nagle's algorithm off. `Socket` objects live exactly
 * as long as the connection; after `closed` every method does nothing.
 */
export interface Socket {
  /** Receiver of the events. May be replaced at any time; takes effect with the next event. */
  events: SocketEvents;
  /** IP literals; "" for Unix sockets. */
  readonly remoteAddress: string;
  /** 0 for Unix sockets. */
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Null when the connection is not TLS. */
  readonly tls: TlsSession | null;
  /**
   * After `ended`: the connection below TLS has ended without close_notify, so bytes may be missing (RFC 8446 §6.1).
   * Never true for plain connections, and missing where the platform cannot tell; see `capabilities.tlsEnd`.
   */
  readonly endedShort?: boolean;

  /**
   * Offers `bytes[from, to)`. The bytes are lent for the call: the adapter copies what its platform
   * keeps.
   *
   * @param last `finish` or `close` follows in the same turn, at once if all is taken: the adapter may keep the bytes
   *   until then, so that they leave in one packet with the FIN
   * @returns how many bytes were taken, 0 to `to - from`. Fewer than offered means that the socket is
   *   full: write nothing more until `drained`. Memory the adapter holds for taken bytes is bounded
   *   by 64 KiB (plus TLS records). After `finish`, `close`, `abort` or `closed`: 0, and no `drained`.
   */
  write(bytes: Uint8Array, from: number, to: number, last?: boolean): number;

  /**
   * For whoever waits in vain for `drained`, which a slow peer may not bring about for minutes although it reads all
   * the time: milliseconds since bytes were last sent to it; Infinity when that is not known. Missing where the
   * platform cannot tell.
   */
  sentAgoMs?(): number;

  /**
   * Bytes of ours that the peer has acknowledged so far, those of TLS included; -1 when that is not known. Missing where
   * the platform cannot tell.
   */
  ackedBytes?(): number;

  /**
   * No `data` and no `ended` until `resume`. Takes effect at once, also inside `data`. Idempotent.
   * While paused a reset may be reported by `closed`, which then comes without the bytes that were unread; see
   * `SocketEvents.endAhead` as well.
   */
  pause(): void;
  resume(): void;

  /**
   * Sends what was taken, then FIN (TLS: close_notify first). Reading goes on. `closed` follows once
   * the peer has ended as well. Idempotent.
   */
  finish(): void;

  /**
   * Sends what was taken, then closes both directions without waiting for the peer. No further event
   * but `closed`. Bytes of the peer that we have not read make the kernel send a reset, which can
   * destroy what we sent: use it only when the peer's message was read to its end.
   */
  close(): void;

  /** Drops the connection now, with a reset where `capabilities.abortSendsReset`. Then `closed`. */
  abort(): void;
}

export interface ListenOptions {
  /**
   * At the path of a Unix socket there may be a socket that refuses connections, left behind by a process that
   * was killed: it is replaced. Anything else there is `address_in_use`.
   */
  readonly address: Address;
  /** Of a Unix socket that is bound (not of one that is inherited). */
  readonly access?: UnixAccess;
  /** Length of the kernel's accept queue; see `capabilities.backlog`. */
  readonly backlog: number;
  /** Let several processes listen on the port (SO_REUSEPORT); see `capabilities.reusePort`. */
  readonly reusePort: boolean;
  readonly tls: ServerTls | null;
  /** A TLS handshake not done by then is aborted. Milliseconds, > 0. */
  readonly handshakeTimeoutMs: number;
  /**
   * Descriptor of a socket that listens on `address` already, inherited from the process that started us. It
   * belongs to the listener from now on; `backlog` and `reusePort` are what they are. With `capabilities.handover`.
   */
  readonly inherited?: number;
}

/** What a socket that is only held needs. */
export type HoldOptions = Pick<
  ListenOptions,
  "address" | "access" | "backlog" | "reusePort" | "inherited"
>;

/** A bound listener. */
export interface Listener {
  /** The address really bound: with port 0, the port the kernel chose. */
  readonly address: Address;
  /**
   * Of the listening socket, to be given to a process that we start; it stays ours. Null where it cannot be
   * given away: without `capabilities.handover`, or a Unix socket in a folder of a very long name.
   */
  readonly descriptor: number | null;
  /**
   * Stops accepting. Connections accepted before stay. Removes the path of a Unix socket, unless somebody has put
   * something else there. Idempotent.
   * Resolves when the port is free to be bound again.
   */
  close(): Promise<void>;
  /**
   * Clients that come from now on get this certificate. Rejects with a `SocketFailure` when it cannot be used, or
   * where the platform cannot do it; then nothing has changed. Only for a listener with TLS.
   */
  certify(tls: ServerTls): Promise<void>;
  /**
   * Like `close`, for a socket that another process has as well: connections that wait to be accepted are
   * left to that, and the path of a Unix socket stays.
   */
  leave(): Promise<void>;
}

/** Receives what a listener accepts. One object serves all connections of a listener. */
export interface AcceptEvents {
  /**
   * A connection is open (TLS: the handshake is done). The answer receives its events; data may be
   * waiting, and is delivered after this call has returned.
   */
  accepted(socket: Socket): SocketEvents;
  /** A TLS handshake or an accept failed; for logs and counters. */
  acceptFailed(error: SocketError): void;
  /** How many TLS handshakes may be under way; asked for each client. One more fails at once. Default: any number. */
  handshakeRoom?(): number;
  /** What a client is sent that speaks HTTP where TLS was expected; see `capabilities.plainAnswer`. Default: nothing. */
  answerPlain?(): Uint8Array;
}

/** What a client is told of that finds no room for its handshake. */
export const NO_HANDSHAKE_ROOM: SocketError = {
  code: "connection_terminated",
  detail: "too many TLS handshakes are under way",
};

export interface DialOptions {
  readonly address: Address;
  /** Deadline for connection and TLS handshake together (and the look-up of a name). Milliseconds, > 0. */
  readonly timeoutMs: number;
  readonly tls: ClientTls | null;
}

/** Exactly one of `opened` and `failed` is called, never inside `dial`, and nothing after `cancel`. */
export interface DialEvents {
  /** TCP is connected and the TLS handshake begins; `opened` or `failed` follows. At most once. */
  connected?(): void;
  /** The connection is open; the answer receives its events. */
  opened(socket: Socket): SocketEvents;
  failed(error: SocketError): void;
}

export interface Dial {
  /** Gives up. A connection that opens all the same is dropped unseen. Idempotent. */
  cancel(): void;
}

/** A failed file or process operation. `code` is the POSIX name ("ENOENT", "EACCES", …) or "". */
export class SystemError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "SystemError";
    this.code = code;
  }
}

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
   * @param secret nobody but us can read it (mode 0600)
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
  /** Who listens there; null when nobody does, or the platform does not tell (all but Linux). For messages: it may be over. */
  listenerAt(address: Address): Promise<SocketOwner | null>;
  /** Sends `text` to the datagram socket named by NOTIFY_SOCKET (sd_notify(3)); false when it could not. */
  notifySupervisor(text: string): Promise<boolean>;
  /** CLOCK_MONOTONIC, which supervisors compare with; null where the platform does not tell. */
  monotonicMicroseconds(): Promise<bigint | null>;
  /** Sockets that a supervisor has bound for this process (sd_listen_fds(3)); ours from now on. To be called once. */
  activatedSockets(): readonly ActivatedSocket[];
  /** Bytes of resident memory, 0 where unknown. */
  residentBytes(): number;
  /** How many files, sockets included, this process may have open; Infinity where that is not known. */
  readonly descriptorLimit: number;
  /** Processors that this process may use, >= 1. */
  readonly parallelism: number;
  /** The channel to the process that started us by `startWorker`; null when nobody did. To be called once. */
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
   * Ends the process. A write that nobody takes does not keep it: where the platform would wait for that and nothing
   * else ends it, it is killed (SIGKILL).
   */
  exit(code: number): never;
}

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
  hold(options: HoldOptions): Promise<Listener>;
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
   * Frees an array that nobody uses any more, with its whole buffer, where the platform can do that before its
   * collector does; otherwise nothing happens. What had come with `data` must be an own chunk, and may be given
   * back during that call already. Whoever uses it all the same finds it empty or overwritten.
   */
  discard(this: void, bytes: Uint8Array): void;
}

/** A rejected `listen` or `resolve`. */
export class SocketFailure extends Error implements SocketError {
  readonly code: SocketErrorCode;
  readonly detail: string;
  constructor(code: SocketErrorCode, detail: string) {
    super(`${code}: ${detail}`);
    this.name = "SocketFailure";
    this.code = code;
    this.detail = detail;
  }
}

/** Given to an adapter when it is built. */
export interface RuntimeOptions {
  /** An event handler threw. The socket concerned has been aborted. */
  readonly onHandlerError: (error: unknown) => void;
}
