/**
 * The adapter for Bun, over its native sockets; node:net on Bun costs a quarter more per request. What
 * Bun does where its documentation is silent stands in native.ts.
 *
 * What Bun lacks: the accept queue is always 512; the reason why connect(2) failed is mostly lost
 * (an unreachable host is `connection_refused`); a connection being set up cannot be given up (see
 * dial.ts); `accept` failing for want of descriptors is not reported, and Bun spins meanwhile, so
 * limit connections below `ulimit -n`.
 */
import { closeSync } from "node:fs";
import type {
  AcceptEvents,
  Address,
  Capabilities,
  HoldOptions,
  Listener,
  ListenOptions,
  Runtime,
  RuntimeOptions,
  SecureEvents,
  SecureOptions,
  Securing,
  ServerTls,
  Socket,
  SocketError,
  Timer,
} from "../contract/contract.ts";
import { NO_HANDSHAKE_ROOM, SocketFailure } from "../contract/contract.ts";
import { duplicator } from "./duplicate.ts";
import { BunDial, outOfDescriptors } from "./dial.ts";
import { adopt, canUpgrade, secureBun } from "./secure.ts";
import {
  type BunGlobal,
  type NativeHandlers,
  type NativeListenAddress,
  type NativeListener,
  type NativeOwner,
  type NativeSocket,
  OWNER_HANDLERS,
  type SocketOptions,
} from "./native.ts";
import { canReleaseProgram, releaseProgram } from "./program_pages.ts";
import { canWatchEnds, EndWatch } from "./end_watch.ts";
import { BunSocket, type Host } from "./socket.ts";
import { sendDirectly } from "./send_held.ts";
import { certificateChooser, clientFailure, isPlainHttp, serverSession, serverTls } from "./tls.ts";
import { openDatagrams } from "../shared/datagrams.ts";
import { EpollSockets } from "./epoll/adapter.ts";
import { canEpoll } from "./epoll/calls.ts";
import type { Fitting } from "./epoll/loop.ts";
import { ReservedSocket } from "../shared/reserved_socket.ts";
import { errorDetail, platformCode, socketErrorOf } from "../shared/socket_error.ts";
import { canSpawn, HAS_PROCESS_GROUPS } from "../shared/command_process.ts";
import { canReapOrphans } from "../shared/orphans.ts";
import { createClock, resolveName } from "../shared/system.ts";
import { bindUnixPath, OwnPath } from "../shared/unix_path.ts";
import { canStartWorkers } from "../shared/worker_process.ts";
import { type JavaScriptHost, secureInJavaScript } from "../shared/conn_secure.ts";
import { ConnBuffers } from "../shared/conn_buffers.ts";
import { EpollSocket } from "./epoll/socket.ts";
import { PendingHandshake } from "../shared/securing.ts";

declare const Bun: BunGlobal;

const CAPABILITIES = {
  reusePort: true,
  unixSockets: true,
  abortSendsReset: true,
  serverNames: true,
  workers: canStartWorkers(),
  commands: canSpawn(),
  processGroups: HAS_PROCESS_GROUPS,
  ipv6Only: true,
  reapsOrphans: canReapOrphans(),
  tlsEnd: true,
  tlsInTlsHalfOpen: false,
  plainAnswer: process.platform === "linux",
  epoll: canEpoll(),
  maxChunkBytes: 512 * 1024,
} as const;

export interface BunOptions extends RuntimeOptions {
  /** What sockets over epoll are made with, for tests. */
  readonly fitting?: Fitting;
}

/** @param options `onHandlerError` serves all sockets, listeners and dials of the runtime */
export function createBunRuntime(options: BunOptions): Runtime {
  const { onHandlerError, fitting } = options;
  const clock = createClock();
  const host: Host = { clock, onHandlerError, ends: new EndWatch(clock) };
  const securing = { ...host, buffers: new ConnBuffers(true), closesWithPeer: true };
  let epoll: EpollSockets | null = null;
  const capabilities: Capabilities = {
    ...CAPABILITIES,
    get backlog() {
      return epoll !== null;
    },
    get handover() {
      return duplicator() !== null;
    },
    get endWhilePaused() {
      return canWatchEnds();
    },
    get ownChunks() {
      return epoll === null;
    },
  };
  return {
    name: "bun",
    version: Bun.version,
    capabilities,
    clock: {
      now: clock.now,
      wall: clock.wall,
      setTimer: (ms, fire, background = false) => (epoll ?? clock).setTimer(ms, fire, background),
    },
    useEpoll() {
      if (epoll !== null) return null;
      const opened = EpollSockets.open(onHandlerError, fitting);
      if (typeof opened === "string") return opened;
      epoll = opened;
      return null;
    },
    // TLS is Bun's.
    listen: (asked, events) =>
      epoll !== null && asked.tls === null ? epoll.listen(asked, events) : listen(asked, events, host),
    hold: (asked) => epoll !== null ? epoll.hold(asked) : hold(asked),
    dial: (asked, events) =>
      epoll !== null && asked.tls === null ? epoll.dial(asked, events) : new BunDial(asked, events, host),
    secure: (asked, events) => secure(asked, events, securing),
    openDatagrams: (asked, events) => openDatagrams(asked, events, onHandlerError),
    resolve: resolveName,
    releaseMemory: () => Bun.gc(true),
    ...(canReleaseProgram() ? { releaseProgram } : {}),
    // Detaching frees at once; the collector would find 512 KiB arrays by the dozen.
    discard: (bytes) => void (bytes.buffer as ArrayBuffer).transfer(0),
  } satisfies Runtime;
}

/** By Bun itself over plain sockets; all else in JavaScript: TLS in TLS. */
function secure(
  options: SecureOptions,
  events: SecureEvents,
  host: JavaScriptHost & Host,
): Securing {
  const { socket } = options;
  if (socket instanceof EpollSocket) {
    const adopted = adopt(socket, host);
    if (adopted !== null) return secure({ ...options, socket: adopted }, events, host);
    return new PendingHandshake(options, events, host).refuse(socket);
  }
  if (socket instanceof BunSocket && canUpgrade(options, socket)) {
    return secureBun(options, socket, events, host);
  }
  return secureInJavaScript(options, events, host, takeOver);
}

/** Sockets that are not of this adapter stay what they are. */
function takeOver(socket: Socket): Socket | null {
  return socket instanceof BunSocket ? socket.handOver() : socket;
}

async function listen(options: ListenOptions, events: AcceptEvents, host: Host): Promise<Listener> {
  if (options.tls === null) {
    return await open(options, { allowHalfOpen: true, socket: plainHandlers(events, host) });
  }
  const accepting = async (tls: ServerTls): Promise<SocketOptions> => ({
    allowHalfOpen: true,
    socket: await tlsHandlers({ ...options, tls }, events, host),
    tls: serverTls(tls),
  });
  const listener = await open(options, await accepting(options.tls));
  listener.accepting = accepting;
  return listener;
}

/**
 * Bun accepts from whatever it listens on. So the socket is opened by a listener that ends in the same turn,
 * before it could accept, and a second descriptor of the socket remains.
 */
async function hold(options: HoldOptions): Promise<Listener> {
  const duplicate = duplicator();
  if (duplicate === null) throw new SocketFailure("platform_error", NO_HANDOVER);
  if (options.inherited !== undefined) return new ReservedSocket(options.address, options.inherited);
  const opener = await open(options, { allowHalfOpen: true, socket: DROP_ALL });
  const { address, descriptor } = opener;
  const kept = descriptor === null ? -1 : duplicate(descriptor);
  await (kept < 0 ? opener.close() : opener.leave());
  if (kept < 0) throw new SocketFailure("resource_exhausted", "the listening socket cannot be duplicated");
  return new ReservedSocket(address, kept);
}

const NO_CERTIFY = "the certificate of an open listener cannot be changed here";
const NO_HANDOVER = "listening sockets cannot be given to other processes on this platform";

/** For a listener that never accepts. */
const DROP_ALL: NativeHandlers = { ...OWNER_HANDLERS, open: (native) => native.terminate() };

async function open(options: HoldOptions, accepting: SocketOptions): Promise<BunListener> {
  const { address, reusePort, inherited } = options;
  if (inherited !== undefined) {
    try {
      const path = address.kind === "unix" ? new OwnPath(address.path) : null;
      return new BunListener(Bun.listen({ fd: inherited, reusePort, ...accepting }), address, true, path);
    } catch (error) {
      throw bindFailure(error);
    }
  }
  const bind = (where: NativeListenAddress): NativeListener => {
    try {
      return Bun.listen({ ...where, reusePort, ...accepting });
    } catch (error) {
      throw bindFailure(error);
    }
  };
  if (address.kind === "unix") {
    const { bound, apart, path } = await bindUnixPath(
      address.path,
      options.access,
      (unix) => bind({ unix }),
      (listener) => listener.stop(),
    );
    return new BunListener(bound, address, apart, path);
  }
  // Bun would not say why a name cannot be bound.
  const [ip = ""] = await resolveName(address.host);
  const listener = bind({ hostname: ip, port: address.port, ipv6Only: ip.includes(":") });
  const bound: Address = { kind: "tcp", host: ip, port: listener.port ?? address.port };
  return new BunListener(listener, bound, true);
}

class BunListener implements Listener {
  readonly address: Address;
  #native: NativeListener;
  readonly #ours: boolean;
  readonly #path: OwnPath | null;
  #open = true;
  /** How clients are accepted with another certificate; null without TLS. */
  accepting: ((tls: ServerTls) => Promise<SocketOptions>) | null = null;

  /**
   * @param ours false when Bun itself knows the path of the socket, and removes it at the end
   * @param path of a Unix socket
   */
  constructor(native: NativeListener, address: Address, ours: boolean, path: OwnPath | null = null) {
    this.#native = native;
    this.address = address;
    this.#ours = ours;
    this.#path = path;
  }

  get descriptor(): number | null {
    return this.#ours && duplicator() !== null ? this.#native.fd : null;
  }

  /** Bun takes a certificate at the start only: another listener goes on with a second descriptor of the socket. */
  async certify(tls: ServerTls): Promise<void> {
    const duplicate = this.#ours ? duplicator() : null;
    if (this.accepting === null || duplicate === null) throw new SocketFailure("platform_error", NO_CERTIFY);
    const options = await this.accepting(tls);
    if (!this.#open) return;
    const descriptor = duplicate(this.#native.fd);
    if (descriptor < 0) {
      throw new SocketFailure("resource_exhausted", "the listening socket cannot be duplicated");
    }
    let native: NativeListener;
    try {
      native = Bun.listen({ fd: descriptor, reusePort: false, ...options });
    } catch (error) {
      closeSync(descriptor);
      throw bindFailure(error);
    }
    this.#native.stop();
    this.#native = native;
  }

  close(): Promise<void> {
    if (this.#open) this.#path?.remove();
    return this.leave();
  }

  /** Bun closes the descriptor at once; accepted sockets live on. */
  leave(): Promise<void> {
    this.#open = false;
    this.#native.stop();
    return Promise.resolve();
  }
}

function plainHandlers(events: AcceptEvents, host: Host): NativeHandlers {
  return { ...OWNER_HANDLERS, open: (native) => accept(new BunSocket(native, host, null), events) };
}

async function tlsHandlers(
  options: ListenOptions & { readonly tls: ServerTls },
  events: AcceptEvents,
  host: Host,
): Promise<NativeHandlers> {
  const { tls } = options;
  const names = tls.names ?? [];
  const underWay: HandshakeCount = { handshakes: 0 };
  return {
    ...OWNER_HANDLERS,
    open(native) {
      const handshake = new Handshake(native, tls, options.handshakeTimeoutMs, events, host, underWay);
      native.data = handshake;
      if (underWay.handshakes > (events.handshakeRoom?.() ?? Infinity)) handshake.refuse();
    },
    handshake(native, success, error) {
      if (native.data instanceof Handshake) native.data.onHandshake(success, error);
    },
    ...(names.length === 0 ? {} : { serverName: await certificateChooser(tls, names) }),
  };
}

function accept(socket: BunSocket, events: AcceptEvents): void {
  try {
    socket.events = events.accepted(socket);
  } catch (error) {
    socket.threw(error);
  }
}

/** Of one listener. */
interface HandshakeCount {
  handshakes: number;
}

/** Owns an accepted connection until its TLS handshake is done. */
class Handshake implements NativeOwner {
  readonly #underWay: HandshakeCount;
  readonly #tls: ServerTls;
  readonly #native: NativeSocket;
  readonly #events: AcceptEvents;
  readonly #host: Host;
  readonly #timer: Timer;
  #settled = false;

  constructor(
    native: NativeSocket,
    tls: ServerTls,
    timeoutMs: number,
    events: AcceptEvents,
    host: Host,
    underWay: HandshakeCount,
  ) {
    this.#native = native;
    this.#tls = tls;
    this.#events = events;
    this.#host = host;
    this.#underWay = underWay;
    underWay.handshakes++;
    this.#timer = host.clock.setTimer(timeoutMs, () => {
      this.#fail({ code: "connection_timeout", detail: `no TLS handshake within ${timeoutMs} ms` });
    }, true);
  }

  onHandshake(success: boolean, error: unknown): void {
    if (this.#settled) return;
    const failure = clientFailure(this.#tls, this.#native, success, error);
    if (failure !== null) {
      if (isPlainHttp(error)) this.#answerPlain();
      this.#fail(failure);
      return;
    }
    this.#settle();
    accept(new BunSocket(this.#native, this.#host, serverSession(this.#native)), this.#events);
  }

  /** Below TLS, which would make a record of it. BoringSSL has sent no alert for this. */
  #answerPlain(): void {
    try {
      const answer = this.#events.answerPlain?.();
      if (answer !== undefined) sendDirectly(this.#native.fd, answer, answer.length);
    } catch (thrown) {
      this.#host.onHandlerError(thrown);
    }
  }

  onClose(error: unknown): void {
    const detail = error === undefined ? "closed during the TLS handshake" : errorDetail(error);
    this.#fail({ code: "connection_terminated", detail });
  }

  onError(error: unknown): void {
    if (platformCode(error) === "") this.#host.onHandlerError(error);
    this.#fail(socketErrorOf(error, "handshake"));
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}

  /** There are too many. */
  refuse(): void {
    this.#fail(NO_HANDSHAKE_ROOM);
  }

  #settle(): void {
    this.#settled = true;
    this.#underWay.handshakes--;
    this.#timer.cancel();
  }

  #fail(error: SocketError): void {
    if (this.#settled) return;
    this.#settle();
    // In order, so that the alert which says why arrives before a reset could overtake it.
    this.#native.close();
    try {
      this.#events.acceptFailed(error);
    } catch (thrown) {
      this.#host.onHandlerError(thrown);
    }
  }
}

function bindFailure(error: unknown): SocketFailure {
  const { code, detail } = socketErrorOf(error, "bind");
  if (code === "platform_error" && outOfDescriptors()) {
    return new SocketFailure("resource_exhausted", "no file descriptor is left");
  }
  return new SocketFailure(code, detail);
}
