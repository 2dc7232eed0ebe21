/** The part of the contract that says what a platform can do. Reached through contract.ts. */

/** What differs by platform. A feature asked for without its capability is refused with a clear error. */
export interface Capabilities {
  /** `ListenOptions.reusePort` works. */
  readonly reusePort: boolean;
  /** `ListenOptions.backlog` is honoured; otherwise the platform's own value is used. */
  readonly backlog: boolean;
  readonly unixSockets: boolean;
  /** `abort` makes the peer see a reset, not an orderly end. */
  readonly abortSendsReset: boolean;
  /** `SocketEvents.endAhead` tells of every end. */
  readonly endWhilePaused: boolean;
  /** `ServerTls.names` selects a certificate by SNI. */
  readonly serverNames: boolean;
  /**
   * HTTP where TLS was expected is recognised, GET, HEAD, POST and PUT at least: `AcceptEvents.answerPlain` is asked,
   * then the connection ends and `acceptFailed` tells of it.
   */
  readonly plainAnswer: boolean;
  /** `Socket.endedShort` is known for connections that we have dialled, and for those of `Runtime.secure`. */
  readonly tlsEnd: boolean;
  /**
   * TLS inside of TLS is half-open, as all sockets are. Otherwise it closes with its peer's end: what was not sent by
   * then is lost, which `closed` with `reset` tells, while `finish` and `close` still end it in order.
   */
  readonly tlsInTlsHalfOpen: boolean;
  /** `System.startWorker` works, and the kernel spreads connections over processes that share a port. */
  readonly workers: boolean;
  /** `System.spawn` works (Deno needs --allow-run). */
  readonly commands: boolean;
  /** `SpawnOptions.ownGroup` works; not on Windows. */
  readonly processGroups: boolean;
  /** `System.reapOrphans` works: Bun on Linux, and Deno with --allow-ffi. */
  readonly reapsOrphans: boolean;
  /** Listening sockets can be given to a process that we start: `Listener.descriptor`, `Runtime.reserve`. */
  readonly handover: boolean;
  /**
   * A listener on an IPv6 address takes IPv6 only (IPV6_V6ONLY), so that "0.0.0.0" and "::" can have the same port.
   * Otherwise "::" takes both families, and a second listener on the port is `address_in_use`.
   */
  readonly ipv6Only: boolean;
  /** `Runtime.useEpoll` works. */
  readonly epoll: boolean;
  /** Largest chunk `data` is called with, in bytes. */
  readonly maxChunkBytes: number;
  /** Each `data` has an array of its own, which is not used again: it may be kept instead of copied. */
  readonly ownChunks: boolean;
}
